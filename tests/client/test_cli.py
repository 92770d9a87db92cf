"""The command as people and scripts meet it: what it prints, where, and with which code it ends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from almanac.cli import main

from .simulator import Answer, Mirror, Repository, catalog

PATIENCE_S = 300
"""For a whole process on a machine that is busy with others; nothing here takes it."""
PRICED = {"id": "acme:one", "provider": "acme", "native_id": "one", "entry": "acme/one", "stage": "current"}


@dataclass
class Shell:
    """Runs ``almanac`` in this process, with an environment of its own."""

    folder: Path
    repository: Repository
    mirror: Mirror
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self.capture.readouterr()
        code = main(list(arguments))
        out, err = self.capture.readouterr()
        assert "Traceback" not in err
        return code, out, err

    def json(self, *arguments: str) -> Any:
        code, out, _ = self(*arguments, "--json")
        assert code == 0
        return json.loads(out)

    def error(self, code: int, *arguments: str) -> str:
        """Ends with this code and one line on standard error, and says the same as JSON."""
        got, out, err = self(*arguments)
        assert got == code, err
        lines = [line for line in err.splitlines() if not line.startswith("warning:")]
        assert len(lines) == 1
        assert lines[0].startswith("error: ")
        assert out == "" or arguments[0] in ("trust", "sync")
        as_json = json.loads(self(*arguments, "--json")[1].splitlines()[-1])
        assert as_json["exit_code"] == code
        return lines[0]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.repository.root).hexdigest()


@pytest.fixture
def fresh(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    for name in [name for name in os.environ if name.startswith("ALMANAC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ALMANAC_STATE_DIR", str(quick_folder / "state"))
    monkeypatch.setenv("ALMANAC_CONFIG_DIR", str(quick_folder / "config"))
    monkeypatch.setenv("AICHAT_CONFIG_DIR", str(quick_folder / "aichat"))
    monkeypatch.setenv("NO_COLOR", "1")
    repository = Repository(now=datetime.now(UTC))
    repository.publish(catalog=catalog("one", "two"))
    shell = Shell(quick_folder, repository, Mirror(repository), capsys)
    yield shell
    shell.mirror.close()


@pytest.fixture
def almanac(fresh: Shell) -> Shell:
    assert fresh("trust", fresh.mirror.url, "--fingerprint", fresh.fingerprint)[0] == 0
    return fresh


@pytest.fixture
def synced(almanac: Shell) -> Shell:
    assert almanac("sync")[0] == 0
    return almanac


# Help and wrong use


def test_help_names_every_command_and_the_exit_codes(fresh: Shell) -> None:
    code, out, _ = fresh("--help")
    assert code == 0
    for command in ("trust", "sync", "status", "list", "show", "search", "diff", "mirrors"):
        assert f"  {command}" in out
        assert fresh(command, "--help")[0] == 0
    assert "12 rollback refused" in " ".join(out.split())
    assert fresh() == (code, out, "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["synk"], "did you mean sync?"),
        (["--nope"], "--nope"),
        (["sync", "--nope"], "--nope"),
        (["show"], "missing argument"),
        (["search"], "missing argument"),
        (["trust"], "missing argument"),
        (["trust", "not an address", "--fingerprint", "00" * 32], "not an address"),
        (["trust", "http://127.0.0.1:1/", "--fingerprint", "abc"], "64 hexadecimal digits"),
        (["trust", "http://127.0.0.1:1/", "--root", "/nowhere"], "no such file"),
        (["sync", "--for", "roo"], "aichat, litellm, opencode"),
        (["sync", "--for", "crush", "--client-version", "1.0.0"], "--client-version"),
        (["sync", "--restore"], "--for"),
        (["sync"], "almanac trust"),
        (["mirrors"], "almanac trust"),
        (["sync", "--for", "aichat", "--client-version", "new"], "0.30.0"),
        (["sync", "--for", "aichat", "--client-version", "0.26.0"], "upgrade aichat"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_do(fresh: Shell, arguments: list[str], says: str) -> None:
    assert says in fresh.error(2, *arguments)


# Trust


def test_trust_without_proof_shows_what_it_saw_and_trusts_nothing(fresh: Shell) -> None:
    code, out, err = fresh("trust", fresh.mirror.url)
    assert code == 2
    assert fresh.fingerprint in out
    assert "--fingerprint" in err
    assert fresh.json("status")["origin"] is None


def test_trust_with_the_wrong_fingerprint_is_refused(fresh: Shell) -> None:
    assert fresh.fingerprint in fresh.error(13, "trust", fresh.mirror.url, "--fingerprint", "ab" * 32)


@pytest.mark.parametrize("form", ["{0}", "SHA256:{0}", "{1}"])
def test_a_fingerprint_may_be_written_as_people_write_them(fresh: Shell, form: str) -> None:
    pairs = ":".join(fresh.fingerprint[i : i + 2] for i in range(0, 64, 2)).upper()
    code, out, _ = fresh("trust", fresh.mirror.url, "--fingerprint", form.format(fresh.fingerprint, pairs))
    assert (code, fresh.fingerprint in out) == (0, True)


def test_trust_by_a_file_asks_nobody(fresh: Shell) -> None:
    file = fresh.folder / "root.json"
    file.write_bytes(fresh.repository.root)
    assert fresh("trust", "http://127.0.0.1:1/", "--root", str(file))[0] == 0
    assert fresh.mirror.requests == []


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"\xff"])
def test_a_file_that_is_no_root_is_malformed(fresh: Shell, content: bytes) -> None:
    file = fresh.folder / "root.json"
    file.write_bytes(content)
    fresh.error(14, "trust", fresh.mirror.url, "--root", str(file))
    file.write_bytes(fresh.repository.files["metadata/timestamp.json"])
    fresh.error(14, "trust", fresh.mirror.url, "--root", str(file))


def test_a_root_that_does_not_sign_itself_is_a_signature_error(fresh: Shell) -> None:
    form = json.loads(fresh.repository.root)
    form["signatures"] = []
    file = fresh.folder / "root.json"
    file.write_text(json.dumps(form))
    fresh.error(13, "trust", fresh.mirror.url, "--root", str(file))


def test_an_address_where_no_almanac_is_is_a_network_error(fresh: Shell) -> None:
    fresh.mirror.files = {}
    fresh.error(10, "trust", fresh.mirror.url, "--fingerprint", fresh.fingerprint)


# Sync


def test_sync_says_from_where_how_much_and_how(almanac: Shell) -> None:
    code, out, _ = almanac("sync")
    assert code == 0
    assert f"release 1 from {almanac.mirror.url}" in out
    assert "7 requests" in out
    assert "in full" in out
    assert "up to date: release 1" in almanac("sync")[1]


def test_sync_says_what_changed_field_by_field_and_that_it_was_a_delta(synced: Shell) -> None:
    changed = json.loads(catalog("one", "three"))
    changed["offerings"][0]["prices"][0]["amount"] = "0.000003"
    synced.repository.publish(catalog=json.dumps(changed).encode())
    _, out, _ = synced("sync")
    assert "release 1 → 2" in out
    assert "by delta" in out or "in full" in out
    assert "prices.input: 0.0000015 USD/token → 0.000003 USD/token" in out
    assert "+ entry acme/three" in out
    assert "- entry acme/two" in out


def test_sync_as_json_has_the_same_facts(synced: Shell) -> None:
    synced.repository.publish(catalog=catalog("one", "two", "three"))
    form = synced.json("sync")
    assert (form["changed"], form["from"], form["to"], form["requests"]) == (True, 1, 2, 5)
    assert form["documents"][0]["how"] == "delta"
    assert {change["id"] for change in form["changes"]} == {"acme/three", "acme:three"}


def test_quiet_says_nothing_when_all_is_well(synced: Shell) -> None:
    assert synced("--quiet", "sync") == (0, "", "")
    assert synced("sync", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (10, Answer(503)),
        (10, Answer(200, {"Content-Type": "text/html"}, b"<html>")),
        (14, Answer(200, {}, b"{}")),
        (14, Answer(200, {}, b"x" * 100_000)),
    ],
)
def test_a_failed_sync_has_its_code_and_the_catalog_is_still_there(
    synced: Shell, code: int, fault: Answer
) -> None:
    synced.mirror.faults.append(
        lambda path, answer: (
            Answer(fault.status, dict(fault.headers), fault.body) if path.endswith("timestamp.json") else None
        )
    )
    assert "error:" in synced.error(code, "sync")
    assert "acme/one" in synced("list")[1]


def test_a_stale_catalog_is_said_and_used(fresh: Shell) -> None:
    fresh.repository.now -= timedelta(days=2, hours=23, minutes=59, seconds=56)
    fresh.repository.publish_timestamp()
    fresh("trust", fresh.mirror.url, "--fingerprint", fresh.fingerprint)
    assert fresh("sync")[0] == 0
    until = datetime.fromisoformat(fresh.json("status")["freshness"].removeprefix("fresh until "))
    while datetime.now(UTC) < until:
        time.sleep(0.2)
    assert "stale since" in fresh.error(11, "sync")
    assert fresh.json("status")["fresh"] is False
    assert fresh("list")[0] == 0
    fresh.error(11, "sync", "--offline")


@pytest.mark.parametrize("more", [[], ["--for", "aichat", "--client-version", "0.30.0"]])
def test_a_region_that_is_not_there_is_wrong_use_and_those_that_are_are_named(
    almanac: Shell, more: list[str]
) -> None:
    for online in (True, False):
        said = almanac.error(2, "sync", "--region", "nonsense", *more, *([] if online else ["--offline"]))
        assert "regions of this catalog: de, eu, global" in said
        if online:
            assert almanac.json("status")["release"] is None
            assert almanac("sync", "--region", "DE")[0] == 0
    assert not (almanac.folder / "aichat").exists()


def test_a_region_of_the_settings_that_is_gone_does_not_hold_up_a_sync(
    almanac: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher may give up a region; those who once settled on it must still get what is new."""
    monkeypatch.setenv("ALMANAC_REGION", "gone")
    code, _, err = almanac("sync")
    assert (code, "regions of this catalog: de, eu, global" in err) == (0, True)
    assert almanac.json("sync")["warnings"] != []
    monkeypatch.setenv("ALMANAC_REGION", "de")
    assert almanac.json("sync")["warnings"] == []


# Another client's own file

LIST = b"- provider: x\n  models:\n    - name: %s\n"
FOR_AICHAT = ("sync", "--for", "aichat", "--client-version", "0.30.0")


@pytest.fixture
def regional(almanac: Shell) -> Shell:
    """aichat's document is published for everywhere and for eu, not for de, which lies in eu."""
    almanac.repository.put("regions/eu/catalog/v2/models.yaml", LIST % b"european")
    almanac.repository.publish(aichat=LIST % b"global")
    return almanac


@pytest.mark.parametrize(
    ("region", "name", "path"),
    [
        ([], "global", "catalog/v2/models.yaml"),
        (["--region", "EU"], "european", "regions/eu/catalog/v2/models.yaml"),
        (["--region", "de"], "european", "regions/eu/catalog/v2/models.yaml"),
    ],
)
def test_sync_for_a_client_takes_the_nearest_published_region(
    regional: Shell, region: list[str], name: str, path: str
) -> None:
    installed = regional.json(*FOR_AICHAT, *region)["installed"]
    assert installed["address"] == regional.mirror.url + path
    assert f"name: {name}" in Path(installed["file"]).read_text()
    code, out, _ = regional(*FOR_AICHAT, *region)
    assert (code, f"aichat: {installed['file']} is up to date" in out) == (0, True)
    assert f"AICHAT_SYNC_MODELS_URL={regional.mirror.url}{path}" in out


def test_a_client_is_given_what_is_held_when_offline_and_what_it_had_when_restored(regional: Shell) -> None:
    file = regional.folder / "aichat" / "models-override.yaml"
    file.parent.mkdir()
    file.write_text("mine")
    regional("sync")
    assert "sync once without --offline" in regional.error(16, *FOR_AICHAT, "--offline")
    regional(*FOR_AICHAT)
    written = file.read_bytes()
    regional("sync", "--for", "aichat", "--restore")
    assert file.read_text() == "mine"
    regional.mirror.requests.clear()
    assert regional.json(*FOR_AICHAT, "--offline")["installed"]["what"] == "written"
    assert (file.read_bytes(), regional.mirror.requests) == (written, [])
    (restored,) = regional.json("sync", "--for", "aichat", "--restore")["restored"]
    assert (restored["file"], restored["what"]) == (str(file), "is again what it was before")
    assert list(file.parent.iterdir()) == [file]
    assert "nothing to restore" in regional.error(2, "sync", "--for", "aichat", "--restore")


def test_a_document_that_is_not_published_is_said_and_nothing_is_written(synced: Shell) -> None:
    assert "does not offer" in synced.error(1, "sync", "--for", "jan")
    assert not (synced.folder / "state" / "clients").exists()


def test_a_place_that_is_not_ours_is_refused_before_anybody_is_asked(
    almanac: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = almanac.folder / "node_modules" / "opencode" / "api.json"
    monkeypatch.setenv("OPENCODE_MODELS_PATH", str(place))
    almanac.mirror.requests.clear()
    assert str(place) in almanac.error(19, "sync", "--for", "opencode")
    assert almanac.mirror.requests == []


def test_a_folder_where_the_file_should_be_is_named_and_the_catalog_is_synced(regional: Shell) -> None:
    place = regional.folder / "aichat" / "models-override.yaml"
    place.mkdir(parents=True)
    assert str(place) in regional.error(16, *FOR_AICHAT)
    assert regional.json("status")["release"] == 2


def test_a_folder_in_the_place_of_the_pointer_is_named_and_not_what_was_to_replace_it(synced: Shell) -> None:
    pointer = synced.folder / "state" / "accepted.json"
    pointer.unlink()
    pointer.mkdir()
    synced.repository.publish(catalog=catalog("one", "two", "three"))
    said = synced.error(16, "sync")
    assert f"at {pointer} " in said
    assert ".part" not in said


def test_offline_asks_nobody(synced: Shell) -> None:
    synced.mirror.requests.clear()
    assert synced.json("sync", "--offline")["to"] == 1
    synced.error(10, "trust", synced.mirror.url, "--offline")
    synced.error(10, "mirrors", "--test", "--offline")
    assert synced.mirror.requests == []


# Reading


def test_before_the_first_sync_there_is_no_catalog_and_the_next_step_is_named(almanac: Shell) -> None:
    assert "almanac sync" in almanac.error(16, "list")
    assert "none yet" in almanac("status")[1]


def test_status_says_what_is_held(synced: Shell) -> None:
    form = synced.json("status")
    assert (form["release"], form["fresh"], form["mirror"]) == (1, True, synced.mirror.url)
    assert form["fingerprint"] == synced.fingerprint
    assert "release    1" in synced("status")[1]


def test_list_and_search_find_models_and_filter_them(synced: Shell) -> None:
    assert [model["id"] for model in synced.json("list")] == ["acme/one", "acme/two"]
    assert [model["id"] for model in synced.json("search", "tw")] == ["acme/two"]
    assert synced.json("list", "--lab", "nobody") == []
    assert synced.json("list", "--provider", "acme", "--stage", "current", "--mode", "chat") != []
    assert "1.5 USD" in synced("list")[1]


@pytest.mark.parametrize("name", ["acme/one", "acme:one", "one"])
def test_show_takes_an_entry_an_offering_or_a_name_that_only_one_has(synced: Shell, name: str) -> None:
    assert "0.0000015 USD per token" in synced("show", name)[1]


def test_show_suggests_what_was_meant(synced: Shell) -> None:
    assert "did you mean" in synced.error(1, "show", "acme/onne")


def test_a_name_that_several_have_is_wrong_use_and_they_are_listed(synced: Shell) -> None:
    entries = [{"id": f"{lab}/same", "lab": lab, "slug": "same", "name": "Same"} for lab in ("a", "b")]
    synced.repository.publish(catalog=catalog(entries=entries, offerings=[]))
    synced("sync")
    assert "a/same, b/same" in synced.error(2, "show", "same")


def test_diff_compares_two_kept_releases(synced: Shell) -> None:
    synced.repository.publish(catalog=catalog("one", "three"))
    synced("sync")
    form = synced.json("diff", "1", "2")
    assert {(change["change"], change["id"]) for change in form["changes"] if change["section"] == "entries"} == {
        ("added", "acme/three"), ("removed", "acme/two"),
    }  # fmt: skip
    assert synced.json("diff", "1") == form
    assert "kept are: 2, 1" in synced.error(2, "diff", "7")


def test_a_damaged_catalog_is_a_local_error_with_its_place(synced: Shell) -> None:
    next((synced.folder / "state" / "documents").iterdir()).write_bytes(b"rotten")
    assert "documents" in synced.error(16, "list")
    assert synced("sync")[0] == 0
    assert synced("list")[0] == 0


def test_what_a_catalog_says_cannot_steer_the_terminal(synced: Shell) -> None:
    entries = [
        {
            "id": "acme/evil",
            "lab": "acme",
            "slug": "evil",
            "name": "\x1b]0;owned\x07",
            "description": "a\nb\x1b[2J\u202e",
        }
    ]
    synced.repository.publish(catalog=catalog(entries=entries, offerings=[]))
    synced("sync")
    _, out, _ = synced("show", "acme/evil")
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_mirrors_lists_the_origin_and_tests_it(synced: Shell) -> None:
    (row,) = synced.json("mirrors", "--test")
    assert (row["mirror"], row["origin"], row["ok"]) == (synced.mirror.url, True, True)
    synced.mirror.faults.append(lambda path, answer: Answer(503))
    assert synced.json("mirrors", "--test")[0]["ok"] is False


# Settings


def test_flags_go_before_the_environment_and_that_before_the_file(
    synced: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (synced.folder / "config" / "config.toml").write_text("json = true\n")
    assert json.loads(synced("list")[1])
    monkeypatch.setenv("ALMANAC_JSON", "0")
    assert synced("list")[1].startswith("model")
    assert json.loads(synced("list", "--json")[1])


@pytest.mark.parametrize("content", ["json = 5", "jason = true", "= ="])
def test_a_wrong_settings_file_is_wrong_use_and_named(synced: Shell, content: str) -> None:
    (synced.folder / "config" / "config.toml").write_text(content)
    assert "config.toml" in synced.error(2, "list")


def test_a_wrong_variable_is_named(synced: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_OFFLINE", "perhaps")
    assert "ALMANAC_OFFLINE" in synced.error(2, "list")


# As a program


def run(shell: Shell, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "almanac", *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def test_interrupted_it_ends_with_130_and_one_word(almanac: Shell) -> None:
    """Asked in the middle of a request, which nothing but the interruption ends."""
    asked, over = threading.Event(), threading.Event()

    def hang(path: str, answer: Answer) -> None:
        asked.set()
        over.wait(PATIENCE_S)

    almanac.mirror.faults.append(hang)
    process = run(almanac, "sync")
    try:
        while not asked.wait(0.1):
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        over.set()
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this machine")
@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--json"], ["--help"], ["status", "--json"], ["sync"]]
)
def test_a_full_disk_behind_standard_output_is_one_line_and_16(synced: Shell, arguments: list[str]) -> None:
    with FULL.open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "almanac", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    assert process.returncode == 16
    said = process.stderr.splitlines()
    assert [line.partition(" — ")[0] for line in said if not line.endswith("models")] == [
        "error: local-state: no space left on device at standard output"
    ]


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this machine")
def test_where_not_even_the_error_can_be_written_the_code_still_says_it(fresh: Shell) -> None:
    with FULL.open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "almanac", "synk"],
            stdout=full,
            stderr=full,
            timeout=PATIENCE_S,
            check=False,
        )
    assert process.returncode == 2


def test_a_reader_that_goes_away_is_no_error(synced: Shell) -> None:
    synced.repository.publish(catalog=catalog(*(f"model-{number}" for number in range(5000))))
    synced("sync")
    process = run(synced, "list", "--quiet")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=PATIENCE_S) == 0


def test_the_command_does_not_wait_for_kits_that_only_signers_need(tmp_path: Path) -> None:
    """A machine may have Amazon's kit, which takes longer to import than a sync takes to run."""
    (tmp_path / "boto3.py").write_text("print('imported')\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from almanac.cli import main; "
        "main(['sync', '--help']); assert 'tuf.api.metadata' in sys.modules; "
        "print('now'); import boto3"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-2:] == ["now", "imported"]
    assert done.stdout.count("imported") == 1
