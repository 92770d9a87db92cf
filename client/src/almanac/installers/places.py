"""Where clients read, found from their environment; ``None`` where that is our data folder. Pure but for one file read.

Sources: each client's own documentation and source, at the versions that the table in the README names.
"""

from __future__ import annotations

import sys
from pathlib import Path

from almanac.installers.client import Environ


def home(environ: Environ) -> Path:
    named = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(named) if named else Path.home()


def _folder(environ: Environ, variable: str, *default: str) -> Path:
    named = environ.get(variable, "").strip()
    return Path(named).expanduser() if named else home(environ).joinpath(*default)


def aichat(environ: Environ) -> Path:
    if named := environ.get("AICHAT_CONFIG_DIR"):
        return Path(named).expanduser() / "models-override.yaml"
    from platformdirs import user_config_path

    return user_config_path("aichat", appauthor=False, roaming=True) / "models-override.yaml"


def opencode(environ: Environ) -> Path | None:
    """The file that it is told to read. Its cache is no place: it writes that anew every hour."""
    named = environ.get("OPENCODE_MODELS_PATH", "").strip()
    return Path(named).absolute() if named else None


def codex(environ: Environ) -> Path | None:
    """The file that ``model_catalog_json`` in its ``config.toml`` names already."""
    import tomllib

    try:
        settings = tomllib.loads(
            (_folder(environ, "CODEX_HOME", ".codex") / "config.toml").read_text("utf-8")
        )
    except (OSError, ValueError):
        return None
    named = settings.get("model_catalog_json")
    return Path(named) if isinstance(named, str) and Path(named).is_absolute() else None


def crush(environ: Environ) -> Path | None:
    """Where it keeps its last list; where that is on Windows is not known."""
    if sys.platform == "win32" and not environ.get("XDG_DATA_HOME"):
        return None
    return _folder(environ, "XDG_DATA_HOME", ".local", "share") / "crush" / "providers.json"


def hermes(environ: Environ) -> Path:
    if sys.platform == "win32":
        local = Path(environ.get("LOCALAPPDATA") or home(environ) / "AppData" / "Local")
        named = environ.get("HERMES_HOME", "").strip()
        return (Path(named) if named else local / "hermes") / "cache" / "model_catalog.json"
    return _folder(environ, "HERMES_HOME", ".hermes") / "cache" / "model_catalog.json"


def aider(environ: Environ) -> Path:
    return home(environ) / ".aider" / "caches" / "model_prices_and_context_window.json"
