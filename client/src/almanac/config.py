"""Settings: flag, then environment (``ALMANAC_…``), then file (``config.toml``), then default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from almanac.errors import LocalStateError, UsageError

FILE: Final = "config.toml"
KNOWN: Final = {"state_dir": str, "region": str, "offline": bool, "quiet": bool, "json": bool}
TRUE: Final = frozenset({"1", "true", "yes", "on"})
FALSE: Final = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Config:
    """What the environment and the file say; a flag goes before either."""

    environ: Mapping[str, str]
    file: Mapping[str, Any] = field(default_factory=dict)
    config_dir: Path = Path()

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Config:
        environ = os.environ if environ is None else environ
        folder = config_folder(environ)
        return cls(environ, _read(folder / FILE), folder)

    @property
    def state_dir(self) -> Path:
        named = self.environ.get("ALMANAC_STATE_DIR") or self.file.get("state_dir")
        if named:
            return Path(named).expanduser()
        from platformdirs import user_data_path

        return user_data_path("almanac", appauthor=False)

    @property
    def region(self) -> str:
        return str(self.environ.get("ALMANAC_REGION") or self.file.get("region") or "global").lower()

    def switch(self, name: str) -> bool:
        """``offline``, ``quiet`` or ``json``."""
        variable = f"ALMANAC_{name.upper()}"
        text = self.environ.get(variable)
        if text is None:
            return bool(self.file.get(name, False))
        if text.lower() in TRUE:
            return True
        if text.lower() in FALSE:
            return False
        raise UsageError(f"{variable} is {text!r}", advice="write 1 or 0")


def config_folder(environ: Mapping[str, str]) -> Path:
    if named := environ.get("ALMANAC_CONFIG_DIR"):
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("almanac", appauthor=False)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise LocalStateError(
            "cannot be read", where=f"file {file}", advice="let this user read it"
        ) from error
    import tomllib

    try:
        form = tomllib.loads(data.decode())
    except ValueError as error:
        raise UsageError(
            f"cannot be read ({error})", where=f"file {file}", advice="write it as TOML"
        ) from error
    for name, value in form.items():
        if name not in KNOWN:
            raise UsageError(
                f"unknown setting {name!r}", where=f"in {file}", advice=f"known are {', '.join(KNOWN)}"
            )
        if not isinstance(value, KNOWN[name]):
            raise UsageError(
                f"setting {name!r} is not a {KNOWN[name].__name__}", where=f"in {file}", advice="correct it"
            )
    return form
