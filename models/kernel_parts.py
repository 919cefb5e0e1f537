# ruff: noqa: SLF001 - the pass does what code libraries do among themselves
"""What a kernel calls is compiled as a part of it: typed and lowered by itself, optimised and made executable with it.

numba makes each function that a kernel calls executable by itself, too: it optimises all that the function calls anew,
writes machine code and two wrappers for calls from Python, and keeps it on disk. At each of ten levels of calls that is
done again, though only the kernel at the top is ever called. Leaving it out takes less than half the time, and what is
executed comes out of the same optimisations (docs/decisions/0022).

This is a compiler pipeline of numba with another last pass but one (numba's developer manual, "Customizing the
Compiler"), for the version that is pinned: the pass uses what a code library keeps to itself.
"""

from __future__ import annotations

from typing import Any

from numba import njit
from numba._dynfunc import make_function
from numba.core.compiler import CompilerBase, DefaultPassBuilder, _LowerResult
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import NativeLowering
from numba.core.types import unliteral


@register_pass(mutates_CFG=True, analysis_only=False)
class PartLowering(NativeLowering):
    """Lowers a function and links what it calls into its module, without optimising the whole or loading it."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Leave `state.cr` as the usual pass does, with an entry point that stands for the part and leads nowhere."""
        super().run_pass(state)  # type: ignore[no-untyped-call]  # of numba
        _link(state.library)
        lowered = state["cr"]
        name = lowered.fndesc.qualname
        entry = make_function(
            lowered.fndesc.lookup_module(), name, "part of a kernel", 0, lowered.env, (state.library,)
        )
        state.targetctx.insert_user_function(entry, lowered.fndesc, [state.library])
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = _LowerResult(lowered.fndesc, lowered.call_helper, cfunc=entry, env=lowered.env)
        return True


class PartCompiler(CompilerBase):
    """The usual pipeline with `PartLowering` in it."""

    def define_pipelines(self) -> list[PassManager]:
        """Give the one pipeline."""
        self.state.flags.no_compile = True  # read by the usual pass: nothing is made executable
        usual = DefaultPassBuilder.define_nopython_pipeline(self.state)
        parts = PassManager("part")
        parts.passes.extend((PartLowering if each is NativeLowering else each, what) for each, what in usual.passes)
        parts.finalize()
        return [parts]


def in_parts(compiled: Any) -> Any:
    """Have other kernels call this one, a dispatcher, as a part of them; compiled once for the types of its arguments.

    numba would make a version for each constant that another kernel calls it with: a seventh of all that was compiled,
    and no faster (benchmarks/decode.py).
    """
    options = {name: said for name, said in compiled.targetoptions.items() if name != "nopython"}
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    part: Any = njit(pipeline_class=PartCompiler, **options)(compiled.py_func)
    compiled.get_call_template = lambda args, kws: part.get_call_template(
        tuple(map(unliteral, args)), {name: unliteral(kind) for name, kind in kws.items()}
    )
    compiled.get_overload = part.get_overload
    return compiled


def _link(library: Any) -> None:
    """Link what a code library calls into its module, as its `finalize` does before it optimises."""
    for called in dict.fromkeys(library._linking_libraries):
        library._reload_init.update(called._reload_init)
        library._final_module.link_in(called._get_module_for_linking(), preserve=True)
    library._final_module.verify()
    library._finalized = True
