"""The published formats, one file each; ``registry`` lists them."""

from __future__ import annotations
