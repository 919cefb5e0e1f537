"""Stops: kills that were ordered, of whatever scope, and the calls that show that nobody obeys them.

What rules kill (one run) is watched by `Watch`; this is about what people and spend budgets kill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
    from models.runs.table import RunTable
    from models.spans.batch import Spans

TELL_EVERY_S = 60
"""Of one kill calls are told so often: an incident must hear that they go on, not of each."""


class Stops:
    """The kills in force, for one shard of runs. Nothing of it need be kept: it is told all of it at the start."""

    def __init__(self) -> None:
        self._in_force = InForce()
        self._from_ns = 0
        self._told: dict[Place, tuple[int, int]] = {}
        """Since when it was in force, and when it was told last: Unix ns."""

    def hear(self, in_force: InForce) -> None:
        """Take in what is in force now, all of it."""
        self._in_force = in_force
        self._from_ns = int(in_force.since.min(initial=2**62)) + OBEY_S * NANO
        since = {kill.place: kill.since_ns for kill in in_force.kills}
        self._told = {place: told for place, told in self._told.items() if since.get(place) == told[0]}

    def defied(
        self, table: RunTable, pulses: NDArray[np.int64], spans: Spans, rows: NDArray[np.int64], now_ns: int
    ) -> list[Defied]:
        """Give a call of each kill that was not obeyed, the newest in the batch; of one kill once a minute of `now_ns`.

        `pulses` are those of the batch, whose rows of `spans` are `rows`.
        """
        if not self._in_force.kinds or not len(pulses):
            return []
        calls, at = self._late_calls(pulses, spans, rows)
        if not len(calls):
            return []
        kills, hits = self._in_force.defied(_whose(table, pulses[at], spans, calls), OBEY_S * NANO)
        order = np.lexsort((spans.cols[Column.START, calls[hits]], kills))
        kills, hits = kills[order], hits[order]
        newest = np.flatnonzero(np.append(kills[1:] != kills[:-1], len(kills) > 0))
        find_text = table.texts.known.get
        told = [
            self._tell(int(kill), pulses[at[hit]], int(spans.cols[Column.START, calls[hit]]), find_text, now_ns)
            for kill, hit in zip(kills[newest], hits[newest], strict=True)
        ]
        return [each for each in told if each]

    def _late_calls(
        self, pulses: NDArray[np.int64], spans: Spans, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the rows of calls that began late enough for some kill, and the place of each one's run in `pulses`."""
        cols = spans.cols
        late = rows[cols[Column.START, rows] > self._from_ns]
        calls = late[np.isin(cols[Column.KIND, late], (SpanKind.LLM, SpanKind.TOOL))]
        order = np.argsort(pulses[:, Pulse.TRACE_LO], kind="stable")
        place = np.searchsorted(pulses[order, Pulse.TRACE_LO], cols[Column.TRACE_LO, calls]).clip(max=len(pulses) - 1)
        at = order[place]
        same = (pulses[at, Pulse.TRACE_LO] == cols[Column.TRACE_LO, calls]) & (
            pulses[at, Pulse.TRACE_HI] == cols[Column.TRACE_HI, calls]
        )
        return calls[same], at[same]

    def _tell(
        self,
        number: int,
        pulse: NDArray[np.int64],
        call_ns: int,
        find_text: Callable[[int], str | None],
        now_ns: int,
    ) -> Defied | None:
        kill = self._in_force.kills[number]
        told = self._told.get(kill.place)
        if told and now_ns - told[1] < TELL_EVERY_S * NANO:
            return None
        self._told[kill.place] = kill.since_ns, now_ns
        run = run_id_of(int(pulse[Pulse.TRACE_HI]), int(pulse[Pulse.TRACE_LO]))
        workflow = find_text(int(pulse[Pulse.WORKFLOW]))
        return Defied(run, workflow, kill.rule, kill.since_ns, call_ns, kill.place, kill.by)


def _whose(table: RunTable, pulses: NDArray[np.int64], spans: Spans, calls: NDArray[np.int64]) -> Whose:
    """Name whom calls belong to, each with its run's pulse. Its agent is who the span says, else the run's."""
    cols, states = spans.cols, table.store.states[pulses[:, Pulse.SLOT]]
    of_run = np.where(states["first_agent"] != 0, states["first_agent"], states["other_agent"])
    agent = cols[Column.AGENT, calls]
    names = {
        "run": name_of_trace(pulses[:, Pulse.TRACE_HI], pulses[:, Pulse.TRACE_LO]),
        "user": pulses[:, Pulse.USER],
        "agent": np.where(agent != 0, agent, of_run),
        "workflow": pulses[:, Pulse.WORKFLOW],
        "tenant": pulses[:, Pulse.TENANT],
    }
    return Whose(names, cols[Column.START, calls])
