"""Content-Encoding: undone piece by piece, with a cap on what comes out, as a few bytes can hold gigabytes; and made."""

from __future__ import annotations

import sys
import zlib
from typing import Any, Final, Protocol

from almanac.errors import MalformedError

ACCEPTED: Final = "zstd, gzip"
WINDOW_LOG_MAX: Final = 23
"""8 MiB, what every decoder of the web's zstd must accept and no server may exceed."""
BEST_LEVEL: Final = 19
HELD: Final = "the old copy is kept"


class Decoder(Protocol):
    def feed(self, data: bytes) -> None: ...
    def finish(self) -> bytes: ...


def decoder_for(encoding: str, *, max_length: int, where: str) -> Decoder:
    """The decoder for one encoding; several on top of each other, or one that we did not ask for, are refused."""
    match encoding.strip().lower():
        case "" | "identity":
            return Plain(max_length, where)
        case "gzip" | "x-gzip":
            return Gzip(max_length, where)
        case "zstd":
            return Zstd(max_length, where)
        case other:
            raise MalformedError(
                f"an encoding that was not asked for ({other[:40]!r})", where=f"at {where}", advice=HELD
            )


class Plain:
    """No encoding; the base of the others, which differ in ``_decode``."""

    def __init__(self, max_length: int, where: str) -> None:
        self._max_length = max_length
        self._where = where
        self._pieces: list[bytes] = []
        self._length = 0

    def feed(self, data: bytes) -> None:
        self._keep(data)

    def finish(self) -> bytes:
        return b"".join(self._pieces)

    def _keep(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length > self._max_length:
            raise self._wrong(f"more than the {self._max_length} bytes allowed")
        self._pieces.append(piece)

    def _room(self) -> int:
        """How much may come out now: one byte more than is allowed, so that too much is seen without being made."""
        return self._max_length - self._length + 1

    def _wrong(self, what: str) -> MalformedError:
        return MalformedError(what, where=f"at {self._where}", advice=HELD)


class Gzip(Plain):
    def __init__(self, max_length: int, where: str) -> None:
        super().__init__(max_length, where)
        self._stream = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> None:
        while data:
            try:
                self._keep(self._stream.decompress(data, self._room()))
            except zlib.error as error:
                raise self._wrong("broken gzip") from error
            data = self._stream.unconsumed_tail
        if self._stream.unused_data:
            raise self._wrong("bytes after the end of the gzip stream")

    def finish(self) -> bytes:
        if not self._stream.eof:
            raise self._wrong("the gzip stream is cut off")
        return super().finish()


class Zstd(Plain):
    def __init__(self, max_length: int, where: str) -> None:
        super().__init__(max_length, where)
        zstd = _zstd()
        self._error: type[Exception] = zstd.ZstdError
        self._stream = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX}
        )

    def feed(self, data: bytes) -> None:
        if self._stream.eof:
            raise self._wrong("bytes after the end of the zstd stream")
        try:
            self._keep(self._stream.decompress(data, self._room()))
            while not self._stream.needs_input and not self._stream.eof:
                self._keep(self._stream.decompress(b"", self._room()))
        except self._error as error:
            raise self._wrong("broken zstd") from error
        if self._stream.unused_data:
            raise self._wrong("bytes after the end of the zstd stream")

    def finish(self) -> bytes:
        if not self._stream.eof:
            raise self._wrong("the zstd stream is cut off")
        return super().finish()


def encoded(data: bytes) -> dict[str, bytes]:
    """Small bytes in every encoding that we make ourselves, as small as it makes them: coding → encoded."""
    packer = zlib.compressobj(9, wbits=31)
    return {
        "zstd": _zstd().compress(data, level=BEST_LEVEL),
        "gzip": packer.compress(data) + packer.flush(),
    }


def _zstd() -> Any:
    """The standard library's module where there is one (Python 3.14), its backport before."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
