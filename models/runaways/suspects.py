"""What a batch tells of the runs that one looks at: how they grew, strange tools, nested agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.runaways.base import Point
from models.runaways.nested import Agent
from models.runs.pulse import Pulse
from models.spans.columns import Column, SpanKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.spans.batch import Spans

_HI, _LO, _END, _KIND = Column.TRACE_HI, Column.TRACE_LO, Column.END, Column.KIND
_CALL = np.array([_HI, _LO, Column.START, Column.WORKFLOW], np.int64)
_AGENT = np.array([_HI, _LO, Column.SPAN_ID, Column.START, Column.AGENT], np.int64)
_GROWTH = np.array([_HI, _LO, _END, Column.SPAN_ID, Column.INPUT_TOKENS, Column.OUTPUT_TOKENS, Column.COST], np.int64)


def growth_of(pulses: NDArray[np.int64], spans: Spans, llm: NDArray[np.int64]) -> list[list[Point]]:
    """Give the points of each pulse's run in this batch: one an LLM call, in order of time, the last as it stands.

    `llm` are the rows of LLM calls. Sums on the way are those of the spans; they may be ahead where a span came twice,
    and are cut to the last.
    """
    cols = spans.cols
    mine = llm[np.isin(cols[_LO, llm], pulses[:, Pulse.TRACE_LO])]
    found: dict[tuple[int, int], list[list[int]]] = {}
    for hi, lo, *rest in cols[np.ix_(_GROWTH, mine)].T.tolist():
        found.setdefault((hi, lo), []).append(rest)
    return [_points(pulse, found.get((pulse[Pulse.TRACE_HI], pulse[Pulse.TRACE_LO]), [])) for pulse in pulses.tolist()]


def stood_before(pulse: Sequence[int] | NDArray[np.int64]) -> Point:
    """Give how a pulse's run stood before this batch."""
    llm, tokens, cost = (int(pulse[at]) for at in (Pulse.BEFORE_LLM_CALLS, Pulse.BEFORE_TOKENS, Pulse.BEFORE_COST))
    return Point(0, llm, tokens, cost)


def _points(pulse: list[int], calls: list[list[int]]) -> list[Point]:
    _, llm, tokens, cost = stood_before(pulse)
    ends = pulse[Pulse.LLM_CALLS], pulse[Pulse.TOKENS], pulse[Pulse.COST]
    points, seen = [], set()
    for at_ns, span, tokens_in, tokens_out, paid in sorted(calls):
        if span in seen:
            continue
        seen.add(span)
        llm, tokens, cost = llm + 1, tokens + max(tokens_in, 0) + max(tokens_out, 0), cost + max(paid, 0)
        points.append(Point(at_ns, min(llm, ends[0]), min(tokens, ends[1]), min(cost, ends[2])))
    return [*points, Point(max(pulse[Pulse.LAST], points[-1].at_ns if points else 0), *ends)]


def by_pulse(pulses: NDArray[np.int64], traces: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the count of each pulse's run, 0 where it has none; `traces` (their low words) ascend."""
    if not len(traces):
        return np.zeros(len(pulses), np.int64)
    places = np.searchsorted(traces, pulses[:, Pulse.TRACE_LO]).clip(max=len(traces) - 1)
    return np.where(traces[places] == pulses[:, Pulse.TRACE_LO], counts[places], 0)


def strangers(
    pulses: NDArray[np.int64], spans: Spans, strange: NDArray[np.int64], known: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count, by pulse, the calls in this batch of tools that no workflow has, where those of its own are `known`.

    `strange` are the rows of such calls.
    """
    counts = by_pulse(pulses, *np.unique(spans.cols[_LO, strange], return_counts=True))
    return np.where(np.isin(pulses[:, Pulse.WORKFLOW], known), counts, 0)


def nested_agents(spans: Spans, nested: NDArray[np.int64]) -> list[Agent]:
    """Give these agents inside something else, in order of arrival."""
    found = spans.cols[np.ix_(_AGENT, nested)].T.tolist()
    names = spans.names
    return [Agent(hi, lo, span, start, agent, names.get(agent)) for hi, lo, span, start, agent in found]


def late_calls(
    spans: Spans, rows: NDArray[np.int64], traces: list[tuple[int, int]]
) -> list[tuple[tuple[int, int], int, int]]:
    """Give ((trace), start, workflow as the span said) of the LLM and tool calls in a batch of some runs."""
    cols = spans.cols
    mine = rows[np.isin(cols[_LO, rows], np.array([lo for _, lo in traces], np.int64))]
    called = mine[np.isin(cols[_KIND, mine], (SpanKind.LLM, SpanKind.TOOL))]
    known = set(traces)
    found = cols[np.ix_(_CALL, called)].T.tolist()
    return [((hi, lo), start, workflow) for hi, lo, start, workflow in found if (hi, lo) in known]
