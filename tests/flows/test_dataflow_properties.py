"""The dataflow in this process: whatever the order, batches, duplicates and cuts, one truth is told."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSource, run_main
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flows.items import RawBatch
from flows.metrics import Metrics
from flows.settings import FlowSettings
from flows.sink import CallSink
from flows.topology import build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bytewax.dataflow import Dataflow

    from flows.items import Outbound

PARTS = 3
bounded = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # an example takes a second: shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def traffic(live: Any) -> Any:
    """Give a minute of traffic: some 60 runs with evaluations, feedback, crashes."""
    return live.traffic(seed=3, duration_s=60.0, rate=1.0, batch=8, flush_s=5.0)


@pytest.fixture(scope="module")
def oracle(live: Any, traffic: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give what a plain replay tells, held against the truth of the simulation."""
    told = live.expected([payload for _, payload in traffic.messages], tmp_path_factory.mktemp("oracle"))
    live.check_truth(told, traffic.truth)
    return told


def batches(traffic: Any, messages: list[bytes], sizes: Iterator[int]) -> list[RawBatch]:
    """Deal messages out to partitions and cut each partition's into batches; batches take turns as they come."""
    offsets, out, place = [0] * PARTS, [], 0
    while place < len(messages):
        size = next(sizes)
        part = size % PARTS
        taken = messages[place : place + size]
        place += size
        numbers = np.arange(offsets[part], offsets[part] + len(taken))
        offsets[part] += len(taken)
        received = np.full(len(taken), traffic.end_ns)
        out.append(RawBatch(f"t/{part:05d}", "t", part, numbers, received, taken))
    return out


class Bench:
    """Runs the flow over items and collects what it tells, life after life."""

    def __init__(self, live: Any, folder: Path) -> None:
        self.told = live.Told()
        self._settings = FlowSettings(journal=folder / "journal")
        self._folder = folder / "engine"
        self._folder.mkdir()
        init_db_dir(self._folder, 2)

    def flow(self, source: Any) -> Dataflow:
        """Build it as it is deployed, but in event time; at the end of the input everything settles."""
        return build(source, CallSink(self._take), self._settings, Metrics(), clock=None, drain=True)

    def run(self, source: Any, epoch: timedelta = timedelta(0)) -> None:
        """Run to the end of the source, or to where it is cut."""
        run_main(self.flow(source), epoch_interval=epoch, recovery_config=RecoveryConfig(str(self._folder)))

    def _take(self, records: list[Outbound]) -> None:
        for record in records:
            self.told.add(orjson.loads(record.value))


def plain(live: Any, items: list[RawBatch], batch_size: int = 1) -> Any:
    """Run the flow once over items, without recovery; give what it told."""
    told = live.Told()

    def take(records: list[Outbound]) -> None:
        for record in records:
            told.add(orjson.loads(record.value))

    source = TestingSource(items, batch_size)
    run_main(build(source, CallSink(take), FlowSettings(), Metrics(), clock=None, drain=True))
    return told


def sizes_from(seed: int, largest: int) -> Iterator[int]:
    """Give sizes of batches."""
    chance = random.Random(seed)  # noqa: S311 -- to be repeated
    while True:
        yield chance.randint(1, largest)


@bounded
@given(seed=st.integers(0, 2**32), largest=st.integers(1, 60), at_once=st.integers(1, 5))
def test_batching_changes_nothing(live: Any, traffic: Any, oracle: Any, seed: int, largest: int, at_once: int) -> None:
    """However messages are dealt out to partitions, batches and activations, in order of export."""
    messages = [payload for _, payload in traffic.messages]
    told = plain(live, batches(traffic, messages, sizes_from(seed, largest)), at_once)
    assert told.facts() == oracle.facts(), told.differences(oracle)


@bounded
@given(seed=st.integers(0, 2**32), share=st.floats(0.0, 1.0))
def test_order_and_duplicates_change_nothing(live: Any, traffic: Any, oracle: Any, seed: int, share: float) -> None:
    """Messages in any order, some of them twice: late spans and outcomes correct what was told."""
    chance = random.Random(seed)  # noqa: S311 -- to be repeated
    messages = [payload for _, payload in traffic.messages]
    messages += [payload for payload in messages if chance.random() < share]
    chance.shuffle(messages)
    told = plain(live, batches(traffic, messages, sizes_from(seed, 20)))
    assert told.facts() == oracle.facts(), told.differences(oracle)


@bounded
@given(
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=4),
)
def test_cuts_change_nothing(
    live: Any,
    traffic: Any,
    oracle: Any,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    cuts: list[tuple[float, bool]],
) -> None:
    """Cut anywhere, by a crash (back to the last snapshot) or an end (a snapshot), and gone on: nothing is lost.

    The end of a part settles what was open; what comes in the next one corrects it.
    """
    items: list[Any] = batches(traffic, [payload for _, payload in traffic.messages], sizes_from(seed, 20))
    for place, crash in sorted(cuts, reverse=True):
        items.insert(int(place * len(items)), TestingSource.ABORT() if crash else TestingSource.EOF())
    bench = Bench(live, tmp_path_factory.mktemp("cut"))
    source = TestingSource(items)
    for _ in range(3 * len(cuts) + 1):  # a crash soon after an end goes back to before it, and meets it again
        bench.run(source)
    assert bench.told.facts() == oracle.facts(), bench.told.differences(oracle)
