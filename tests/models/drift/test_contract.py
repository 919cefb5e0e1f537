"""What every drift detector must hold: merging, batching, snapshots, restarts, its run length, and that it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.drift import ALL
from models.drift.bank import Bank, Stream
from models.drift.watches import WATCHES
from tests.helpers.drift_runs import YEAR, alarms_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.detector import Detector

BY_NAME = {detector.name: detector for detector in ALL}
RATE = 0.05


def made(detector: Detector, streams: int, looks: int, seed: int, rate: float = RATE) -> NDArray[np.int64]:
    """Make counts [column, stream, look] for a detector: `rate` is that of what it should find a change in."""
    chance = np.random.default_rng(seed)
    events = np.full((streams, looks), 100)
    columns = detector.columns
    if columns[-1] == "hour":
        hours = np.broadcast_to(np.arange(looks) // 60 % 168, (1, streams, looks))
        return np.concatenate([_over(chance, events, len(columns) - 2, rate), hours])
    if columns == ("failed_a", "events_a", "failed_b", "events_b"):
        return np.stack([chance.binomial(events, RATE), events, chance.binomial(events, rate), events])
    if detector.name in {"cohorts_by_task", "mixed_rate"}:
        return _by_task(detector.name, chance, events, rate)
    if columns[0].endswith("_a"):
        half = len(columns) // 2 - 1
        return np.concatenate([_over(chance, events, half, RATE), _over(chance, events, half, rate)])
    if columns[0].startswith("category"):
        shares = np.full(len(columns) - (columns[-1] == "all"), 0.0)
        shares[0], shares[1:] = rate, (1 - rate) / (len(shares) - 1)
        drawn = np.moveaxis(chance.multinomial(events, shares), 2, 0)
        return np.concatenate([drawn, events[None]]) if columns[-1] == "all" else drawn
    return _over(chance, events, len(columns) - 1, rate)


def _by_task(name: str, chance: np.random.Generator, events: NDArray[np.int64], rate: float) -> NDArray[np.int64]:
    if name == "cohorts_by_task":
        return np.concatenate([_over(chance, events, 1, each) for each in (RATE, rate, 3 * RATE, 3 * rate)])
    allowed = [np.full_like(events, round(100_000 * each)) for each in (0.0505, 0.0495, RATE)]
    return np.stack([chance.binomial(events, rate), *allowed, events])


def _over(chance: np.random.Generator, events: NDArray[np.int64], thresholds: int, rate: float) -> NDArray[np.int64]:
    """Make exceedances of falling thresholds: each keeps 80 % of those before it."""
    found = [chance.binomial(events, rate)]
    for _ in range(thresholds - 1):
        found.append(chance.binomial(found[-1], 0.8))
    return np.stack([*found, events])


@pytest.fixture(params=sorted(BY_NAME))
def detector(request: pytest.FixtureRequest) -> Detector:
    """Give each detector."""
    return BY_NAME[request.param]


def test_a_detector_has_one_name_of_its_own() -> None:
    """Names are told in records and key the registry."""
    assert len(BY_NAME) == len(ALL)


def test_counts_of_workers_add_up(detector: Detector) -> None:
    """Streams are told apart: all at once gives what each by itself gives, so any worker may hold any of them."""
    past, counts = made(detector, 6, 200, 1), made(detector, 6, 40, 2, rate=0.12)
    whole = detector.fit(past)
    parts = [detector.fit(past[:, [stream]]) for stream in range(6)]
    for look in range(counts.shape[2]):
        together = detector.look(whole, counts[:, :, look])
        alone = [detector.look(part, counts[:, [stream], look]) for stream, part in enumerate(parts)]
        assert np.allclose(together, np.concatenate(alone), rtol=1e-12)


def test_a_copy_of_the_state_goes_on_alike(detector: Detector) -> None:
    """Cut anywhere: a copy of the arrays gives bit for bit what the original would have given."""
    counts = made(detector, 5, 60, 3, rate=0.08)
    state = detector.fit(made(detector, 5, 200, 4))
    for look in range(30):
        detector.look(state, counts[:, :, look])
    copy = {name: array.copy() for name, array in state.items()}
    for look in range(30, 60):
        assert (detector.look(state, counts[:, :, look]) == detector.look(copy, counts[:, :, look])).all()


def test_looks_without_events_are_looks(detector: Detector) -> None:
    """M grows by one in a look without events, and by nothing else: the run length is in looks."""
    state = detector.fit(made(detector, 3, 200, 5))
    nothing = made(detector, 3, 1, 6)[:, :, 0]
    nothing[[name != "hour" for name in detector.columns]] = 0
    if detector.name == "split":
        assert [detector.look(state, nothing).max() for _ in range(3)] == [
            0.0,
            1.0,
            2.0,
        ]  # one start a look after the first
        return
    assert [detector.look(state, nothing).max() for _ in range(3)] == pytest.approx([1.0, 2.0, 3.0])


def test_a_restart_forgets_the_evidence(detector: Detector) -> None:
    """After a restart a stream is as one just opened; the others are not touched."""
    past, counts = made(detector, 2, 200, 7), made(detector, 2, 12, 8, rate=0.2)
    state, fresh = detector.fit(past), detector.fit(past)
    for look in range(10):
        detector.look(state, counts[:, :, look])
    detector.restart(state, np.array([True, False]))
    found, expected = (detector.look(each, counts[:, :, 10]) for each in (state, fresh))
    assert found[0] == pytest.approx(expected[0])
    assert found[1] > expected[1]


def test_the_run_length_is_kept_without_change(detector: Detector) -> None:
    """100 streams x 400 looks without change at c = 500 looks: alarms within the bound, 80, and four sigma."""
    past, counts = made(detector, 100, 700, 9), made(detector, 100, 400, 10)
    assert sum(map(len, alarms_of(detector, past, counts, 500.0))) <= 80 + 36


def test_a_change_is_found(detector: Detector) -> None:
    """A rate that doubles from 5 % at 100 events a look is found in every stream, by the median within 45 looks."""
    past, before, after = made(detector, 20, 400, 11), made(detector, 20, 30, 12), made(detector, 20, 300, 13, rate=0.1)
    alarms = alarms_of(detector, past, np.concatenate([before, after], axis=2))
    delays = [next((look - 30 for look in found if look > 30), None) for found in alarms]
    assert None not in delays
    assert np.median([delay or 0 for delay in delays]) <= 45


def test_a_bank_restored_goes_on_alike(detector: Detector) -> None:
    """A bank of its streams, packed and filled at any look, tells the same M, alarms and change times."""
    if detector.name not in {watch.detector.name for watch in WATCHES}:
        return  # no bank has streams of it
    counts, first = made(detector, 4, 50, 14, rate=0.2), 1000
    if detector.columns[-1] == "hour":
        counts, first = counts[:-1], 168 * 60  # a bank knows the hour by itself: that of the past
    bank, twin = Bank(detector, 1), Bank(detector, 1)
    streams = [Stream(each, -1, 1, 0) for each in range(4)]
    bank.admit(streams, detector.fit(made(detector, 4, 300, 15)))
    for look in range(counts.shape[2]):
        bank.take(counts[:, :, look], first + look)
        if look == 20:
            twin.fill({name: array.copy() for name, array in bank.arrays().items()})
        if look > 20:
            twin.take(counts[:, :, look], first + look)
    assert (bank.m == twin.m).all()
    assert (bank.alarm == twin.alarm).all()
    assert bank.alarm.all()
    assert [bank.since(each)[0] for each in range(4)] == [twin.since(each)[0] for each in range(4)]
    assert bank.threshold == YEAR
