"""Mix: which kinds there are among some events of a workflow, against its own past: tools, transitions, errors, ends.

Guarantee: that of `models.drift.categories`: with probability >= 1 - ALPHA over the baseline, one false alarm a stream
and year at most, for independent draws; where the baseline was bursty, tempered (no proof) or by the minute. A mix of
what failed is a mix *among* failures: how many there are is not its matter (`own_rate` tells that), so an incident that
fails everything alike moves nothing, and one that fails in a way of its own does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.drift import envelope
from models.drift.bank import Stream
from models.drift.categories import MOST, Categories
from models.drift.day import Day
from models.drift.past import Past
from models.drift.roles import NO_TYPE, Role
from models.drift.watches.base import Contrast, Standing
from models.drift.watches.own import before_of
from models.drift.watches.words import mix_effect
from models.slis.groups import BETWEEN, TASK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.detector import Detector
    from models.drift.minute import Minute
    from models.drift.shard import Shard
    from models.drift.watches.base import Effect

FEWEST_FAILED = 500
"""Failures of a baseline from which their shares are bound within seven points; failures are few, so not the 24 h or
14 days of other baselines decide, but this many."""


@dataclass(frozen=True)
class Mix(Standing):
    """Workflows; the most frequent kinds of the baseline one by one, all others, and what is new, together.

    Where its runs say which type of task they are, those of each type in their place (`models.drift.strata`).
    A kind is a series of `sli` by `dimension`; `baselines` names the learner that has the events of kinds and of all:
    "mix" calls or tasks, "mix_failed" failed ones, "mix_tasks" tasks by their type.
    """

    name: str
    sli: str
    dimension: str
    words: str
    baselines: str = "mix"
    fewest: int = 0
    """Events that a baseline has at least."""
    fewest_kinds: int = 2
    is_of_agent: bool = True
    """False: it is of what users ask for, so what moves is no worse, and no incident."""
    detector: Detector = field(default_factory=Categories)
    minutes: int = 1

    def ready(self, shard: Shard, streams: list[Stream], at: int) -> tuple[list[Stream], State] | None:
        """Open the streams of workflows whose own rate has a frozen baseline, when there are enough events."""
        own, mix = shard.learners["rates"], shard.kinds[self.baselines]
        new, pasts, days = [], [], []
        role = shard.roles.role
        whole = (role == Role.WHOLE) | ((role == Role.STRATUM) & self.is_of_agent)
        enough = np.flatnonzero(whole & (own.frozen > 0) & (mix.past.events >= self.fewest))
        labels, known = shard.roles.labels, shard.mixes
        waiting = [each for each in enough.tolist() if labels[each].sli == self.sli and (self.name, each) not in known]
        if not waiting:
            return None
        enough = np.array(waiting)
        if self.is_of_agent:
            enough = enough[~shard.strata.leave_out(shard.roles, enough)]
        else:  # a state from before types of tasks were learnt has the one baseline and not the other
            enough = enough[shard.strata.known(enough)]
            enough = enough[at - mix.opened[enough] + 1 >= shard.settings.least_span]
        for series in enough.tolist():
            of_type = role[series] == Role.STRATUM
            kinds = shard.roles.values(series, f"{TASK}_{self.dimension}" if of_type else self.dimension)
            kinds = kinds[mix.past.hits[0, kinds] > 0]  # others have a name already, as they come later in a batch
            kinds = kinds[np.argsort(-mix.past.hits[0, kinds], kind="stable")][: MOST - 1]
            if len(kinds) < self.fewest_kinds:
                continue
            shard.mixes[self.name, series] = kinds.tolist()
            days.append(mix.day(series, kinds, MOST))
            pasts.append(_past(mix.freeze(np.array([series, *kinds]), at)))
            new.append(Stream(series, -1, int(mix.opened[series]), int(mix.version[series])))
        if not new:
            return None
        past = Past(*(np.concatenate(parts, axis=-1) for parts in zip(*pasts, strict=True)))
        day = Day(*(np.concatenate(parts, axis=-1) for parts in zip(*days, strict=True)))
        return new, envelope.start(past, day, day.follows())

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (events of each kind ..., of all others, of all)."""
        amount = minute.amounts(self.baselines)
        out = np.zeros((MOST + 1, len(series)), np.int64)
        for place, whole in enumerate(series.tolist()):
            kinds = shard.mixes[self.name, whole]
            out[: len(kinds), place] = amount[kinds]
            out[MOST, place] = max(int(amount[whole]), int(out[: len(kinds), place].sum()))
            out[MOST - 1, place] = out[MOST, place] - out[: len(kinds), place].sum()
        return out

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        kinds, mix = shard.mixes[self.name, stream.series], shard.learners[self.baselines]
        names = [(shard.roles.dimension(kind) or ("", "?"))[1].rpartition(BETWEEN)[2] or NO_TYPE for kind in kinds]
        hits, before = mix.past.hits[0, kinds], before_of(shard, self.baselines, stream)
        rest = max(before["events"] - hits.sum(), 0.0)
        mine = np.append(counts[: len(kinds)], counts[MOST - 1])
        contrast = Contrast("time", "baseline", "now")
        found = mix_effect(contrast, self.words, [*names, "others"], [*hits, rest], mine, before)
        return found._replace(is_worse=self.is_of_agent)


def _past(learnt: Past) -> Past:
    """Give the past [MOST, 1] of one workflow from those of itself, the first, and its kinds.

    What is left of its events is the last category, taken for as bursty as the burstiest kind; categories that are not
    there have no hits.
    """
    known, events, looks = len(learnt.events) - 1, learnt.events[:1], learnt.looks[:1]
    hits, squares = np.zeros((MOST, 1)), np.zeros((MOST, 1))
    hits[:known, 0], squares[:known, 0] = learnt.hits[0, 1:], learnt.squares[0, 1:]
    burstiest = Past(events, looks, hits[:known], squares[:known]).dispersion().max(initial=1.0)
    hits[-1] = np.maximum(events - hits.sum(), 0.0)
    rate = hits[-1] / events
    squares[-1] = looks * rate * (1 - rate) * burstiest + 2 * rate * hits[-1] - rate**2 * events
    return Past(events, looks, hits, squares)
