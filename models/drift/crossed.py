"""Crossed: values of contrasts by type of task: how often a version or a tenant was asked for what, and how it went.

Of a version whose users ask for harder things more fails than of the rest though within each type nothing differs
(Simpson). So each is held against the rest within each type. The rest is what all runs of the type have less those of
the value. Left out are runs that say no type, as nobody knows what they were asked for, and pairs of a value and a type
beyond their bound (`models.slis.admission`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from models.drift.arrays import widened
from models.drift.minute import J
from models.drift.tables import Tables
from models.slis.groups import BETWEEN, OF_COHORT, OF_CONTRAST, REST, TASK
from models.slis.readings import Label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.minute import Minute
    from models.drift.untyped import Untyped
    from models.slis.closing import Closed

_FEWEST = 50
"""Events of a type from which its rate is a null."""
_LINKS = 3
_WHOLE, _TASK, _VALUE = range(_LINKS)


class _Name(NamedTuple):
    """What a pair is of; `task` and `value` empty: of what is beyond the bound."""

    sli: str
    workflow: str
    dimension: str
    task: str
    value: str


def is_crossed(label: Label) -> bool:
    """Say whether a series counts a value of a contrast within one type of task."""
    return len(label.group) > 1 and any(key in OF_CONTRAST or key == OF_COHORT for key in label.group)


class Crossed:
    """Pairs [C] of a value and a type, by their own numbers: nothing is learnt of them one by one."""

    def __init__(self) -> None:
        self.is_histogram = np.empty(0, np.bool_)
        self.typed = np.empty(0, np.int64)
        """By series [S]: events of a value that say their type, one that is watched."""
        self._places = np.empty(0, np.int64)
        """[c] By number as it is counted: that of a pair, less than 0 (-1: the first), or how many others came before.
        """
        self._labels: list[Label] = []
        self._names: list[_Name] = []
        self._links = np.empty((_LINKS, 0), np.int64)
        """[3, C] Series of the workflow, of the type, of the value; -1: there is none, or not yet."""
        self._hits, self._events = np.zeros((J, 0), np.int64), np.zeros(0, np.int64)
        """[J, C] and [C] Of all minutes: hits (of ratios in the first row), and events."""
        self._linked = (0, 0)

    def __len__(self) -> int:
        """Count the pairs."""
        return len(self._labels)

    @property
    def counted(self) -> int:
        """Series that were named, pairs or not."""
        return len(self._places)

    @property
    def whole(self) -> NDArray[np.int64]:
        """[C] Series of the workflow."""
        whole: NDArray[np.int64] = self._links[_WHOLE]
        return whole

    def enter(self, labels: list[Label]) -> list[Label]:
        """Take in the pairs among the series that are new; gives the others."""
        if not labels:
            return labels
        pairs = np.array([is_crossed(label) for label in labels], np.bool_)
        others = self.counted - len(self)
        numbers = np.where(pairs, -len(self) - np.cumsum(pairs), others + np.cumsum(~pairs) - 1)
        self._places = np.append(self._places, numbers)
        self._enter([label for label, pair in zip(labels, pairs.tolist(), strict=True) if pair])
        return [label for label, pair in zip(labels, pairs.tolist(), strict=True) if not pair]

    def begin(self, others: int) -> None:
        """Know that so many others were named: of a state from before there were pairs."""
        if not self.counted:
            self._places = np.arange(others)

    def _enter(self, labels: list[Label]) -> None:
        self._labels += labels
        self._names += [_named(label) for label in labels]
        self.is_histogram = np.append(self.is_histogram, [label.histogram for label in labels]).astype(np.bool_)
        self._links = np.concatenate([self._links, np.full((_LINKS, len(labels)), -1)], axis=1)
        self._hits, self._events = widened(self._hits, len(labels)), widened(self._events, len(labels))

    def link(self, untyped: Untyped, series: int) -> None:
        """Find what the pairs are of, among so many series by now."""
        self.typed = widened(self.typed, series - len(self.typed))
        if self._linked == (series, len(self)):
            return
        self._linked = series, len(self)
        for pair in np.flatnonzero((self._links < 0).any(axis=0)).tolist():
            sli, workflow, dimension, task, value = self._names[pair]
            self._links[_WHOLE, pair] = untyped.series(sli, workflow, "", "")
            if task and task != REST:
                self._links[_TASK, pair] = untyped.series(sli, workflow, TASK, task)
            if task:
                self._links[_VALUE, pair] = untyped.series(sli, workflow, dimension, value)

    def part(self, closed: Closed) -> tuple[Closed, Closed]:
        """Part closed panes: those of other series, by how many of these came before, and those of pairs."""
        if not len(self):
            return closed, closed._replace(look=closed.look[:0], series=closed.series[:0])
        places = self._places[closed.series]
        return _rows(closed, places, places >= 0), _rows(closed, -1 - places, places < 0)

    def asked(self, pairs: Minute, *, is_histogram: bool) -> Tables:
        """Give hits J and events [J + 1, T] of a minute by value and type, not of the rest; in their own order."""
        *_, task, value = self._links
        some = (pairs.total > 0) & (self.is_histogram == is_histogram) & (task >= 0) & (value >= 0)
        own = np.flatnonzero(some)
        return Tables(value[own], task[own], _counted(pairs, own, is_histogram=is_histogram)).in_order()

    def learn(self, pairs: Minute, known: NDArray[np.bool_]) -> None:
        """Take a minute into the pasts of values by type; `known` [C]: values whose thresholds are."""
        learns = ~self.is_histogram | known
        self._hits += np.where(learns, pairs.over, 0)
        self._hits[0] += np.where(self.is_histogram, 0, pairs.bad)
        self._events += np.where(learns, pairs.total, 0)

    def known(self, value: int) -> int:
        """Count the events of the past of a value, of types that it has enough of."""
        return int(self._events[self._types(value)].sum())

    def past(self, value: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Give series of types [n], hits [J, n] (of a ratio [1, n]) and events [n] of the past of a value."""
        pairs = self._types(value)
        watched = J if self.is_histogram[pairs].any() else 1
        return self._links[_TASK, pairs], self._hits[:watched, pairs], self._events[pairs]

    def _types(self, value: int) -> NDArray[np.int64]:
        of = (self._links[_VALUE] == value) & (self._links[_TASK] >= 0)
        return np.flatnonzero(of & (self._events >= _FEWEST))

    def tables(self, minute: Minute, pairs: Minute, *, is_histogram: bool) -> Tables:
        """Give the tables of a minute, in an order of their own: `minute` is of all series, `pairs` of pairs."""
        *_, task, value = self._links
        own = np.flatnonzero((pairs.total > 0) & (self.is_histogram == is_histogram) & (value >= 0) & (task >= 0))
        np.add.at(self.typed, value[own], pairs.total[own])
        mine = _counted(pairs, own, is_histogram=is_histogram)
        of_all = _counted(minute, task[own], is_histogram=is_histogram)
        found = Tables(value[own], task[own], np.concatenate([of_all - mine, mine]))
        watched = len(mine) - 1
        found.counts[:watched] = np.clip(found.counts[:watched], 0, found.counts[watched])
        return found.only((found.counts[watched] > 0) & (found.counts[-1] > 0)).in_order()

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Count what these series [S] say anew."""
        self.typed[which] = 0
        gone = which[self.whole] & (self.whole >= 0)
        self._hits[:, gone], self._events[gone] = 0, 0

    # what is kept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        plain = [[label.sli, label.group, label.histogram, label.whole, label.waits] for label in self._labels]
        text = np.frombuffer(orjson.dumps(plain), np.uint8)
        past = {"hits": self._hits, "events": self._events}
        return {"labels": text, "places": self._places, "typed": self.typed, **past}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        self._enter([Label(*each) for each in orjson.loads(arrays["labels"].tobytes())])
        self._places, self.typed = arrays["places"].copy(), arrays["typed"].copy()
        self._hits, self._events = arrays["hits"].copy(), arrays["events"].copy()


def _named(label: Label) -> _Name:
    """Name what a pair is of; of one whose text nobody knows nothing, as of what is beyond the bound."""
    dimension = next(key for key in label.group if key != "workflow")
    task, _, value = label.group[dimension].partition(BETWEEN)
    workflow = label.group["workflow"]
    if not value:
        return _Name(label.sli, workflow, dimension, "", "")
    if dimension == OF_COHORT:
        dimension, _, value = value.partition(BETWEEN)
        return _Name(label.sli, workflow, dimension, task, value)
    return _Name(label.sli, workflow, OF_CONTRAST[dimension], task, value)


def _rows(closed: Closed, series: NDArray[np.int64], which: NDArray[np.bool_]) -> Closed:
    """Give some panes, by these numbers of their series."""
    row = np.cumsum(which) - 1
    bins = closed.bins[which[closed.bins[:, 0]]]
    bins = np.column_stack([row[bins[:, 0]], bins[:, 1:]])
    look, total, good = closed.look[which], closed.total[which], closed.good[which]
    return closed._replace(look=look, series=series[which], total=total, good=good, bins=bins)


def _counted(minute: Minute, series: NDArray[np.int64], *, is_histogram: bool) -> NDArray[np.int64]:
    """Give (hits J, events) of these series."""
    return minute.exceedances(series) if is_histogram else minute.rates(series)
