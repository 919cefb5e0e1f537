"""The bytes of one message in a segment file: length and checksum first, so that a torn or damaged one is recognised.

    u32 length of what follows the checksum | u32 crc32c of it
    i64 offset | i64 appended_ns | i32 key length, -1: no key | key | value

All little-endian.
"""

from __future__ import annotations

import struct
from typing import Final

from crc32c import crc32c

from streams.port import Message

_PREFIX: Final = struct.Struct("<II")
_FIELDS: Final = struct.Struct("<qqi")
_HEADER: Final = struct.Struct("<IIqqi")
HEADER_BYTES: Final = _HEADER.size
_PREFIX_BYTES: Final = _PREFIX.size
NO_KEY: Final = -1


def encode(offset: int, appended_ns: int, key: bytes | None, value: bytes) -> list[bytes]:
    """Give the parts of the frame, to be joined with others: no copy of the value is made here."""
    fields = _FIELDS.pack(offset, appended_ns, NO_KEY if key is None else len(key))
    key = key or b""
    checksum = crc32c(value, crc32c(key, crc32c(fields)))
    return [_PREFIX.pack(len(fields) + len(key) + len(value), checksum), fields, key, value]


def size_at(buffer: bytes, start: int) -> int:
    """Tell the size of the frame at `start` by its header alone; 0 when even that is not all there.

    Of a header that cannot be right the size is -1.
    """
    if len(buffer) - start < HEADER_BYTES:
        return 0
    length, _, _, _, key_length = _HEADER.unpack_from(buffer, start)
    if length < _FIELDS.size + max(key_length, 0) or key_length < NO_KEY:
        return -1
    return _PREFIX_BYTES + int(length)


def decode(buffer: bytes, start: int, size: int) -> Message | None:
    """Read the frame of `size` bytes at `start`, which are all there; None when its checksum says no."""
    _, checksum, offset, appended_ns, key_length = _HEADER.unpack_from(buffer, start)
    stop = start + size
    if crc32c(memoryview(buffer)[start + _PREFIX_BYTES : stop]) != checksum:
        return None
    body = start + HEADER_BYTES
    if key_length == NO_KEY:
        return Message(offset, appended_ns, None, buffer[body:stop])
    return Message(offset, appended_ns, buffer[body : body + key_length], buffer[body + key_length : stop])
