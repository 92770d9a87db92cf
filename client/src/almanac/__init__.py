"""Almanac: sync AI-model catalogs from mirrors that you need not trust.

``from almanac import Catalog`` is the library; the command is ``almanac``. Importing this costs nothing to speak of:
what is heavy is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from almanac.library import Catalog

__all__ = ["Catalog", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Catalog":
        from almanac.library import Catalog

        return Catalog
    raise AttributeError(f"module 'almanac' has no attribute {name!r}")
