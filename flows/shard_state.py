"""How a shard's state is kept: in a journal when there is a data folder, else whole in the engine's snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

import orjson

from flows.journal import Journal, Restored
from flows.promises import Promises
from models.watermark import Watermark

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flows.items import Marks


class Journaled(Protocol):
    """A state that can tell what changed."""

    def take_delta(self) -> bytes:
        """Give what changed since the last call."""
        ...

    def dump(self) -> bytes:
        """Give everything."""
        ...


@runtime_checkable
class Pictured(Protocol):
    """A state of which a picture is sooner made than its dump."""

    def picture(self) -> Callable[[], bytes]:
        """Give what makes the dump of now, whenever it is called, by any thread."""
        ...


State = TypeVar("State", bound=Journaled)

_FIRST_NS = 1_767_225_600 * 10**9
"""The year 2026."""
_A_LIFE_NS = 10 * 10**9
_LINE_END = b"\n"
"""What the line of JSON at the start of a snapshot does not hold."""


class ShardState(Generic[State]):
    """The state of one shard with its watermark; `snapshot()` is what the engine keeps."""

    def __init__(
        self, key: str, table: State, watermark: Watermark, journal: Journal | None, life: int, *, kept: bool = True
    ) -> None:
        self.key = key
        self.table = table
        self.watermark = watermark
        self.promises = Promises(journal.folder) if journal else None
        self.folder = journal.folder if journal else None
        """Where what is told may be noted; None: nothing is kept."""
        self._journal = journal
        self._life = life
        self._kept = kept

    def hear(self, marks: Marks, now_ns: int | None) -> int:
        """Take note of source progress and give the watermark."""
        for part, newest in marks:
            self.watermark.observe(part, newest, now_ns)
        return self.watermark.at(now_ns)

    def snapshot(self) -> bytes:
        """Give an immutable picture for the engine: a line of JSON with the journal's position, or the state behind it.

        Empty where nobody will resume: the engine asks all the same.
        """
        if not self._kept:
            return b""
        kept: dict[str, Any] = {
            "key": self.key,
            "life": self._life,
            "watermark": self.watermark.current,
            "marks": self.watermark.marks(),
        }
        if self._journal and self.promises:
            self.promises.turn()
            dump = self.table.picture if isinstance(self.table, Pictured) else self.table.dump
            kept["position"] = self._journal.append(self.table.take_delta(), dump).hex()
            return orjson.dumps(kept)
        return orjson.dumps(kept) + _LINE_END + self.table.dump()


@dataclass(frozen=True)
class ShardStates(Generic[State]):
    """Opens the states of one step.

    `load(base, deltas, life)` makes the table; `life` rises with every restart of the shard, so that what a new life
    tells is never mistaken for what an earlier one told and a crash took back. Live it is at least as high as the clock
    makes it: the folder may be a new one, or an old copy, while others know what the lives that it lost had told.
    (Without a journal it counts from the snapshot: two lives from the same one are alike.)
    """

    load: Callable[[bytes | None, list[bytes], int], State]
    folder: Path | None
    lateness_ns: int
    parts: tuple[str, ...]
    clock: Callable[[], int] | None
    kept: bool = True
    """Whether the engine stores snapshots."""

    def open(self, key: str) -> ShardState[State]:
        """Open a shard that the engine has no snapshot of."""
        journal = self._journal(key)
        life = journal.new_life(self._least()) if journal else 0
        return ShardState(key, self.load(None, [], life), self._watermark({}), journal, life, kept=self.kept)

    def resume(self, snapshot: bytes) -> ShardState[State]:
        """Open a shard as it was at `snapshot`; raises JournalError when its journal is not there."""
        line, _, whole = snapshot.partition(_LINE_END)
        kept = orjson.loads(line)
        journal = self._journal(kept["key"])
        life = journal.new_life(self._least()) if journal else kept["life"] + 1
        restored = journal.restore(bytes.fromhex(kept["position"])) if journal else Restored(whole, [])
        table = self.load(restored.base, restored.deltas, life)
        return ShardState(kept["key"], table, self._watermark(kept), journal, life, kept=self.kept)

    def _least(self) -> int:
        """Give the number of a life that begins now, had there been one every 10 s since 2026: few restart so often."""
        return max(0, self.clock() - _FIRST_NS) // _A_LIFE_NS if self.clock else 0

    def _journal(self, key: str) -> Journal | None:
        return Journal(self.folder / key) if self.folder else None

    def _watermark(self, kept: dict[str, Any]) -> Watermark:
        now = self.clock() if self.clock else None
        watermark = Watermark(self.lateness_ns, current=kept.get("watermark", 0))
        watermark.expect(self.parts, now)
        for part, newest in kept.get("marks", {}).items():
            watermark.observe(part, newest, now)
        return watermark
