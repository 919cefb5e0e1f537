"""Flow processes are killed in mid-stream and started again, in other numbers: what is told in the end is the truth.

FLYBALL_CRASHES=N in the environment asks for more kills than the usual few.
"""

from __future__ import annotations

import os
import random
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KILLS = int(os.environ.get("FLYBALL_CRASHES", "6"))
WORKERS = (1, 2, 1)
STREAM_S = 25.0
"""Time over which the messages are spread; what is left after the last kill follows at once."""
SEED = int(os.environ.get("FLYBALL_CRASH_SEED", "0"))


class Feeder:
    """Appends messages one by one, in a thread, so that every kill meets a stream that flows."""

    def __init__(self, append: Callable[[list[tuple[str, bytes]]], None], messages: list[tuple[str, bytes]]) -> None:
        self._append, self._messages = append, messages
        self._pause = STREAM_S / len(messages)
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


@pytest.mark.slow
def test_totals_are_exact_after_kills(deployment: Any, live: Any, tmp_path: Path) -> None:
    """Killed again and again at random points, with 1, 2, 1 workers in turn: runs and panes equal the oracle."""
    traffic = live.traffic(seed=11, duration_s=180.0, rate=5.0)
    oracle = live.expected([payload for _, payload in traffic.messages], tmp_path)
    live.check_truth(oracle, traffic.truth)
    chance = random.Random(SEED)  # noqa: S311 -- to be repeated
    with Feeder(deployment.append, traffic.messages) as feeder:
        for number in range(KILLS):
            enough = deployment.watcher.read().records + chance.choice((1, 20, 200, 1000))
            deployment.start(WORKERS[number % len(WORKERS)])
            live.until(partial(_told, deployment, feeder, enough), "the flow tells nothing")
            deployment.kill()
        deployment.start(WORKERS[KILLS % len(WORKERS)])
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


def _told(deployment: Any, feeder: Feeder, enough: int) -> bool:
    return bool(deployment.check_alive() and (feeder.done or deployment.watcher.read().records >= enough))
