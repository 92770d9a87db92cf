"""From bytes to text: UTF-8, within a size, and nothing guessed."""

from __future__ import annotations

from typing import Final

from catalog.schemas.reading.values import ParseError

MIB: Final = 1 << 20
_BOM: Final = "\ufeff"
_OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
BOM_NOTICE: Final = "the byte order mark at the beginning was left out"


def decode(data: bytes, *, max_bytes: int) -> tuple[str, tuple[str, ...]]:
    """The text and what a person should know about it. Raises ``ParseError``."""
    if len(data) > max_bytes:
        raise ParseError(
            f"the file has {len(data):,} bytes; at most {max_bytes:,} are read",
            advice="split it, or raise the limit",
        )
    if data.startswith(_OTHER_MARKS):
        raise ParseError(
            "the file is not UTF-8 (it begins like UTF-16 or UTF-32)", line=1, advice="save it as UTF-8"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(
            f"the file is not UTF-8 (byte {error.start + 1})",
            line=data.count(b"\n", 0, error.start) + 1,
            advice="save it as UTF-8",
        ) from error
    if text.startswith(_BOM):
        return text[1:], (BOM_NOTICE,)
    return text, ()
