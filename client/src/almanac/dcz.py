"""Deltas: RFC 9842 "dcz" frames, zstd with the older document as a raw dictionary.

    frame = 5E 2A 4D 18 20 00 00 00 | SHA-256 of the old bytes (32) | one zstd frame

The eight magic bytes and the hash are a zstd *skippable* frame, so ``zstd -d --patch-from=OLD`` reads
the whole thing as it is. Encoding uses the old bytes as a *prefix* with long-distance matching: any
other use of a raw dictionary loses sight of it in documents of more than a megabyte.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Final

from almanac.errors import MalformedError

if sys.version_info >= (3, 14):
    from compression.zstd import (
        CompressionParameter,
        DecompressionParameter,
        ZstdCompressor,
        ZstdDecompressor,
        ZstdDict,
        ZstdError,
    )
else:
    from backports.zstd import (
        CompressionParameter,
        DecompressionParameter,
        ZstdCompressor,
        ZstdDecompressor,
        ZstdDict,
        ZstdError,
    )

MAGIC: Final = bytes.fromhex("5e2a4d1820000000")
HEADER_LENGTH: Final = len(MAGIC) + 32
LEVEL: Final = 9

_ZSTD_MAGIC: Final = bytes.fromhex("28b52ffd")
_MIB: Final = 1 << 20
_SMALLEST_WINDOW_LOG: Final = 10
_LARGEST_WINDOW_LOG: Final = 27  # 128 MiB, the most that RFC 9842 lets anyone ask for
_PIECE: Final = 256 * 1024
_LARGE: Final = 16 * _MIB
_SMALLEST_DICTIONARY: Final = 8  # zstd ignores shorter ones; the binding refuses them


def window_limit(dictionary_length: int) -> int:
    """The largest window that every decoder of RFC 9842 has to accept, in bytes."""
    return min(max(8 * _MIB, dictionary_length * 5 // 4), 128 * _MIB)


def encode(old: bytes, new: bytes, *, level: int = LEVEL) -> bytes:
    """The delta that turns ``old`` into ``new``; always made in one call, so equal input gives equal bytes."""
    options: dict[int, int] = {
        CompressionParameter.compression_level: level,
        CompressionParameter.enable_long_distance_matching: 1,
        CompressionParameter.window_log: _window_log(len(old), len(new)),
        **_long_matches(len(new)),
        CompressionParameter.content_size_flag: 1,
        CompressionParameter.checksum_flag: 1,
    }
    if len(old) >= _SMALLEST_DICTIONARY:
        prefix = ZstdDict(old, is_raw=True).as_prefix
        compressor = ZstdCompressor(options=options, zstd_dict=prefix)
    else:
        compressor = ZstdCompressor(options=options)
    frame = compressor.compress(new, mode=ZstdCompressor.FLUSH_FRAME)
    return MAGIC + hashlib.sha256(old).digest() + frame


def _long_matches(new_length: int) -> dict[int, int]:
    """What counts as a long match: about a record, because shorter texts repeat all over a catalog.

    By zstd's own measure (64 bytes) the matcher keeps finding the wrong one of many equal places, and a changed
    price costs 66 KB at 100,000 models instead of 2. In large documents only whole runs of records are looked for.
    """
    if new_length < _LARGE:
        return {CompressionParameter.ldm_min_match: 256}
    return {CompressionParameter.ldm_min_match: 1024, CompressionParameter.ldm_hash_rate_log: 9}


def _window_log(old_length: int, new_length: int) -> int:
    """A window over both documents if the frame may declare it, else the largest that decoders accept.

    A frame whose window covers its content declares the content's length as its window. So while that
    length is allowed, the matcher may look as far back as it likes: to the first byte of the old document.
    """
    limit = window_limit(old_length)
    wanted = (old_length + new_length).bit_length() if new_length <= limit else limit.bit_length() - 1
    return min(max(wanted, _SMALLEST_WINDOW_LOG), _LARGEST_WINDOW_LOG)


def decode(old: bytes, frame: bytes, *, max_length: int) -> bytes:
    """The new document, or ``MalformedError``; never more than ``max_length`` bytes are made.

    The caller still compares the result's SHA-256 with the signed one: that decides, not this.
    """
    if dictionary_hash(frame) != hashlib.sha256(old).hexdigest():
        raise MalformedError("the delta was made from another document", where="(dictionary hash)")
    return _decompress(old, _body(frame, old, max_length), max_length)


def makes(old: bytes, frame: bytes, new: bytes) -> bool:
    """True when ``decode`` would give ``new``; piece by piece, so that no third document is in memory.

    ``old`` must be the document that the frame names, which is for the caller to know.
    """
    try:
        body = _body(frame, old, len(new))
        decompressor, position = _decompressor(old), 0
        while not decompressor.eof:
            piece = decompressor.decompress(body, _PIECE)
            if not new.startswith(piece, position) or not (piece or decompressor.eof):
                return False
            position, body = position + len(piece), b""
        return position == len(new) and not decompressor.unused_data
    except (MalformedError, ZstdError):
        return False


def _body(frame: bytes, old: bytes, max_length: int) -> bytes:
    """The zstd frame, if it asks for no more than it may."""
    body = frame[HEADER_LENGTH:]
    window, content_length = _declared(body)
    if window > window_limit(len(old)):
        raise MalformedError(f"the delta asks for a window of {window} bytes")
    if content_length is not None and content_length > max_length:
        raise MalformedError(f"the delta makes {content_length} bytes, more than the {max_length} allowed")
    return body


def dictionary_hash(frame: bytes) -> str:
    """SHA-256, in lower-case hexadecimal, of the document that a frame must be applied to."""
    if len(frame) <= HEADER_LENGTH or not frame.startswith(MAGIC):
        raise MalformedError("this is not a dcz delta", where="(header)")
    return frame[len(MAGIC) : HEADER_LENGTH].hex()


def _decompress(old: bytes, body: bytes, max_length: int) -> bytes:
    try:
        decompressor = _decompressor(old)
        # One byte more than allowed is asked for, so that a longer document shows itself.
        new = decompressor.decompress(body, max_length + 1)
        if not decompressor.eof and len(new) <= max_length:
            new += decompressor.decompress(b"", max_length + 1 - len(new))  # the checksum may still be due
    except ZstdError as error:
        raise MalformedError(f"the delta is damaged: {error}") from error
    if len(new) > max_length:
        raise MalformedError(f"the delta makes more than the {max_length} bytes allowed")
    if not decompressor.eof:
        raise MalformedError("the delta is cut off")
    if decompressor.unused_data:
        raise MalformedError("the delta goes on after its end")
    return new


def _decompressor(old: bytes) -> ZstdDecompressor:
    options: dict[int, int] = {DecompressionParameter.window_log_max: _LARGEST_WINDOW_LOG}
    if len(old) < _SMALLEST_DICTIONARY:
        return ZstdDecompressor(options=options)
    return ZstdDecompressor(zstd_dict=ZstdDict(old, is_raw=True).as_prefix, options=options)


def _declared(body: bytes) -> tuple[int, int | None]:
    """What a zstd frame's header promises (RFC 8878 §3.1.1.1): its window, and its content's length if told."""
    if not body.startswith(_ZSTD_MAGIC) or len(body) < 6:
        raise MalformedError("there is no zstd frame in the delta")
    descriptor = body[4]
    single_segment = bool(descriptor & 0x20)
    position = 5
    window = 0
    if not single_segment:
        exponent, mantissa = body[position] >> 3, body[position] & 7
        window = (1 << (10 + exponent)) * (8 + mantissa) // 8
        position += 1
    position += (0, 1, 2, 4)[descriptor & 3]
    size_field = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    if len(body) < position + size_field:
        raise MalformedError("the delta is cut off")
    if not size_field:
        return window, None
    length = int.from_bytes(body[position : position + size_field], "little")
    length += 256 if size_field == 2 else 0
    return (length if single_segment else window), length
