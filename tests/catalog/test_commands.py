"""``importcatalog``, ``exportcatalog`` and ``loaddemo``, as scripts use them."""

from __future__ import annotations

import json
import tarfile
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command

from catalog.models import ChangeRequest, RecordVersion
from catalog.reading import LiveState
from catalog.records import Kind
from catalog.schemas.registry import SCHEMAS
from tests.factories import lab, offering, region, small_catalog, write

pytestmark = pytest.mark.django_db
LITELLM = {
    "sample_spec": {"mode": "prose"},
    "gpt-9": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.5e-06},
}


@pytest.fixture
def litellm(tmp_path) -> str:
    return saved(tmp_path / "prices.json", json.dumps(LITELLM))


def saved(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def refused(capsys, *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        call_command(*arguments)
    assert RecordVersion.objects.count() == 0
    assert ChangeRequest.objects.count() == 0
    return int(stopped.value.code or 0), capsys.readouterr().err


def test_what_was_imported_is_exported_and_a_second_import_changes_nothing(litellm):
    assert run("importcatalog", "litellm", litellm).startswith("litellm: 1 added, 0 changed, 0 left")
    assert json.loads(run("exportcatalog", "litellm")) == LITELLM
    assert '"input_cost_per_token":1.5e-06' in run("exportcatalog", "litellm")
    assert run("importcatalog", "litellm", litellm).endswith("0 changed: the catalog says this already\n")
    assert ChangeRequest.objects.count() == 1


def test_a_dry_run_says_what_it_would_do_and_does_nothing(litellm):
    told = json.loads(run("importcatalog", "litellm", litellm, "--dry-run", "--json"))
    assert told["added"] == ["offering:openai:gpt-9"]
    assert told["change_request"] is None
    assert RecordVersion.objects.count() == 0


def test_a_draft_waits(litellm):
    assert "is a draft of" in run("importcatalog", "litellm", litellm, "--draft")
    assert RecordVersion.objects.count() == 0
    assert ChangeRequest.objects.get().status == "draft"


def test_with_two_people_an_import_into_a_filled_catalog_waits(litellm, settings):
    write(*small_catalog())
    settings.TWO_PERSON_REVIEW = True
    told = json.loads(run("importcatalog", "litellm", litellm, "--json"))
    assert told["status"] == "draft"
    assert LiveState().get(Kind.SCHEMA, "litellm") is None


def test_with_two_people_an_import_into_an_empty_catalog_is_applied(litellm, settings):
    settings.TWO_PERSON_REVIEW = True
    assert json.loads(run("importcatalog", "litellm", litellm, "--json"))["status"] == "applied"


@pytest.mark.parametrize(
    ("schema", "content", "says"),
    [
        ("litellm", "[1]", ":1: "),
        ("litellm", '{"a": ' + "[" * 100_000, "deep"),
        ("litellm", b"\xff\xfe{}", "UTF-8"),
        ("litellm", "", ":1: the file is empty"),
        ("v2", "- provider: x\n  models: &a [*a]\n", ":2: "),
        ("v2", "- provider: x\n  models: !!python/object/apply:os.system ['true']\n", ":2: "),
        ("v2", "- provider: x\n  models: [{name: y, name: z}]\n", ":2: "),
        ("v2", "- platform: x\n  models: [{name: y}]\n", "this looks like schema v1"),
        ("v2", "", ":1: "),
        ("almanac/v1", '{"format": "almanac/v2"}', '"format"'),
    ],
)  # fmt: skip
def test_a_document_that_is_none_is_refused_with_file_and_line(capsys, tmp_path, schema, content, says):
    file = saved(tmp_path / "broken", content)
    code, error = refused(capsys, "importcatalog", schema, file)
    assert code == 14
    assert error.startswith(f"error: malformed: {file}:")
    assert says in error
    assert "Traceback" not in error
    assert error.count("\n") == 1


def test_a_record_that_is_not_sound_is_refused_by_name(capsys, tmp_path):
    dangling = {
        "format": "almanac/v1",
        "entries": [{"id": "a/b", "lab": "a", "slug": "b", "name": "B", "mode": "chat", "stage": "current"}],
    }
    code, error = refused(
        capsys, "importcatalog", "almanac/v1", saved(tmp_path / "f.json", json.dumps(dangling))
    )
    assert code == 14
    assert "entry a/b, lab: there is no lab a" in error


def test_a_wrong_schema_file_or_region_is_a_wrong_use(capsys, litellm, tmp_path):
    assert refused(capsys, "importcatalog", "v9", litellm)[0] == 2
    code, error = refused(capsys, "importcatalog", "litellm", str(tmp_path / "absent.json"))
    assert code == 2
    assert "absent.json cannot be read" in error
    assert refused(capsys, "exportcatalog", "v9")[0] == 2
    code, error = refused(capsys, "exportcatalog", "v2", "--region", "mars")
    assert code == 2
    assert "there is no region 'mars'" in error


def test_the_error_is_json_where_json_was_asked_for(capsys, tmp_path):
    with pytest.raises(SystemExit):
        call_command("importcatalog", "litellm", saved(tmp_path / "f", "{"), "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["error"], told["exit_code"]) == ("malformed", 14)


def test_an_export_goes_to_a_file_and_says_what_it_left_out(tmp_path):
    write(
        *small_catalog(),
        region("us", parent="global"),
        offering("eta", entry="acme/eta", availability={"only": ["eu"]}),
    )
    file = tmp_path / "models.yaml"
    told = json.loads(run("exportcatalog", "v2", "--region", "US", "--output", str(file), "--json"))
    assert told["bytes"] == len(file.read_bytes())
    assert told["omissions"] == [{"key": "offering:acme:eta", "reason": "it is not offered in the region us"}]
    assert "offering:acme:eta: it is not offered" in run("exportcatalog", "v2", "--region", "us", "--explain")


def test_a_file_that_cannot_be_written_is_a_clear_word(capsys, tmp_path):
    code, error = refused(capsys, "exportcatalog", "v2", "--output", str(tmp_path))
    assert code == 16
    assert "cannot be written" in error


def test_the_starter_catalog_fills_an_empty_catalog_once():
    assert json.loads(run("loaddemo", "--dry-run", "--json"))["loaded"] == 0
    assert RecordVersion.objects.count() == 0
    told = json.loads(run("loaddemo", "--json"))
    assert told["created"]["entry"] > 100
    assert set(LiveState().all(Kind.SCHEMA)) == set(SCHEMAS)
    assert {record["membership"] for record in LiveState().all(Kind.SCHEMA).values()} == {"automatic"}
    assert run("loaddemo") == "the catalog is not empty: nothing was loaded\n"
    assert ChangeRequest.objects.count() == 2


def test_a_catalog_with_one_record_is_not_empty():
    write(lab())
    assert run("loaddemo") == "the catalog is not empty: nothing was loaded\n"


@pytest.mark.history
@pytest.mark.slow
@pytest.mark.parametrize(("schema", "place"), [("v1", 0), ("v1", 60), ("v2", -1)])
def test_a_real_version_of_aichats_list_passes_through_unchanged(shared_data, tmp_path, schema, place):
    document = member_of(shared_data / "aichat.tar.xz", ".yaml", place)
    file = saved(tmp_path / "models.yaml", document)
    run("importcatalog", schema, file)
    assert read(run("exportcatalog", schema)) == read(document)
    assert "0 changed" in run("importcatalog", schema, file)


@pytest.mark.history
@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 5, -1])
def test_a_real_release_of_litellm_passes_through_unchanged(shared_data, tmp_path, place):
    document = member_of(shared_data / "litellm.tar.xz", ".json", place)
    file = saved(tmp_path / "prices.json", document)
    run("importcatalog", "litellm", file)
    assert equal(run("exportcatalog", "litellm").encode(), document)
    assert "0 changed" in run("importcatalog", "litellm", file)


def read(document: str | bytes):
    """As libyaml does, which takes the tabs and question marks of the older versions."""
    return yaml.load(document, Loader=yaml.CSafeLoader)


def member_of(archive: Path, suffix: str, place: int) -> bytes:
    with tarfile.open(archive) as opened:
        names = sorted(name for name in opened.getnames() if name.endswith(suffix))
        return opened.extractfile(names[place]).read()


def equal(one: bytes, other: bytes) -> bool:
    """As data: keys in their order, numbers in their spelling; of a key that stands twice the last one counts."""
    first, second = (json.dumps(json.loads(text, parse_float=str, parse_int=str)) for text in (one, other))
    return first == second
