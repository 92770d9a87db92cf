"""An operator's way from an edit to a release, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test.utils import override_settings
from django.utils import timezone

from almanac.errors import AlmanacError
from almanac.stores import FileStore, StoreError
from mirrors.models import Publication, StoreProgress
from mirrors.services import publishing
from tests.browser.conftest import ARTIFACTS, Visitor
from tests.catalog.admin.cast import let_the_worker_work, means_in, publish_something
from tests.factories import offering, price, write
from tests.mirrors.test_steps import seconds_of

pytestmark = pytest.mark.browser


def test_an_operator_finds_a_model_edits_a_price_and_publishes_it(operator: Visitor, tmp_path: Path) -> None:
    page = operator.page
    publish_something(tmp_path)

    operator.go("/admin/")
    page.click("main >> text=Offerings")
    page.fill("#searchbar", "omega")
    page.keyboard.press("Enter")
    page.click("#result_list >> text=omega")
    page.fill("#id_prices-0-amount", "4/M")
    page.click("text=Save and continue editing")
    assert "was saved (change request" in page.inner_text(".messagelist")
    assert page.input_value("#id_prices-0-amount") == "0.000004"

    page.click("text=Publish…")
    difference = page.inner_text("main")
    assert "3 USD per million tokens" in difference
    assert "4 USD per million tokens" in difference
    page.click("#publish")
    page.wait_for_selector("text=waits for the worker")

    let_the_worker_work(tmp_path)
    page.wait_for_selector("text=Why it stopped")  # one record of three is more than 30 %
    page.fill("#reason", "it is a small catalog")
    page.click("text=Publish in spite of it")
    page.wait_for_selector("text=waits for the worker")
    let_the_worker_work(tmp_path)
    page.wait_for_selector("text=Release 2: published")

    operator.go("/admin/")
    assert "Release 2" in page.inner_text(".answers")
    page.click("text=What it changed")
    assert "4 USD per million tokens" in page.inner_text("main")


def test_two_tabs_show_both_versions_and_lose_nothing(operator: Visitor) -> None:
    page = operator.page
    operator.go("/admin/catalog/modelentry/?q=omega")
    page.click("#result_list >> text=Omega 7B")
    address = page.url
    page.fill("#id_name", "From the first tab")
    second = page.context.new_page()
    second.goto(address)
    second.fill("#id_name", "From the second tab")
    second.click("input[name=_save]")
    with page.expect_response(lambda response: response.request.method == "POST") as answer:
        page.click("input[name=_save]")
    assert answer.value.status == 409
    conflict = page.inner_text(".conflict")
    assert "From the second tab" in conflict
    assert "From the first tab" in conflict
    assert page.input_value("#id_name") == "From the first tab"
    operator.complaints[:] = [words for words in operator.complaints if "409" not in words]
    page.click("input[name=_save]")
    assert "was saved" in page.inner_text(".messagelist")


def test_without_scripts_an_edit_is_published_as_well(
    operator: Visitor, chromium: object, tmp_path: Path
) -> None:
    context = chromium.new_context(  # type: ignore[attr-defined]
        java_script_enabled=False, storage_state=operator.page.context.storage_state()
    )
    page = context.new_page()
    page.goto(operator.address + "/admin/publish/")
    page.click("#publish")
    assert "waits for the worker" in page.inner_text("main")
    let_the_worker_work(tmp_path)
    page.wait_for_selector("text=Release 1: published", timeout=15_000)  # the page reloads itself
    context.close()


def test_the_listener_sees_what_the_policy_blocks(operator: Visitor) -> None:
    """The other tests mean something only if a violation is heard."""
    operator.go("/admin/")
    operator.page.evaluate("document.body.setAttribute('style', 'color: red')")
    operator.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))"
    )
    operator.page.wait_for_timeout(200)
    heard, operator.complaints[:] = list(operator.complaints), []
    assert any("style-src" in words for words in heard)
    assert any("script-src" in words for words in heard)


class SlowStore(FileStore):
    """Lets the test look after each object; or is down."""

    def __init__(self, folder: Path, look: Callable[[str], None]) -> None:
        super().__init__(folder)
        self.look = look

    def put(self, name: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        done = super().put(name, data, only_if_absent=only_if_absent)
        if name.startswith(("targets/", "metadata/")) and not name.endswith((".br", ".gz", ".zst")):
            self.look(name)
        return done


def make(
    folder: Path, asked: Publication, *, look: Callable[[str], None], passing: Callable[[str], None] = str
) -> None:
    """The worker's part, in slow motion: every second of its stopwatch is a step of its own."""
    store = SlowStore(folder / "store", look)
    means = replace(means_in(folder), stores={"file:first": store}, stopwatch=seconds_of(1), passing=passing)
    with suppress(AlmanacError):
        publishing.carry_out(means, asked, wait_s=0)


def ask(operator: Visitor) -> Publication:
    operator.go("/admin/publish/")
    operator.page.click("#publish")
    operator.page.wait_for_selector("text=waits for the worker")
    return Publication.objects.latest("pk")


def pictured(page: Any, name: str) -> None:
    """In both schemes and two widths, for people to look at; nothing may stick out."""
    ARTIFACTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 480):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=ARTIFACTS / f"progress-{name}-{width}-{scheme}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width + 1
    page.set_viewport_size({"width": 1280, "height": 900})


def test_an_operator_watches_the_bar_move_and_the_log_grow(operator: Visitor, tmp_path: Path) -> None:
    page = operator.page
    asked = ask(operator)
    bar = page.locator("#bar")
    values: list[int] = []
    said: list[str] = []

    def look(_name: str) -> None:
        if len(values) > 5:
            return  # seen enough
        page.wait_for_function(
            "words => document.querySelector('label[for=bar]').textContent !== words",
            arg=said[-1] if said else "",
        )
        said.append(page.inner_text("label[for=bar]"))
        values.append(int(bar.get_attribute("value")))
        if len(values) == 4:
            pictured(page, "upload")

    make(tmp_path, asked, look=look)
    assert values == sorted(values)
    assert values[0] < values[-1] < 100
    assert "objects pushed" in said[-1]
    page.wait_for_selector("text=Release 1: published")
    assert bar.get_attribute("value") == "100"
    log = page.inner_text(".log")
    for step in (
        "cut",
        "render",
        "gate",
        "delta",
        "sign",
        "upload",
        "verify",
        "commit",
        "announce",
        "collect",
    ):
        assert step in log
    assert page.inner_text("#says") == "published"
    assert page.get_by_role("progressbar", name="All steps are done.").count() == 1
    pictured(page, "done")


def test_an_operator_cancels_with_the_keyboard_before_it_is_signed(operator: Visitor, tmp_path: Path) -> None:
    publish_something(tmp_path)
    write(offering("zeta", prices=[price("0.000002"), price("0.000006", meter="output")]))
    page = operator.page
    asked = ask(operator)
    Publication.objects.filter(pk=asked.pk).update(overrides="mass-change", override_reason="small")
    asked.refresh_from_db()

    def cancels(step: str) -> None:
        if step == "released":
            page.focus("#cancel")
            page.wait_for_timeout(1500)  # the page has changed meanwhile, and the button is the same
            assert page.evaluate("document.activeElement.id") == "cancel"
            page.keyboard.press("Enter")
            page.wait_for_selector("text=alice asked to cancel it")
            pictured(page, "cancelling")

    make(tmp_path, asked, look=lambda _name: None, passing=cancels)
    page.wait_for_selector("text=cancelled: nothing was published")
    assert not page.locator("#cancel").count()
    page.click("#retry")
    page.wait_for_selector("text=waits for the worker")
    again = Publication.objects.latest("pk")
    assert again.pk > asked.pk
    make(tmp_path, again, look=lambda _name: None)
    page.wait_for_selector("text=Release 2: published")


def test_an_operator_sees_why_it_was_interrupted_and_tries_again(operator: Visitor, tmp_path: Path) -> None:
    page = operator.page
    asked = ask(operator)

    def down(_name: str) -> None:
        raise StoreError("the bucket does not answer")

    make(tmp_path, asked, look=down)
    page.wait_for_selector("text=It was interrupted")
    assert "failed: the bucket does not answer" in page.inner_text(".log")
    assert "can no longer be cancelled" in page.inner_text("main")
    pictured(page, "interrupted")
    page.click("#retry")
    page.wait_for_selector("text=It was interrupted")
    assert Publication.objects.queued().get().retries == asked.pk
    make(tmp_path, Publication.objects.queued().get(), look=lambda _name: None)
    page.wait_for_selector("text=Release 1: published")


def test_each_stores_progress_is_shown_with_its_last_error(operator: Visitor, tmp_path: Path) -> None:
    publish_something(tmp_path)
    publication = Publication.objects.latest("pk")
    now = timezone.now()
    StoreProgress.objects.create(
        url="s3://the-other/almanac", done=312, total=845, failing_since=now, failed_at=now,
        last_error="the store does not answer: connection refused",
    )  # fmt: skip
    page = operator.page
    with override_settings(ALMANAC_STORES=("file:first", "s3://the-other/almanac")):
        operator.go(f"/admin/mirrors/publication/{publication.pk}/change/")
    assert "312 of 845 objects" in page.inner_text("main")
    assert page.get_by_role("progressbar", name="Objects pushed to s3://the-other/almanac").count() == 1
    pictured(page, "stores")
