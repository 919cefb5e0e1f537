"""Changes as one: several joined say what each said."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.runs.changes import Changes, as_one
from models.runs.policy import RunPolicy
from models.runs.report import run_ids, run_lines
from models.runs.table import RunTable
from models.slis.cells import cells_of
from models.spans.columns import SpanKind
from tests.helpers.span_rows import row, spans_of

_RUNS = st.lists(st.tuples(st.sampled_from(["air", "rail"]), st.integers(0, 3)), min_size=1, max_size=3)


def told(runs: list[tuple[str, int]], first: int) -> Changes:
    """Give what closed runs tell, each of so many tool calls."""
    rows = []
    for number, (workflow, calls) in enumerate(runs, first):
        own = {"trace_lo": number, "workflow": workflow}
        rows += [row(SpanKind.TOOL, 2 + n, 1, n, n + 1, tool=f"tool {n}", **own) for n in range(calls)]
        rows.append(row(SpanKind.RUN, 1, 0, 0, 9, **own))
    return RunTable(RunPolicy()).update(spans_of(rows), np.arange(len(rows)), 0)


@settings(deadline=None, max_examples=30)
@given(st.lists(_RUNS, min_size=1, max_size=4))
def test_joined_they_count_and_tell_the_same(batches: list[list[tuple[str, int]]]) -> None:
    """Cells, record lines and the tools in them; no part is changed by it."""
    parts = [told(runs, 1 + 10 * at) for at, runs in enumerate(batches)]
    before = [part.calls.tobytes() + part.tools.tobytes() for part in parts]
    one = as_one(parts)
    assert [part.calls.tobytes() + part.tools.tobytes() for part in parts] == before
    each, both = cells_of(parts), cells_of([one])
    assert sorted(map(tuple, each.cols.T.tolist())) == sorted(map(tuple, both.cols.T.tolist()))
    assert each.names == both.names
    lines = [line for part in parts for line in run_lines(part.records, part.names, part.tools)]
    assert run_lines(one.records, one.names, one.tools) == lines
    assert run_ids(one.records) == [run for part in parts for run in run_ids(part.records)]
