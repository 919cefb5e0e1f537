"""64-bit digests of byte strings: how names and contents travel through the stream without their text.

The digest is part of the stored state (snapshots, shard numbers): it must never change between versions.
It is xxHash64-like mixing over 8-byte little-endian words; it is stable, fast and well spread, not cryptographic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from models.kernels import allocating, small

if TYPE_CHECKING:
    from collections.abc import Callable

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_SHIFT_29, _SHIFT_31, _SHIFT_32, _SHIFT_33 = np.uint64(29), np.uint64(31), np.uint64(32), np.uint64(33)
_ONE = np.uint64(1)

SLACK = 8
"""Bytes that must follow the last readable byte of any buffer given to the kernels (`load64` reads whole words)."""


def _inlined(function: Callable[..., Any]) -> Any:
    """Make an intrinsic; typed Any because numba publishes no type for what it returns."""
    return intrinsic(function)


@_inlined
def load64(typingctx: Any, buffer: Any, position: Any) -> Any:
    """Read 8 bytes at any alignment as one little-endian uint64; the caller checks the bounds.

    `buffer` is a uint8 array, or a pointer to uint8.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = args[0]
        if not isinstance(signature.args[0], types.CPointer):
            first = context.make_array(signature.args[0])(context, builder, first).data
        offset = context.cast(builder, args[1], signature.args[1], types.intp)
        pointer = cgutils.gep_inbounds(builder, first, offset)
        return builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(buffer, position), codegen


@small
def mix64(x: Any) -> Any:
    """Spread the bits of a uint64 (the finaliser of MurmurHash3)."""
    x = np.uint64(x)
    x = (x ^ (x >> _SHIFT_33)) * _P2
    x = (x ^ (x >> _SHIFT_29)) * _P3
    return x ^ (x >> _SHIFT_32)


@allocating
def digest64(buffer: Any, start: Any, length: Any) -> Any:
    """Digest `buffer[start : start + length]` to a non-zero int64; 0 is kept for "absent".

    `buffer` is a uint8 array with at least `SLACK` readable bytes after `start + length`.
    """
    h = _P3 ^ (np.uint64(length) * _P1)
    position = np.int64(start)
    left = np.int64(length)
    while left >= 8:  # noqa: PLR2004  # bytes of a word
        h = (h ^ (load64(buffer, position) * _P2)) * _P1
        h = (h << _SHIFT_31) | (h >> _SHIFT_33)
        position += 8
        left -= 8
    if left > 0:
        mask = (_ONE << np.uint64(8 * left)) - _ONE
        h = (h ^ ((load64(buffer, position) & mask) * _P2)) * _P1
    h = mix64(h)
    return np.int64(h) if h != np.uint64(0) else np.int64(1)


def digest_of(text: str | bytes) -> int:
    """Digest one text, exactly as the kernels do."""
    raw = text.encode() if isinstance(text, str) else text
    buffer = np.frombuffer(raw + bytes(SLACK), dtype=np.uint8)
    return int(digest64(buffer, 0, len(raw)))
