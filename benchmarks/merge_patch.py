"""RFC 7396 merge patches: what a client would download if documents were patched as JSON values."""

from __future__ import annotations

from typing import Any


def merge_patch(old: Any, new: Any) -> Any:
    """The smallest patch of that standard; inexact where a member of ``new`` is null, which a patch reads as "remove"."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        if name not in old:
            patch[name] = value
        elif old[name] != value or type(old[name]) is not type(value):
            patch[name] = merge_patch(old[name], value)
    return patch
