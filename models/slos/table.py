"""SloTable: the state of one judge shard. Events in; budgets, burn alerts and incidents out.

Time comes from outside, in Unix seconds: the clock of a live service (`look`), or the watermark of a replay (`follow`),
which looks at every instant at which a live one would have. Events later than that are held until it comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.digest import digest_of
from models.incidents.book import IncidentBook
from models.slos.budgets import Budgets
from models.slos.burning import NEVER, Burning
from models.slos.events import BAD, FIRST_S, KNOWN_S, SLO, TIME_S, TOTAL, VALUE, Events
from models.slos.idle import idle_slots
from models.slos.instances import Instances
from models.slos.ledger import LEVELS, Ledger
from models.slos.slices import Slicer
from models.slos.spec import Rolling
from models.slos.verdicts import Judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from models.incidents.book import Patience
    from models.incidents.incident import Incident
    from models.slos.burn import Budget
    from models.slos.instances import Instance
    from models.slos.ledger import Level
    from models.slos.silence import Lag, Silence
    from models.slos.spec import Slo

EDGE_S = 10
"""Instants of a replay: the edges of the finest panes."""
USUAL_WINDOWS = (300, 1800, 3600, 7200, 21_600, 86_400, 259_200)
"""Seconds; those that dashboards made for Sloth ask for. They can be read whatever the rules are."""
AHEAD_S = 60
"""A clock that is set back by more than this was ahead; by less, what was told stays where it is."""
QUIET_S = 300
"""At most so long apart where nothing happens."""
_NONE = np.empty(0, np.int64)
_FULL_S = 60
"""Seconds between two searches for room where there was none."""
_DAY_S = 86_400
_SINCE = ((_DAY_S, EDGE_S), (7 * _DAY_S, QUIET_S), (100 * _DAY_S, 3600))
"""Seconds since the last event of all up to which instants are so far apart; then a day. Little changes by itself, and
a recording may hold one event that lies months or years after all others."""
_EMPTY_S = 400 * _DAY_S
"""So long after the last event of all every window is empty, and every period that it lay in is over: nothing changes
until the next, be it one by a clock of 1970 and the next of today."""


class Reading(NamedTuple):
    """One instance as it stands: `windows` gives (total, bad) by seconds."""

    instance: Instance
    budget: Budget
    windows: dict[int, tuple[int, int]]
    now: int


@dataclass
class Judged:
    """What a look gave, in order."""

    slos: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)

    def extend(self, other: Judged) -> None:
        """Put what a later look gave behind this."""
        self.slos += other.slos
        self.incidents += other.incidents
        self.verdicts += other.verdicts

    def __bool__(self) -> bool:
        """Say whether there is anything to tell."""
        return bool(self.slos or self.incidents or self.verdicts)


class SloTable:
    """The SLOs of one shard. `generation` counts its lives: what a new one tells is above what earlier ones told."""

    def __init__(
        self,
        slos: Sequence[Slo],
        generation: int = 0,
        levels: Sequence[Level] = LEVELS,
        patience: Patience | None = None,
        silent_after_s: int | None = None,
    ) -> None:
        self.slos = tuple(slos)
        self.ledger = Ledger(windows_of(slos), levels)
        self.instances = Instances(slos)
        self.burning = Burning()
        self.budgets = Budgets()
        self.book = IncidentBook(generation, patience)
        self.names: dict[int, str] = {}
        self.newest = np.empty(0, np.int64)
        """By instance: Unix second of its newest event."""
        self.slicers: dict[int, Slicer] = {}
        """By slot: those that count slices of time instead of events."""
        self.held = Events.none()
        self.counted = 0
        """Unix second up to which events have been counted."""
        self.since: dict[int, int] = {}
        """By SLO (digest): Unix second from which its events count, where it came later than this table."""
        self.anew: set[str] = set()
        """Names of SLOs that count something else than before a restart: nothing that they told holds any more."""
        self.spare: list[int] = []
        """Slots of instances that a later state, which is being restored, has no more."""
        self._idle: list[int] = []
        """Slots that were found to be idle; only as long as nothing is counted."""
        self._full_s = -_FULL_S
        """When there was no room to be found, Unix seconds."""
        self._lock = RLock()  # readings are taken by other threads
        self._judge = Judge(self, silent_after_s)
        self._news: list[Events] = []  # since the last delta

    def apply(self, events: Events) -> None:
        """Take events in; they count when their time has come."""
        if len(events):
            self._news.append(events)
            self.held = Events.joined([self.held, events]) if len(self.held) else events

    def look(self, now_s: int, lag: Lag | None = None) -> Judged:
        """Judge as things stand at `now_s`; a time shortly before an earlier one counts as that.

        A time long before it is that of a clock which was ahead and was set right: from then on that is now.
        """
        return self._look(now_s if self._was_ahead(now_s) else max(now_s, self.ledger.now), 0, lag)

    def follow(self, until_s: int) -> Judged:
        """Judge at every instant up to `until_s` at which a live service would have."""
        judged = Judged()
        while (instant := self._next_instant()) <= until_s:
            judged.extend(self._look(instant, 1))  # panes that are over: the same however much is read at once
        return judged

    def finish(self) -> Judged:
        """End of input: judge up to the last event, and give the state of every SLO.

        Nothing comes any more, so slices of time count as they are, and budgets take their steps at once.
        """
        last = max(int(self.held.counts[[TIME_S, KNOWN_S]].max(initial=0)), int(self.newest.max(initial=0)))
        if not last:
            return Judged()
        judged, now = self.follow(_edge(last)), max(_edge(last), self.ledger.now)
        if self.ledger.now < now or len(self.held):  # the end settles runs of minutes that were judged long ago
            judged.extend(self._look(now, 1))
        with self._lock:
            self._settle(NEVER)
            judged.extend(self._judge.close(self.ledger.now))
        return judged

    def readings(self) -> list[Reading]:
        """Give every instance as it stands; may be called from another thread."""
        with self._lock:
            now, sums = self.ledger.now, self.ledger.read().tolist()
            return [
                Reading(
                    instance,
                    self.budgets.of(slot, self.ledger),
                    {w: (sums[i][0][slot], sums[i][1][slot]) for i, w in enumerate(self.ledger.windows)},
                    now,
                )
                for slot, instance in enumerate(self.instances.known)
            ]

    @property
    def memory_bytes(self) -> int:
        """Size of the arrays, roughly."""
        return self.ledger.memory_bytes + sum(array.nbytes for array in self.held.arrays)

    def _look(self, now_s: int, before: int, lag: Lag | None = None) -> Judged:
        with self._lock:
            self.absorb(now_s, before)
            return self._judge.look(now_s, lag)

    def _next_instant(self) -> int:
        """Give the next edge while something is going on, else the edge after the next event, within `QUIET_S`."""
        now = self.ledger.now
        first = self.held.first_counted
        first = _edge(first) if first < NEVER else NEVER
        if not now:
            return first
        quiet_s = now - int(self.newest.max(initial=0))
        if quiet_s > _EMPTY_S:
            return max(first, _edge(now))
        apart = _apart(quiet_s)
        if (self.burning.any or self.book.open_idents()) and apart == EDGE_S:
            return _edge(now)
        return min(_edge(now + max(apart, QUIET_S) - EDGE_S), max(first, _edge(now)))

    def _count(self, due: Events) -> None:
        self.names |= due.names
        counts = due.counts
        slots = self._slots(counts, counts[TIME_S])
        known = slots >= 0
        slots, seconds, amounts = slots[known], counts[TIME_S, known], counts[[TOTAL, BAD]][:, known]
        np.maximum.at(self.newest, slots, seconds)
        self._judge.hear(seconds, slots)
        sliced = np.isin(slots, list(self.slicers)) if self.slicers else np.zeros(len(slots), np.bool_)
        for slot in np.unique(slots[sliced]).tolist():
            own = slots == slot
            self.slicers[slot].add(np.stack([seconds[own], *amounts[:, own]]).T.tolist())
        self._enter(slots[~sliced], seconds[~sliced], amounts[:, ~sliced])
        for array, at, add in ((due.slices, FIRST_S, "add_slice"), (due.runs, TIME_S, "add_run")):
            for slot, row in zip(self._slots(array, array[at]).tolist(), array.T.tolist(), strict=True):
                if slot >= 0:
                    getattr(self.instances.known[slot].blame, add)(row)

    def _settle(self, now: int) -> None:
        """Count the slices of time that have settled."""
        for slot, slicer in self.slicers.items():
            settled = np.array(list(slicer.settle(now)), np.int64).reshape(-1, 3).T
            self._enter(np.full(settled.shape[1], slot, np.int64), settled[0], settled[1:])

    def _enter(self, slots: NDArray[np.int64], seconds: NDArray[np.int64], amounts: NDArray[np.int64]) -> None:
        self.ledger.add(slots, seconds, *amounts)
        self.budgets.count(slots, seconds, amounts, self.ledger.now)

    def _slots(self, array: NDArray[np.int64], seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the slot of each row, -1 where it is refused, or from before its SLO was there.

        A correction of what was never counted would leave the counts negative.
        """
        slots = self.instances.find(array[SLO], array[VALUE])
        new = np.flatnonzero(slots < 0)
        if len(new):
            for slo, value in dict.fromkeys(zip(*array[[SLO, VALUE]][:, new].tolist(), strict=True)):
                self.slot(slo, value, slots[slots >= 0])
            self._idle = []
            self.instances.index()
            slots[new] = self.instances.find(array[SLO, new], array[VALUE, new])
        if self.since:
            slots[seconds < [self.since.get(slo, 0) for slo in array[SLO].tolist()]] = -1
        return slots

    def slot(self, slo: int, value: int, busy: NDArray[np.int64] = _NONE) -> int:
        """Give the slot of an instance (digests); makes room where it is met first, by no slot of `busy`."""
        if self.instances.lacks_room(slo, value) and (place := self._find_room(busy)) >= 0:
            return self._renewed(place, slo, value)
        slot = self.instances.slot(slo, value, self._text(value))
        if slot == len(self.newest):
            instance = self.instances.known[slot]
            self.ledger.resize(slot + 1)
            self.burning.add(slot, instance.slo, self.ledger)
            self.budgets.add(instance.slo)
            self.newest = np.append(self.newest, 0)
            if instance.slo.slices:
                self.slicers[slot] = Slicer(instance.slo.slices)
        return slot

    def _find_room(self, busy: NDArray[np.int64]) -> int:
        """Give a slot whose instance can go, -1: there is none."""
        spare = next((slot for slot in self.spare if slot not in busy), -1)
        if spare >= 0:
            self.spare.remove(spare)
            return spare
        if not self._idle and not 0 <= self.ledger.now - self._full_s < _FULL_S:
            self._idle = idle_slots(self, busy, USUAL_WINDOWS[-1])
            self._full_s = -_FULL_S if self._idle else self.ledger.now
        return self._idle.pop() if self._idle else -1

    def _renewed(self, slot: int, slo: int, value: int) -> int:
        """Give a slot to another instance (digests)."""
        self._judge.grow()
        before = self.instances.known[slot].workflow
        self.instances.let_go(slot)
        self.instances.slot(slo, value, self._text(value))
        instance = self.instances.known[slot]
        self.ledger.clear(slot)
        self.burning.renew(slot, instance.slo, self.ledger)
        self.budgets.renew(slot, instance.slo)
        self.newest[slot] = 0
        self.slicers.pop(slot, None)
        if instance.slo.slices:
            self.slicers[slot] = Slicer(instance.slo.slices)
        self._judge.renew(slot, before)
        return slot

    def _text(self, value: int) -> str:
        return self.names.get(value, f"{value % 2**64:016x}")

    # what goes to the journal, and comes back: models.slos.keeping

    @property
    def silence(self) -> Silence:
        """Give what is known of silent workflows."""
        return self._judge.silence

    @property
    def told(self) -> NDArray[np.int64]:
        """Give when the last record of each instance was told."""
        return self._judge.told

    def absorb(self, now_s: int, before: int = 0) -> None:
        """Count what is due `before` seconds before `now_s`, and judge nothing."""
        if self._was_ahead(now_s):
            self._set_back(now_s)
        self.counted = now_s - before
        due, self.held = self.held.until(self.counted)
        self.ledger.advance(now_s)
        if len(due):
            self._count(due.in_one_order())
        self._settle(now_s)

    def _was_ahead(self, now_s: int) -> bool:
        return now_s < self.ledger.now - AHEAD_S

    def _set_back(self, now_s: int) -> None:
        """Go back to `now_s`; else nothing would count until it was as late again as the clock once said."""
        self.ledger.set_back(now_s)
        self.burning.set_back(now_s)
        self.budgets.set_back(self.ledger)
        self.newest = np.minimum(self.newest, now_s)
        self._judge.set_back(now_s)

    def resume(self, state: Mapping[str, Any], slots: Mapping[int, int]) -> None:
        """Go on where `state` was; `slots` gives the slot now of each slot then."""
        self._judge.grow()
        for then, now in slots.items():
            self.newest[now] = max(self.newest[now], state["newest"][then])
            if then < len(state["told"]):
                self._judge.told[now] = state["told"][then]
        self.burning.restore(state["burning"], slots)
        self.budgets.restore(state["budgets"], slots)
        self.budgets.recount(slots.values(), self.ledger)

    def adopt(self, lives: Iterable[Mapping[str, Any]], *, newer: bool = False) -> None:
        """Take incidents as they were last told; `newer`: whatever is known of them."""
        self.book.adopt(lives, newer=newer)
        self._judge.grow()
        self._judge.resume()

    def take_news(self) -> Events:
        """Give the events since the last call."""
        news, self._news = Events.joined(self._news), []
        return news


def windows_of(slos: Sequence[Slo]) -> list[int]:
    """Give the windows, in seconds, that these SLOs look at."""
    rules = {w for slo in slos for rule in slo.rules for w in (rule.long_s, rule.short_s) if w}
    return sorted(rules | set(USUAL_WINDOWS) | {slo.window.seconds for slo in slos if isinstance(slo.window, Rolling)})


def fingerprint(slo: Slo) -> int:
    """Digest what an SLO counts: state of another one of the same name is not its own."""
    return digest_of(repr((slo.indicator, slo.slices, slo.split)))


def _edge(second: int) -> int:
    """Give the next edge after a time."""
    return second // EDGE_S * EDGE_S + EDGE_S


def _apart(quiet_s: int) -> int:
    return next((apart for upto, apart in _SINCE if quiet_s <= upto), _DAY_S)
