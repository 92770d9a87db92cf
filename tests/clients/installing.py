"""Real clients, installed by their names as anybody would, into folders of this run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.once import UnprovenError, made_once

PATIENCE_S = 600
OPENCODE = "1.18.33"
CODEX = "0.169.0"
HERMES = "0.19.0"


def opencode(factory: pytest.TempPathFactory) -> Path:
    found = sorted(
        _npm(factory).glob("node_modules/opencode-linux-*/bin/opencode"), key=lambda path: len(str(path))
    )
    if not found:
        raise UnprovenError("npm installed no program of opencode's for this machine")
    return found[0]


def codex(factory: pytest.TempPathFactory) -> Path:
    return _npm(factory) / "node_modules" / ".bin" / "codex"


def hermes(factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has it."""
    return made_once(factory, "hermes", _fill_environment) / "bin" / "python"


def _npm(factory: pytest.TempPathFactory) -> Path:
    return made_once(factory, "npm", _fill_npm)


def _fill_npm(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UnprovenError("there is no npm")
    packages = [f"opencode-ai@{OPENCODE}", f"@openai/codex@{CODEX}"]
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    _run([npm, "install", *options, *packages], folder, "npm cannot install it")


def _fill_environment(folder: Path) -> None:
    _run([sys.executable, "-m", "venv", "--without-pip", "."], folder, "no environment can be made for it")
    # our own pip, told to install there: a second one would only have to be unpacked first
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    options = ["--quiet", "--no-compile", "--disable-pip-version-check"]
    _run([*pip, "install", *options, f"hermes-agent=={HERMES}"], folder, "pip cannot install it")


def _run(command: list[str], folder: Path, reason: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnprovenError(f"{reason}: not within {PATIENCE_S} seconds") from None
    if done.returncode:
        raise UnprovenError(f"{reason}: {done.stderr.strip()[-300:]}")
