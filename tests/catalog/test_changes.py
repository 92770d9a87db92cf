"""Change requests: the one way in, all or nothing."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from catalog.errors import ChangeError, ConflictError, ReviewError
from catalog.models import AuditEvent, Change, ChangeRequest, Offering, Price, RecordVersion
from catalog.reading import LiveState
from catalog.records import Kind, canonical
from catalog.services import audit, changes
from tests.factories import (
    ALICE,
    BOB,
    NOW,
    entry,
    experiment,
    featured,
    lab,
    membership,
    offering,
    price,
    proposed,
    provider,
    region,
    removed,
    schema,
    small_catalog,
    trial,
    write,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_people(settings):
    settings.TWO_PERSON_REVIEW = True


def refused(*made, kind, key, field, says):
    before = canonical(
        {"rows": list(RecordVersion.objects.order_by("id").values_list("kind", "key", "data"))}
    )
    with pytest.raises(ChangeError) as caught:
        write(*made)
    error = caught.value
    assert (error.kind, error.key, error.field) == (kind, key, field)
    assert says in error.reason
    assert before == canonical(
        {"rows": list(RecordVersion.objects.order_by("id").values_list("kind", "key", "data"))}
    )
    return error


def test_one_person_makes_approves_and_applies_in_one_step():
    request = write(*small_catalog())
    assert request.status == "applied"
    assert (request.author, request.approved_by, request.applied_by, request.single_person) == (
        ALICE,
        ALICE,
        ALICE,
        True,
    )
    assert LiveState().get(Kind.OFFERING, "acme:zeta")["prices"][0]["amount"] == "0.0000015"
    assert [event.action for event in AuditEvent.objects.order_by("seq")] == [
        "change_request.proposed",
        "change_request.applied",
    ]


def test_what_was_there_before_is_kept_with_the_change():
    write(*small_catalog())
    request = write(lab(name="Acme Incorporated"), removed(Kind.MEMBERSHIP, "v2|offering:acme:eta"))
    by_key = {change.key: change for change in request.changes.all()}
    assert '"name":"Acme"' in by_key["acme"].before
    assert '"name":"Acme Incorporated"' in by_key["acme"].after
    assert by_key["v2|offering:acme:eta"].after == ""
    assert by_key["v2|offering:acme:eta"].verb == "remove"


def test_a_change_that_changes_nothing_makes_no_request():
    write(*small_catalog())
    assert write(*small_catalog()) is None
    assert ChangeRequest.objects.count() == 1


def test_fields_that_say_nothing_are_the_same_as_absent_ones():
    write(*small_catalog())
    empty = entry(
        limits={}, aliases=[], description="", modalities={"input": [], "output": []}, open_weights=None
    )
    assert write(empty) is None


def test_a_draft_leaves_the_live_records_alone():
    write(*small_catalog())
    request = changes.propose(
        title="Later", changes=proposed(lab(name="Other")), by=ALICE, now=NOW, draft=True
    )
    assert request.status == "draft"
    assert LiveState().get(Kind.LAB, "acme")["name"] == "Acme"


def test_with_two_people_only_an_empty_catalog_is_written_at_once(two_people):
    assert write(*small_catalog()).status == "applied"
    assert write(lab(name="Other")).status == "draft"


def test_the_author_cannot_approve_with_two_people(two_people):
    write(*small_catalog())
    request = write(lab(name="Other"), by=ALICE)
    request = changes.submit_change_request(request=request, by=ALICE, now=NOW)
    with pytest.raises(ReviewError, match="alice made"):
        changes.approve_change_request(request=request, by=ALICE, now=NOW)
    request = changes.approve_change_request(request=request, by=BOB, now=NOW)
    request = changes.apply_change_request(request=request, by=BOB, now=NOW)
    assert request.status == "applied"
    assert LiveState().get(Kind.LAB, "acme")["name"] == "Other"


def test_the_database_itself_refuses_an_author_who_approves():
    with pytest.raises(IntegrityError, match="approver_is_not_author"), transaction.atomic():
        ChangeRequest.objects.create(title="x", author=ALICE, approved_by=ALICE, created_at=NOW)


def test_a_request_is_applied_once_and_only_when_approved():
    write(*small_catalog())
    draft = changes.propose(title="x", changes=proposed(lab(name="Other")), by=ALICE, now=NOW, draft=True)
    with pytest.raises(ReviewError, match="is draft"):
        changes.apply_change_request(request=draft, by=ALICE, now=NOW)
    approved = changes.approve_change_request(request=draft, by=ALICE, now=NOW)
    changes.apply_change_request(request=approved, by=ALICE, now=NOW)
    with pytest.raises(ReviewError, match="is applied"):
        changes.apply_change_request(request=approved, by=ALICE, now=NOW)


def test_a_record_changed_meanwhile_is_a_conflict_that_names_it():
    write(*small_catalog())
    draft = changes.propose(
        title="x", changes=proposed(lab(name="Mine"), provider(name="Mine")), by=ALICE, now=NOW, draft=True
    )
    write(lab(name="Theirs"), by=BOB)
    approved = changes.approve_change_request(request=draft, by=BOB, now=NOW)
    with pytest.raises(ConflictError) as caught:
        changes.apply_change_request(request=approved, by=BOB, now=NOW)
    assert (caught.value.kind, caught.value.key) == (Kind.LAB, "acme")
    assert "Theirs" in caught.value.found
    assert LiveState().get(Kind.PROVIDER, "acme")["name"] == "Acme"
    assert ChangeRequest.objects.get(pk=draft.pk).status == "approved"


@pytest.mark.parametrize("verb", ["reject", "withdraw"])
def test_a_closed_request_keeps_its_reason_and_is_never_applied(verb):
    write(*small_catalog())
    draft = changes.propose(title="x", changes=proposed(lab(name="Mine")), by=ALICE, now=NOW, draft=True)
    close = getattr(changes, f"{verb}_change_request")
    closed = close(request=draft, by=BOB, reason="not now", now=NOW)
    assert (closed.reason, closed.closed_by) == ("not now", BOB)
    with pytest.raises(ReviewError):
        changes.approve_change_request(request=draft, by=BOB, now=NOW)


def test_a_missing_reference_is_refused_and_nothing_is_written():
    refused(
        lab(),
        entry(lab="nobody"),
        kind=Kind.ENTRY,
        key="nobody/zeta",
        field="lab",
        says="there is no lab nobody",
    )
    assert not ChangeRequest.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("made", "field", "says"),
    [
        (entry(mode="chatter"), "mode", "none of"),
        (entry(limits={"context_tokens": 0}), "limits.context_tokens", "not a positive"),
        (entry(limits={"context_tokens": 1.5}), "limits.context_tokens", "not a whole number"),
        (entry(capabilities={"tools": "no"}), "capabilities.tools", "not true or false"),
        (entry(capabilities={"flies": True}), "capabilities.flies", "not a known capability"),
        (entry(lisence="MIT"), "lisence", "no such field"),
        (entry(released="2025-13"), "released", "not a date"),
        (entry(released="2025-02-30"), "released", "not a date"),
        (entry(name="zeta\u202egnp"), "name", "direction"),
        (entry(aliases=["a", "a"]), "aliases", "twice"),
        (entry(links={"page": "javascript:alert(1)"}), "links.page", "not a web address"),
        (entry(links={"page": "https://user:secret@host/"}), "links.page", "not a web address"),
        (
            entry(artifacts=[{"name": "f", "url": "https://h/f", "sha256": "A" * 64}]),
            "artifacts[0].sha256",
            "64",
        ),
        (offering("caf\u00e9"), "native_id", "printable ASCII"),
        (offering("x" * 257), "native_id", "printable ASCII"),
        (offering(prices=[price("-0.01")]), "prices[0].amount", "negative"),
        (offering(prices=[price("1.5e-06")]), "prices[0].amount", "plain form"),
        (offering(prices=[price("1e400")]), "prices[0].amount", "between"),
        (offering(prices=[price("NaN")]), "prices[0].amount", "between"),
        (offering(prices=[price(), price("2")]), "prices[1]", "stated above"),
        (offering(prices=[price(currency="dollars")]), "prices[0].currency", "currency code"),
        (offering(availability={"only": ["mars"]}), "availability.only", "no region mars"),
        (trial(starts="2027-01-01T00:00:00Z"), "ends", "not after its start"),
        (trial(ends="tomorrow"), "ends", "not a time"),
        (trial(subject="acme/zeta"), "subject", "no subject"),
        (trial(subject="entry:acme/nothing"), "subject", "no entry acme/nothing"),
        (featured("list", "entry:acme/nothing"), "items[0].subject", "no entry"),
        (experiment(count=10_001), "start", "buckets"),
        (membership("models:acme"), "subject", "no subject"),
        (lab("-acme"), "slug", "not a slug"),
        (lab("Acme"), "slug", "not a slug"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wrong_record_is_refused_by_field(made, field, says):
    write(*small_catalog())
    kind, record = made
    error = refused(made, kind=kind, key=proposed((kind, record))[0].key, field=field, says=says)
    assert str(error).startswith(f"{kind} ")


def test_a_record_under_another_key_is_refused():
    write(*small_catalog())
    with pytest.raises(ChangeError, match="gives? the key acme/zeta"):
        changes.propose(
            title="x", changes=[changes.ProposedChange(Kind.ENTRY, "acme/eta", entry()[1])], by=ALICE, now=NOW
        )


def test_regions_in_a_circle_are_refused():
    write(region(), region("eu", parent="global"), region("de", parent="eu"))
    refused(region("eu", parent="de"), kind=Kind.REGION, key="eu", field="parent", says="circle")
    refused(region("global", parent="eu"), kind=Kind.REGION, key="global", field="parent", says="global")
    refused(region("fr"), kind=Kind.REGION, key="fr", field="parent", says="global alone")


def test_all_problems_are_reported_at_once():
    with pytest.raises(ChangeError) as caught:
        write(lab("-a"), lab("-b"))
    assert [problem.key for problem in caught.value.problems] == ["-a", "-b"]


@pytest.mark.parametrize(
    ("kind", "key", "referrer"),
    [
        (Kind.LAB, "acme", "entry acme/eta"),
        (Kind.PROVIDER, "acme", "membership v2|provider:acme"),
        (Kind.PROVIDER, "beta", "membership v2|provider:beta#2"),
        (Kind.ENTRY, "acme/zeta", "offering acme:zeta"),
        (Kind.OFFERING, "acme:zeta", "membership v2|offering:acme:zeta"),
        (Kind.SCHEMA, "v2", "membership v2|offering:acme:eta"),
        (Kind.REGION, "eu", "featured start"),
        (Kind.REGION, "global", "region eu"),
    ],
)
def test_removing_a_record_that_others_need_names_them(kind, key, referrer):
    write(*small_catalog(), provider("beta"), membership("provider:beta#2"))
    write(featured("start", "entry:acme/zeta", region="eu"))
    error = refused(removed(kind, key), kind=kind, key=key, field="", says="cannot be removed")
    assert referrer in error.reason


def test_a_region_named_by_an_offerings_availability_is_kept():
    write(*small_catalog(), offering("theta", availability={"never": ["eu"]}))
    refused(removed(Kind.REGION, "eu"), kind=Kind.REGION, key="eu", field="", says="offering acme:theta")


def test_a_whole_branch_is_removed_in_one_change():
    write(*small_catalog())
    write(
        removed(Kind.LAB, "acme"),
        removed(Kind.ENTRY, "acme/zeta", "acme/eta"),
        removed(Kind.OFFERING, "acme:zeta", "acme:eta"),
        removed(Kind.MEMBERSHIP, "v2|offering:acme:zeta", "v2|offering:acme:eta"),
    )
    assert not Offering.objects.exists()
    assert not Price.objects.exists()
    assert LiveState().all(Kind.LAB) == {}


def test_the_rows_refuse_what_no_service_would_write():
    write(*small_catalog())
    with pytest.raises(IntegrityError, match="price_amount_not_negative"), transaction.atomic():
        Price.objects.update(amount="-1")
    with pytest.raises(IntegrityError, match="offering_context_tokens_positive"), transaction.atomic():
        Offering.objects.update(context_tokens=0)
    with pytest.raises(IntegrityError), transaction.atomic():
        RecordVersion.objects.create(kind="lab", key="acme", data="{}", digest="0" * 64)
    with pytest.raises(IntegrityError, match="change_changes_something"), transaction.atomic():
        Change.objects.update(before="x", after="x")


def test_the_audit_chain_shows_a_changed_a_missing_and_a_moved_row():
    for name in ("One", "Two", "Three"):
        write(lab(name=name))
    assert audit.first_broken() is None
    events = list(AuditEvent.objects.order_by("seq"))
    AuditEvent.objects.filter(seq=3).update(actor="mallory")
    assert audit.first_broken().seq == 3
    AuditEvent.objects.filter(seq=3).update(actor=events[2].actor)
    assert audit.first_broken() is None
    forged = AuditEvent.objects.get(seq=2)
    kept, forged.actor = forged.hash, "mallory"
    AuditEvent.objects.filter(seq=2).update(actor="mallory", hash=audit.event_hash(forged))
    assert audit.first_broken().seq == 3  # a row with a hash of its own no longer fits the next one
    AuditEvent.objects.filter(seq=2).update(actor=events[1].actor, hash=kept)
    assert audit.first_broken() is None
    AuditEvent.objects.filter(seq=2).delete()
    assert audit.first_broken().seq == 3


def test_an_import_of_thousands_of_records_is_a_handful_of_queries(django_assert_max_num_queries):
    write(*small_catalog())
    many = [made for n in range(600) for made in (entry(f"m{n}"), offering(f"m{n}", entry=f"acme/m{n}"))]
    with django_assert_max_num_queries(400):
        write(*many, schema(membership="automatic"))
