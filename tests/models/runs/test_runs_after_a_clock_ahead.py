"""A clock that was ahead and was set right: runs that begin then are open until they end, as always."""

from __future__ import annotations

import numpy as np
import pytest

from models.runs.policy import RunPolicy
from models.runs.table import RunTable
from models.spans.columns import SpanKind
from tests.helpers.span_rows import SECOND, row, spans_of

HOUR_S = 3600


@pytest.mark.parametrize("is_kept", [False, True], ids=["alive", "restarted"])
def test_a_run_that_begins_after_it_was_set_right_is_open(*, is_kept: bool) -> None:
    """Its calls are of an open run, which rules can stop; it closes when it is idle, by the clock as it is."""
    table = RunTable(RunPolicy(), is_journaled=True)
    table.advance(3 * HOUR_S * SECOND)
    table.set_back(HOUR_S * SECOND)
    if is_kept:
        table = RunTable.load(RunPolicy(), None, [table.take_delta()])
    for number in range(5):
        spans = spans_of([row(SpanKind.TOOL, 10 + number, 1, HOUR_S + number, HOUR_S + number + 1, tool="search")])
        table.update(spans, np.arange(1), (HOUR_S + number) * SECOND)
        assert table.open_runs == 1
    assert len(table.advance((HOUR_S + 800) * SECOND).runs) == 0
    assert len(table.advance((HOUR_S + 1000) * SECOND).runs) == 1
    assert table.open_runs == 0
