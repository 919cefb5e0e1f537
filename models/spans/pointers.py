"""Plain pointers for the kernels.

A numpy array in a kernel is seven words and a reference count; handing a dozen of them from function to function cost
22 µs a span and minutes of compilation, pointers cost nothing. Who makes a pointer keeps its array alive, and checks
the bounds: nothing else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable


def inlined(function: Callable[..., Any]) -> Any:
    """Compile in place; calls leave out the first parameter, which the type checker cannot know."""
    return intrinsic(function)


@inlined
def pointer_to(typingctx: Any, array: Any) -> Any:
    """Give the pointer to the first item of a C-contiguous array."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@inlined
def words_at(typingctx: Any, address: Any) -> Any:
    """Give the pointer to the int64 words at an address, an int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.int64), codegen


@inlined
def bytes_of(typingctx: Any, words: Any) -> Any:
    """See int64 words as bytes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(8).as_pointer())

    return types.CPointer(types.uint8)(words), codegen
