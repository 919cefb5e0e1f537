"""Step `measure`: what is told in the end is the truth, also after lives that told something else and died."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from flows.decode import RUN_SHARDS
from flows.items import ShardCells, ShardClosed
from flows.measure import MeasureLogic
from flows.metrics import Metrics
from flows.shard_state import ShardStates
from models.digest import digest_of
from models.slis.cells import Cells
from models.slis.panes import PaneTable
from models.slis.settings import SliSettings

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = 29_000_000
NAMES = {digest_of("w"): "w"}


def cells(*counts: tuple[int, int]) -> ShardCells:
    """Give (bin, count) cells of escalation_rate of one workflow in one minute."""
    cols = np.array([[digest_of("w"), 0, 0, digest_of("escalation_rate"), MINUTE, b, n] for b, n in counts], np.int64)
    return ShardCells("s00", Cells(np.ascontiguousarray(cols.T), NAMES), ())


class Life:
    """One life of a series shard, with a clock to turn."""

    def __init__(self, folder: Path, snapshot: bytes | None) -> None:
        self.now = (MINUTE + 1) * 60 * 10**9
        load: Any = lambda base, deltas, life: PaneTable.load(SliSettings(), base, deltas, life)  # noqa: E731
        states = ShardStates(load, folder, 0, (), lambda: self.now)
        self.logic = MeasureLogic(states, snapshot, lambda: self.now, Metrics(), "slis", drain=False)

    def tell(self, *batches: ShardCells) -> list[dict[str, Any]]:
        """Count, then tell all that there is to tell."""
        if batches:
            self.logic.on_batch(list(batches))
        self.now += 10**10
        self.logic._due = datetime.now(UTC)  # as if its time had come
        return [orjson.loads(out.value) for _, told in self.logic.on_notify()[0] for out in told]


@pytest.mark.parametrize("deaths", [1, 2, 5])
def test_what_a_dead_life_told_is_corrected(tmp_path: Path, deaths: int) -> None:
    """Lives tell an intermediate count and die; in the next one the changes cancel out: the pane is told again."""
    first = Life(tmp_path, None)
    told = first.tell(cells((1, 2)))
    snapshot = first.logic.snapshot()
    for _ in range(deaths):
        told += Life(tmp_path, snapshot).tell(cells((1, -1)))
    last = Life(tmp_path, snapshot)
    told += last.tell()
    newest = max(told, key=lambda record: record["revision"])
    assert (newest["total"], newest["good"]) == (2, 2)
    assert len({record["revision"] for record in told}) == len(told)
    last.logic.snapshot()
    assert last.tell() == []


@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize("silent", [0, 1, 3])
def test_what_dead_lives_alone_counted_is_taken_back(tmp_path: Path, silent: int, *, is_resumed: bool) -> None:
    """A pane that the next life never counts anything in, nor the one after it: it is told once more, as empty."""
    before = Life(tmp_path, None)
    before.tell(later(cells((1, 1)), 7))
    snapshot = before.logic.snapshot() if is_resumed else None
    told = Life(tmp_path, snapshot).tell(cells((0, 1)))
    for _ in range(silent):
        life = Life(tmp_path, snapshot)
        life.logic.on_batch([later(cells((1, 1)), 7)])
        life.logic.snapshot()  # of an epoch that is not committed
    told += (last := Life(tmp_path, snapshot)).tell(later(cells((1, 1)), 7))
    newest = {pane["pane_start"]: (pane["total"], pane["good"]) for pane in sorted(told, key=lambda r: r["revision"])}
    assert sorted(newest.values()) == [(0, 0), (1 + is_resumed,) * 2]
    for _ in range(3):
        snapshot = last.logic.snapshot()
    assert Life(tmp_path, snapshot).tell() == []


@pytest.mark.parametrize("snapshots", [1, 3])
def test_what_is_to_be_taken_back_is_kept(tmp_path: Path, snapshots: int) -> None:
    """Until it is told; also by a life that goes on from a snapshot of one that did not come to it."""
    told = Life(tmp_path, None).tell(cells((1, 1)))
    life = Life(tmp_path, None)
    life.logic.on_batch([later(cells((1, 1)), 7)])
    for _ in range(snapshots):
        snapshot = life.logic.snapshot()
    told += Life(tmp_path, snapshot).tell()
    newest = {pane["pane_start"]: pane["total"] for pane in sorted(told, key=lambda r: r["revision"])}
    assert sorted(newest.values()) == [0, 1]


def later(batch: ShardCells, minutes: int) -> ShardCells:
    """Give the same cells some minutes later."""
    assert batch.cells
    cols = batch.cells.cols.copy()
    cols[4] += minutes
    return ShardCells(batch.key, Cells(cols, batch.cells.names), ())


def test_promises_are_forgotten(tmp_path: Path) -> None:
    """Two snapshots after it was told a pane is owed no more, and the folder doesn't grow."""
    life = Life(tmp_path, None)
    for _ in range(10):
        life.tell(cells((1, 1)))
        snapshot = life.logic.snapshot()
        assert len(list((tmp_path / "s00").glob("*.promises"))) <= 2
    for _ in range(3):
        snapshot = life.logic.snapshot()
    assert list((tmp_path / "s00").glob("*.promises")) == []
    assert Life(tmp_path, snapshot).tell() == []


def closes(life: Life, *batches: ShardCells, seconds: int = 1) -> list[int]:
    """Take them, let time pass; gives the minute before which all are closed now, where that is news."""
    life.logic.on_batch(list(batches))
    life.now += seconds * 10**9
    life.logic._due = datetime.now(UTC)
    return [out.closed.until for _, out in life.logic.on_notify()[0] if isinstance(out, ShardClosed)]


def test_minutes_are_closed_when_all_that_was_tracked_of_them_has_come(tmp_path: Path) -> None:
    """Sources may be hours ahead, as in a backlog: cells of runs that close on the way are still to come."""
    life, at = Life(tmp_path, None), MINUTE * 60 * 10**9
    hours = tuple((f"p{part}", at + 5 * 3600 * 10**9) for part in range(4))
    said = [ShardCells("s00", None, (), ((shard, at),)) for shard in RUN_SHARDS]
    assert closes(life, ShardCells("s00", None, hours)) == []
    assert closes(life, *said[1:], cells((1, 2))) == []
    assert closes(life, said[0]) == [MINUTE]
    assert closes(life, ShardCells("s00", None, (), ((RUN_SHARDS[0], at + 10**12),))) == []


def test_a_shard_that_is_never_heard_of_holds_nothing_back_for_long(tmp_path: Path) -> None:
    """It holds no runs, and no word came for it since the start."""
    life, at = Life(tmp_path, None), MINUTE * 60 * 10**9
    some = [ShardCells("s00", None, (), ((shard, at),)) for shard in RUN_SHARDS[1:]]
    assert closes(life, *some, seconds=20) == []
    assert closes(life, *some, seconds=20) == [MINUTE]
