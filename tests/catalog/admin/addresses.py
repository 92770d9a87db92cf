"""Every address of the admin, from the URL configuration itself, with what is in the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.urls import NoReverseMatch, URLPattern, reverse

from catalog.admin.site import site
from catalog.models import ChangeRequest, Release

SIGNS_OUT = ("logout",)
ONLY_POSTED = ("cancel_publication", "retry_publication")
NOT_PAGES = ("jsi18n", "autocomplete", "view_on_site", "logout", "app_list", None)


def patterns() -> Iterator[URLPattern]:
    """All of them, those of every table included."""
    for pattern in site.get_urls():
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            yield from (found for found in pattern.url_patterns if isinstance(found, URLPattern))


def addresses() -> list[tuple[str | None, str]]:
    """(name, address) of every pattern; those of a row with the newest row of its table, and of one that is not there."""
    found = []
    for pattern in patterns():
        for arguments in _arguments(pattern):
            try:
                found.append((pattern.name, reverse(f"admin:{pattern.name}", kwargs=arguments)))
            except NoReverseMatch:
                continue
    return sorted(set(found), key=lambda one: one[1])


def pages() -> list[str]:
    """Those that show a page to whoever may see everything."""
    absent = "987654"
    return [
        address
        for name, address in addresses()
        if name not in (*NOT_PAGES, *ONLY_POSTED)
        and absent not in address
        and "step" not in address
        and not (name or "").endswith("progress")
        and not _adds_to_what_is_read_only(name)
        and not _deletes_what_is_read_only(name)
    ]


READ_ONLY = ("changerequest", "release", "publication", "auditevent")


def _adds_to_what_is_read_only(name: str | None) -> bool:
    return any((name or "").endswith(f"_{table}_add") for table in READ_ONLY)


def _deletes_what_is_read_only(name: str | None) -> bool:
    return any((name or "").endswith(f"_{table}_delete") for table in READ_ONLY)


def _arguments(pattern: URLPattern) -> Iterator[dict[str, Any]]:
    names = list(pattern.pattern.converters) or list(pattern.pattern.regex.groupindex)
    newest = Release.objects.values_list("number", flat=True).first() or 0
    if names == []:
        yield {}
    elif set(names) == {"older", "newer"}:
        yield {"older": 0, "newer": newest}
        yield {"older": newest, "newer": 987654}
    elif names == ["number"]:
        yield {"number": newest}
        yield {"number": 987654}
    elif set(names) == {"pk", "step"}:
        request = ChangeRequest.objects.first()
        for step in ("submit", "approve", "apply", "reject", "withdraw", "nonsense"):
            yield {"pk": request.pk if request else 1, "step": step}
    elif names in (["object_id"], ["pk"], ["id"]):
        row = _newest_row(pattern)
        if row is not None:
            yield {names[0]: row}
        yield {names[0]: 987654}
    elif names == ["app_label"]:
        yield {"app_label": "catalog"}


def _newest_row(pattern: URLPattern) -> Any:
    label, _, rest = (pattern.name or "").partition("_")
    for model in apps.get_models():
        meta = model._meta
        if meta.app_label == label and rest.startswith(f"{meta.model_name}_"):
            return model._default_manager.order_by("-pk").values_list("pk", flat=True).first()
    if pattern.name == "auth_user_password_change":
        return apps.get_model("auth.User").objects.values_list("pk", flat=True).first()
    return None
