"""Copying bytes inside compiled kernels: one memcpy; a loop checks every index for wrap-around (3 times slower)."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def copy_bytes(typingctx: Any, source: Any, start: Any, length: Any, target: Any, at: Any) -> Any:
    """Copy `source[start : start + length]` (uint8) to `target[at : ...]`; the caller checks the bounds."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        read = context.make_array(kinds[0])(context, builder, args[0])
        written = context.make_array(kinds[3])(context, builder, args[3])
        offsets = [context.cast(builder, args[i], kinds[i], types.intp) for i in (1, 2, 4)]
        cgutils.raw_memcpy(
            builder,
            cgutils.gep_inbounds(builder, written.data, offsets[2]),
            cgutils.gep_inbounds(builder, read.data, offsets[0]),
            offsets[1],
            1,
        )
        return context.get_dummy_value()

    return types.void(source, start, length, target, at), codegen
