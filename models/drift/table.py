"""DriftTable: drift detection of one series shard. Closed panes in; what there is evidence of out.

All state follows from the closed panes and acceptances taken in, in order: a delta is these, and a restart looks at
them again.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from models.drift.examples import Example
from models.drift.found import evidence_of, found_of
from models.drift.settings import Accepted
from models.drift.shard import Compared, Shard
from models.drift.usual_ratio import UsualRatio
from models.drift.watches import REPLACED, WATCHES
from models.slis.closing import Closed
from models.slis.groups import USER_AGE
from models.slis.packing import pack, unpack
from models.slis.readings import Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from models.drift.bank import Bank
    from models.drift.found import Evidence, Found
    from models.drift.minute import Minute
    from models.drift.settings import DriftSettings
    from models.drift.watches.base import Watch

_MOST_FOUND = 5
"""Streams told of a bank, beside those in alarm: the strongest."""
_WORTH_TELLING = 1e-3
"""Evidence over threshold from which a stream without an alarm is described."""
_MOST_LOGGED = 240
"""Minutes kept for a delta; beyond it nobody seems to take any (a replay), and the next one is a dump."""
_DESCRIBED_EVERY = 15
"""Minutes between two descriptions of a stream: finding since when it changed takes longer than a look."""


@dataclass(frozen=True)
class Looked:
    """What a shard says after its looks, absolute: the newest one holds."""

    until: int
    """Unix minute of the next look."""
    streams: int
    evidence: list[Evidence]
    """Of all streams in alarm, and of the strongest others."""
    found: list[Found]
    """Descriptions that are new."""
    examples: Sequence[Example] = ()
    """Runs that may be shown beside an alarm, of users by their age: nobody else knows it."""


class DriftTable:
    """The detectors of one shard."""

    def __init__(self, settings: DriftSettings, watches: Sequence[Watch] = WATCHES) -> None:
        self._settings = settings
        self._watches = watches
        self.shard = Shard(settings)
        self.banks = {watch.name: watch.bank() for watch in watches}
        self.until = 0
        self.refused = 0
        """Streams that were not opened, beyond the bound."""
        self._heard: set[Accepted] = set()
        self._done: set[Accepted] = set()
        """Changes that were accepted while it ran; and those, of any kind, whose baselines were opened anew."""
        self._log: list[Closed | Accepted] = []
        self._overflowed = False

    def look(self, closed: Closed) -> Looked:
        """Take the looks of these panes."""
        self._note(closed)
        return self._look(closed)

    def accept(self, accepted: Sequence[Accepted]) -> None:
        """Take changes for the new normal: each from its minute on, at the earliest the next that is looked at."""
        for each in accepted:
            self._note(each)
            self._hear(each)

    def _hear(self, accepted: Accepted) -> None:
        if accepted not in self._done:
            self._heard.add(accepted)

    def _note(self, taken: Closed | Accepted) -> None:
        self._log.append(taken)
        if len(self._log) > _MOST_LOGGED:
            self._log.clear()
            self._overflowed = True

    def _look(self, closed: Closed) -> Looked:
        shard = self.shard
        shard.enter(closed)
        if closed.until < self.until:
            self._set_back(int(closed.look.min(initial=closed.until)))
        for minute in shard.minutes(closed):
            self._accept(minute.at)
            self._take(minute)
            shard.thresholds.learn(minute, shard.roles)  # of values that no rate over them is learnt from
        self._accept(closed.until - 1)  # a workflow that has gone quiet is accepted, too
        for bank in self.banks.values():
            bank.pass_to(closed.until)
        before, self.until = self.until, closed.until
        is_due = before // _DESCRIBED_EVERY < self.until // _DESCRIBED_EVERY
        told = [(watch, place) for watch in self._watches for place in self._strongest(self.banks[watch.name])]
        found = [
            found_of(shard, watch, self.banks[watch.name], place)
            for watch, place in told
            if self._is_described(self.banks[watch.name], place, before, is_due=is_due)
        ]
        evidence = [evidence_of(shard, watch, self.banks[watch.name], place) for watch, place in told]
        examples = [Example(run.workflow, USER_AGE, *run[1:]) for run in closed.runs]
        return Looked(self.until, self.streams, evidence, found, examples)

    def _set_back(self, minute: int) -> None:
        """Go back to a Unix minute: a clock was ahead, and has closed minutes that come only now."""
        self.shard.set_back(minute)
        for bank in self.banks.values():
            bank.set_back(minute)

    @staticmethod
    def _is_described(bank: Bank, place: int, before: int, *, is_due: bool) -> bool:
        """Describe what has come into alarm, and now and then what is in alarm or worth telling."""
        worth = bank.alarm[place] > 0 or bank.m[place] >= _WORTH_TELLING * bank.threshold
        return bool(bank.alarm[place] > before or (is_due and worth))

    @property
    def streams(self) -> int:
        """Count the streams that are looked at."""
        return sum(map(len, self.banks.values()))

    def _take(self, minute: Minute) -> None:
        for watch in self._watches:
            bank = self.banks[watch.name]
            if len(bank):
                watch.look(self.shard, minute, bank)
                if bank.alarm.any():
                    self.shard.settled[bank.series[bank.alarm > 0]] = True  # what it does now is not what is usual
                    bank.end((bank.alarm > 0) & self.shard.gone(bank.series, minute.at))
            else:
                bank.pass_to(minute.at + 1)
        self.shard.learn(minute)
        for watch in self._watches:
            self._open(watch, minute.at)

    def _open(self, watch: Watch, at: int) -> None:
        bank = self.banks[watch.name]
        if (tightened := watch.tightened(self.shard, bank.streams, bank.state)) is not None:
            bank.hold(*tightened)
        opened = watch.ready(self.shard, bank.streams, at)
        if opened is None:
            return
        streams, state = opened
        room = max(0, self._settings.most_streams - self.streams)
        self.refused += max(0, len(streams) - room)
        bank.admit(streams[:room], {name: array[..., :room] for name, array in state.items()})
        if (replaced := self.banks.get(REPLACED.get(watch.name, ""))) is not None and len(replaced):
            of = {stream.series for stream in streams[:room]}
            replaced.close(np.array([stream.series in of for stream in replaced.streams]))

    def _accept(self, at: int) -> None:
        """Open anew the baselines of what a person has accepted by now."""
        waiting = {*self._settings.accepted, *self._heard} - self._done
        for accepted in _in_order(each for each in waiting if each.at <= at):
            self._done.add(accepted)
            self._heard.discard(accepted)
            labels = self.shard.roles.labels
            which = np.array(
                [
                    label.group["workflow"] == accepted.workflow and accepted.sli in (None, label.sli)
                    for label in labels
                ],
                np.bool_,
            )
            self.shard.reset(which)
            for bank in self.banks.values():
                if len(bank):
                    bank.close(which[[stream.series for stream in bank.streams]])

    @staticmethod
    def _strongest(bank: Bank) -> list[int]:
        """Give the places of the streams in alarm, and of the strongest others."""
        if not len(bank):
            return []
        strongest = np.argsort(-bank.m, kind="stable")[:_MOST_FOUND]
        found: list[int] = np.union1d(np.flatnonzero(bank.alarm), strongest).tolist()
        return found

    # what is kept

    def take_delta(self) -> bytes:
        """Give what was taken in since the last call, empty when there was nothing."""
        log, self._log = self._log, []
        if self._overflowed:
            self._overflowed = False
            return self.dump()
        return b"".join(map(_framed, map(_packed, log)))

    def dump(self) -> bytes:
        """Give everything."""
        labels = self.shard.roles.labels
        arrays: dict[str, NDArray[Any]] = {
            "labels": _text([_plain(label) for label in labels]),
            "seen": self.shard.seen,
            "begun": self.shard.begun,
            "settled": self.shard.settled,
            "compared": self.shard.compared,
            "replaced": self.shard.replaced,
            "mixes": _text([[*of, *kinds] for of, kinds in self.shard.mixes.items()]),
            "until": np.array([self.until, self.refused, *self.shard.waits], np.int64),
            "accepted": _text([list(map(astuple, _in_order(each))) for each in (self._heard, self._done)]),
        }
        for name, usual in self.shard.usual.items():
            arrays |= {f"usual.{name}.{field}": array for field, array in usual._asdict().items()}
        for name, part in (*self.shard.parts().items(), *self.banks.items()):
            arrays |= {f"{name}.{key}": array for key, array in part.arrays().items()}
        return _framed(pack(arrays))

    @staticmethod
    def load(settings: DriftSettings, base: bytes | None, deltas: Sequence[bytes]) -> DriftTable:
        """Restore from a dump and the deltas after it. Raises PackingError for bytes of another version."""
        table = DriftTable(settings)
        for raw in ([base] if base else []) + list(deltas):
            for frame in _frames(raw):
                arrays = unpack(frame)
                if "look" in arrays:
                    table._look(_unpacked(arrays))  # its own class
                elif "accept" in arrays:
                    table._hear(Accepted(*orjson.loads(arrays["accept"].tobytes())))
                else:
                    table = DriftTable(settings)
                    table._fill(arrays)
        table._drop_what_changed()
        return table

    def _drop_what_changed(self) -> None:
        for watch in self._watches:
            bank = self.banks[watch.name]
            if len(bank) and not (holds := watch.holds(self.shard, bank.streams, bank.state)).all():
                bank.close(~holds)

    def _fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.shard.untyped.enter(self.shard.roles, [Label(*each) for each in orjson.loads(arrays["labels"].tobytes())])
        self.shard.seen = arrays["seen"].copy()
        self.shard.begun = arrays.get("begun", np.zeros_like(self.shard.seen)).copy()  # a state from before it was kept
        self.shard.settled = arrays.get("settled", np.ones(len(self.shard.seen), np.bool_)).copy()  # as above
        self.shard.mixes = {(name, series): kinds for name, series, *kinds in orjson.loads(arrays["mixes"].tobytes())}
        self.until, self.refused, *waits = arrays["until"].tolist()
        self.shard.waits = _waits(waits)
        if "accepted" in arrays:
            heard, done = orjson.loads(arrays["accepted"].tobytes())
            self._heard, self._done = ({Accepted(*each) for each in some} for some in (heard, done))
        else:  # of a version that only counted them
            self._done = {each for each in self._settings.accepted if each.at < self.until}
        for name in self.shard.usual:
            if f"usual.{name}.r" in arrays:  # of a state from before there was one, from now on
                self.shard.usual[name] = UsualRatio(
                    *(arrays[f"usual.{name}.{field}"].copy() for field in UsualRatio._fields)
                )
        for name, part in (*self.shard.parts().items(), *self.banks.items()):
            if own := {
                key.removeprefix(f"{name}."): each for key, each in arrays.items() if key.startswith(f"{name}.")
            }:
                part.fill(own)  # a watch that is new begins now
        self.shard.crossed.begin(len(self.shard.untyped.counted))
        self._fill_how(arrays)
        self.shard.grow()

    def _fill_how(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over how values are compared; of a state from before types of task were, over all of them."""
        for name, banks in (("compared", ("live_rate", "live_values")), ("replaced", ("change_rate", "change_values"))):
            how = arrays.get(name, np.zeros(len(self.shard.seen), np.int8)).copy()
            if name not in arrays:
                how[[stream.series for bank in banks for stream in self.banks[bank].streams]] = Compared.OVER_ALL
            setattr(self.shard, name, how)


def _packed(closed: Closed | Accepted) -> bytes:
    if isinstance(closed, Accepted):
        return pack({"accept": _text(astuple(closed))})
    head = np.array([closed.until, closed.first, *closed.waits], np.int64)
    names = ("look", "series", "total", "good", "bins")
    columns = {name: np.ascontiguousarray(getattr(closed, name)) for name in names}
    return pack({"head": head, "labels": _text([_plain(label) for label in closed.labels]), **columns})


def _in_order(accepted: Iterable[Accepted]) -> list[Accepted]:
    return sorted(accepted, key=lambda each: (each.at, each.workflow, each.sli or ""))


def _unpacked(arrays: dict[str, NDArray[Any]]) -> Closed:
    until, first, *waits = arrays["head"].tolist()
    labels = [Label(*each) for each in orjson.loads(arrays["labels"].tobytes())]
    look, series, total, good, bins = (arrays[name] for name in ("look", "series", "total", "good", "bins"))
    return Closed(until, first, labels, look, series, total, good, bins, _waits(waits))


def _waits(told: list[int]) -> tuple[int, int]:
    """Read those of a state; of one from before they were kept there are none, until the next look."""
    return (told[0], told[1]) if len(told) > 1 else (0, 0)


def _plain(label: Label) -> list[Any]:
    return [label.sli, label.group, label.histogram, label.whole, label.waits]


def _text(value: Any) -> NDArray[np.uint8]:
    return np.frombuffer(orjson.dumps(value), np.uint8)


def _framed(raw: bytes) -> bytes:
    return len(raw).to_bytes(8, "little") + raw


def _frames(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 8], "little")
        yield raw[at + 8 : at + 8 + size]
        at += 8 + size
