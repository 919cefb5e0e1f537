"""Keeping: an SloTable as bytes, whole or as what changed, and back. Plain types, versioned.

What is kept of an SLO belongs to what it counts: where its indicator, slices or split have changed, or it is gone, its
state is dropped and its open incidents are resolved; an SLO that is new begins at the time it was first there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from models.digest import digest_of
from models.slis.packing import pack, pack_names, unpack, unpack_names
from models.slos.blame import Blame
from models.slos.events import Events
from models.slos.slices import Slicer
from models.slos.table import SloTable, fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from models.incidents.book import Patience
    from models.slos.spec import Slo

_VERSION = 3


class KeepingError(ValueError):
    """Bytes that are not a state of this version."""


class KeptSloTable(SloTable):
    """An SloTable that can be journaled."""

    def take_delta(self) -> bytes:
        """Give what changed since the last call, empty when nothing did."""
        news, lives = self.take_news(), self.book.take_changed()
        if not len(news) and not lives and not self.instances:
            return b""
        return pack({**_events(news), **_text(_moving(self) | {"lives": lives})})

    def dump(self) -> bytes:
        """Give everything; the next delta still tells what changed since the last one."""
        text = _moving(self) | {
            "lives": self.book.state(),
            "silence": self.silence.state(),
            "blames": [instance.blame.state() for instance in self.instances.known],
            "since": list(self.since.items()),
            "slicers": [[slot, slicer.state()] for slot, slicer in self.slicers.items()],
        }
        return pack({**_events(self.held), **self.ledger.arrays(), **_named("known", self.names), **_text(text)})

    @staticmethod
    def load(
        slos: Sequence[Slo],
        base: bytes | None,
        deltas: Sequence[bytes],
        generation: int = 0,
        patience: Patience | None = None,
        *,
        silent_after_s: int | None = None,
    ) -> KeptSloTable:
        """Restore from a dump and the deltas after it. Raises PackingError or KeepingError for anything else."""
        table = KeptSloTable(slos, generation, patience=patience, silent_after_s=silent_after_s)
        for raw in ([base] if base else []) + list(deltas):
            arrays = unpack(raw)
            text = orjson.loads(arrays["text"].tobytes())
            if text["version"] != _VERSION:
                msg = f"SLO state of version {text['version']}, expected {_VERSION}"
                raise KeepingError(msg)
            _restore(table, arrays, text)
        table.take_news()
        return table


def _moving(table: SloTable) -> dict[str, Any]:
    """Give what is small and changes all the time."""
    return {
        "version": _VERSION,
        "now": table.ledger.now,
        "counted": table.counted,
        "keys": table.instances.keys(),
        "prints": [[digest_of(slo.name), fingerprint(slo)] for slo in table.slos],
        "newest": table.newest.tolist(),
        "told": table.told.tolist(),
        "burning": table.burning.state(),
        "budgets": table.budgets.state(),
    }


def _restore(table: SloTable, arrays: Mapping[str, NDArray[Any]], text: Mapping[str, Any]) -> None:
    prints = {digest_of(slo.name): fingerprint(slo) for slo in table.slos}
    then = dict(text["prints"])
    same = {slo for slo, mark in prints.items() if then.get(slo) == mark}
    table.anew = {slo.name for slo in table.slos if digest_of(slo.name) not in same}
    table.since |= dict(text.get("since", ())) | {slo: text["now"] for slo in prints if slo not in same}
    if "ledger" in arrays:
        table.names |= _unnamed("known", arrays)
        _restore_whole(table, arrays, text, same)
    kept = {(slo, value) for slo, value in text["keys"]}
    table.spare = [slot for slot, key in enumerate(table.instances.keys()) if key not in kept]
    table.apply(_unevents(arrays).of(same))
    table.absorb(text["now"], text["now"] - text["counted"])
    slots = {}
    for slot, (slo, value) in enumerate(text["keys"]):
        if slo in same:
            slots[slot] = table.slot(slo, value)
    table.spare = []
    table.resume(text, slots)
    table.adopt(text["lives"], newer=True)


def _restore_whole(
    table: SloTable, arrays: Mapping[str, NDArray[Any]], text: Mapping[str, Any], same: set[int]
) -> None:
    kept = [slot for slot, (slo, _) in enumerate(text["keys"]) if slo in same]
    for slot in kept:
        table.slot(*text["keys"][slot])
    table.ledger.fill(arrays, kept)
    for now, then in enumerate(kept):
        table.instances.known[now].blame.adopt(Blame.of(text["blames"][then]))
    heard_of = {instance.workflow for instance in table.instances.known}
    table.silence.restore([heard for heard in text["silence"] if heard[0] in heard_of])
    for then, state in text["slicers"]:
        if then in kept:
            slot = kept.index(then)
            slices = table.instances.known[slot].slo.slices
            table.slicers[slot] = Slicer.of(slices, state) if slices else table.slicers[slot]


def _events(events: Events) -> dict[str, NDArray[Any]]:
    return {"counts": events.counts, "slices": events.slices, "runs": events.runs, **_named("new", events.names)}


def _unevents(arrays: Mapping[str, NDArray[Any]]) -> Events:
    counts, slices, runs = (arrays[name].copy() for name in ("counts", "slices", "runs"))
    return Events(counts, slices, runs, _unnamed("new", arrays))


def _named(prefix: str, names: Mapping[int, str]) -> dict[str, NDArray[Any]]:
    return {f"{prefix}_{part}": array for part, array in pack_names(names).items()}


def _unnamed(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[int, str]:
    return unpack_names({part: arrays[f"{prefix}_{part}"] for part in ("names", "lengths", "texts")})


def _text(said: Mapping[str, Any]) -> dict[str, NDArray[np.uint8]]:
    return {"text": np.frombuffer(orjson.dumps(said), np.uint8)}
