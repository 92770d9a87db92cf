"""Whoever has no right changes nothing, whatever address they call in whatever way."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from catalog.models import AuditEvent, ChangeRequest, Membership, ModelEntry, Offering, RecordVersion, Schema
from catalog.records import Kind
from mirrors.models import Publication
from tests.catalog.admin.addresses import addresses
from tests.catalog.admin.cast import add_bystander, posted, signed_in
from tests.catalog.admin.test_saving import address, live, versions
from tests.factories import NOW, entry, proposed


def everything() -> list[object]:
    tables = (ChangeRequest, AuditEvent, Publication, User, ModelEntry, Offering, Schema, Membership)
    rows: list[object] = [list(table.objects.order_by("pk").values()) for table in tables]
    for user in rows[3]:  # type: ignore[attr-defined]
        user.pop("last_login")
    return [*rows, versions()]


@pytest.fixture
def filled(alice: Client) -> Client:
    """Alice with an open request, and with forms as she would send them."""
    from catalog.services.changes import propose

    propose(title="A draft", changes=proposed(entry("draft")), by="alice", now=NOW, draft=True)
    return alice


HARM = {
    "post": "yes",
    "action": "retire",
    "_selected_action": "1",
    "select_across": "1",
    "name": "Evil",
    "username": "mallory",
    "password1": "a password of the tests",
    "password2": "a password of the tests",
    "override": "anything",
    "reason": "because",
    "_save": "Save",
}


def test_staff_without_rights_changes_nothing_at_any_address(filled: Client) -> None:
    bob = signed_in(add_bystander())
    forms = {
        found: posted(filled.get(found))
        for name, found in addresses()
        if _is_a_form(name) and "987654" not in found
    }
    before = everything()
    called = 0
    for _name, found in addresses():
        for method in ("get", "post", "put", "delete", "patch"):
            answer = getattr(bob, method)(
                found, {**forms.get(found, {}), **HARM} if method == "post" else None
            )
            assert answer.status_code < 500, (method, found)
            if method == "post" and "logout" in found:
                bob.force_login(User.objects.get(username="bob"))
            called += 1
    assert called > 400
    assert everything() == before


def test_a_stranger_sees_nothing_but_the_sign_in(filled: Client) -> None:
    before = everything()
    stranger = Client()
    for name, found in addresses():
        if name in ("login", "jsi18n"):
            continue
        for answer in (stranger.get(found), stranger.post(found, HARM)):
            assert answer.status_code in (302, 403, 404, 405), found
            assert "acme" not in answer.content.decode()
    assert everything() == before


def _is_a_form(name: str | None) -> bool:
    return (
        bool(name)
        and str(name).startswith("catalog_")
        and str(name).endswith(("_change", "_add"))
        and not any(table in str(name) for table in ("changerequest", "release", "auditevent"))
    )


def test_a_post_from_another_site_is_refused(alice: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="alice"))
    before = everything()
    for found in ("/admin/publish/", address(Kind.ENTRY, "acme/omega")):
        assert strict.post(found, HARM).status_code == 403
    assert everything() == before


def test_whoever_may_look_cannot_publish_or_decide(filled: Client) -> None:
    bob = add_bystander()
    looks = Permission.objects.filter(codename__startswith="view_")
    bob.user_permissions.set(looks)
    client = signed_in(User.objects.get(pk=bob.pk))
    before = everything()
    assert client.get("/admin/publish/").status_code == 200
    assert client.post("/admin/publish/").status_code == 403
    request = ChangeRequest.objects.get(status="draft")
    for step in ("submit", "approve", "withdraw"):
        assert client.post(f"/admin/catalog/changerequest/{request.pk}/step/{step}/").status_code == 403
    assert everything() == before


def test_whoever_may_change_models_may_change_their_rows_and_nothing_else(alice: Client) -> None:
    bob = add_bystander()
    rights = Permission.objects.filter(codename__in=("change_modelentry", "view_modelentry", "view_lab"))
    bob.user_permissions.set(rights)
    client = signed_in(User.objects.get(pk=bob.pk))
    page = client.get(address(Kind.ENTRY, "acme/omega"))
    client.post(address(Kind.ENTRY, "acme/omega"), posted(page) | {"aliases-0-text": "newest"})
    assert live(Kind.ENTRY, "acme/omega")["aliases"] == ["newest", "om"]
    assert client.post(address(Kind.OFFERING, "acme:omega"), {"stage": "retired"}).status_code == 403
    assert RecordVersion.objects.get(kind=Kind.OFFERING, key="acme:omega", live=True)
