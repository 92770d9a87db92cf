"""Typed readers for the environment: each names the variable when its value makes no sense.

``NAME_FILE`` is read where a secret may come from a file (container secrets, systemd credentials).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


class SettingError(Exception):
    """A variable's value makes no sense; the message is one line that names the variable."""


class Environment:
    """Reads settings from a mapping, ``os.environ`` unless told otherwise."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, "").strip() or default

    def secret(self, name: str) -> str | None:
        """The value of ``NAME``, else the content of the file that ``NAME_FILE`` names, else ``None``."""
        if value := self._values.get(name):
            return value
        path = self._values.get(f"{name}_FILE")
        if not path:
            return None
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{name}_FILE: cannot read {path}: {error}") from error

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        raw = self.text(name)
        if not raw:
            return default
        if not re.fullmatch(r"[0-9]{1,12}", raw) or not low <= int(raw) <= high:
            raise SettingError(f"{name}={raw!r} is not a whole number from {low} to {high}")
        return int(raw)

    def flag(self, name: str, *, default: bool = False) -> bool:
        raw = self.text(name).lower()
        if raw in {"", "0", "1", "false", "true", "no", "yes"}:
            return default if raw == "" else raw in {"1", "true", "yes"}
        raise SettingError(f"{name}={raw!r} is neither true nor false")

    def words(self, name: str, default: list[str]) -> list[str]:
        return [word.strip() for word in self.text(name).split(",") if word.strip()] or default

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        raw = self.text(name, default)
        for choice in choices:
            if raw.lower() == choice.lower():
                return choice
        raise SettingError(f"{name}={raw!r} is not one of {', '.join(choices)}")

    def web_address(self, name: str, default: str) -> str:
        raw = self.text(name, default).rstrip("/")
        try:
            parts = urlsplit(raw)
            valid = (
                parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and not parts.query
            )
        except ValueError:
            valid = False
        if not valid or re.search(r"[\s\\@]", raw):
            raise SettingError(f"{name}={raw!r} is not an http or https address")
        return raw

    def database(self, name: str, default: Path) -> dict[str, Any]:
        """Django's settings of a database from ``sqlite:///path`` or ``postgres://user:password@host:port/name``."""
        raw = self.secret(name)
        if not raw:
            return sqlite_at(default)
        try:
            parts = urlsplit(raw)
            port = parts.port
        except ValueError as error:
            raise SettingError(f"{name}: not an address: {error}") from error
        if parts.scheme == "sqlite":
            path = unquote(parts.path)
            if not path.strip("/"):
                raise SettingError(f"{name}: sqlite:///path/to/file is needed")
            return sqlite_at(Path(path))
        if parts.scheme not in {"postgres", "postgresql"}:
            raise SettingError(f"{name}: {parts.scheme or raw!r} is neither sqlite nor postgres")
        if not parts.path.strip("/"):
            raise SettingError(f"{name}: the database's name is missing after the host")
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": dict(parse_qsl(parts.query)),
        }


def kept_port(file: Path) -> int:
    """Where this home was last started to serve; other commands then speak of the same address. 8000 if nowhere yet."""
    try:
        kept = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return 8000
    return int(kept) if re.fullmatch(r"[0-9]{1,5}", kept) and 0 < int(kept) < 65536 else 8000


def sqlite_at(path: Path) -> dict[str, Any]:
    """SQLite as a server needs it: writers queue up at BEGIN instead of failing at their first write, readers never wait."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        },
    }
