"""A cohort that comes later than its workflow: what is usual of it is learnt from a day of its own."""

from __future__ import annotations

import numpy as np
import pytest

from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.slis.closing import Closed
from models.slis.readings import Label

START = 29_000_160
SETTINGS = DriftSettings(least_span=480)
LABELS = [
    Label("task_success", {"workflow": "desk"} | group, histogram=False, whole=False)
    for group in ({}, {"tenant": "acme"})
]


@pytest.mark.parametrize("since", [0, 600])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_its_odds_double_and_it_is_told(since: int, seed: int) -> None:
    """60 tasks a minute beside 200, from minute `since` on, and ten hours later twice as many fail: within the hour.

    Its first 20 failures are those of seven minutes: what they leave open is four times the odds, and no double.
    """
    chance, table, change, told = np.random.default_rng(seed), DriftTable(SETTINGS), since + 600, []
    for at in range(change + 60):
        tasks = np.array([200, 60 * (at >= since)])
        bad = chance.binomial(tasks, [0.05, 0.05 if at < change else 0.1])
        total, good = np.array([tasks.sum(), tasks[1]]), np.array([(tasks - bad).sum(), tasks[1] - bad[1]])
        if at == since + 300:
            table = DriftTable.load(SETTINGS, table.dump(), [])
        series = np.flatnonzero(total)
        first, labels, look = (0, LABELS, START + at) if at == 0 else (len(LABELS), [], START + at)
        closed = Closed(look + 1, first, labels, np.full(len(series), look), series, total[series], good[series], NONE)
        told += [at for each in table.look(closed).found if each.alarm and each.key.startswith("live_rate")]
    assert told
    assert min(told) >= change


NONE = np.empty((0, 3), np.int64)
