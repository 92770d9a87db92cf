"""The systemd units, looked at by systemd itself where it is here; none of them was started."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.mirrors.home import ROOT

UNITS = sorted((ROOT / "deploy/systemd").glob("almanac-*.*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
SIGNING = {"almanac-worker.service", "almanac-celery.service", "almanac-tick.service"}


def directives(unit: Path, section: str) -> dict[str, list[str]]:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    found: dict[str, list[str]] = {}
    parser.read_string(unit.read_text())
    assert section in parser.sections()
    within = unit.read_text().split(f"[{section}]")[1].split("\n[")[0]
    for line in within.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_to_say(unit: Path, tmp_path: Path) -> None:
    analyze = require_program("systemd-analyze")
    for other in UNITS:  # where the program lies is the one thing that this machine does not have
        text = other.read_text().replace("/opt/almanac/.venv/bin/python", sys.executable)
        (tmp_path / other.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / unit.name], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "almanac" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_every_service_is_shut_in(unit: Path) -> None:
    found = directives(unit, "Service")
    for name, value in {
        "User": "almanac",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "",
        "LimitCORE": "0",
        "UMask": "0077",
    }.items():
        assert found[name] == [value], name
    assert "@system-service" in found["SystemCallFilter"]


def test_the_passphrase_reaches_only_what_signs_and_only_as_a_credential() -> None:
    for unit in SERVICES:
        found = directives(unit, "Service")
        assert ("LoadCredential" in found) == (unit.name in SIGNING), unit.name
        if unit.name in SIGNING:
            (credential,) = found["LoadCredential"]
            assert found["Environment"] == [f"KEY_PASSPHRASE_FILE=%d/{credential.split(':')[0]}"]
    assert "PASSPHRASE" not in (ROOT / "deploy/systemd/almanac.env").read_text()


def test_every_command_is_one_that_exists() -> None:
    commands = {path.stem for path in (ROOT / "mirrors/management/commands").glob("*.py")}
    for unit in SERVICES:
        for line in directives(unit, "Service")["ExecStart"]:
            found = re.search(r"manage\.py (\w+)", line)
            assert (found and found[1] in commands) or "-m celery -A deploy " in line, line


def test_timers_have_their_services_and_catch_up() -> None:
    for unit in UNITS:
        if unit.suffix == ".timer":
            assert unit.with_suffix(".service").exists()
            assert directives(unit, "Timer")["Persistent"] == ["yes"]


def test_settings_in_the_environment_file_are_ours() -> None:
    settings = (ROOT / "deploy/settings.py").read_text()
    for line in (ROOT / "deploy/systemd/almanac.env").read_text().splitlines():
        variable = line.lstrip("# ").partition("=")[0]
        if re.fullmatch(r"[A-Z_]+", variable):
            assert f'"{variable.removesuffix("_FILE")}"' in settings, variable
