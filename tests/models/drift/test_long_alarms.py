"""An alarm that lasts longer than looks are kept says since when as it did when it came, and ends; restarts or not."""

from __future__ import annotations

import numpy as np
import pytest

from models.drift.bank import Bank, Stream
from models.drift.frozen_rate import FrozenRate
from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from tests.helpers.drift_traffic import START, Minute, Traffic

SETTINGS = DriftSettings(least_span=240)
CHANGE, LONG = 300, 360
KEY = "own_rate\x1ftask_success\x1fworkflow\x1fsupport"


@pytest.mark.parametrize("restarts", [False, True])
def test_the_time_of_a_change_stays(restarts: bool) -> None:  # noqa: FBT001
    """Six hours of twice the failures: each description says when it began, and what the last two hours were like."""
    table, traffic, told = DriftTable(SETTINGS), Traffic(2), []
    for at in range(CHANGE + LONG):
        failing = Minute(bad=0.1, bad_free=0.1) if at >= CHANGE else Minute()
        looked = table.look(traffic.closed(at, failing))
        told += [found for found in looked.found if found.key == KEY and found.alarm]
        if restarts and at % 60 == 0:
            table = DriftTable.load(SETTINGS, table.dump(), [])
    assert len(told) > LONG // 20
    assert {found.since for found in told} == {told[0].since}
    assert abs(told[0].since - START - CHANGE) <= 10
    assert all(found.since < found.alarm for found in told)
    assert 0.08 < told[-1].numbers["rate"] < 0.12
    assert told[-1].numbers["events"] == 120 * 100


@pytest.mark.parametrize("restarts", [False, True])
def test_few_events_end_an_alarm_as_many_do(restarts: bool) -> None:  # noqa: FBT001
    """Of twenty events an hour: the alarm lasts as long as half of them fail, and a day at most when they are well."""
    detector, start = FrozenRate(), 100 * 1440
    counts = np.stack([np.full((1, 1000), 5), np.full((1, 1000), 100)])
    bank = Bank(detector, 1)
    bank.admit([Stream(0, -1, 0, 0)], detector.fit(counts))
    lasted = []
    for at in range(4 * 1440):
        event = at % 3 == 0
        failed = event and (at % 2 == 0 if at < 2 * 1440 else at % 60 == 0)
        bank.take(np.array([[failed], [event]], np.int64), start + at)
        lasted.append(bool(bank.alarm[0]))
        if restarts and at % 100 == 0:
            again = Bank(detector, 1)
            again.fill(bank.arrays())
            bank = again
    first = lasted.index(True)
    assert first < 1440
    assert all(lasted[first : 2 * 1440])
    assert not any(lasted[3 * 1440 :])
