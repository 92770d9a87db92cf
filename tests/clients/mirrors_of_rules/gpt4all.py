"""GPT4All's reading of ``models3.json``: Qt's JSON, where a value of another type is read as if it were empty."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.clients.mirrors_of_rules.reading import Known, RefusedError

TEXTS = (
    "order", "name", "filename", "filesize", "md5sum", "sha256sum", "url", "description", "type", "quant", "parameters",
    "ramrequired", "requires", "removedIn", "disableGUI", "isDefault", "promptTemplate", "systemPrompt", "systemMessage",
)  # fmt: skip
NUMBERS = ("temperature", "topP", "minP", "repeatPenalty")
WHOLE = ("topK", "maxLength", "promptBatchSize", "contextLength", "gpuLayers", "repeatPenaltyTokens")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*(?:-[0-9A-Za-z.]+)?", re.ASCII)
_DIGEST = {"md5sum": re.compile("[0-9a-f]{32}"), "sha256sum": re.compile("[0-9a-f]{64}")}


def read(data: bytes, *, app: str = "3.10.0") -> Known:
    """What this release of the app lists."""
    try:
        root = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RefusedError(str(error)) from error
    if not isinstance(root, list):
        raise RefusedError("the root is no list")
    known = Known()
    for item in root:
        if not isinstance(item, dict):
            known.harms.append("an entry that is no object is read as an empty one")
            continue
        model = {name: item[name] for name in item}
        known.harms += _harms(item)
        if _is_visible(item, app):
            known.models.append((str(item.get("type", "")), model))
    if not root:
        known.harms.append("every model disappears")
    return known


def _is_visible(item: dict[str, Any], app: str) -> bool:
    requires, removed = item.get("requires"), item.get("removedIn")
    since = not isinstance(requires, str) or _order(app) >= _order(requires)
    until = not isinstance(removed, str) or _order(app) < _order(removed)
    return since and until


def _order(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"[0-9]+", version.partition("-")[0])]


def _harms(item: dict[str, Any]) -> list[str]:
    harms = [f"{name} is read as empty" for name in TEXTS if name in item and not isinstance(item[name], str)]
    harms += [
        f"{name} is read as 0"
        for name in (*NUMBERS, *WHOLE)
        if name in item and (isinstance(item[name], bool) or not isinstance(item[name], int | float))
    ]
    harms += [f"{name} is cut" for name in WHOLE if isinstance(item.get(name), float)]
    for name in ("name", "filename"):
        if not item.get(name):
            harms.append(f"{name} is empty: the entry is not shown")
    if not re.fullmatch("[0-9]+", str(item.get("filesize", ""))):
        harms.append("filesize is no number of bytes: the download is refused")
    if not re.fullmatch("[0-9]+", str(item.get("ramrequired", "0"))):
        harms.append("ramrequired is no number")
    harms += [
        f"{name} is no version"
        for name in ("requires", "removedIn")
        if name in item and not _is_version(item[name])
    ]
    stated = [name for name in _DIGEST if item.get(name)]
    if not stated or not all(
        isinstance(item[name], str) and _DIGEST[name].fullmatch(item[name]) for name in stated
    ):
        harms.append("no digest can be compared: the download is refused")
    url = item.get("url")
    if (
        not isinstance(url, str)
        or not url.startswith("https://")
        or "@" in url.partition("//")[2].partition("/")[0]
    ):
        harms.append("the file comes over a road that nobody guards, or from the old host")
    if not isinstance(item.get("chatTemplate", ""), str | None):
        harms.append("chatTemplate is read as empty")
    if not isinstance(item.get("embeddingModel", False), bool):
        harms.append("embeddingModel is read as false")
    return harms


def _is_version(value: Any) -> bool:
    return isinstance(value, str) and _VERSION.fullmatch(value) is not None
