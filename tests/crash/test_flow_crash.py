"""Flow processes are killed in mid-stream and started again, in other numbers: what is told in the end is the truth.

FLYBALL_CRASHES=N in the environment asks for more kills than the usual few.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KILLS = int(os.environ.get("FLYBALL_CRASHES", "12"))
WORKERS = (1, 2, 2, 3)
EACH_S = 2.0
"""Time for a kill over which messages are spread; what is left after the last kill follows at once."""
ENDS_S = 10.0
"""Who is left of a cluster ends within a second; not on a machine that does much else."""
SEED = int(os.environ.get("FLYBALL_CRASH_SEED", "0"))


class Feeder:
    """Appends messages one by one, in a thread, so that every kill meets a stream that flows."""

    def __init__(self, append: Callable[[list[tuple[str, bytes]]], None], messages: list[tuple[str, bytes]]) -> None:
        self._append, self._messages = append, messages
        self._pause = EACH_S * KILLS / len(messages)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.done = False

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop, also in the middle."""
        self._stop.set()
        self._thread.join()

    def finish(self) -> None:
        """Send the rest without pauses."""
        self._pause = 0.0
        self._thread.join()

    def _run(self) -> None:
        for message in self._messages:
            if self._stop.wait(self._pause):
                return
            self._append([message])
        self.done = True


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def deployment(request: pytest.FixtureRequest, tmp_path: Path, live: Any) -> Iterator[Any]:
    """Give a deployment on the embedded log, and one on Kafka."""
    broker = request.getfixturevalue("kafka").address if request.param == "kafka" else None
    with live.Deployment(tmp_path, broker) as deployment:
        yield deployment


@pytest.fixture
def nursery(forked: Any, tmp_path: Path) -> Iterator[Any]:
    """Give what forks commands: they start in a moment."""
    with forked.Nursery(tmp_path) as nursery:
        yield nursery


class Store:
    """Watches the engine's store, where there is one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database: sqlite3.Connection | None = None

    def writes(self) -> int:
        """Give a number that rises as somebody writes."""
        if self._database is None and (found := next(iter(self._folder.glob("*.sqlite3")), None)):
            self._database = sqlite3.connect(found, timeout=60)
        return self._database.execute("PRAGMA data_version").fetchone()[0] if self._database else 0

    def close(self) -> None:
        """Close it."""
        if self._database:
            self._database.close()


class Moment:
    """When to kill next: after so many records, or after so many looks at the store that found it written to."""

    def __init__(self, deployment: Any, store: Store, chance: random.Random) -> None:
        self._deployment, self._store = deployment, store
        self._began = deployment.watcher.read().records
        self._records = self._began + chance.choice((1, 20, 200, 1000))
        self._writes, self._seen = chance.choice((1, 2, 3, 6, 12)), store.writes()

    @property
    def has_told(self) -> bool:
        """Say whether the flow has told anything since."""
        return bool(self._deployment.watcher.read().records > self._began)

    def has_come(self, feeder: Feeder) -> bool:
        """Look."""
        if (writes := self._store.writes()) != self._seen:
            self._writes, self._seen = self._writes - 1, writes
        is_late = self._writes <= 0 or self._deployment.watcher.read().records >= self._records
        return bool(self._deployment.check_alive() and (feeder.done or is_late))


def end_badly(deployment: Any, live: Any, chance: random.Random, *, have_met: bool) -> None:
    """Kill all processes; or one, whereupon the others end if they `have_met`; or all, one of which had been frozen."""
    one, way = chance.choice(deployment.running), chance.choice(("all", "one", "frozen"))
    others = [each for each in deployment.running if each is not one]
    if way == "one":
        one.send(signal.SIGKILL)
    if way == "one" and have_met:
        live.until(
            partial(_have_ended, others), lambda: f"who is left does not end: {[each.said for each in others]}", ENDS_S
        )
        assert all("another process of this flow has ended" in each.said for each in others), others[0].said
    elif way == "frozen":
        one.send(signal.SIGSTOP)
        time.sleep(chance.uniform(0.0, 1.0))
        one.send(chance.choice((signal.SIGCONT, signal.SIGKILL)))
    deployment.kill()


def _have_ended(commands: list[Any]) -> bool:
    return all(each.process.poll() is not None for each in commands)


@pytest.mark.slow
def test_totals_are_exact_after_kills(nursery: Any, deployment: Any, live: Any, tmp_path: Path) -> None:
    """Killed again and again at random points, as one to three processes: runs and panes equal the oracle."""
    traffic = live.traffic(seed=11, duration_s=180.0, rate=5.0)
    oracle = live.expected([payload for _, payload in traffic.messages], tmp_path)
    live.check_truth(oracle, traffic.truth)
    chance = random.Random(SEED)  # noqa: S311 -- to be repeated
    store = Store(tmp_path / "data" / "recovery" / "engine")
    with Feeder(deployment.append, traffic.messages) as feeder:
        for number in range(KILLS):
            deployment.fork = nursery.fork if number else None
            moment = Moment(deployment, store, chance)
            deployment.start(chance.choice(WORKERS))
            live.until(partial(moment.has_come, feeder), "the flow tells nothing")
            end_badly(deployment, live, chance, have_met=moment.has_told)
        store.close()
        deployment.fork = None
        deployment.start(1)
        feeder.finish()
    deployment.append_each(traffic.marks())
    live.until(
        lambda: deployment.check_alive() and deployment.watcher.read().facts() == oracle.facts(),
        lambda: deployment.watcher.told.differences(oracle),
    )
    deployment.stop()
    told = deployment.watcher.read_all()
    assert told.facts() == oracle.facts(), told.differences(oracle)
    live.check_truth(told, traffic.truth)
    assert told.dead_letters == []
