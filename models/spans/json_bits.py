"""Unaligned stores, moves and bit counting for the OTLP/JSON kernels: what numba has no word for.

Nothing here checks bounds: the callers prove theirs (`json_wire`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable


def _inlined(function: Callable[..., Any]) -> Any:
    return intrinsic(function)


def _pointer(context: Any, builder: Any, signature: Any, args: Any, at: int) -> Any:
    """Point into the array that is the first argument, at the offset that is argument number `at`."""
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    return cgutils.gep_inbounds(builder, data, context.cast(builder, args[at], signature.args[at], types.intp))


@_inlined
def store64(typingctx: Any, buffer: Any, position: Any, word: Any) -> Any:
    """Write a uint64 as 8 little-endian bytes of a uint8 array, at any alignment."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature, args, 1)
        word = context.cast(builder, args[2], signature.args[2], types.uint64)
        builder.store(word, builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(buffer, position, word), codegen


@_inlined
def move(typingctx: Any, buffer: Any, target: Any, source: Any, size: Any) -> Any:
    """Copy `size` bytes within one uint8 array from `source` to `target`; the ranges may overlap."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to, origin = _pointer(context, builder, signature, args, 1), _pointer(context, builder, signature, args, 2)
        size = context.cast(builder, args[3], signature.args[3], types.intp)
        cgutils.raw_memmove(builder, to, origin, size, 1)
        return context.get_dummy_value()

    return types.void(buffer, target, source, size), codegen


@_inlined
def high64(typingctx: Any, a: Any, b: Any) -> Any:
    """Give the upper 64 bits of the 128-bit product of two uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), codegen


@_inlined
def trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Count the zero bits below the lowest set bit of a uint64 that is not 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@_inlined
def leading_zeros(typingctx: Any, word: Any) -> Any:
    """Count the zero bits above the highest set bit of a uint64 that is not 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@_inlined
def bits_of_double(typingctx: Any, value: Any) -> Any:
    """Give the IEEE 754 bits of a float64 as a uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.uint64(types.float64), codegen
