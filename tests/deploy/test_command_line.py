from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import require_program

ROOT = Path(__file__).resolve().parents[2]


def manage(*arguments: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**environment, "ALMANAC_HOME": str(home), **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_home_that_is_not_there_yet_is_made_for_its_owner_only(tmp_path):
    home = tmp_path / "deep" / "home"
    done = manage("migrate", "--verbosity=0", home=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert (home / "almanac.sqlite3").is_file()
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_a_file_is_one_line_and_an_exit_code(tmp_path):
    (tmp_path / "home").write_text("mine")
    done = manage("migrate", home=tmp_path / "home")
    assert done.returncode == 16
    assert done.stderr.startswith("error: local-state: ALMANAC_HOME cannot be written: ")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "home").read_text() == "mine"


COMMANDS = (
    ("publish",),
    ("rollback", "1"),
    ("tick",),
    ("exportcatalog", "v2"),
    ("loaddemo",),
    ("keys", "list"),
    ("verifystore",),
    ("doctor",),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_before_the_first_migration_never_shows_a_traceback(command, tmp_path):
    done = manage(*command, home=tmp_path)
    assert "Traceback" not in done.stderr + done.stdout
    if done.returncode:
        assert done.stderr.startswith("error: ") or command == ("doctor",)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_does_not_answer_is_one_line(command, tmp_path):
    done = manage(*command, home=tmp_path, DATABASE_URL="postgres://nobody@127.0.0.1:1/nothing")
    assert "Traceback" not in done.stderr + done.stdout
    if done.returncode and command != ("doctor",):
        assert done.stderr.splitlines()[-1].startswith("error: ")


def test_an_unknown_command_and_a_wrong_option_are_wrong_use(tmp_path):
    misspelt = manage("publsh", home=tmp_path)
    assert (misspelt.returncode, misspelt.stderr) == (
        2,
        "error: usage: there is no command 'publsh' — did you mean 'publish'?\n",
    )
    assert manage("help", "xyzzy", home=tmp_path).stderr.endswith("— 'manage.py help' lists them\n")
    assert manage("publish", "--nonsense", home=tmp_path).returncode == 2


def test_a_home_that_belongs_to_somebody_else_is_one_line(tmp_path):
    """Without the right to pass through the folder even asking whether a file is there fails."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret_key").write_text("theirs")
    home.chmod(0o000)
    done = as_nobody_special("doctor", home=home)
    home.chmod(0o700)
    assert done.returncode == 16, done.stderr
    assert done.stderr.startswith("error: local-state: ALMANAC_HOME cannot be written: Permission denied")
    assert done.stderr.count("\n") == 1


def as_nobody_special(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """The command without the right of an administrator to open everything."""
    if os.geteuid() != 0:
        return manage(*arguments, home=home)
    rights = "-dac_override,-dac_read_search"
    drop = [require_program("setpriv"), f"--bounding-set={rights}", f"--inh-caps={rights}"]
    return subprocess.run(
        [*drop, sys.executable, "manage.py", *arguments],
        cwd=ROOT, env={**os.environ, "ALMANAC_HOME": str(home)}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_file_without_an_end_is_refused_before_it_fills_the_memory(tmp_path):
    done = manage("importcatalog", "v2", "/dev/zero", home=tmp_path)
    assert done.returncode == 14
    assert done.stderr.startswith("error: malformed: /dev/zero")


def test_a_signing_key_that_a_crash_left_empty_does_not_keep_the_server_from_starting(tmp_path):
    (tmp_path / "secret_key").write_bytes(b"")
    assert manage("check", home=tmp_path).returncode == 0


def test_a_first_start_that_stops_midway_leaves_no_operator_whose_password_nobody_saw(tmp_path):
    surroundings = {"ALMANAC_STORE": "ftp://nowhere", "SECRET_KEY": "k" * 60, "PORT": str(free_port())}
    done = manage("start", home=tmp_path, **surroundings)
    assert done.returncode == 16, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: store: ")
    with closing(sqlite3.connect(tmp_path / "almanac.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM auth_user").fetchone() == (0,)
    assert not (tmp_path / "secret_key").exists()  # it is kept elsewhere, where it was given from


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def prepared(tmp_path) -> Path:
    assert manage("migrate", "--verbosity=0", home=tmp_path).returncode == 0
    return tmp_path


def test_output_that_has_no_room_is_one_line(prepared):
    command = [sys.executable, "manage.py", "exportcatalog", "v2"]
    environment = {**os.environ, "ALMANAC_HOME": str(prepared)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 16
    assert done.stderr.startswith("error: local-state: No space left on device")
    assert done.stderr.count("\n") == 1


def test_a_reader_who_has_seen_enough_is_told_nothing_more(prepared):
    command = [sys.executable, "manage.py", "exportcatalog", "v2"]
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "ALMANAC_HOME": str(prepared)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
