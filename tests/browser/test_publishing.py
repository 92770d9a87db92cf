"""An operator's way from an edit to a release, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Visitor
from tests.catalog.admin.cast import let_the_worker_work, publish_something

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
