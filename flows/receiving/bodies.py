"""What a request carries: its type, and its encoding undone within a bound."""

from __future__ import annotations

import io
import zlib
from enum import Enum
from typing import TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator

_GZIP: Final = 16 + zlib.MAX_WBITS  # zlib's word for: with a gzip header
_MIN_WINDOW: Final = 8 << 20  # what RFC 8878 asks every decoder to take
_BITE: Final = 4 << 10
"""Bytes handed to a decompressor at once. What lies behind the end of a member is copied at each end: handed the whole
of a body of a million empty members, it would copy terabytes, and hold up all other senders meanwhile."""


class BodyType(Enum):
    """The two encodings of OTLP/HTTP, by their content type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


class TooLargeError(Exception):
    """The body is beyond the bound, before or after decompression."""


class UnknownEncodingError(Exception):
    """The body is in a content encoding that is not understood."""


class UnreadableError(Exception):
    """The body cannot be decompressed, or is no OTLP."""


def body_type(header: str) -> BodyType | None:
    """Read a Content-Type header; None: not one of OTLP's."""
    name = header.partition(";")[0].strip().lower()
    return next((kind for kind in BodyType if kind.value == name), None)


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo a content encoding, never making more than `limit` bytes.

    Raises UnknownEncodingError, TooLargeError, UnreadableError.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name == "gzip":
        return _gunzip(body, limit)
    if name == "zstd":
        return _unzstd(body, limit)
    msg = f"content encoding {encoding!r} is not understood: expected gzip, zstd or none"
    raise UnknownEncodingError(msg)


def _gunzip(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    room, at = limit, 0
    while at < len(body):  # a gzip body may be several members
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            bite = body[at : at + _BITE]
            if not bite:
                raise UnreadableError("the gzip body is cut short")
            try:
                part = member.decompress(bite, room + 1)
            except zlib.error as error:
                msg = f"the body is not gzip: {error}"
                raise UnreadableError(msg) from error
            room -= len(part)
            if room < 0:
                msg = f"the body is beyond {limit} bytes when decompressed"
                raise TooLargeError(msg)
            parts.append(part)
            at += len(bite) - len(member.unused_data)
    return b"".join(parts)


def _unzstd(body: bytes, limit: int) -> bytes:
    # the window is memory too: a frame may not ask for more than a body may be
    decompressor = zstandard.ZstdDecompressor(max_window_size=max(limit, _MIN_WINDOW))
    try:
        # once to learn the size, within the bound: this way does not say whether the end was reached
        with decompressor.stream_reader(io.BytesIO(body), read_across_frames=True) as reader:
            if len(reader.read(limit + 1)) > limit:
                msg = f"the body is beyond {limit} bytes when decompressed"
                raise TooLargeError(msg)
        return b"".join(_frames(decompressor, body))
    except zstandard.ZstdError as error:
        msg = f"the body is not zstd: {error}"
        raise UnreadableError(msg) from error


def _frames(decompressor: zstandard.ZstdDecompressor, body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):  # several frames may follow each other
        frame = decompressor.decompressobj()
        while not frame.eof:
            bite = body[at : at + _BITE]
            if not bite:
                raise UnreadableError("the zstd body is cut short")
            yield frame.decompress(bite)
            at += len(bite) - len(frame.unused_data)
