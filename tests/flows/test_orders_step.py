"""Accepted drift on its way through the flow: to the shard of its workflow alone, kept through a cut, told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.decode import SERIES_SHARDS
from flows.drift import DriftLogic
from flows.items import ShardAccepted, ShardKills, ShardOrders
from flows.orders import ORDERS, InForceLogic
from flows.shard_state import ShardStates
from models.digest import digest_of
from models.drift.settings import Accepted, DriftSettings
from models.drift.table import DriftTable
from models.orders.book import OrderBook
from models.orders.order import Acceptance, Kill, Lift, Order, Place
from models.slis.groups import series_shard

if TYPE_CHECKING:
    from pathlib import Path

SAID = Acceptance("air", None, 90 * 10**9, "ann")
KEY = SERIES_SHARDS[series_shard(digest_of("air"))]


def opened(folder: Path, snapshot: bytes | None = None) -> InForceLogic:
    """Open the step, at its start or at a snapshot."""
    states = ShardStates(lambda base, deltas, _: OrderBook.load(base, deltas), folder, 0, (), None)
    return InForceLogic(states, snapshot)


def test_it_goes_to_its_shard_once(tmp_path: Path) -> None:
    """Run shards hear of kills only; told again, also after a restart, nothing is passed on."""
    step = opened(tmp_path)
    orders = [Order("s", 0, 0, SAID), Order("s", 1, 0, Kill(Place("user", "u1", None), 0, "operator", "ann"))]
    (first,) = step.on_batch([ShardOrders(ORDERS, orders[:1])])[0]
    assert first == (KEY, ShardAccepted(KEY, [Accepted("air", 2, None)]))
    assert all(isinstance(item, ShardKills) for _, item in step.on_batch([ShardOrders(ORDERS, orders)])[0])
    assert list(step.on_batch([ShardOrders(ORDERS, orders)])[0]) == []
    again = opened(tmp_path, step.snapshot())
    told = [item for _, item in again.on_notify()[0]]
    assert [len(item.kills.kills) for item in told if isinstance(item, ShardKills)] == [1] * 16
    assert len(told) == 16
    assert list(again.on_batch([ShardOrders(ORDERS, orders)])[0]) == []


def test_a_resumed_run_is_passed_on_once(tmp_path: Path) -> None:
    """To every run shard, with the kills that are left; scopes that are no runs are in these alone."""
    step, run = opened(tmp_path), "ab" * 16
    orders = [
        Order("s", n, 0, Lift(Place(level, name, None)))
        for n, (level, name) in enumerate([("run", run), ("user", "u")])
    ]
    told = [item for _, item in step.on_batch([ShardOrders(ORDERS, orders)])[0]]
    assert [item.resumed for item in told if isinstance(item, ShardKills)] == [(run,)] * 16
    assert list(step.on_batch([ShardOrders(ORDERS, orders)])[0]) == []


def test_a_life_that_begins_is_told_which_runs_were_resumed(tmp_path: Path) -> None:
    """Of late, with when: from the journal, also where no kill is in force."""
    step, runs = opened(tmp_path), [f"{number:032x}" for number in range(3)]
    days = [0, 3, 4]
    orders = [
        Order("s", n, day * 86_400 * 10**9, Lift(Place("run", run, None)))
        for n, (run, day) in enumerate(zip(runs, days, strict=True))
    ]
    step.on_batch([ShardOrders(ORDERS, orders[:2])])
    first = step.snapshot()
    step.on_batch([ShardOrders(ORDERS, orders[2:])])
    expected = {runs[1]: 3 * 86_400 * 10**9, runs[2]: 4 * 86_400 * 10**9}
    again = opened(tmp_path, step.snapshot())
    assert [item.lifted for _, item in again.on_notify()[0] if isinstance(item, ShardKills)] == [expected] * 16
    assert first != again.snapshot()
    third = opened(tmp_path, again.snapshot())
    told = [item for _, item in third.on_notify()[0] if isinstance(item, ShardKills)]
    assert [(item.lifted, item.resumed) for item in told] == [(expected, ())] * 16


def test_the_shard_keeps_it(tmp_path: Path) -> None:
    """Through the journal, until its minute is looked at."""

    def load(base: bytes | None, deltas: list[bytes], _: int) -> DriftTable:
        return DriftTable.load(DriftSettings(), base, deltas)

    states = ShardStates(load, tmp_path, 0, (), None)
    step = DriftLogic(states, None)
    assert step.on_batch([ShardAccepted(KEY, [Accepted("air", 2, None)])]) == ([], False)
    kept = states.resume(step.snapshot()).table
    expected = DriftTable(DriftSettings())
    expected.accept([Accepted("air", 2, None)])
    assert kept.dump() == expected.dump() != DriftTable(DriftSettings()).dump()
