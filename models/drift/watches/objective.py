"""Objective: a workflow's rate against what an SLO asks for. Needs no baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.drift import known_rate
from models.drift.bank import Stream
from models.drift.confidence import of_rate
from models.drift.known_rate import KnownRate
from models.drift.roles import Role
from models.drift.watches.base import Contrast, Effect, Standing
from models.figures import about, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.minute import Minute
    from models.drift.shard import Shard


class Objective(Standing):
    """Whole workflows, ratio SLIs with an SLO."""

    name = "objective"
    detector = KnownRate(0.05, is_robust=True)  # there is no baseline that would show bursts
    minutes = 1

    def ready(self, shard: Shard, streams: list[Stream], at: int) -> tuple[list[Stream], State] | None:
        """Open a stream for each objective, when its series is there."""
        there = {stream.series for stream in streams}
        new, null = [], []
        for series in np.flatnonzero((shard.roles.role == Role.WHOLE) & ~shard.roles.is_histogram).tolist():
            label = shard.roles.labels[series]
            target = shard.settings.objectives.get((label.group["workflow"], label.sli))
            if target is not None and series not in there:
                new.append(Stream(series, -1, at, 0))
                null.append(1.0 - target)
        return (new, known_rate.start(np.array(null))) if new else None

    def holds(self, shard: Shard, streams: list[Stream], state: State) -> NDArray[np.bool_]:
        """Say which streams are still about what an SLO asks for: its target may have changed, or it is gone."""
        labels = [shard.roles.labels[stream.series] for stream in streams]
        targets = [shard.settings.objectives.get((label.group["workflow"], label.sli)) for label in labels]
        allowed = np.array([np.nan if target is None else 1.0 - target for target in targets])
        found: NDArray[np.bool_] = allowed == state["null"]
        return found

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (failed, events)."""
        return minute.rates(series)

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        bad, total = counts.tolist()
        allowed, rate = float(state["null"][0]), bad / max(total, 1)
        numbers = {"allowed": allowed, "rate": rate, "interval": list(of_rate(bad, total)), "events": total}
        words = f"{bad} of {total} bad, {percent(rate)}%; the objective allows {percent(allowed)}%"
        return Effect(
            Contrast("objective", about(1 - allowed, 9), "now"), "up", is_worse=True, numbers=numbers, words=words
        )
