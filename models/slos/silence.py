"""Silence: workflows that used to send and no longer do. Their alerts rest; that they are silent is told by itself.

A workflow is silent when nothing has come for longer than is usual for it: three times the longest gap of the last
seven days, at least 15 minutes. That is only known after seven days; a fixed time may be set instead. After seven
days of silence a workflow is taken for retired.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DAY_S = 86_400
MIN_SILENCE_S, TIMES, LEARN_S, RETIRE_S = 900, 3, 7 * DAY_S, 7 * DAY_S


@dataclass(frozen=True)
class Lag:
    """How old the input is that is judged now."""

    seconds: int
    limit_s: int
    is_told: bool
    """Whether this table tells of it: one is enough."""

    @property
    def is_over(self) -> bool:
        """Say whether it is too old to say anything of now."""
        return self.seconds > self.limit_s


@dataclass
class _Heard:
    first: int
    last: int
    gaps: dict[int, int] = field(default_factory=dict)  # Unix day -> its longest gap, seconds


class Silence:
    """What was heard of workflows, in Unix seconds. `fixed_s`: the time after which one is silent; None: learnt."""

    def __init__(self, fixed_s: int | None = None) -> None:
        self._fixed = fixed_s
        self._heard: dict[str, _Heard] = {}

    def hear(self, workflow: str, second: int) -> None:
        """Note that something of the workflow happened at `second`."""
        heard = self._heard.get(workflow)
        if heard is None:
            self._heard[workflow] = _Heard(second, second)
        elif second > heard.last:
            gap, day = second - heard.last, second // DAY_S
            limit = self._limit(heard)
            if limit is None or gap <= limit:  # what was an outage is not learnt as usual
                heard.gaps[day] = max(gap, heard.gaps.get(day, 0))
            heard.gaps = {at: gap for at, gap in heard.gaps.items() if at > day - LEARN_S // DAY_S}
            heard.last = second

    def silent(self, now_s: int) -> dict[str, tuple[int, int]]:
        """Give the silent workflows: (last heard, seconds after which it counts as silence)."""
        found = {}
        for workflow, heard in list(self._heard.items()):
            limit = self._limit(heard)
            if now_s - heard.last > RETIRE_S + (limit or 0):
                del self._heard[workflow]
            elif limit is not None and now_s - heard.last > limit:
                found[workflow] = heard.last, limit
        return found

    def _limit(self, heard: _Heard) -> int | None:
        if self._fixed is not None:
            return self._fixed
        if heard.last - heard.first < LEARN_S:
            return None
        return max(MIN_SILENCE_S, TIMES * max(heard.gaps.values(), default=0))

    def state(self) -> list[list[Any]]:
        """Give everything as plain types."""
        return [[name, heard.first, heard.last, list(heard.gaps.items())] for name, heard in self._heard.items()]

    def restore(self, state: list[list[Any]]) -> None:
        """Put back what `state` gave."""
        for name, first, last, gaps in state:
            self._heard[name] = _Heard(first, last, dict(gaps))
