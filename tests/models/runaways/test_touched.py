"""Touched: several batches and shards looked at as one give what they give one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.runaways.touched import Runs, Touched, gathered, merged
from models.runs.policy import RunPolicy
from models.runs.pulse import BEFORE, NO_PULSES, Pulse
from models.runs.shards import SHARDS, by_shard, shard_of_trace
from models.runs.table import RunTable
from models.spans.batch import Spans
from models.spans.columns import SpanKind
from models.spend.rows import spend_rows
from tests.helpers.span_rows import row, spans_of

KINDS = (SpanKind.RUN, SpanKind.LLM, SpanKind.TOOL)


class Worker:
    """All run shards, watched."""

    def __init__(self) -> None:
        self.runs = Runs()
        self.runs.tables = {shard: RunTable(RunPolicy()) for shard in range(SHARDS)}
        for table in self.runs.tables.values():
            table.is_watched = True

    def touch(self, *rows: dict[str, Any]) -> list[Touched]:
        """Apply one batch; give what it touched, shard by shard."""
        spans = spans_of(list(rows))
        out = []
        for shard, own in enumerate(by_shard(spans.cols)):
            if len(own):
                table = self.runs.tables[shard]
                table.update(spans, own, 0)
                out += [Touched(pulses, spans, own) for pulses in table.pulses()]
        return out


def span(number: int, trace: int, kind: int, user: str, cost: int) -> dict[str, Any]:
    """Give a span; an LLM call costs, a tool call is always the same."""
    more: dict[str, Any] = {"cost": cost} if KINDS[kind] == SpanKind.LLM else {"tool": "t", "arguments": "a"}
    return row(KINDS[kind], 10 + number, 0 if kind == 0 else 1, number, number + 1, trace_lo=trace, user=user, **more)


_BATCHES = st.lists(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 2), st.sampled_from(["", "ann", "bob"]), st.integers(0, 5)),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, max_examples=50)
@given(_BATCHES)
def test_one_pulse_a_run_that_says_what_all_said(batches: list[list[tuple[int, int, str, int]]]) -> None:
    """As it stood before all, as it stands after all; what was spent adds up to the same."""
    worker, number, parts = Worker(), 0, []
    for batch in batches:
        rows = []
        for said in batch:
            number += 1
            rows.append(span(number, *said))
        parts += worker.touch(*rows)
    each = np.concatenate([part.pulses for part in parts])
    one = gathered(parts)
    by_trace: dict[int, list[Any]] = {}
    for pulse in each.tolist():
        by_trace.setdefault(pulse[Pulse.TRACE_LO], []).append(pulse)
    found = {pulse[Pulse.TRACE_LO]: pulse for pulse in one.pulses.tolist()}
    assert found.keys() == by_trace.keys()
    assert len(one.pulses) == len(by_trace)
    for trace, told in by_trace.items():
        expected = told[0][:BEFORE] + told[-1][BEFORE:]
        for column in (Pulse.REPEATS, Pulse.ERRORS):
            expected[column] = max(pulse[column] for pulse in told)
        assert found[trace] == expected
    spent = spend_rows(np.concatenate([part.pulses for part in parts[:1]]))  # what follows is added by whole sums
    for part in parts[1:]:
        spent = np.concatenate((spent, spend_rows(part.pulses)))
    assert _sums(spent) == _sums(spend_rows(one.pulses))
    got = sorted(map(tuple, one.spans.cols[:, one.rows].T.tolist()))
    assert got == sorted(tuple(cells) for part in parts for cells in part.spans.cols[:, part.rows].T.tolist())


def _sums(rows: Any) -> dict[tuple[int, ...], list[int]]:
    sums: dict[tuple[int, ...], list[int]] = {}
    for *key, cost, tokens, runs in rows.tolist():
        sums[tuple(key)] = [a + b for a, b in zip(sums.get(tuple(key), [0, 0, 0]), (cost, tokens, runs), strict=True)]
    return {key: amounts for key, amounts in sums.items() if any(amounts)}


def test_rows_of_one_batch_are_not_copied() -> None:
    """The shards of a batch share its spans."""
    worker = Worker()
    parts = worker.touch(*(span(n, n, 1, "ann", 1) for n in range(1, 20)))
    one = gathered(parts)
    assert len(parts) > 1
    assert one.spans is parts[0].spans
    assert sorted(one.rows.tolist()) == list(range(19))


def test_a_run_that_was_forgotten_between_is_two() -> None:
    """Else what the first of them spent would be lost."""
    worker = Worker()
    (first,) = worker.touch(span(1, 1, 1, "ann", 5))
    assert len(merged(np.concatenate((first.pulses, first.pulses)))) == 2


def test_nothing_touched() -> None:
    """Time touches runs without any rows, or nothing at all."""
    one = gathered([Touched(NO_PULSES, Spans.empty(), np.empty(0, np.int64))])
    assert (len(one.pulses), len(one.spans), len(one.rows)) == (0, 0, 0)


def test_calls_and_texts_are_found_in_any_shard() -> None:
    """Of a run that is not known there are none."""
    worker = Worker()
    for trace in range(1, 9):
        worker.touch(span(trace, trace, 2, f"user {trace}", 0))
    shards = {shard_of_trace(7, trace) for trace in range(1, 9)}
    assert len(shards) > 1
    assert [len(worker.runs.calls(7, trace)) for trace in range(1, 10)] == [1] * 8 + [0]
    (pulses,) = [part.pulses for part in worker.touch(span(20, 3, 2, "", 0))]
    user = int(pulses[0, Pulse.USER])
    assert worker.runs.text(user) == "user 3"
    assert worker.runs.texts([user, 12345]) == {user: "user 3"}
    assert worker.runs.text(12345) is None
