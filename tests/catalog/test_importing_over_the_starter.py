"""Imports into a catalog that people already keep: what they said stays, and every document stays its source's."""

from __future__ import annotations

import json
import lzma
import tarfile
from pathlib import Path

import pytest

from catalog.records import Kind
from catalog.schemas.almanac_v1 import ALMANAC_V1
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in

STARTER = Path(__file__).resolve().parents[2] / "catalog" / "starter" / "starter.json"


def starter() -> MemoryCatalog:
    parsed = ALMANAC_V1.parse(STARTER.read_bytes())
    return MemoryCatalog((item.kind, item.record) for item in parsed.records)


def newest(shared_data: Path, archive: str) -> bytes:
    with lzma.open(shared_data / f"{archive}.tar.xz") as packed, tarfile.open(fileobj=packed) as folder:
        name = max(name for name in folder.getnames() if not name.endswith((archive, ".csv")))
        found = folder.extractfile(name)
        assert found is not None
        return found.read()


def prices(offering) -> dict[str, str]:
    """What each thing costs: everything that tells one price from another → its amount."""
    return {
        json.dumps(
            {k: v for k, v in price.items() if k not in {"amount", "spelling"}}, sort_keys=True
        ): price["amount"]
        for price in offering.get("prices", ())
    }


@pytest.mark.history
@pytest.mark.parametrize(("archive", "schema"), [("litellm", "litellm"), ("aichat", "v2")])
def test_a_real_document_over_the_starter_is_taken_in_once_and_given_out_as_it_was(
    archive, schema, shared_data
):
    catalog, data = starter(), newest(shared_data, archive)
    said = {key: dict(record) for key, record in catalog.all(Kind.OFFERING).items()}
    assert take_in(catalog, schema, data).report.added
    again = take_in(catalog, schema, data)
    assert (again.changes, again.report.changed) == ([], [])
    if schema == "litellm":
        assert json.loads(give_out(catalog, schema).data) == json.loads(data)
    for key, before in said.items():
        assert prices(before).items() <= prices(catalog.all(Kind.OFFERING)[key]).items(), key


def test_a_value_that_a_schema_never_stated_is_kept_as_its_override_and_followed_once_they_agree():
    catalog = starter()
    key = next(key for key, record in catalog.all(Kind.OFFERING).items() if key == "openai:gpt-4o")
    (shared,) = [p["amount"] for p in catalog.all(Kind.OFFERING)[key]["prices"] if p["meter"] == "input" and not p.get("service_tier")]  # fmt: skip

    def imported(cost: str) -> str:
        take_in(catalog, "litellm", f'{{"gpt-4o":{{"litellm_provider":"openai","mode":"chat","input_cost_per_token":{cost}}}}}'.encode())  # fmt: skip
        assert json.loads(give_out(catalog, "litellm").data)["gpt-4o"]["input_cost_per_token"] == float(cost)
        (now,) = [p["amount"] for p in catalog.all(Kind.OFFERING)[key]["prices"] if p["meter"] == "input" and not p.get("service_tier")]  # fmt: skip
        return now

    assert imported("9e-06") == shared
    assert imported(str(float(shared))) == shared
    assert imported("8e-06") == "0.000008"
