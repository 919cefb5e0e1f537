"""Stops: kills that were ordered, of whatever scope, and the calls that show that nobody obeys them.

What rules kill (one run) is watched by `Watch`; this is about what people and spend budgets kill. What is in force is
told to a worker that begins, as to all others, but not before its first spans, and first as it was before a restart: so
what it hears in its first seconds is held against all calls of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.digest import digest_of
from models.orders.in_force import InForce, Whose, name_of_trace
from models.run_id import run_id_of
from models.runaways.base import NANO
from models.runaways.book import Defied
from models.runaways.watch import OBEY_S
from models.runs.pulse import Pulse
from models.spans.columns import Column, SpanKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from models.orders.order import Place
    from models.runaways.touched import Touched
    from models.spans.batch import Spans

WAIT_S = 10
"""Seconds in which a worker that begins is told what is in force, if anything is."""
MOST_EARLY = 200_000
"""Rows kept until then, the newest: 64 MB."""
_TRACE = (Pulse.TRACE_HI, Pulse.TRACE_LO)
TELL_EVERY_S = 60
"""Of one kill calls are told so often: an incident must hear that they go on, not of each."""


class _Calls(NamedTuple):
    """Calls, and the trace of each one's run, [(high, low), call]."""

    whose: Whose
    trace: NDArray[np.int64]


class Stops:
    """The kills in force, for the runs of a worker. Nothing of it need be kept: it is told all of it at the start.

    `waits`: whether it begins so, in a flow that hears orders. `find_text` gives the text of a name that a run has.
    """

    def __init__(self, find_text: Callable[[int], str | None], *, waits: bool = False) -> None:
        self._text = find_text
        self._waits, self._began_ns = waits, 0
        self._early: list[Touched] = []
        self._in_force = InForce()
        self._told: dict[Place, tuple[int, int]] = {}
        """Since when it was in force, and when it was told last: Unix ns."""

    def hear(self, in_force: InForce) -> None:
        """Take in what is in force now, all of it."""
        self._in_force = in_force
        since = {kill.place: kill.since_ns for kill in in_force.kills}
        self._told = {place: told for place, told in self._told.items() if since.get(place) == told[0]}

    def defied(self, touched: Touched, now_ns: int) -> list[Defied]:
        """Give a call of each kill that was not obeyed, the newest; of one kill once a minute of `now_ns`."""
        if self._is_waiting(now_ns):
            self._keep(touched)
        return self._held(touched, now_ns) if self._in_force.kinds else []

    def overdue(self, now_ns: int) -> list[Defied]:
        """Give, when it was told what is in force, the calls that came before that and were not obedient."""
        early = self._early if self._in_force.kinds and self._is_waiting(now_ns) else []
        return [defied for touched in early for defied in self._held(touched, now_ns)]

    def _is_waiting(self, now_ns: int) -> bool:
        self._began_ns = self._began_ns or now_ns
        if self._waits and now_ns > self._began_ns + WAIT_S * NANO:
            self._waits, self._early = False, []
        return self._waits

    def _keep(self, touched: Touched) -> None:
        self._early.append(touched)
        while len(self._early) > 1 and sum(len(each.spans) for each in self._early) > MOST_EARLY:
            del self._early[0]

    def _held(self, touched: Touched, now_ns: int) -> list[Defied]:
        """Hold calls against what is in force."""
        pulses, spans, rows = touched
        rows, at = _calls_of(pulses, spans, self._suspects(pulses, spans, rows))
        calls = _Calls(_whose(pulses[at], spans, rows), pulses[at][:, _TRACE].T)
        kills, hits = self._in_force.defied(calls.whose, OBEY_S * NANO)
        order = np.lexsort((calls.whose.start[hits], kills))
        kills, hits = kills[order], hits[order]
        newest = np.flatnonzero(np.append(kills[1:] != kills[:-1], len(kills) > 0))
        told = [
            self._tell(kill, calls, hit, now_ns)
            for kill, hit in zip(kills[newest].tolist(), hits[newest].tolist(), strict=True)
        ]
        return [each for each in told if each]

    def _suspects(self, pulses: NDArray[np.int64], spans: Spans, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the rows of runs that are killed, were they to call now, and of agents that may be: few, mostly none."""
        _, killed = self._in_force.defied(_whose_runs(pulses), OBEY_S * NANO)
        agents = [digest_of(kill.place.id) for kill in self._in_force.kills if kill.place.level == "agent"]
        is_killed = np.isin(spans.cols[Column.TRACE_LO, rows], pulses[killed, Pulse.TRACE_LO])
        is_agent = np.isin(spans.cols[Column.AGENT, rows], np.array(agents, np.int64))
        return rows[is_killed | is_agent]

    def _tell(self, number: int, calls: _Calls, at: int, now_ns: int) -> Defied | None:
        kill = self._in_force.kills[number]
        told = self._told.get(kill.place)
        if told and now_ns - told[1] < TELL_EVERY_S * NANO:
            return None
        self._told[kill.place] = kill.since_ns, now_ns
        run = run_id_of(*calls.trace[:, at].tolist())
        workflow = self._text(int(calls.whose.names["workflow"][at]))
        return Defied(run, workflow, kill.rule, kill.since_ns, int(calls.whose.start[at]), kill.place, kill.by)


def _calls_of(
    pulses: NDArray[np.int64], spans: Spans, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the rows of calls among these, and the place of each one's run in `pulses`."""
    if not len(rows) or not len(pulses):
        return rows[:0], rows[:0]
    cols = spans.cols
    calls = rows[np.isin(cols[Column.KIND, rows], (SpanKind.LLM, SpanKind.TOOL))]
    order = np.argsort(pulses[:, Pulse.TRACE_LO], kind="stable")
    place = np.searchsorted(pulses[order, Pulse.TRACE_LO], cols[Column.TRACE_LO, calls]).clip(max=len(pulses) - 1)
    at = order[place]
    same = (pulses[at, Pulse.TRACE_LO] == cols[Column.TRACE_LO, calls]) & (
        pulses[at, Pulse.TRACE_HI] == cols[Column.TRACE_HI, calls]
    )
    return calls[same], at[same]


def _whose_runs(pulses: NDArray[np.int64]) -> Whose:
    """Name whom runs belong to, as if each made a call at its end: none of its calls began later."""
    names = {
        "run": name_of_trace(pulses[:, Pulse.TRACE_HI], pulses[:, Pulse.TRACE_LO]),
        "user": pulses[:, Pulse.USER],
        "agent": pulses[:, Pulse.AGENT],
        "workflow": pulses[:, Pulse.WORKFLOW],
        "tenant": pulses[:, Pulse.TENANT],
    }
    return Whose(names, pulses[:, Pulse.LAST])


def _whose(pulses: NDArray[np.int64], spans: Spans, calls: NDArray[np.int64]) -> Whose:
    """Name whom calls belong to, each with its run's pulse. Its agent is who the span says, else the run's."""
    of_runs, agent = _whose_runs(pulses).names, spans.cols[Column.AGENT, calls]
    return Whose(of_runs | {"agent": np.where(agent != 0, agent, of_runs["agent"])}, spans.cols[Column.START, calls])
