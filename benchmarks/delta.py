"""What one update costs on the wire and in processor time: our deltas against whole documents and merge patches.

Each pair of consecutive versions of a real history is encoded; bytes and milliseconds are medians over the pairs.
A merge patch keeps values, not bytes: a client could not check its result against a signed hash.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import statistics
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from almanac import dcz
from benchmarks import histories
from benchmarks.measuring import Row, cpu_seconds, missing
from benchmarks.merge_patch import merge_patch

BROTLI_VERSIONS = 3
"""Brotli's best level takes seconds for a document, so only the newest few are compressed with it."""


def run() -> list[Row]:
    rows: list[Row] = []
    for name, read in (("aichat", _aichat), ("litellm", json.loads), ("modelsdev", json.loads)):
        if histories.archive(name).exists():
            rows += _history(name, read)
        else:
            rows.append(missing("delta", name, f"no {name}.tar.xz in ../shared/data"))
    return rows


def _history(name: str, read: Callable[[bytes], Any]) -> list[Row]:
    every = histories.consecutive(name)
    pairs = list(pairwise(version.data for version in every))
    ours = [_encoded(old, new) for old, new in pairs]
    whole = [_compressed(new, lambda data: gzip.compress(data, 9, mtime=0)) for _, new in pairs]
    values = [read(version.data) for version in every]
    patches = [_patch(old, new) for old, new in pairwise(values)]
    note = f"median of {len(pairs)} updates"
    size, encode, decode = (statistics.median(each) for each in zip(*ours, strict=True))
    rows = []
    for peer, measured in (("gzip -9, whole", whole), ("merge patch + gzip -9", patches)):
        peer_size, peer_encode = (statistics.median(each) for each in zip(*measured, strict=True))
        rows += [
            Row("delta", f"{name}: bytes", size, "B", peer_size, peer, note),
            Row("delta", f"{name}: encode, CPU", encode * 1000, "ms", peer_encode * 1000, peer, note),
        ]
    newest = slice(-BROTLI_VERSIONS, None)
    rows += _against_brotli(name, [new for _, new in pairs[newest]], ours[newest])
    unpack = statistics.median(_decompression(new) for _, new in pairs[-10:])
    rows.append(
        Row("delta", f"{name}: decode, CPU", decode * 1000, "ms", unpack * 1000, "gunzip, whole", note)
    )
    return rows


def _encoded(old: bytes, new: bytes) -> tuple[int, float, float]:
    frames: list[bytes] = []
    encode = cpu_seconds(lambda: frames.append(dcz.encode(old, new)))
    decode = cpu_seconds(lambda: frames.append(dcz.decode(old, frames[0], max_length=len(new))))
    if frames[1] != new:
        raise RuntimeError("a delta did not give the document back: nothing else here matters")
    return len(frames[0]), encode, decode


def _compressed(data: bytes, compress: Callable[[bytes], bytes]) -> tuple[int, float]:
    packed: list[bytes] = []
    seconds = cpu_seconds(lambda: packed.append(compress(data)))
    return len(packed[0]), seconds


def _decompression(data: bytes) -> float:
    packed = gzip.compress(data, 9)
    return cpu_seconds(lambda: gzip.decompress(packed))


def _patch(old: Any, new: Any) -> tuple[int, float]:
    """Counted from the values: reading both documents is not charged to the peer."""

    def encode() -> bytes:
        patch = merge_patch(old, new)
        return gzip.compress(json.dumps(patch, separators=(",", ":"), default=str).encode(), 9, mtime=0)

    return _compressed(b"", lambda _: encode())


def _against_brotli(name: str, documents: list[bytes], ours: list[tuple[int, float, float]]) -> list[Row]:
    if importlib.util.find_spec("brotli") is None:
        return [missing("delta", f"{name}: brotli -11, whole", "the Python package brotli is not installed")]
    import brotli  # noqa: PLC0415  # a peer that may be missing

    packed = [_compressed(data, brotli.compress) for data in documents]
    peer_size, peer_encode = (statistics.median(each) for each in zip(*packed, strict=True))
    size, encode, _ = (statistics.median(each) for each in zip(*ours, strict=True))
    note = f"median of the newest {len(documents)} updates"
    return [
        Row("delta", f"{name}: bytes", size, "B", peer_size, "brotli -11, whole", note),
        Row(
            "delta",
            f"{name}: encode, CPU",
            encode * 1000,
            "ms",
            peer_encode * 1000,
            "brotli -11, whole",
            note,
        ),
    ]


def _aichat(data: bytes) -> dict[str, Any]:
    """Keyed by provider and name, which favours the peer: a merge patch replaces lists as a whole."""
    import yaml  # noqa: PLC0415

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    blocks = yaml.load(data, Loader=loader)  # noqa: S506  # a safe loader, as chosen above
    return {
        f"{block.get('provider') or block.get('platform') or block.get('type')}": {
            str(model["name"]): model for model in block["models"]
        }
        for block in blocks
    }
