"""Spoilt documents against every importer, shortly; ``make fuzz`` does it for long."""

from __future__ import annotations

import io
from random import Random

import pytest
from django.core.management import call_command

from almanac.errors import MalformedError
from catalog.models import AuditEvent, ChangeRequest, RecordVersion
from catalog.schemas.base import ParseError
from catalog.schemas.registry import SCHEMAS
from tests.catalog.schemas import fuzzing
from tests.catalog.schemas.mutations import WOUNDS, mutated
from tests.factories import small_catalog, write

SEED = 20261120
CASES = 6
LARGEST = 300_000


@pytest.mark.slow
def test_no_importer_crashes_or_takes_too_much_for_a_spoilt_document():
    done, findings = fuzzing.run(list(SCHEMAS), seed=SEED, cases=CASES, seconds=480, most=LARGEST)
    assert findings == []
    assert done == CASES * len(SCHEMAS)


def test_the_same_seed_spoils_the_same_way_and_another_one_otherwise():
    original = b'{"models":[{"id":"a","size":1},{"id":"b","size":2}]}' * 20
    spoilt = [mutated(original, original, Random(seed)) for seed in (1, 1, 2)]
    assert spoilt[0] == spoilt[1] != spoilt[2]
    for wound in WOUNDS:
        for seed in range(20):
            assert isinstance(wound(original, original, Random(seed)), bytes)
            wound(b"", b"", Random(seed))


def crashes(data: bytes) -> None:
    raise KeyError(data)


def dawdles(data: bytes) -> None:
    sum(1 for _ in range(len(data) * 10**7))


def hoards(data: bytes) -> None:
    assert bytearray(len(data) * 70 * 2**20)


@pytest.mark.parametrize(
    ("importer", "size", "says"),
    [(crashes, 1, "KeyError"), (hoards, 1, "bytes"), (dawdles, 9, "s of the processor")],
)
def test_an_importer_that_does_what_none_may_do_is_found(importer, size, says):
    found = list(fuzzing.faults_of(importer, b"x" * size, measured=importer is hoards))
    assert says in found[0]


@pytest.mark.parametrize("refusal", [ParseError("no", line=1), MalformedError("no")])
def test_a_refusal_in_words_is_no_finding(refusal):
    def refuses(data: bytes) -> None:
        raise refusal

    assert list(fuzzing.faults_of(refuses, b"x", measured=True)) == []


def test_a_process_that_dies_is_a_finding_with_its_case():
    done, findings = fuzzing.run(["no-such-schema"], seed=1, cases=1, seconds=1, most=0)
    assert "the process ended with 1" in findings[0]
    assert done == 0


def rows() -> list[list[dict[str, object]]]:
    return [
        list(model.objects.order_by("pk").values()) for model in (RecordVersion, ChangeRequest, AuditEvent)
    ]


def imports(schema: str, file: str) -> bool:
    """True when it was taken."""
    try:
        call_command("importcatalog", schema, file, stdout=io.StringIO(), stderr=io.StringIO())
    except SystemExit:
        return False
    return True


@pytest.mark.django_db
@pytest.mark.parametrize("schema", list(SCHEMAS))
def test_a_refused_document_writes_nothing(schema, tmp_path):
    write(*small_catalog())
    before, refused = rows(), 0
    file, original = tmp_path / "document", fuzzing.documents(schema, most=0)
    for number in range(8):
        file.write_bytes(fuzzing.case(schema, number, SEED, original)[:-9])
        if imports(schema, str(file)):
            before = rows()
        else:
            assert rows() == before
            refused += 1
    assert refused >= 2
