"""A browser, a server with real files of ours, and a catalog with one of everything.

A page that breaks the content security policy, throws, or asks for something that is not there fails its test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from tests.catalog.admin.cast import PASSWORD, add_operator, full_catalog
from tests.factories import write

ARTIFACTS = Path(__file__).resolve().parent.parent.parent / "test-artifacts"
LISTENER = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""


@pytest.fixture(scope="session", autouse=True)
def folder_of_static_files() -> None:
    """The server looks for it when it starts, before any other fixture."""
    Path(django_settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def plain_static_files(settings: Any) -> None:
    """Names without hashes: nothing was collected for the tests."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def catalog(transactional_db: None) -> None:
    write(*full_catalog())
    add_operator()


class Visitor:
    """A page whose complaints are collected."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.add_init_script(LISTENER)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def go(self, path: str) -> Any:
        return self.page.goto(self.address + path)

    def sign_in(self, name: str = "alice") -> None:
        self.go("/admin/login/")
        self.page.fill("#id_username", name)
        self.page.fill("#id_password", PASSWORD)
        self.page.click("input[type=submit]")


@pytest.fixture
def visitor(chromium: Any, plain_static_files: None, catalog: None, live_server: Any) -> Iterator[Visitor]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    visitor = Visitor(context.new_page(), live_server.url)
    yield visitor
    context.close()
    assert visitor.complaints == []


@pytest.fixture
def operator(visitor: Visitor) -> Visitor:
    visitor.sign_in()
    return visitor
