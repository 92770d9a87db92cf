from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.environment import Environment, SettingError, kept_port

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_needs_to_be_set(tmp_path):
    env = Environment({})
    assert env.text("X", "a") == "a"
    assert env.secret("X") is None
    assert env.number("X", 3, low=1, high=9) == 3
    assert env.flag("X") is False
    assert env.words("X", ["a"]) == ["a"]
    assert env.database("X", tmp_path / "db")["NAME"] == tmp_path / "db"


def test_a_secret_may_come_from_a_file_without_its_line_end(tmp_path):
    (tmp_path / "secret").write_text("hush hush\n")
    assert Environment({"KEY_FILE": str(tmp_path / "secret")}).secret("KEY") == "hush hush"


def test_the_value_itself_wins_over_the_file(tmp_path):
    assert Environment({"KEY": "a", "KEY_FILE": str(tmp_path / "absent")}).secret("KEY") == "a"


def test_a_secret_file_that_is_not_there_names_the_variable(tmp_path):
    with pytest.raises(SettingError, match="KEY_FILE: cannot read"):
        Environment({"KEY_FILE": str(tmp_path / "absent")}).secret("KEY")


@pytest.mark.parametrize("value", ["http", "-1", "0", "65536", "8000.0", "٣", "1" * 30])
def test_a_senseless_port_names_the_variable(value):
    with pytest.raises(SettingError, match="^PORT="):
        Environment({"PORT": value}).number("PORT", 8000, low=1, high=65535)


@pytest.mark.parametrize("value", ["perhaps", "2", "on"])
def test_a_senseless_flag_names_the_variable(value):
    with pytest.raises(SettingError, match="^F="):
        Environment({"F": value}).flag("F")


@pytest.mark.parametrize(
    "value",
    [
        "example.org",
        "ftp://a",
        "http://",
        "http://a b",
        "http://u@a",
        "http://a\\@b",
        "http://[::1",
        "http://a:99999",
        "https://a?x",
    ],
)
def test_a_senseless_base_address_names_the_variable(value):
    with pytest.raises(SettingError, match="^PUBLIC_BASE_URL="):
        Environment({"PUBLIC_BASE_URL": value}).web_address("PUBLIC_BASE_URL", "http://127.0.0.1")


def test_postgres_addresses_are_read_with_escapes_and_options(tmp_path):
    found = Environment({"D": "postgres://me:p%40ss@db.example:5433/alma%20nac?sslmode=require"}).database(
        "D", tmp_path
    )
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == (
        "me",
        "p@ss",
        "db.example",
        "5433",
    )
    assert (found["NAME"], found["OPTIONS"]) == ("alma nac", {"sslmode": "require"})


@pytest.mark.parametrize(
    "value", ["mysql://a/b", "postgres://host", "sqlite://", "postgres://h:port/x", "nonsense"]
)
def test_a_senseless_database_names_the_variable(value, tmp_path):
    with pytest.raises(SettingError, match="^D: "):
        Environment({"D": value}).database("D", tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("DATABASE_URL", "mysql://a/b"),
        ("PUBLIC_BASE_URL", "catalog.example.org"),
        ("WEB_CONCURRENCY", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("CACHE_URL", "memcached://a"),
        ("ALMANAC_TWO_PERSON_REVIEW", "perhaps"),
        ("SECRET_KEY_FILE", "/nowhere/at/all"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it_and_never_a_traceback(name, value, tmp_path):
    environment = {**os.environ, "ALMANAC_HOME": str(tmp_path), name: value}
    if name == "SECRET_KEY_FILE":
        environment.pop("SECRET_KEY")
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: usage: ")
    assert name in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kept", "port"), [("8377\n", 8377), ("", 8000), ("eighty", 8000), ("70000", 8000), ("\xe9", 8000)]
)
def test_other_commands_speak_of_the_port_that_the_home_was_started_on(tmp_path, kept, port):
    assert kept_port(tmp_path / "port") == 8000
    (tmp_path / "port").write_text(kept, encoding="latin-1")
    assert kept_port(tmp_path / "port") == port
