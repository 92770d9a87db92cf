"""The conveniences beside what is signed: plain addresses, ``index.json``. They may lag a commit behind, not differ."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from almanac.addresses import INDEX, object_path
from almanac.errors import MalformedError
from almanac.lifecycle import RETIRED, SchemaNotice, read_notices
from mirrors.verifying.chain import Target
from mirrors.verifying.documents import MOST_OBJECT, Shelf, verify_minisig

MOST_INDEX: Final = 2_000_000
UNSIGNED: Final = frozenset({"format", "published", "regions", "experiments"})
"""Fields of ``index.json`` that nothing signed repeats."""
LIFE: Final = ("name", "status", "deprecated", "sunset", "successor", "clients")
"""What a schema's line repeats of the signed notice, where there is one."""


def verify_plain_addresses(shelf: Shelf) -> None:
    for target in sorted(shelf.chain.targets.values(), key=lambda target: target.path):
        shelf.progress(target.path)
        with shelf.report.noting():
            _verify_plain(shelf, target)


def _verify_plain(shelf: Shelf, target: Target) -> None:
    data = shelf.source.get(target.path, most=MOST_OBJECT)
    if data is None:
        shelf.report.warnings.append(
            f"{target.path} is missing: a publication is not finished, or was cut short"
        )
        return
    shelf.files.add(target.path)
    found = hashlib.sha256(data).hexdigest()
    if found == target.sha256:
        shelf.report.counts["plain addresses verified"] += 1
    elif shelf.source.get(object_path(target.path, found), most=MOST_OBJECT) == data:
        shelf.report.warnings.append(f"{target.path} is behind: it holds an earlier document of this address")
    else:
        raise MalformedError("these bytes were never published at this address", where=target.path)
    if found == target.sha256 or shelf.source.get(f"{target.path}.minisig", most=MOST_OBJECT) is not None:
        verify_minisig(shelf, target.path, data, path=target.path)


def verify_index(shelf: Shelf) -> None:
    with shelf.report.noting():
        data = shelf.source.get(INDEX, most=MOST_INDEX)
        if data is None:
            shelf.report.warnings.append(
                f"{INDEX} is missing: a publication is not finished, or was cut short"
            )
            return
        shelf.files.add(INDEX)
        index = _read(data)
        behind = _number(index.get("release")) < (shelf.report.release or 0)
        wrong = _differences(shelf, index)
        if behind:
            shelf.report.warnings.append(f"{INDEX} is behind: it speaks of release {index.get('release')}")
            wrong = [what for what in wrong if what in {"root_fingerprint", "minisign_key"}]
        if wrong:
            raise MalformedError(f"it contradicts what is signed: {', '.join(wrong)}", where=INDEX)
        shelf.report.counts["indexes verified"] += 1


def _read(data: bytes) -> dict[str, Any]:
    try:
        index = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedError("this is not JSON", where=INDEX) from error
    if not isinstance(index, dict) or index.get("format") != 1:
        raise MalformedError("this is not an index of format 1", where=INDEX)
    return index


def _differences(shelf: Shelf, index: dict[str, Any]) -> list[str]:
    """The names of what does not agree."""
    expected: dict[str, Any] = {
        "release": shelf.report.release,
        "root_fingerprint": shelf.report.fingerprint,
    }
    if shelf.key is not None:
        expected["minisign_key"] = shelf.key.line
    wrong = [name for name, value in expected.items() if index.get(name) != value]
    wrong += sorted(set(index) - set(expected) - UNSIGNED - {"schemas", "minisign_key"})
    schemas = index.get("schemas")
    if not isinstance(schemas, list):
        return [*wrong, "schemas"]
    return wrong + [_name(line) for line in schemas if not _agrees(shelf, line)]


def _agrees(shelf: Shelf, line: Any) -> bool:
    if not isinstance(line, dict):
        return False
    path = str(line.get("path"))
    target, notice = shelf.chain.targets.get(path), _notices(shelf).get(path)
    if notice is not None and any((line.get(name) or "") != (getattr(notice, name) or "") for name in LIFE):
        return False
    if target is None and notice is not None and notice.status == RETIRED:
        return all(line.get(name) is None for name in ("bytes", "sha256", "target"))
    return target is not None and (line.get("bytes"), line.get("sha256"), line.get("target")) == (
        target.length,
        target.sha256,
        object_path(target.path, target.sha256),
    )


def _notices(shelf: Shelf) -> dict[str, SchemaNotice]:
    """What the verified roles say about their schemas, by the schema's document."""
    roles = shelf.chain.roles.values()
    return {notice.file: notice for role in roles for notice in read_notices(role.signed)}


def _name(line: Any) -> str:
    return f"schema {str(line.get('name'))[:80]!r}" if isinstance(line, dict) else "a schema"


def _number(value: Any) -> int:
    return value if type(value) is int else 2**62
