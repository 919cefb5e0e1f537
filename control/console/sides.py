"""Sides: the runs before and after a change that an incident tells of, from the index or, where it forgot, the log."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from control.console.runs import MOST, Runs, Search, moment
from models.slis.groups import value_of
from models.times import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.port import Log, Message

MOST_A_SIDE: Final = 500
_REST: Final = "the rest"
_LOOKED_AT: Final = 4 * MOST_A_SIDE
_HOUR_NS: Final = 3_600 * 10**9
_AT_ONCE, _AT_ONCE_BYTES, _BREATH_S = 200, 1 << 20, 0.002
IN_RECORDS: Final = ("version", "environment", "tenant")
"""Dimensions of contrasts that run records tell; of all others a workflow's runs are taken by time."""


@dataclass(frozen=True)
class Bounds:
    """How much of the log is read for one side."""

    bytes: int = 128 << 20
    messages: int = 200_000
    seconds: float = 10.0


class Side(NamedTuple):
    """Runs of a workflow that ended within [`since`, `until`), RFC 3339, empty: open; with a value, or any other."""

    workflow: str
    since: str = ""
    until: str = ""
    dimension: str = ""
    value: str = ""
    is_other: bool = False

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Say whether a run record is of this side."""
        ended = moment(record["ended_at"])
        fits = record["workflow"] == self.workflow and (not self.since or ended >= self.since)
        fits = fits and (not self.until or ended < self.until)
        return fits and (not self.dimension or (record[self.dimension] == self.value) != self.is_other)


def sides(incident: Mapping[str, Any]) -> tuple[Side, Side, str]:
    """Give both sides of an incident's strongest contrast, and the dimension that tells them apart ("": time).

    Raises KeyError, IndexError, TypeError and ValueError where the incident tells none.
    """
    first = incident["evidence"]["contrasts"][0]
    workflow, since = str(incident["workflow"]), moment(first["since"])
    until = "" if incident["status"] == "open" else moment(incident["at"])
    of = first["contrast"]
    dimension, old, new = str(of["dimension"]), value_of(str(of["from"])), value_of(str(of["to"]))
    if dimension not in IN_RECORDS:
        return Side(workflow, until=since), Side(workflow, since, until), ""
    after = Side(workflow, since, until, dimension, new)
    if old == _REST:  # both at the same time: what befell all of them is no difference
        return after._replace(is_other=True), after, dimension
    return after._replace(since="", value=old), after, dimension


def runs_of(side: Side, index: Runs, log: Log | None, topic: str, bounds: Bounds | None = None) -> list[dict[str, Any]]:
    """Give the newest runs of a side, at most `MOST_A_SIDE`. Raises LogError."""
    fields = [("workflow", side.workflow)]
    if side.dimension in ("version", "tenant") and not side.is_other:
        fields.append((side.dimension, side.value))
    wanted = Search(tuple(fields), since=side.since, until=side.until)
    found, _ = index.search(wanted, _LOOKED_AT)
    kept = [each for each in found if side.holds(each)][:MOST_A_SIDE]
    if len(kept) == MOST_A_SIDE or log is None or index.count() < MOST:
        return kept
    return _from_log(side, log, topic, bounds or Bounds())  # a busy deployment: the index holds minutes


def _from_log(side: Side, log: Log, topic: str, bounds: Bounds) -> list[dict[str, Any]]:
    """Read the log from an hour before the side ends, or from where it begins, for its newest runs."""
    if side.since:
        first, last = nanoseconds(side.since), None
    else:
        ends = nanoseconds(side.until) if side.until else time.time_ns()
        first, last = ends - _HOUR_NS, ends + _HOUR_NS
    taken = _Taken(side, bounds)
    for partition in range(log.partitions(topic)):
        with closing(log.reader(topic, partition, log.offset_at(topic, partition, first))) as reader:
            while taken.has_room():
                messages = reader.poll(_AT_ONCE, _AT_ONCE_BYTES)
                for message in messages:
                    taken.take(message)
                if (not messages and not reader.lag()) or (last and messages and messages[-1].appended_ns > last):
                    break
                time.sleep(_BREATH_S)  # evaluations come first
    newest = sorted(taken.runs.values(), key=lambda each: moment(each["ended_at"]), reverse=True)
    return newest[:MOST_A_SIDE]


class _Taken:
    """What was read of a side; bounded: twice what is wanted, the last read."""

    def __init__(self, side: Side, bounds: Bounds, now_s: Callable[[], float] = time.monotonic) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self._side, self._bounds, self._now_s, self._end_s = side, bounds, now_s, now_s() + bounds.seconds
        self._name = orjson.dumps(side.workflow)[1:-1]
        self._messages = self._bytes = 0

    def has_room(self) -> bool:
        """Say whether to read on."""
        is_within = self._messages < self._bounds.messages and self._bytes < self._bounds.bytes
        return is_within and self._now_s() < self._end_s

    def take(self, message: Message) -> None:
        """Take a message; what cannot be read is none of them: the index counts it."""
        self._messages += 1
        self._bytes += message.size
        if self._name not in message.value:  # most are of others, and reading them takes ten times as long
            return
        try:
            record = orjson.loads(message.value)
            if record["kind"] != "run" or not self._side.holds(record):
                return
            known = self.runs.pop(record["run_id"], None)
            self.runs[record["run_id"]] = record if known is None or known["revision"] <= record["revision"] else known
        except (KeyError, TypeError, ValueError, OverflowError):
            return
        if len(self.runs) > 2 * MOST_A_SIDE:
            del self.runs[next(iter(self.runs))]
