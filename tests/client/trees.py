"""A folder's content as one hash: names, kinds and bytes, nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path


def tree_hash(folder: Path, *only: str) -> str:
    digest = hashlib.sha256()
    for start in [folder / name for name in only] or [folder]:
        for path in sorted([start, *start.rglob("*")]):
            if not path.exists():
                continue
            kind = "d" if path.is_dir() else "f"
            digest.update(f"{kind} {path.relative_to(folder)}\n".encode())
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()
