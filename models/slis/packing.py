"""Packing: named arrays as versioned plain bytes, and back. No pickle: it outlives the code that wrote it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_HEAD = struct.Struct("<4sBH")  # magic, version, arrays
_ARRAY = struct.Struct("<B2sBQ")  # length of the name, dtype, dimensions, bytes
_SIZE = struct.Struct("<Q")
_MAGIC = b"FBSL"
_VERSION = 2


class PackingError(ValueError):
    """Bytes that are not a state of this version."""


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack arrays of numbers, little-endian."""
    parts = [_HEAD.pack(_MAGIC, _VERSION, len(arrays))]
    for name, array in arrays.items():
        dtype = array.dtype.str
        if dtype[0] == ">" or array.dtype.kind not in "biuf":
            msg = f"{name} has dtype {dtype}; only little-endian numbers of 1 to 8 bytes are packed"
            raise PackingError(msg)
        parts.append(_ARRAY.pack(len(name), dtype[1:].encode(), array.ndim, array.nbytes))
        parts.extend([name.encode(), *(_SIZE.pack(size) for size in array.shape), array.tobytes()])
    return b"".join(parts)


def unpack(raw: bytes) -> dict[str, NDArray[Any]]:
    """Unpack; the arrays are read-only views of `raw`. Raises PackingError."""
    try:
        return _unpacked(raw)
    except (struct.error, ValueError, TypeError) as error:
        msg = f"{len(raw)} bytes are not a state of version {_VERSION}: {error}"
        raise PackingError(msg) from error


def _unpacked(raw: bytes) -> dict[str, NDArray[Any]]:
    magic, version, n = _HEAD.unpack_from(raw)
    if (magic, version) != (_MAGIC, _VERSION):
        msg = f"it begins with {magic!r} version {version}, expected {_MAGIC!r} version {_VERSION}"
        raise PackingError(msg)
    at, arrays = _HEAD.size, {}
    for _ in range(n):
        length, dtype, ndim, size = _ARRAY.unpack_from(raw, at)
        at += _ARRAY.size
        name = raw[at : at + length].decode()
        at += length
        shape = [_SIZE.unpack_from(raw, at + 8 * i)[0] for i in range(ndim)]
        at += 8 * ndim
        flat = np.frombuffer(raw, np.dtype("<" + dtype.decode()), size // int(dtype[1:]), at)
        arrays[name] = flat.reshape(shape)
        at += size
    return arrays


def pack_names(names: Mapping[int, str]) -> dict[str, NDArray[Any]]:
    """Give texts by digest as arrays to pack."""
    texts = [text.encode("utf-8", "surrogatepass") for text in names.values()]
    return {
        "names": np.fromiter(names, np.int64, len(names)),
        "lengths": np.array([len(text) for text in texts], np.int32),
        "texts": np.frombuffer(b"".join(texts), np.uint8),
    }


def unpack_names(arrays: Mapping[str, NDArray[Any]]) -> dict[int, str]:
    """Undo `pack_names`."""
    stops = np.cumsum(arrays["lengths"]).tolist()
    text = arrays["texts"].tobytes()
    starts = [0, *stops[:-1]]
    digests = arrays["names"].tolist()
    return {
        digest: text[start:stop].decode("utf-8", "surrogatepass")
        for digest, start, stop in zip(digests, starts, stops, strict=False)
    }
