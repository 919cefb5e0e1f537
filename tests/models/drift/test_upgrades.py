"""Which value is the null of a new one: the one that it replaces, not one that was replaced long ago."""

from __future__ import annotations

import numpy as np

from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.slis.closing import Closed
from models.slis.readings import Label

START = 29_000_160
DAY = 1440
W = {"workflow": "desk"}
LABELS = [
    Label("task_success", W | group, histogram=False, whole=False) for group in ({}, *({"version": v} for v in "123"))
]
BAD = {"1": 0.2, "2": 0.05, "3": 0.15}


def told(lives: dict[str, tuple[int, int]], share: dict[str, float] | None = None) -> dict[str, str]:
    """Run versions, 100 tasks each five minutes, from and until a minute; gives alarms of changes, to -> from."""
    chance, table, found = np.random.default_rng(1), DriftTable(DriftSettings()), {}
    for at in range(0, max(until for _, until in lives.values()), 5):
        total, good = np.zeros((2, len(LABELS)), np.int64)
        for version, (since, until) in lives.items():
            if since <= at < until:
                tasks = round(100 * (share or {}).get(version, 1.0))
                total[int(version)], good[int(version)] = tasks, chance.binomial(tasks, 1 - BAD[version])
        total[0], good[0] = total[1:].sum(), good[1:].sum()
        series = np.flatnonzero(total)
        look = np.full(len(series), START + at)
        first, labels = (0, LABELS) if at == 0 else (len(LABELS), [])
        none = np.empty((0, 3), np.int64)
        looked = table.look(Closed(START + at + 1, first, labels, look, series, total[series], good[series], none))
        found |= {each.to: each.from_ for each in looked.found if each.alarm and each.key.startswith("change_rate")}
    return found


def test_the_null_of_a_new_version_is_the_one_it_replaces() -> None:
    """The first failed in 20 % for three days, the second in 5 % for two: the third hurts with 15 %, against that."""
    assert told({"1": (0, 3 * DAY), "2": (3 * DAY, 5 * DAY), "3": (5 * DAY, 5 * DAY + 240)})["3"] == "2"


def test_after_a_gap_it_is_the_one_that_ran_last() -> None:
    """The workflow rests for a week before the third."""
    assert told({"1": (0, 2 * DAY), "2": (2 * DAY, 4 * DAY), "3": (10 * DAY, 10 * DAY + 240)})["3"] == "2"


def test_of_two_that_run_side_by_side_it_is_the_larger() -> None:
    """A canary of a twentieth beside the second is not what the third is held against."""
    lives = {"2": (0, 2 * DAY), "1": (DAY, 2 * DAY), "3": (2 * DAY, 2 * DAY + 240)}
    assert told(lives, {"1": 0.05})["3"] == "2"
