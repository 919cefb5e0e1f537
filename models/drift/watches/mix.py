"""Mix: which tools a workflow calls, against its own past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.drift import band
from models.drift.bank import Stream
from models.drift.categories import MOST, Categories
from models.drift.past import Past
from models.drift.roles import Role
from models.drift.watches.base import Contrast, Standing
from models.drift.watches.own import before_of
from models.drift.watches.words import mix_effect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.minute import Minute
    from models.drift.shard import Shard
    from models.drift.watches.base import Effect

SLI = "tool_success"
"""The SLI whose totals by tool are the calls of it."""


class ToolMix(Standing):
    """Workflows; the most called tools of the baseline one by one, all others together."""

    name = "tool_mix"
    detector = Categories()
    minutes = 1

    def ready(self, shard: Shard, streams: list[Stream], at: int) -> tuple[list[Stream], State] | None:
        """Open the streams of workflows whose own rate of calls has a frozen baseline: they are as large."""
        own, mix = shard.learners["rates"], shard.learners["mix"]
        new, pasts = [], []
        for series in np.flatnonzero((shard.roles.role == Role.WHOLE) & (own.frozen > 0)).tolist():
            label = shard.roles.labels[series]
            if label.sli != SLI or series in shard.mixes:
                continue
            tools = np.flatnonzero((shard.roles.role == Role.TOOL) & (shard.roles.parent == series))
            tools = tools[np.argsort(-mix.past.hits[0, tools], kind="stable")][: MOST - 1]
            if len(tools) < 2:  # noqa: PLR2004  # there is nothing to mix
                continue
            shard.mixes[series] = tools.tolist()
            pasts.append(_past(mix.freeze(tools, at), own.past.events[series]))
            new.append(Stream(series, -1, int(own.opened[series]), int(own.version[series])))
        if not new:
            return None
        return new, band.start(Past(*(np.concatenate(parts, axis=-1) for parts in zip(*pasts, strict=True))))

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (calls of each tool ..., of all others, of all)."""
        out = np.zeros((MOST + 1, len(series)), np.int64)
        for place, whole in enumerate(series.tolist()):
            tools = shard.mixes[whole]
            out[: len(tools), place] = minute.total[tools]
            out[MOST, place] = max(int(minute.total[whole]), int(out[: len(tools), place].sum()))
            out[MOST - 1, place] = out[MOST, place] - out[: len(tools), place].sum()
        return out

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        tools = shard.mixes[stream.series]
        names = [(shard.roles.dimension(tool) or ("", "?"))[1] for tool in tools]
        hits = shard.learners["mix"].past.hits[0, tools]
        before = before_of(shard.learners["rates"], stream)
        rest = max(before["events"] - hits.sum(), 0.0)
        mine = np.append(counts[: len(tools)], counts[MOST - 1])
        return mix_effect(Contrast("time", "baseline", "now"), [*names, "others"], [*hits, rest], mine, before)


def _past(tools: Past, calls: float) -> Past:
    """Give the past [MOST, 1] of one workflow from those of its tools; what is left of `calls` is the last category.

    It is taken for as bursty as the burstiest tool; categories that are not there have no hits.
    """
    known = len(tools.events)
    hits, squares = np.zeros((MOST, 1)), np.zeros((MOST, 1))
    hits[:known, 0], squares[:known, 0] = tools.hits[0], tools.squares[0]
    hits[-1, 0] = max(calls - hits.sum(), 0.0)
    looks = np.array([tools.looks.max()])
    rate = hits[-1] / calls
    spread = looks * rate * (1 - rate) * tools.dispersion().max()
    squares[-1] = spread + 2 * rate * hits[-1] - rate**2 * calls
    return Past(np.array([calls]), looks, hits, squares)
