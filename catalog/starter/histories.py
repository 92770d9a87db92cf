"""Reads single versions out of the shared histories, and finds in them what a source names.

A *source* is ``history:file#pointer``; what a pointer means in each history is written in the README beside this
file. Numbers are read as ``Decimal``: a price must keep every digit that its source wrote.
"""

from __future__ import annotations

import functools
import json
import tarfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

Found = Mapping[str, Any]


@functools.cache
def read_version(folder: Path, history: str, file: str) -> Any:
    """The JSON document ``file`` of the archive ``history.tar.xz``."""
    with tarfile.open(folder / f"{history}.tar.xz") as archive:
        member = archive.extractfile(f"{history}/{file}")
        if member is None:
            raise FileNotFoundError(f"{history}.tar.xz holds no {file}")
        return json.load(member, parse_float=Decimal)


def split_source(source: str) -> tuple[str, str, str]:
    """(history, file, pointer)."""
    version, _, pointer = source.partition("#")
    history, _, file = version.partition(":")
    return history, file, pointer


def find(folder: Path, source: str) -> Found | None:
    """What the source points at; None where the version lists no such thing."""
    history, file, pointer = split_source(source)
    document = read_version(folder, history, file)
    match history:
        case "modelsdev":
            provider, _, model = pointer.partition("/")
            return _object(document.get(provider, {}).get("models", {}).get(model))
        case "litellm":
            return _object(document.get(pointer))
        case "gpt4all_v3":
            return _object(next((m for m in document if m["filename"] == pointer), None))
        case "lmstudio":
            return _object(
                next((m for m in document for f in m["files"]["all"] if f["name"] == pointer), None)
            )
        case _:
            raise ValueError(f"{source}: {history} is not a history that the starter catalog reads")


def _object(value: Any) -> Found | None:
    return value if isinstance(value, dict) else None
