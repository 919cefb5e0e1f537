"""Bank: the streams of one detector on one clock, in a shard. Counts of minutes in; evidence and alarms out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.drift.arrays import widened
from models.drift.dating import strongest_start
from models.drift.detector import LOOKS_A_YEAR
from models.drift.esr import CEILING, LARGEST_LOG
from models.drift.hour_of_week import HOUR, MILLI, hour_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.detector import Detector

_KEPT = {1: 120, 60: 336}
"""Looks that are kept to date a change by, by the minutes between two: two hours, two weeks."""
BACK = {1: 60, 60: 24}
"""Looks that must, as one, speak for the null before an alarm is over."""
LEAST = 1e-300
FEWEST = 50
"""Events that these looks must have: one good event is no recovery. Where they have fewer, as many looks as it takes
are one look, and then as many again."""


class Stream(NamedTuple):
    """Who a stream is about: `series`, against the series `against`, or -1: its own past, an objective."""

    series: int
    against: int
    opened: int
    """Unix minute at which its baseline opened, as the baseline is told."""
    version: int
    """How many baselines it had before."""


def opened_streams(series: NDArray[np.int64], opened: NDArray[np.int64], version: NDArray[np.int64]) -> list[Stream]:
    """Give a stream against its own past for each of these series."""
    columns = (each.tolist() for each in (series, opened, version))
    return [Stream(one, -1, when, which) for one, when, which in zip(*columns, strict=True)]


class Bank:
    """Streams in the order in which they were opened."""

    def __init__(self, detector: Detector, minutes: int) -> None:
        self.detector, self.minutes = detector, minutes
        self._is_timed = detector.columns[-1] == HOUR
        columns = len(detector.columns) - self._is_timed
        self.streams: list[Stream] = []
        self.series, self.against = np.empty((2, 0), np.int64)
        """Those of the streams, [stream] each."""
        self.threshold = LOOKS_A_YEAR[60 * minutes]
        self.state: State = detector.fit(np.zeros((len(detector.columns), 0, 0), np.int64))
        self.m = np.empty(0)
        """M of the last look [stream]."""
        self.alarm = np.empty(0, np.int64)
        """Unix minute of the alarm that lasts; 0: none."""
        self.changed = np.empty(0, np.int64)
        """Unix minute since when a stream in alarm changed, as dated when the alarm came; 0: not dated."""
        self.ring = np.zeros((_KEPT[minutes], columns, 0), np.int32)
        self.at = 0
        """Looks taken."""
        self._window = 0
        self._counts = np.zeros((columns, 0), np.int64)
        """Of the look that is under way, without its hour."""
        self._lately = np.zeros((columns, 0), np.int64)
        """Of the looks of a stream in alarm since it was last asked whether that is over."""

    def __len__(self) -> int:
        """Count the streams."""
        return len(self.streams)

    @property
    def closed_at(self) -> int:
        """Unix minute at which the last look ended."""
        return self._window * self.minutes

    def admit(self, streams: Sequence[Stream], state: State) -> None:
        """Open streams with the state that the detector gave."""
        more = len(streams)
        self.streams += streams
        self._number()
        self.state = {name: np.concatenate([array, state[name]], axis=-1) for name, array in self.state.items()}
        self.m = np.append(self.m, np.zeros(more))
        self.alarm, self.changed = widened(self.alarm, more), widened(self.changed, more)
        self.ring, self._counts = widened(self.ring, more), widened(self._counts, more)
        self._lately = widened(self._lately, more)

    def hold(self, places: NDArray[np.int64], state: State) -> None:
        """Hold streams against a null that lies within theirs: what speaks against the wider one does against both."""
        for name in state.keys() - {"m"}:
            self.state[name][..., places] = state[name]

    def close(self, which: NDArray[np.bool_]) -> None:
        """Let go of streams: they are never looked at again."""
        kept = ~which
        self.streams = [stream for stream, stays in zip(self.streams, kept.tolist(), strict=True) if stays]
        self._number()
        self.state = {name: np.ascontiguousarray(array[..., kept]) for name, array in self.state.items()}
        self.m, self.alarm, self.changed = self.m[kept], self.alarm[kept], self.changed[kept]
        self.ring, self._counts = self.ring[..., kept].copy(), self._counts[:, kept].copy()
        self._lately = self._lately[:, kept].copy()

    def _number(self) -> None:
        of = np.array(self.streams, np.int64).reshape(-1, len(Stream._fields))
        self.series, self.against = np.ascontiguousarray(of[:, :2].T)

    def take(self, counts: NDArray[np.int64], at: int) -> None:
        """Take in the counts [column, stream] of Unix minute `at`."""
        self.pass_to(at)
        self._counts += counts
        if (at + 1) % self.minutes == 0:
            self._look()

    def pass_to(self, at: int) -> None:
        """Pass minutes without any event, up to and without `at`."""
        window = at // self.minutes
        if not self._window:
            self._window = window
        if window > self._window and not self.streams:
            self.at, self._window = self.at + window - self._window, window
        if window > self._window:
            self._look()
        if window > self._window:  # looks without events: M <- M + 1
            self.state["m"] += window - self._window
            np.minimum(self.state["m"], CEILING, out=self.state["m"])
            silent = min(window - self._window, len(self.ring))
            for step in range(silent):
                self.ring[(self.at + step) % len(self.ring)] = 0
            self.at += window - self._window
            self._window = window

    def set_back(self, at: int) -> None:
        """Go back to Unix minute `at`, where the clock was ahead; what was looked at stays looked at."""
        self._window = min(self._window, at // self.minutes)
        np.minimum(self.alarm, at, out=self.alarm)
        np.minimum(self.changed, at, out=self.changed)

    def _look(self) -> None:
        counts = self._with_hours(self._counts, self._window)
        self.ring[self.at % len(self.ring)] = self._counts
        self.at += 1
        self._window += 1
        if not self.streams:
            return
        self.m = self._tested(counts)
        self._lately += np.where(self.alarm > 0, self._counts, 0)
        self._counts = np.zeros_like(self._counts)
        raised = (self.m >= self.threshold) & (self.alarm == 0)
        for place in np.flatnonzero(raised).tolist():
            self.changed[place] = self.since(place)[0]
        self.alarm[raised] = self._window * self.minutes
        self._end_alarms()

    def _tested(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take the look that is under way; `counts` with its hour. Gives M."""
        return self.detector.look(self.state, counts)

    def _end_alarms(self) -> None:
        """End the alarms of streams whose last looks, as one, speak for the null; they begin anew."""
        back = BACK[self.minutes]
        old = np.flatnonzero((self.alarm > 0) & (self._window * self.minutes >= self.alarm + back * self.minutes))
        if len(old):
            looks = (self.at - 1 - np.arange(back)) % len(self.ring)
            recent = self.ring[np.ix_(looks, np.arange(self.ring.shape[1]), old)]
            counts = recent.sum(axis=0, dtype=np.int64)
            over = (counts[-1] >= FEWEST) & (self._e_value(old, recent, counts) < 1.0)
            ended = np.zeros(len(self), np.bool_)
            ended[old[over]] = True
            if not self._is_timed:
                self._end_slowly(old[counts[-1] < FEWEST], ended)
            self.end(ended)

    def _end_slowly(self, sparse: NDArray[np.int64], ended: NDArray[np.bool_]) -> None:
        """Ask those with few events by as many looks as it took; note in `ended` whose alarm is over."""
        asked = sparse[self._lately[-1, sparse] >= FEWEST]
        if len(asked):
            ended[asked[self._of_one_look(asked, self._lately[:, asked]) < 1.0]] = True
            self._lately[:, asked] = 0

    def _e_value(self, which: NDArray[np.int64], looks: NDArray[np.int32], counts: NDArray[np.int64]) -> Any:
        """Give what the last looks [look, column, stream], newest first, say as one; `counts` are their sums.

        Looks of different hours are no sums: the e-values of each bet are multiplied. From nothing, M is the e-value.
        """
        if not self._is_timed:
            return self._of_one_look(which, counts)
        state = fresh(self.state, which)
        logs = np.zeros_like(state["m"])
        for step, look in enumerate(looks):
            self.detector.look(state, self._with_hours(look.astype(np.int64), self._window - 1 - step))
            logs += np.log(np.maximum(state["m"], LEAST))
            state["m"][:] = 0.0
        return np.exp(np.minimum(logs, LARGEST_LOG)).reshape(-1, len(which)).mean(axis=0)

    def _of_one_look(self, which: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give what counts [column, stream] of these streams say as one look: from nothing, M is the e-value."""
        return self.detector.look(fresh(self.state, which), counts)

    def _with_hours(self, counts: NDArray[np.int64], windows: Any) -> NDArray[np.int64]:
        """Put the hour of the week behind the counts, where the detector wants it. `windows`: one, or by column."""
        if not self._is_timed:
            return counts
        return np.concatenate([counts, np.broadcast_to(hour_of(windows * self.minutes), (1, counts.shape[1]))])

    def end(self, which: NDArray[np.bool_]) -> None:
        """End the alarms of streams; they begin anew."""
        self.detector.restart(self.state, which)
        self.alarm[which], self.changed[which], self.m[which] = 0, 0, 0.0
        self._lately[:, which] = 0

    def since(self, stream: int) -> tuple[int, NDArray[np.int64]]:
        """Give the Unix minute since when a stream changed, by its strongest start, and its counts since then.

        One in alarm is dated once, when the alarm came: looks are kept for less long than an alarm may last. Counts are
        of the looks that are kept. In place of the hour stand the hits that were to be expected at those hours, of each
        rate, in thousandths.
        """
        kept = min(self.at, len(self.ring))
        first = self._window - kept
        order = [(self.at - kept + step) % len(self.ring) for step in range(kept)]
        counts = self._with_hours(self.ring[order, :, stream].T.astype(np.int64), np.arange(first, self._window))
        since = int(self.changed[stream]) // self.minutes or first + self._strongest_start(stream, counts)
        if self._is_timed:
            *_, events, hours = counts
            expected = np.rint(MILLI * events * self.state["rate"][:, hours, stream]).astype(np.int64)
            counts = np.concatenate([counts[:-1], expected])
        return since * self.minutes, counts[:, max(since - first, 0) :].sum(axis=1)

    def _strongest_start(self, stream: int, counts: NDArray[np.int64]) -> int:
        """Give the look of `counts` [column, look] from which on they say most."""
        looks = counts.shape[1]
        same = {name: array[..., [stream]] for name, array in self.state.items()}
        alone = {name: np.broadcast_to(array, (*array.shape[:-1], looks)) for name, array in same.items()}
        alone["m"] = np.zeros(alone["m"].shape)
        self.detector.look(alone, counts)  # from nothing, M is the e-value of the look
        return strongest_start(np.log(np.maximum(alone["m"].reshape(-1, looks), LEAST)))[0]

    # what is kept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        return {
            "streams": np.array(self.streams, np.int64).reshape(-1, len(Stream._fields)),
            "last": self.m,
            "alarm": self.alarm,
            "changed": self.changed,
            "ring": self.ring,
            "counts": self._counts,
            "lately": self._lately,
            "clock": np.array([self.at, self._window], np.int64),
            **{f"state_{name}": array for name, array in self.state.items()},
        }

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        self.streams = [Stream(*row) for row in arrays["streams"].tolist()]
        self._number()
        self.m, self.alarm = arrays["last"].copy(), arrays["alarm"].copy()
        self.changed = arrays.get("changed", np.zeros_like(self.alarm)).copy()  # a state from before it was kept
        self.ring, self._counts = arrays["ring"].copy(), arrays["counts"].copy()
        self._lately = arrays.get("lately", np.zeros_like(self._counts)).copy()  # as above
        self.at, self._window = arrays["clock"].tolist()
        shapes = {name: (*array.shape[:-1], len(self.streams)) for name, array in self.state.items()}
        self.state = {name: arrays[f"state_{name}"].reshape(shape).copy() for name, shape in shapes.items()}


def fresh(state: State, which: NDArray[np.int64]) -> State:
    """Give the state of some streams as one that has seen nothing."""
    return {name: (np.zeros_like if name == "m" else np.copy)(array[..., which]) for name, array in state.items()}
