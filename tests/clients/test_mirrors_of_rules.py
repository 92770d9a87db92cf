"""Clients that cannot be installed here, by mirrors of their documented rules: they read all that we write, and stumble
over all that the gate stops.
"""

from __future__ import annotations

import json
import random
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from catalog.schemas.registry import SCHEMAS
from tests.catalog.schemas import test_aichat, test_catwalk, test_gpt4all, test_jan, test_lmstudio
from tests.catalog.schemas.histories import aichat_versions, versions
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
from tests.clients import marker
from tests.clients.cases import cases_of
from tests.clients.mirrored import MIRRORS, Mirror
from tests.clients.mirrors_of_rules import aichat, crush, gpt4all
from tests.clients.mirrors_of_rules.reading import Known, RefusedError
from tests.clients.running import Running
from tests.clients.table import MIRROR, Table

STARTER = Path(__file__).resolve().parents[2] / "catalog" / "starter" / "starter.json"


def stopped(schema: str, data: bytes) -> bool:
    return any(finding.severity == "stop" for finding in SCHEMAS[schema].gate(data))


def stumbles(mirror: Mirror, data: bytes) -> bool:
    try:
        return mirror.read(data).harms != []
    except RefusedError:
        return True


# --- what we write -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", MIRRORS)
def test_the_marker_of_a_running_almanac_is_read_with_our_limits_and_prices(
    schema: str, marked: Running, table: Table
):
    mirror = MIRRORS[schema]
    known = mirror.read(marked.document(SCHEMAS[schema].file))
    assert known.harms == []
    model = known.named(mirror.marker, mirror.name)
    stated = {
        "aichat": {"max_input_tokens": marker.CONTEXT, "input_price": 1.5, "output_price": 6.0},
        "crush": {"context_window": marker.CONTEXT, "cost_per_1m_in": 1.5, "cost_per_1m_out": 6.0},
        "gpt4all": {"filesize": str(marker.SIZE), "sha256sum": marker.SHA256},
        "lmstudio": {},
        "jan": {"num_quants": 1},
    }[mirror.key]
    assert {name: model[name] for name in stated} == stated
    if mirror.key == "lmstudio":
        (file,) = model["files"]["all"]
        assert (file["sizeBytes"], file["sha256checksum"]) == (marker.SIZE, marker.SHA256)
    table.proven(mirror.key, run_as=MIRROR)


def test_aichat_reads_the_file_that_sync_wrote_where_it_names_the_running_version(
    marked: Running, tmp_path: Path
):
    done = marked.almanac(
        tmp_path,
        "sync",
        "--for",
        "aichat",
        "--client-version",
        "0.30.0",
        "--region",
        "eu",
        AICHAT_CONFIG_DIR=str(tmp_path),
    )["installed"]
    written = Path(done["file"]).read_bytes()
    known = aichat.read_override(written, "0.30.0")
    assert known is not None
    assert known.models == aichat.read(marked.document("v2/models.yaml")).models
    assert aichat.read_override(written, "0.31.0") is None


def test_crush_reads_the_file_that_sync_wrote(marked: Running, tmp_path: Path):
    done = marked.almanac(tmp_path, "sync", "--for", "crush", XDG_DATA_HOME=str(tmp_path))["installed"]
    assert done["file"] == str(tmp_path / "crush" / "providers.json")
    written = Path(done["file"]).read_bytes()
    assert crush.read(written).named(marker.NAME, "id")["context_window"] == marker.CONTEXT
    assert crush.etag(written) == crush.etag(marked.document("catwalk/v2/providers"))
    marked.almanac(tmp_path, "sync", "--for", "crush", "--restore", XDG_DATA_HOME=str(tmp_path))
    assert list((tmp_path / "crush").iterdir()) == []


def test_crush_is_told_that_its_own_copy_is_the_newest_whatever_encoding_it_asks_for(marked: Running):
    address = f"{marked.url}/catalog/catwalk/v2/providers"
    tag = crush.etag(marked.document("catwalk/v2/providers"))
    request = urllib.request.Request(address, headers={"If-None-Match": tag, "Accept-Encoding": "gzip"})
    with pytest.raises(HTTPError) as answer:
        urllib.request.urlopen(request, timeout=30)
    answer.value.close()
    assert answer.value.code == 304
    other = urllib.request.Request(address, headers={"If-None-Match": '"of-something-else"'})
    with urllib.request.urlopen(other, timeout=30) as whole:
        assert whole.status == 200


@pytest.mark.parametrize("client", ["gpt4all", "lmstudio", "jan"])
def test_the_files_for_builds_are_the_published_ones(client: str, marked: Running, tmp_path: Path):
    done = marked.almanac(tmp_path, "sync", "--for", client)["installed"]
    assert MIRRORS[client].read(Path(done["file"]).read_bytes()).models != []


@pytest.fixture(scope="module")
def starter() -> MemoryCatalog:
    catalog = MemoryCatalog()
    take_in(catalog, "almanac/v1", STARTER.read_bytes())
    return catalog


@pytest.mark.parametrize("schema", MIRRORS)
def test_the_starter_catalog_is_read_without_harm(schema: str, starter: MemoryCatalog):
    known = MIRRORS[schema].read(give_out(starter, schema).data)
    assert known.harms == []
    assert len(known.models) >= 5


@pytest.mark.history
@pytest.mark.slow
def test_every_aichat_version_is_read_and_so_is_what_we_make_of_it():
    """Of each sixth by way of our catalog; that we write all of them as they came is shown where they are imported."""
    catalog = MemoryCatalog()
    for number, (file, schema, data) in enumerate(aichat_versions()):
        key = "provider" if schema == "v2" else "type" if b"\n- type:" in b"\n" + data else "platform"
        theirs = aichat.read(data, key=key)
        assert theirs.models != [], file
        assert theirs.harms == [], file
        if number % 6 == 0:
            take_in(catalog, schema, data)
            ours = aichat.read(give_out(catalog, schema).data, key=key)
            assert without_nodes(ours) == without_nodes(theirs), file


def without_nodes(known: Known) -> list[Any]:
    return [
        (provider, {**model, "patch": sorted(model.get("patch", ()))}) for provider, model in known.models
    ]


@pytest.mark.history
@pytest.mark.slow
@pytest.mark.parametrize(("schema", "history", "step"), [("catwalk", "catwalk", 12), ("gpt4all", "gpt4all_v3", 1), ("lmstudio", "lmstudio", 1)])  # fmt: skip
def test_real_versions_are_read_as_their_source_after_they_went_through_us(
    schema: str, history: str, step: int
):
    catalog = MemoryCatalog()
    for file, data in versions(history)[::step]:
        take_in(catalog, schema, data)
        ours, theirs = MIRRORS[schema].read(give_out(catalog, schema).data), MIRRORS[schema].read(data)
        assert ours.models == theirs.models, file
        assert ours.models != [], file


def test_what_crush_writes_again_of_ours_is_ours_so_that_it_can_see_that_nothing_changed(marked: Running):
    data = marked.document("catwalk/v2/providers")
    assert crush.written_again(data) == data


@pytest.mark.history
@pytest.mark.slow
def test_where_crush_would_write_a_real_document_otherwise_the_gate_says_so():
    """The gate says that only of a document with nothing worse about it."""
    outcomes = set()
    for file, data in versions("catwalk")[::25]:
        catalog = MemoryCatalog()
        take_in(catalog, "catwalk", data)
        ours = give_out(catalog, "catwalk").data
        said = [finding.reason for finding in SCHEMAS["catwalk"].gate(ours)]
        warned = any("Crush would write other bytes" in reason for reason in said)
        if warned or not said:
            assert (crush.written_again(ours) != ours) is warned, file
            outcomes.add(warned)
    assert outcomes != set()


# --- what the gate stops -----------------------------------------------------------------------------------------

OURS_ALONE = {
    "gpt4all": ("chatTemplate",),
    "lmstudio": (),
    "jan": (),
}
"""Fields of which the client takes what the gate refuses for what it would do: statements of a template."""


@pytest.mark.parametrize(
    ("schema", "module", "test"),
    [
        ("gpt4all", test_gpt4all, test_gpt4all.test_the_gate_stops_what_hides_a_model_or_is_not_safe_to_load),
        ("lmstudio", test_lmstudio, test_lmstudio.test_the_gate_stops_what_cannot_be_shown_or_loaded),
        ("jan", test_jan, test_jan.test_the_gate_stops_what_crashes_the_hub_or_cannot_be_loaded),
    ],
)
def test_lists_of_files_that_the_gate_stops_are_refused_or_misread(schema: str, module: Any, test: Any):
    for path, value in cases_of(test):
        data = module.changed(path, value)
        assert stopped(schema, data), (path, value)
        if path in OURS_ALONE[schema] and isinstance(value, str):
            continue
        assert stumbles(MIRRORS[schema], data), (path, value)
    assert not stumbles(MIRRORS[schema], module.document(module.ITEM))


@pytest.mark.parametrize("schema", ["gpt4all", "lmstudio", "jan"])
def test_lists_of_files_of_another_shape_are_refused_or_show_nothing(schema: str):
    for data in (b"", b"{}", b"[]", b"null", b"[null]", b'["x"]'):
        assert stopped(schema, data)
        assert stumbles(MIRRORS[schema], data)


def test_what_the_gate_stops_crush_refuses_misreads_or_hands_to_its_shell():
    cases = [
        *((test_catwalk.document(model), reason) for model, reason in cases_of(test_catwalk.test_a_model_that_would_break_the_client_is_stopped)),
        *((test_catwalk.document(**head), reason) for head, reason in cases_of(test_catwalk.test_a_provider_that_would_break_the_client_or_reach_its_shell_is_stopped)),
        *cases_of(test_catwalk.test_a_document_that_the_client_would_refuse_is_stopped),
    ]  # fmt: skip
    assert len(cases) > 40
    for data, reason in cases:
        assert stopped("catwalk", data), reason
        assert stumbles(MIRRORS["catwalk"], data), (reason, data)
    assert not stumbles(MIRRORS["catwalk"], test_catwalk.document())


def test_what_the_gate_stops_aichat_refuses_or_reads_to_its_users_harm():
    for data in cases_of(test_aichat.test_the_gate_stops_what_makes_the_client_refuse_the_whole_file):
        assert stopped("v2", data)
        with pytest.raises(RefusedError):
            aichat.read(data)
    for data in cases_of(test_aichat.test_the_gate_stops_what_the_client_reads_to_its_users_harm):
        assert stopped("v2", data)
        assert aichat.read(data).harms != [], data
    for patch in cases_of(test_aichat.test_a_patch_that_moves_the_request_elsewhere_is_stopped):
        assert aichat.read(test_aichat.document(f"patch: {patch}")).harms != []


def test_what_the_gate_is_stricter_about_aichat_would_read():
    """Aliases, doubled unknown keys and bytes that are not UTF-8 are read; we never write them."""
    for data in cases_of(test_aichat.test_the_gate_stops_what_the_client_would_read_but_we_never_publish):
        assert stopped("v2", data)
        assert aichat.read(data).models != []


# --- the tables that the mirrors are written from ----------------------------------------------------------------


def one(model: str, *, head: str = "- provider: openai") -> bytes:
    return f"{head}\n  models:\n    - {{name: a, {model}}}\n".encode()


def only(data: bytes) -> dict[str, Any]:
    ((_, model),) = aichat.read(data).models
    return model


@pytest.mark.parametrize("data", cases_of(test_aichat.test_the_gate_lets_through_what_the_client_reads))
def test_aichat_reads_what_its_table_says_that_it_reads(data: bytes):
    known = aichat.read(data)
    assert known.harms == []
    assert len(known.models) == 1


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("input_price: 1e-06", "input_price", 1e-06), ("input_price: 3.e-7", "input_price", 3e-07),
        ("input_price: 2", "input_price", 2.0), ("max_output_tokens: -1", "max_output_tokens", -1),
        ("max_input_tokens: 0x1F", "max_input_tokens", 31), ("max_output_tokens: 0o17", "max_output_tokens", 15),
        ("max_batch_size: +5", "max_batch_size", 5), ("no_stream: True", "no_stream", True),
        ("real_name: 7", "real_name", "7"), ("type: embedding", "type", "embedding"),
    ],
)  # fmt: skip
def test_aichat_takes_these_for_what_they_are(text: str, field: str, value: Any):
    assert only(one(text))[field] == value


def test_aichats_two_schemas_do_not_read_each_other():
    old = one("type: chat", head="- platform: openai")
    with pytest.raises(RefusedError, match="provider is missing"):
        aichat.read(old)
    assert aichat.read(old, key="platform").harms == []
    with pytest.raises(RefusedError, match="platform is missing"):
        aichat.read(one("type: chat"), key="platform")
    both = one("type: chat", head="- platform: openai\n  provider: openai")
    assert aichat.read(both).models == aichat.read(both, key="platform").models
    assert (
        "real_name is not understood"
        in aichat.read(one("real_name: b", head="- platform: x"), key="platform").harms
    )


def test_aichat_sees_the_first_block_of_a_provider_alone():
    known = aichat.read(b"- provider: a\n  models: [{name: x}]\n- provider: a\n  models: [{name: y}]\n")
    assert [model["name"] for _, model in known.models] == ["x"]
    assert known.harms == ["the second block of a is never seen"]


@pytest.mark.parametrize(
    ("value", "written"),
    [(3.0, "3"), (1.5, "1.5"), (0.0, "0"), (1e-06, "0.000001"), (1e-07, "1e-7"), (1.25e-09, "1.25e-9"), (1e21, "1e+21"), (0.049999999999999996, "0.049999999999999996")],
)  # fmt: skip
def test_a_number_is_written_as_go_writes_it(value: float, written: str):
    data = json.dumps(
        [{"id": "a", "name": "A", "models": [{"id": "m", "name": "M", "cost_per_1m_in": value}]}]
    )
    assert f'"cost_per_1m_in":{written},' in crush.written_again(data.encode()).decode()


def test_our_numbers_and_the_mirrors_are_spelled_alike_whatever_they_are():
    """Two hands wrote Go's spelling; they agree on numbers that nobody chose."""
    chance = random.Random(7)
    for _ in range(2000):
        value = chance.choice(
            (
                chance.random(),
                chance.uniform(0, 1e-5),
                chance.uniform(0, 1e22),
                float(chance.randrange(10**6)),
            )
        )
        catalog_form = SCHEMAS["catwalk"].parse(
            json.dumps(
                [{"id": "a", "name": "A", "models": [{"id": "m", "name": "M", "cost_per_1m_in": value}]}]
            ).encode()
        )
        assert catalog_form.members[1].native["cost_per_1m_in"].text == crush._float(value), value


def test_gpt4all_lists_what_its_version_may_see():
    item = test_gpt4all.ITEM
    data = json.dumps(
        [item | {"requires": "3.5.0"}, item | {"requires": "2.0", "removedIn": "3.5.0", "name": "Old"}]
    ).encode()
    assert [model["name"] for _, model in gpt4all.read(data, app="3.5.0").models] == [item["name"]]
    assert [model["name"] for _, model in gpt4all.read(data, app="3.4.9").models] == ["Old"]
