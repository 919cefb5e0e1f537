"""Asking the processor for memory before it is needed: of a million open runs, the one of a span is in no cache.

`apply.py` says where it is used and what it saves.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_READ_OR_WRITE, _KEEP, _DATA = 1, 3, 1


def _prefetch(typingctx: Any, array: Any, position: Any) -> Any:

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        offset = context.cast(builder, args[1], signature.args[1], types.intp)
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        pointer = builder.bitcast(builder.gep(data, [offset]), byte)
        builder.call(ask, [pointer, *(ir.Constant(word, flag) for flag in (_READ_OR_WRITE, _KEEP, _DATA))])
        return context.get_dummy_value()

    return types.void(array, position), codegen


prefetch: Any = intrinsic(_prefetch)
"""`prefetch(array, position)`: ask for the cache line of an element of a flat array; one outside it does no harm."""
