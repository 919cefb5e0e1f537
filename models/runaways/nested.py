"""Nested: the nested agents of runs, in whose order one sees a task that goes round between them.

Nothing else tells it: a run keeps its calls, not its agents. So what is new can be taken, to be kept over a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Trace = tuple[int, int]
MOST_RUNS = 200_000
"""Runs whose nested agents are remembered, those seen last."""
_A_RUN = 64
"""Nested agents remembered of a run."""
_NAMES = 10_000
"""Names remembered, those seen last."""


class Agent(NamedTuple):
    """A nested agent: its run's trace, in two words, its span, its start (Unix ns), its name as digest and text."""

    hi: int
    lo: int
    span: int
    start: int
    name: int
    text: str | None


class Nested:
    """Those of one worker. The same agent may come again."""

    def __init__(self) -> None:
        self._of: OrderedDict[Trace, dict[int, Agent]] = OrderedDict()
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._new: list[Agent] = []

    def add(self, found: Iterable[Agent]) -> None:
        """Take in what a batch, or an earlier life, tells."""
        for agent in found:
            known = self._of.setdefault(agent[:2], {})
            if agent.span not in known and len(known) < _A_RUN:
                known[agent.span] = agent
                self._new.append(agent)
            if agent.text:
                self._texts[agent.name] = agent.text
        while len(self._of) > MOST_RUNS:
            self._of.popitem(last=False)
        while len(self._texts) > _NAMES:
            self._texts.popitem(last=False)

    def count(self, trace: Trace) -> int:
        """Count those of a run."""
        return len(self._of.get(trace, ()))

    def of(self, trace: Trace) -> tuple[tuple[int, int], ...]:
        """Give those of a run by their start: (Unix ns, digest of the name)."""
        return tuple(sorted((agent.start, agent.name) for agent in self._of.get(trace, {}).values()))

    def text(self, name: int) -> str | None:
        """Give the text of a name."""
        return self._texts.get(name)

    def take_new(self) -> list[Agent]:
        """Give what is new since the last call."""
        new, self._new = self._new, []
        return new
