"""aichat's ``models-override.yaml``: the signed list below the version that will read it. Another version ignores it."""

from __future__ import annotations

import re
from typing import Final

from almanac.errors import AlmanacError, MalformedError, UsageError

OLDEST: Final = (0, 27)
_VERSION: Final = re.compile(
    r"(?:aichat )?v?([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(?:-[0-9A-Za-z.]{1,40})?)", re.ASCII
)


def version(given: str | None) -> str:
    """The version that was given, or what ``aichat --version`` says."""
    number = _read(given) if given is not None else _asked()
    if tuple(int(part) for part in number.split(".")[:2]) < OLDEST:
        raise UsageError(
            f"aichat {number} reads no list", advice="0.27.0 is the first that does: upgrade aichat"
        )
    return number


def override(document: bytes, version: str) -> bytes:
    """The signed lines, two blanks to the right below ``list:``: every number keeps its spelling."""
    body = "\n".join(f"  {line}" if line.strip() else "" for line in _block_list(document))
    return f"version: {version}\nlist:\n{body.rstrip()}\n".encode()


def _read(text: str) -> str:
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        raise UsageError("not a version", where=repr(text[:60]), advice="write it like 0.30.0")
    return found[1]


def _asked() -> str:
    import subprocess

    try:
        answer = subprocess.run(
            ["aichat", "--version"], capture_output=True, timeout=10, check=True, text=True
        )
    except FileNotFoundError:
        raise UsageError(
            "aichat is not on PATH", advice="say which version will read the file: --client-version 0.30.0"
        ) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise AlmanacError(
            f"`aichat --version` failed ({type(error).__name__})", advice="give --client-version"
        ) from error
    return _read(answer.stdout)


def _block_list(document: bytes) -> list[str]:
    """The document's lines, if moving them to the right keeps their meaning and leaves aichat with models."""
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("not UTF-8", where="(models.yaml)", advice="nothing was written") from error
    lines = text.replace("\r\n", "\n").split("\n")
    content = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    unusable = any(line.startswith(("---", "...", "%", "\ufeff", "\t")) for line in lines)
    if (
        unusable
        or not content
        or not content[0].startswith("- ")
        or not any("name:" in line for line in content)
    ):
        raise MalformedError(
            "not a list of providers with models", where="(models.yaml)", advice="nothing was written"
        )
    return lines
