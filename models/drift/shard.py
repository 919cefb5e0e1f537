"""Shard: what the watches of one series shard share: roles of its series, thresholds, baselines in the making."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.arrays import widened
from models.drift.crossed import Crossed
from models.drift.day import HOURS as DAY_HOURS
from models.drift.day import Day
from models.drift.learner import Learner
from models.drift.minute import UNKNOWN, J, Minute, minutes_of
from models.drift.mix_learner import MixLearner
from models.drift.nulls_by_task import NullsByTask
from models.drift.roles import Role, Roles, are
from models.drift.strata import Strata
from models.drift.tables import Tables
from models.drift.thresholds import Thresholds
from models.drift.untyped import Untyped
from models.drift.usual_ratio import UsualRatio
from models.drift.weeks import Held, Weeks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from models.drift.settings import DriftSettings
    from models.slis.closing import Closed

HOUR = 60
_FEWEST = 20
"""Events of a value from which it is known whether most of its runs say their type: one run may say none by chance."""


class Compared(IntEnum):
    """How a value of a contrast is held against the rest, or against the one before it."""

    NOT_YET = 0
    OVER_ALL = 1
    BY_TASK = 2


class Shard:
    """Grows with its series."""

    def __init__(self, settings: DriftSettings) -> None:
        self.settings = settings
        self.roles = Roles()
        self.thresholds = Thresholds()
        self.kinds = {"mix": MixLearner(), "mix_failed": MixLearner(), "mix_tasks": MixLearner()}
        """Learners of mixes."""
        self.learners = {
            "rates": Learner(1, 1),
            "rates_hourly": Learner(1, HOUR),
            "values": Learner(J, 1),
            "values_hourly": Learner(J, HOUR),
            **self.kinds,
        }
        self.weeks = {"rates": Weeks(), "values": Weeks(J)}
        """Of workflows, and of each of their tools."""
        self.usual = {
            "rates": UsualRatio.none(0),
            "values": UsualRatio.none(J, 0),
            "rates_by_task": UsualRatio.none(1, 0),
            "values_by_task": UsualRatio.none(J, 0),
        }
        """Of each series against the rest of its workflow, over all types of task, and within them."""
        self.crossed = Crossed()
        self.tables = {"rates": Tables.none(1), "values": Tables.none(J)}
        self.asked = dict(self.tables)
        """Of the minute that is looked at: values of contrasts by type of task, beside the rest and alone."""
        self.nulls = {"rates": NullsByTask(1), "values": NullsByTask(J)}
        """Of what was rolled out, by the old value."""
        self._pairs: Minute | None = None
        self.strata = Strata()
        self.untyped = Untyped()
        self.seen = np.empty(0, np.int64)
        """Unix minute of the newest events of a series."""
        self.begun = np.empty(0, np.int64)
        """Unix minute of its first events, since its baseline was opened anew; 0: none yet."""
        self.settled = np.empty(0, np.bool_)
        """What is usual of it against the rest is not asked again."""
        self.compared = np.empty(0, np.int8)
        """How it is held against the rest: see `Compared`."""
        self.replaced = np.empty(0, np.int8)
        """The same of the value before it."""
        self.mixes: dict[tuple[str, int], list[int]] = {}
        """Name of a watch and series of a workflow -> series of the kinds that its mix is made of."""
        self.waits = (0, 0)
        """Minutes by which looks are later than what they see, by `Label.waits`."""

    def enter(self, closed: Closed) -> None:
        """Take in the series that are new."""
        new = list(closed.labels)[max(0, self.crossed.counted - closed.first) :]
        self.untyped.enter(self.roles, self.crossed.enter(new))
        self.waits = closed.waits
        self.grow()

    def minutes(self, closed: Closed) -> Iterator[Minute]:
        """Yield the looks that saw anything, in order, by series as they are numbered here."""
        own, pairs = self.crossed.part(closed)
        of_pairs = minutes_of(pairs, self.crossed.is_histogram, lambda: self.thresholds.over[:, self.crossed.whole])
        pair = next(of_pairs, None)
        numbered = own._replace(series=self.untyped.counted[own.series])
        for minute in minutes_of(numbered, self.roles.is_histogram, lambda: self.thresholds.over):
            self.untyped.count(minute)
            is_here = pair is not None and pair.at == minute.at
            self._cross(minute, pair if is_here else None)
            yield minute
            pair = next(of_pairs, None) if is_here else pair

    def _cross(self, minute: Minute, pairs: Minute | None) -> None:
        """Take in what values of contrasts did by type of task; None: nobody said any."""
        self._pairs = pairs
        for name, is_histogram in (("rates", False), ("values", True)):
            self.tables[name] = self.asked[name] = Tables.none(J if is_histogram else 1)
            if pairs is not None:
                self.tables[name] = self.crossed.tables(minute, pairs, is_histogram=is_histogram)
                self.asked[name] = self.crossed.asked(pairs, is_histogram=is_histogram)

    def grow(self) -> None:
        """Have room for all series."""
        size = len(self.roles)
        self.thresholds.grow(self.roles)
        self.strata.grow(size)
        self.seen = widened(self.seen, size - len(self.seen))
        self.begun = widened(self.begun, size - len(self.begun))
        self.settled = widened(self.settled, size - len(self.settled))
        self.compared = widened(self.compared, size - len(self.compared))
        self.replaced = widened(self.replaced, size - len(self.replaced))
        self.crossed.link(self.untyped, size)
        for learner in self.learners.values():
            learner.grow(size)
        for name, usual in self.usual.items():
            more = size - usual.r.shape[-1]
            if more and (name in self.weeks or len(self.crossed)):
                self.usual[name] = UsualRatio(*(widened(array, more) for array in usual))

    def set_back(self, at: int) -> None:
        """Let nothing have been seen after Unix minute `at`: the clock was ahead."""
        np.minimum(self.seen, at, out=self.seen)
        np.minimum(self.begun, at, out=self.begun)
        for learner in self.learners.values():
            learner.set_back(at)
        for weeks in self.weeks.values():
            weeks.set_back(at)

    def learn(self, minute: Minute) -> None:
        """Take a minute into the baselines."""
        self.seen[minute.total > 0] = minute.at
        self.begun[(minute.total > 0) & (self.begun == 0)] = minute.at
        roles = self.roles
        own = ~are(roles.role, Role.COHORT, Role.IGNORED, Role.KIND, Role.PART)
        ratio, values = own & ~roles.is_histogram, own & roles.is_histogram & (self.thresholds.over[0] < UNKNOWN)
        self.strata.take(roles, minute.total)
        strata = roles.role == Role.STRATUM
        whole = (roles.role == Role.WHOLE) | strata
        for name, which, hits in (("rates", ratio, minute.bad[None]), ("values", values, minute.over)):
            self.learners[name].take(hits, np.where(which, minute.total, 0), minute.at)
            self.learners[f"{name}_hourly"].take(hits, np.where(which & whole, minute.total, 0), minute.at)
        watched = whole | (roles.role == Role.TOOL)
        self._learn_weeks("rates", np.flatnonzero(watched & ratio), minute.bad[None], minute)
        self._learn_weeks("values", np.flatnonzero(watched & values), minute.over, minute)
        of = np.where(strata, np.arange(len(roles)), roles.parent)
        for name, kinds in (("mix", (Role.TOOL, Role.PART)), ("mix_failed", (Role.KIND,))):
            self._learn_mix(name, (whole & ~roles.is_histogram) | are(roles.role, *kinds), of, minute)
        if strata.any():
            self._learn_mix("mix_tasks", whole & ~roles.is_histogram, roles.parent, minute)
        self._learn_ratios(minute)
        if self._pairs is not None:
            self.crossed.learn(self._pairs, self.thresholds.over[0, self.crossed.whole] < UNKNOWN)

    def _learn_mix(self, name: str, which: NDArray[np.bool_], of: NDArray[np.int64], minute: Minute) -> None:
        """Take in what these series [S] are of the events of the series `of` [S]."""
        amount, which = minute.amounts(name), which & (of >= 0)
        self.learners[name].take(np.where(which, amount, 0)[None], np.where(which, amount[of], 0), minute.at)

    def _learn_weeks(self, name: str, series: NDArray[np.int64], hits: NDArray[np.int64], minute: Minute) -> None:
        self.weeks[name].take(series, hits[:, series], minute.total[series], minute.at)
        self.weeks[name].settle(self.settings.most_span, minute.at, self.learners[name])

    def day(self, name: str, series: NDArray[np.int64], opened: NDArray[np.int64], at: int) -> tuple[Day, Any]:
        """Give the hours of the day of baselines that opened at `opened` and are frozen now, and which follow them.

        Nothing of those whose hours are not all known: a state from before they were kept, or weeks that began anew.
        """
        weeks = self.weeks[name]
        places = weeks.places(series)
        known = places >= 0
        known[known] = weeks.opened[places[known]] == opened[known]
        by_weeks = known.copy()
        shown = (weeks.frozen[places[known]] == at) | (weeks.held[places[known]] == Held.SETTLED)
        by_weeks[known] = shown  # by two weeks
        day = Day(*(np.zeros((*of, DAY_HOURS, len(series)), np.int64) for of in ((len(weeks.hits),), ())))
        day.hits[..., known], day.events[:, known] = weeks.of_the_day(places[known])
        return day, day.follows() | by_weeks

    def _learn_ratios(self, minute: Minute) -> None:
        part = (self.roles.role == Role.COHORT) | (self.roles.role == Role.CHANGE)
        cohort = np.flatnonzero(part & (self.roles.parent >= 0) & (minute.total > 0))
        parent = self.roles.parent[cohort]
        for name, hits in (("rates", minute.bad), ("values", minute.over)):
            here = cohort[self.roles.is_histogram[cohort] == (name == "values")]
            of = parent[self.roles.is_histogram[cohort] == (name == "values")]
            mine, rest = minute.total[here], minute.total[of] - minute.total[here]
            some = UsualRatio(*(array[..., here] for array in self.usual[name]))
            some = some.with_look(hits[..., of] - hits[..., here], rest, hits[..., here], mine)
            for array, learnt in zip(self.usual[name], some, strict=True):
                array[..., here] = learnt
            self._learn_ratios_by_task(name)

    def _learn_ratios_by_task(self, name: str) -> None:
        """Add up the tables of a minute: the odds ratio within types of task (Mantel and Haenszel)."""
        tables = self.tables[name]
        if not len(tables.of):
            return
        rest, mine = np.split(tables.counts, 2)
        more = UsualRatio.none(len(rest) - 1, len(tables.of)).with_look(rest[:-1], rest[-1], mine[:-1], mine[-1])
        for array, each in zip(self.usual[f"{name}_by_task"], more, strict=True):
            np.add.at(array.T, tables.of, each.T)

    def compares_by_task(self, series: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which values of contrasts [n] are held against the rest within types of task.

        Where nearly all runs of their workflow say their type, and most of their own one that is watched: of others
        nothing is known to hold them against. Once it is held, it stays.
        """
        if not len(self.crossed):
            return np.zeros(len(series), np.bool_)
        typed = 2 * self.crossed.typed[series] >= np.maximum(self.strata.events(series), 1)
        said = self.strata.are_said(self.roles.parent[series]) & typed
        chosen = self.compared[series]
        return np.asarray(np.where(chosen == Compared.NOT_YET, said, chosen == Compared.BY_TASK))

    def is_known_how(self, series: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of which values of contrasts [n] it is known how they are compared.

        Of a new one, where runs say types, not by its first few: decided by one that says none, it would be for ever.
        """
        if not len(self.crossed):
            return np.ones(len(series), np.bool_)
        is_open = (self.compared[series] == Compared.NOT_YET) & self.strata.are_said(self.roles.parent[series])
        return np.asarray(~is_open | (self.strata.events(series) >= _FEWEST))

    def wait(self, series: int) -> int:
        """Give by how many minutes looks at a series are later than the events that they see."""
        return self.waits[self.roles.labels[series].waits]

    def gone(self, series: NDArray[np.int64], at: int) -> NDArray[np.bool_]:
        """Say which series have had no events for an hour while their workflow goes on: rolled back, say."""
        parent = self.roles.parent[series]
        found: NDArray[np.bool_] = (at - self.seen[series] >= HOUR) & (at - self.seen[parent] < HOUR)
        return found

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Open the baselines of these series anew."""
        self.mixes = {of: kinds for of, kinds in self.mixes.items() if not which[of[1]]}
        self.begun[which], self.settled[which] = 0, False
        self.compared[which], self.replaced[which] = Compared.NOT_YET, Compared.NOT_YET
        for nulls in self.nulls.values():
            nulls.drop(np.flatnonzero(which))
        self.crossed.reset(which)
        self.thresholds.reset(which)
        self.strata.reset(which)
        for weeks in self.weeks.values():
            weeks.reset(which)
        for learner in self.learners.values():
            learner.reset(which)
        for name, usual in self.usual.items():
            for array in usual if name in self.weeks or len(self.crossed) else ():
                array[..., which] = 0.0

    def parts(self) -> dict[str, Any]:
        """Give what is kept beside the labels, by name: each has `arrays` and `fill`."""
        weeks = {"weeks": self.weeks["rates"], "weeks_values": self.weeks["values"]}
        types = {"strata": self.strata, "untyped": self.untyped, "crossed": self.crossed}
        nulls = {"nulls": self.nulls["rates"], "nulls_values": self.nulls["values"]}
        return {"thresholds": self.thresholds, **types, **nulls, **weeks, **self.learners}
