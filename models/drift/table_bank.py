"""Table bank: streams whose looks are tables, one a type of task: any number of types, each minute others.

As `models.drift.bank`, but the looks that are kept are the tables that had events: what they were of is known later,
too, and what no type had takes no room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from models.drift.bank import BACK, FEWEST, LEAST, Bank, fresh
from models.drift.cohorts_by_task import CohortsByTask, log_e_of
from models.drift.dating import strongest_start
from models.drift.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TableBank(Bank):
    """Looked at each minute."""

    detector: CohortsByTask

    def __init__(self, detector: CohortsByTask) -> None:
        super().__init__(detector, 1)
        self.ring = np.zeros((len(self.ring), 1, 0), np.int32)
        """Events of the value: of what is in tables."""
        self._counts, self._lately = np.zeros((1, 0), np.int64), np.zeros((1, 0), np.int64)
        none = Tables.none(detector.watched)
        self._none = none
        self._now = none
        self._looks: list[tuple[int, Tables]] = []
        """(Unix minute, tables) of the looks that are kept, of those that had any."""
        self._asked = none
        """Of streams in alarm since they were last asked whether that is over."""

    def see(self, tables: Tables, at: int) -> None:
        """Take in the tables of Unix minute `at`."""
        self.pass_to(at)
        self._now = tables.of_series(self.series)
        np.add.at(self._counts[0], self._now.places(self.series), self._now.events)
        self._look()
        self._now = self._none

    @override
    def _tested(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        now = self._now
        self._looks = [look for look in self._looks if look[0] >= self._window - len(self.ring)]
        if len(now.of):
            self._looks.append((self._window - 1, now.small()))
            if (self.alarm > 0).any():
                lasting = now.of_series(self.series[self.alarm > 0])
                self._asked = Tables.all_of([self._asked, lasting]).together()
        return self.detector.look_at(self.state, now.places(self.series), now.counts)

    @override
    def _e_value(self, which: NDArray[np.int64], looks: NDArray[np.int32], counts: NDArray[np.int64]) -> Any:
        recent = [tables for minute, tables in self._looks if minute >= self._window - BACK[1]]
        return self._as_one(which, Tables.all_of([self._none, *recent]))

    def _as_one(self, which: NDArray[np.int64], tables: Tables) -> NDArray[np.float64]:
        """Give what tables say of these streams as one look: from nothing, M is the e-value."""
        series = self.series[which]
        one = tables.of_series(series).together().in_order()
        return self.detector.look_at(fresh(self.state, which), one.places(series), one.counts)

    @override
    def _end_slowly(self, sparse: NDArray[np.int64], ended: NDArray[np.bool_]) -> None:
        asked = sparse[self._lately[-1, sparse] >= FEWEST]
        if len(asked):
            ended[asked[self._as_one(asked, self._asked) < 1.0]] = True
            self._lately[:, asked] = 0
            self._asked = self._asked.only(~np.isin(self._asked.of, self.series[asked]))

    @override
    def end(self, which: NDArray[np.bool_]) -> None:
        super().end(which)
        self._asked = self._asked.only(~np.isin(self._asked.of, self.series[which]))

    @override
    def close(self, which: NDArray[np.bool_]) -> None:
        gone = self.series[which]
        self._looks = [(minute, tables.only(~np.isin(tables.of, gone))) for minute, tables in self._looks]
        self._asked = self._asked.only(~np.isin(self._asked.of, gone))
        super().close(which)

    @override
    def since(self, stream: int) -> tuple[int, NDArray[np.int64]]:
        """As of any bank, but the counts are [1 + 2 J + 2, type]: its series, and its table since the change."""
        first = self._window - min(self.at, len(self.ring))
        series = self.series[[stream]]
        kept = [(minute, tables.of_series(series)) for minute, tables in self._looks if minute >= first]
        since = int(self.changed[stream]) or first + self._strongest(stream, kept, first)
        later = [tables for minute, tables in kept if minute >= since]
        one = Tables.all_of([self._none, *later]).together()
        return since, np.concatenate([one.task[None], one.counts])

    def _strongest(self, stream: int, kept: list[tuple[int, Tables]], first: int) -> int:
        """Give the look, from `first` on, from which on they say most."""
        state = fresh(self.state, np.array([stream]))
        every = Tables.all_of([self._none, *(tables for _, tables in kept)])
        look = np.array([minute - first for minute, tables in kept for _ in tables.of], np.int64)
        log_e = log_e_of(state, np.zeros(len(every.of), np.int64), every.counts)
        log_e = log_e.reshape(len(log_e) * log_e.shape[1], len(every.of))
        looks = np.stack([np.bincount(look, row, self._window - first) for row in log_e])
        return strongest_start(np.maximum(looks, np.log(LEAST)))[0]

    # what is kept

    @override
    def arrays(self) -> dict[str, NDArray[Any]]:
        every = Tables.all_of([self._none, *(tables for _, tables in self._looks)])
        minutes = [np.full(len(tables.of), minute) for minute, tables in self._looks]
        looked = {f"looks_{name}": array for name, array in every._asdict().items()}
        asked = {f"asked_{name}": array for name, array in self._asked._asdict().items()}
        return super().arrays() | looked | asked | {"looks_at": np.concatenate([np.empty(0, np.int64), *minutes])}

    @override
    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        super().fill(arrays)
        every, self._asked = (
            Tables(*(arrays[f"{name}_{field}"].copy() for field in Tables._fields)) for name in ("looks", "asked")
        )
        at = arrays["looks_at"]
        self._looks = [(minute, every.only(at == minute).small()) for minute in np.unique(at).tolist()]
