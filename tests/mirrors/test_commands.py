"""What an operator types and reads: plain words, the agreed exit codes, and one JSON object where it is asked for."""

from __future__ import annotations

import io
import json
import re
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog.models import RecordVersion, Release
from catalog.records import Kind
from mirrors import failpoints, tasks
from mirrors.models import Publication
from mirrors.services.first_start import ensure_keys
from mirrors.services.publishing import request_publication
from signing.keyring import Keyring
from signing.sealing import Strength
from tests import factories as f
from tests.catalog.schemas.test_codex import ITEM as CODEX_ITEM
from tests.factories import removed, write

pytestmark = pytest.mark.django_db(transaction=True)

PRICE = {"meter": "input", "unit": "token", "amount": "0.000001", "currency": "USD"}


class Operator:
    """Types commands; remembers what they said."""

    def __init__(self) -> None:
        self.code = 0
        self.out = self.err = ""

    def types(self, *words: str) -> str:
        out, err = io.StringIO(), io.StringIO()
        self.code = 0
        try:
            call_command(*words, stdout=out, stderr=err)
        except SystemExit as stop:
            self.code = int(stop.code or 0)
        self.out, self.err = out.getvalue(), err.getvalue()
        assert "Traceback" not in self.err
        return self.out

    def reads(self, *words: str) -> dict[str, Any]:
        return json.loads(self.types(*words, "--json"))


@pytest.fixture
def operator(tmp_path: Path, settings: Any) -> Operator:
    """Of an installation with keys and forty models, nothing published yet."""
    settings.ALMANAC_HOME = tmp_path
    settings.ALMANAC_STORES = [f"file://{tmp_path / 'store'}"]
    settings.KEYS_DIR = tmp_path / "keys"
    settings.KEY_PASSPHRASE = None
    settings.STAGING_DIR = tmp_path / "staging"
    Keyring.create(tmp_path / "keys", now=datetime.now(UTC), strength=Strength(1, 8 * 2**20))
    made = [f.region(), f.region("eu", parent="global"), f.lab(), f.provider()]
    for n in range(40):
        made.append(f.entry(f"m{n}"))
        made.append(f.offering(f"m{n}", entry=f"acme/m{n}", prices=[PRICE, {**PRICE, "meter": "output"}]))
    write(*made)
    return Operator()


def edit(name: str = "Another name") -> None:
    write(f.entry("m3", name=name))


def test_the_first_publication_tells_the_fingerprint(operator: Operator, tmp_path: Path) -> None:
    said = operator.types("publish")
    assert re.match(r"published release 1 \(publication \d+\) in ", said)
    assert "catalog/almanac/v1/catalog.json: " in said
    assert "root fingerprint " in said
    assert (tmp_path / "store" / "metadata" / "1.root.json").exists()


def test_a_change_is_told_with_its_bytes_and_its_delta(operator: Operator) -> None:
    operator.types("publish")
    edit()
    facts = operator.reads("publish")
    assert (facts["release"], facts["state"], facts["reason"]) == (2, "announced", "release")
    paths = {document["path"]: document for document in facts["documents"]}
    assert set(paths) == {"catalog/almanac/v1/catalog.json", "regions/eu/catalog/almanac/v1/catalog.json"}
    assert paths["catalog/almanac/v1/catalog.json"]["delta_bytes"] < 300
    assert [entry["step"] for entry in facts["steps"]][-1] == "collect"


def test_no_change_is_nothing_to_publish(operator: Operator) -> None:
    operator.types("publish")
    assert operator.types("publish").startswith("nothing to publish")
    assert operator.reads("publish")["state"] == "unchanged"
    assert Release.objects.count() == 1


def test_a_dry_run_writes_nothing(operator: Operator, tmp_path: Path) -> None:
    assert operator.types("publish", "--dry-run").startswith("would publish release 1")
    assert not (tmp_path / "store").exists()
    assert not Release.objects.exists()
    assert not Publication.objects.exists()
    assert not RecordVersion.objects.filter(since__isnull=False).exists()


def test_a_guard_stops_with_nineteen_and_says_how_to_go_on(operator: Operator) -> None:
    operator.types("publish")
    write(removed(Kind.OFFERING, *(f"acme:m{n}" for n in range(20))))
    operator.types("publish")
    assert operator.code == 19
    assert operator.err.startswith("error: guard: guard shrink: ")
    assert "--override shrink" in operator.err
    assert Release.objects.count() == 1
    operator.types("publish", "--override", "shrink")
    assert operator.code == 2
    assert "needs a reason" in operator.err
    operator.types(
        "publish", "--override", "shrink", "--override", "mass-change", "--reason", "the provider closed them"
    )
    assert operator.code == 0
    assert Release.objects.count() == 2


def test_a_refusal_as_json_is_one_object(operator: Operator) -> None:
    operator.types("publish")
    write(removed(Kind.OFFERING, *(f"acme:m{n}" for n in range(20))))
    facts = json.loads(operator.types("publish", "--json"))
    assert (facts["error"], facts["exit_code"], operator.code) == ("guard", 19, 19)


def test_rollback_publishes_the_old_state_as_a_new_release(operator: Operator, tmp_path: Path) -> None:
    operator.types("publish")
    first = (tmp_path / "store" / "catalog/almanac/v1/catalog.json").read_bytes()
    edit()
    operator.types("publish")
    assert operator.types("rollback", "1", "--dry-run").startswith("would publish release 3")
    assert operator.reads("rollback", "1")["release"] == 3
    assert (tmp_path / "store" / "catalog/almanac/v1/catalog.json").read_bytes() == first
    assert Release.objects.get(number=3).restores == 1
    assert operator.types("publish").startswith("nothing to publish")
    operator.types("rollback", "77")
    assert operator.code == 2
    assert "release 77 was never published" in operator.err


def test_without_keys_the_advice_is_to_make_them(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "keys").rename(tmp_path / "elsewhere")
    operator.types("publish")
    assert operator.code == 16
    assert "keys create" in operator.err
    (tmp_path / "elsewhere").rename(tmp_path / "keys")
    assert operator.types("publish").startswith("published release 1")


def test_an_unwritable_store_is_one_clear_line(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where a folder should be")
    operator.types("publish")
    assert operator.code == 16
    assert len(operator.err.strip().splitlines()) == 1
    (tmp_path / "store").unlink()
    assert re.match(r"went before it: publication \d+: release 1 \(announced\)", operator.types("publish"))


def test_tick_tells_what_it_did(operator: Operator) -> None:
    operator.types("publish")
    assert "done: precompress targets/catalog/" in operator.types("tick")
    assert operator.types("tick").strip() == "nothing was due"
    assert operator.reads("tick", "--dry-run")["dry_run"] is True


def test_doctor_finds_a_fresh_installation_well(operator: Operator) -> None:
    operator.types("publish")
    facts = operator.reads("doctor")
    assert facts["ok"]
    verdicts = {check["name"].rpartition(": ")[2]: check["verdict"] for check in facts["checks"]}
    assert verdicts["timestamp"] == verdicts["release"] == verdicts["days left"] == verdicts["keys"] == "good"
    assert verdicts["passphrase"] == "warn"
    assert "not the folder, its backups" in operator.types("doctor")


def test_doctor_sees_what_is_wrong_and_ends_with_one(
    operator: Operator, tmp_path: Path, settings: Any
) -> None:
    operator.types("publish")
    key = next((tmp_path / "keys").glob("snapshot-*.key"))
    key.chmod(0o644)
    said = operator.types("doctor")
    assert operator.code == 1
    assert "BAD  keys: other users may read this key file" in said
    key.chmod(0o600)
    settings.ALMANAC_STORES = ["file:///proc/none"]
    said = operator.types("doctor")
    assert operator.code == 1
    assert "BAD  store file:///proc/none" in said


def test_doctor_sees_a_store_that_was_restored_from_a_backup(operator: Operator, tmp_path: Path) -> None:
    operator.types("publish")
    old = (tmp_path / "store/metadata/timestamp.json").read_bytes()
    edit()
    operator.types("publish")
    (tmp_path / "store/metadata/timestamp.json").write_bytes(old)
    said = operator.types("doctor")
    assert operator.code == 1
    assert "release 1 is there, release 2 in the database" in said


def test_doctor_sees_an_interrupted_publication(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.types("publish")
    edit()
    monkeypatch.setenv("ALMANAC_FAILPOINT", "read-back:raise")
    operator.types("publish")
    monkeypatch.delenv("ALMANAC_FAILPOINT")
    assert "was interrupted" in operator.types("doctor")
    [number] = Publication.objects.unfinished().values_list("pk", flat=True)
    assert f"finished publication {number}" in operator.types("tick")
    assert "was interrupted" not in operator.types("doctor")


@pytest.mark.parametrize("text", ["here", "x:explode", "UP:kill", "x#0:kill"])
def test_a_failpoint_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(failpoints.UsageError, match="ALMANAC_FAILPOINT"):
        failpoints.from_text(text)


def test_a_taken_port_is_one_clear_line_and_two(operator: Operator, settings: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        settings.PORT = taken.getsockname()[1]
        operator.types("serve")
    assert operator.code == 2
    assert operator.err.strip() == (
        f"error: port: port {settings.PORT} is taken (127.0.0.1) — set PORT to another one, such as PORT=8001"
    )


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = ensure_keys(tmp_path / "keys", b"long enough", now=now)
    again = ensure_keys(tmp_path / "keys", b"long enough", now=now)
    assert [key.keyid for key in first.list()] == [key.keyid for key in again.list()]


def test_a_task_of_the_broker_may_come_twice_late_or_for_nothing(operator: Operator) -> None:
    asked = request_publication(by="alice", now=datetime.now(UTC))
    for _ in range(2):
        tasks.publish(asked.pk)
    tasks.publish(10**9)
    tasks.tick()
    tasks.tick()
    asked.refresh_from_db()
    assert (asked.state, asked.release) == ("announced", 1)
    assert Release.objects.count() == 1


def test_a_guard_that_does_not_exist_is_wrong_use_and_the_guards_are_named():
    with pytest.raises(CommandError, match="'prices'.*'price-move'"):
        call_command("publish", "--override", "prices", "--reason", "they announced it")


def test_going_back_to_before_a_document_was_first_listed_takes_it_away_again(
    operator: Operator, tmp_path: Path
) -> None:
    """Its clients would read an empty list as the end of every model: that stops anything but going back."""
    write(f.schema("v2"))
    operator.types("publish")
    (tmp_path / "models.yaml").write_text("- provider: acme\n  models:\n    - name: m3\n")
    operator.types("importcatalog", "v2", str(tmp_path / "models.yaml"))
    operator.types("publish")
    assert (tmp_path / "store/catalog/v2/models.yaml").exists()
    assert operator.reads("rollback", "1")["release"] == 3
    assert operator.code == 0
    assert not (tmp_path / "store/catalog/v2/models.yaml").exists()
    operator.types("verifystore")
    assert operator.code == 0


def test_a_list_for_codex_alone_is_published_and_what_it_cannot_fill_is_left_out(
    operator: Operator, tmp_path: Path
) -> None:
    """Codex's list knows no price: a list of prices with a provider and no model in it would be refused."""
    write(
        removed(Kind.OFFERING, *(f"acme:m{n}" for n in range(40))),
        f.provider("openai", api="https://api.openai.com/v1"),
    )
    (tmp_path / "models.json").write_text(json.dumps({"models": [CODEX_ITEM]}))
    operator.types("importcatalog", "codex", str(tmp_path / "models.json"))
    told = operator.types("publish")
    assert operator.code == 0, operator.err
    assert (tmp_path / "store/catalog/codex/models.json").exists()
    for name in ("genai-prices", "genai-prices/v1"):
        assert f"{name} lists nothing yet" in told
    assert not (tmp_path / "store/catalog/genai-prices").exists()


def test_every_objection_is_told_twenty_to_people_and_all_to_programs(
    operator: Operator, tmp_path: Path
) -> None:
    unfit = [CODEX_ITEM | {"slug": f"m{n:02}", "priority": 2**31} for n in range(25)]
    (tmp_path / "models.json").write_text(json.dumps({"models": unfit}))
    operator.types("importcatalog", "codex", str(tmp_path / "models.json"))
    operator.types("publish")
    lines = operator.err.strip().splitlines()
    assert lines[0].startswith("error: guard: guard parser: Codex 0.169 would not take")
    assert sum("priority must be" in line for line in lines) == 20
    assert lines[20].strip() == "and 30 more"
    assert lines[21].strip() == "this cannot be overridden: correct it and publish again"
    facts = json.loads(operator.types("publish", "--json"))
    assert operator.code == facts["exit_code"] == 19
    assert len(facts["objections"]) == 50, "of the list and of the one for older clients"
    assert not Release.objects.exists()
