"""Minutes that are closed together, as in a replay or a backlog, say what they say one by one."""

from __future__ import annotations

import numpy as np
import pytest

from models.drift.minute import UNKNOWN
from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from tests.helpers.drift_contrasts import together
from tests.helpers.drift_traffic import Minute, Traffic

SETTINGS = DriftSettings(least_span=120)
MINUTES, CHANGE = 240, 180


def looked(size: int) -> DriftTable:
    """Look at minutes of which cost rises, and tools change, in batches of this size."""
    table, traffic = DriftTable(SETTINGS), Traffic(3)
    some = [
        traffic.closed(at, Minute(cost=1.5, shares=(0.5, 0.3, 0.2), tasks=40) if at >= CHANGE else Minute(tasks=40))
        for at in range(MINUTES)
    ]
    for at in range(0, MINUTES, size):
        table.look(together(some[at : at + size]))
    return table


@pytest.mark.parametrize("size", [7, MINUTES])
def test_batches_of_minutes_say_the_same(size: int) -> None:
    """Thresholds of cost are those of the first values, and no more, whatever came with them."""
    one_by_one, at_once = looked(1), looked(size)
    np.testing.assert_array_equal(at_once.shard.thresholds.over, one_by_one.shard.thresholds.over)
    assert at_once.shard.thresholds.over.min() < UNKNOWN
    for name, bank in one_by_one.banks.items():
        other = at_once.banks[name]
        assert other.streams == bank.streams
        np.testing.assert_array_equal(other.m, bank.m)
        np.testing.assert_array_equal(other.alarm, bank.alarm)
    assert max(bank.alarm.max(initial=0) for bank in one_by_one.banks.values())
