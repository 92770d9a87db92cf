"""Every page of the admin, in a browser, under the policy: nothing is blocked, nothing throws, nothing is missing."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mirrors.models import Publication
from mirrors.services.preparing import StoppedError
from tests.browser.conftest import ARTIFACTS, Visitor
from tests.catalog.admin.addresses import pages
from tests.catalog.admin.cast import publish_something
from tests.factories import offering, price, write

pytestmark = pytest.mark.browser


@pytest.fixture
def published(visitor: Visitor, tmp_path: Path) -> None:
    publish_something(tmp_path)


def test_every_page_of_the_admin_stands_under_the_policy(operator: Visitor, published: None) -> None:
    visited = 0
    for address in pages():
        response = operator.go(address)
        assert response.status == 200, address
        assert "script-src 'self'; style-src 'self'" in response.headers["content-security-policy"]
        visited += 1
    assert visited > 60


def test_pickers_and_autocompletes_work_under_the_policy(operator: Visitor) -> None:
    page = operator.page
    operator.go("/admin/catalog/offering/add/")
    page.click(".field-entry .select2-selection")
    page.fill(".select2-search__field", "omega")
    page.click(".select2-results__option:has-text('acme/omega')")
    assert page.inner_text(".field-entry .select2-selection__rendered").strip().endswith("acme/omega")
    operator.go("/admin/catalog/trial/add/")
    page.click("#id_ends_0 ~ .datetimeshortcuts a:has-text('Today')")
    assert page.input_value("#id_ends_0")
    page.locator(".field-ends .date-icon").first.click()
    page.locator(".calendarbox:visible td a").first.click()


def test_the_switch_between_light_and_dark_wins_over_the_system(operator: Visitor) -> None:
    page = operator.page
    page.emulate_media(color_scheme="light")
    operator.go("/admin/")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    colours = {light}
    for _ in range(3):
        page.click("#user-tools .theme-toggle")
        colours.add(page.evaluate(paper))
    assert len(colours) == 2
    while page.evaluate("document.documentElement.dataset.theme") != "dark":
        page.click("#user-tools .theme-toggle")
    operator.go("/admin/catalog/offering/")
    assert page.evaluate(paper) != light


def test_a_row_is_added_with_the_keyboard_and_a_price_is_explained(operator: Visitor) -> None:
    page = operator.page
    operator.go("/admin/catalog/offering/add/")
    page.focus("#prices-group .add-row a")
    page.keyboard.press("Enter")
    page.fill("#id_prices-0-amount", "0.0000015")
    assert page.inner_text("#prices-0 .per-million") == "1.5 per million"


WITH_A_ROW = {
    "model": "catalog/modelentry",
    "offering": "catalog/offering",
    "featured": "catalog/featuredlist",
    "request": "catalog/changerequest",
    "release": "catalog/release",
    "publication": "mirrors/publication",
}


@pytest.fixture
def something_to_see(published: None, tmp_path: Path) -> dict[str, str]:
    """Main page → address: a release, an edit that waits, and a publication that a guard stopped."""
    write(offering("zeta", prices=[price("0.000002"), price("0.000006", meter="output")]))
    with suppress(StoppedError):
        publish_something(tmp_path)
    places = {
        "front": "/admin/",
        "models": "/admin/catalog/modelentry/",
        "offerings": "/admin/catalog/offering/",
        "publish": "/admin/publish/",
        "history": next(a for a in pages() if "modelentry" in a and a.endswith("/history/")),
    }
    for name, table in WITH_A_ROW.items():
        places[name] = [a for a in pages() if a.startswith(f"/admin/{table}/") and a.endswith("/change/")][-1]
    published_one = Publication.objects.get(state="announced")
    return {**places, "published": f"/admin/mirrors/publication/{published_one.pk}/change/"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_main_pages_fit_and_are_pictured_for_people_to_look_at(
    operator: Visitor, something_to_see: dict[str, str], scheme: Any
) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    operator.page.emulate_media(color_scheme=scheme)
    for width in (1280, 480):
        operator.page.set_viewport_size({"width": width, "height": 900})
        for name, address in something_to_see.items():
            operator.go(address)
            operator.page.screenshot(path=ARTIFACTS / f"admin-{name}-{width}-{scheme}.png", full_page=True)
            wide = operator.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width + 1, f"{name} is {wide} wide on {width}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_is_pictured_too(visitor: Visitor, scheme: Any) -> None:
    visitor.page.emulate_media(color_scheme=scheme)
    for width in (1280, 480):
        visitor.page.set_viewport_size({"width": width, "height": 900})
        visitor.go("/admin/login/")
        visitor.page.screenshot(path=ARTIFACTS / f"admin-sign-in-{width}-{scheme}.png")


CONTRAST = """() => {
  const rgb = (text) => {
    const found = /rgba?\\(([^)]+)\\)/.exec(text);
    return found ? found[1].split(/[ ,/]+/).map(Number) : null;
  };
  const shine = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour && (colour.length < 4 || colour[3] > 0.9)) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest("option, script, noscript, :disabled")) continue;
    const front = rgb(getComputedStyle(element).color);
    const light = [shine(front), shine(behind(element))].sort((a, b) => b - a);
    const ratio = (light[0] + 0.05) / (light[1] + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className}: ${walk.currentNode.data.trim().slice(0, 40)}`);
  }
  return poor;
}"""

NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button, a[href]")]
  .filter((one) => one.type !== "hidden" && one.checkVisibility())
  .filter((one) => !(one.labels?.length || one.ariaLabel || one.getAttribute("aria-labelledby") || one.title
    || one.textContent.trim() || one.value && /submit|button/.test(one.type) || one.querySelector("img[alt]:not([alt='']), [title]")))
  .map((one) => one.outerHTML.slice(0, 160))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_every_control_has_a_name(
    operator: Visitor, something_to_see: dict[str, str], scheme: Any
) -> None:
    operator.page.emulate_media(color_scheme=scheme)
    for name, address in something_to_see.items():
        operator.go(address)
        operator.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert operator.page.evaluate(CONTRAST) == [], f"{name}, {scheme}"
        assert operator.page.evaluate(NAMELESS) == [], name
