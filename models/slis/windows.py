"""Windows: what the last 5 minutes, hour, day and 30 days said, read from the panes when it is asked for."""
# compiled kernels take arrays one by one

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import allocating
from models.slis.blocks import find
from models.slis.minutes import HISTOGRAM, WIDTH
from models.slis.scratch import GOOD, TOTAL, clear, fresh, pour, quantiles
from models.slis.settings import DAY_MINUTES

WINDOWS = ("5m", "1h", "1d", "30d")
SECONDS = (300, 3600, 86_400, 30 * 86_400)
MINUTES = (5, 60, 1440)
"""Windows that are read from minute panes."""
DAYS = 30


@allocating
def read_windows(fine: Any, coarse: Any, last_day: Any, kinds: Any, now: Any) -> Any:
    """Read n series at the minute `now`: counts int64 [n, 4, 2] of total, good; places int64 [n, 4, 3] of quantiles.

    `fine` is (minutes, their pool), `coarse` (days, their pool), `last_day` (heads, their pool), ending at `now`.
    """
    n = kinds.size
    counts, places = np.zeros((n, 4, 2), np.int64), np.full((n, 4, 3), -1, np.int64)
    flat, seen = fresh()
    for s in range(n):
        if kinds[s] == HISTOGRAM:
            _recent(fine, s, now, flat, seen, counts[s], places[s])
            clear(flat, seen)
            pour(flat, seen, last_day[1], last_day[0][s])
            _read(flat, seen, counts[s, 2], places[s, 2])
            _month(coarse, s, now, flat, seen)
            _read(flat, seen, counts[s, 3], places[s, 3])
        else:
            _ratio(fine[0], coarse[0], s, now, counts[s])
    return counts, places


@allocating
def _ratio(minutes: Any, days: Any, s: Any, now: Any, counts: Any) -> None:
    total = good = np.int64(0)
    until = now + 1
    for w in range(len(MINUTES)):
        since = now + 1 - MINUTES[w]
        for hour in range(since // WIDTH, (until - 1) // WIDTH + 1):
            block, _ = find(minutes.blocks, s, hour)
            if block >= 0:
                for at in range(max(since - hour * WIDTH, 0), min(until - hour * WIDTH, WIDTH)):
                    total += minutes.total[block, at]
                    good += minutes.side[block, at]
        counts[w, 0], counts[w, 1] = total, good
        until = since
    now_hour = now // 60
    since = now_hour + 1 - DAYS * 24
    for day in range(since // 24, now_hour // 24 + 1):
        block, _ = find(days.blocks, s, day)
        if block >= 0:
            for at in range(max(since - day * 24, 0), min(now_hour + 1 - day * 24, 24)):
                counts[3, 0] += days.total[block, at]
                counts[3, 1] += days.good[block, at]


@allocating
def _recent(fine: Any, s: Any, now: Any, flat: Any, seen: Any, counts: Any, places: Any) -> None:
    """Read the windows of 5 minutes and an hour of a histogram."""
    minutes, nodes = fine
    clear(flat, seen)
    until = now + 1
    for w in range(2):
        since = now + 1 - MINUTES[w]
        for hour in range(since // WIDTH, (until - 1) // WIDTH + 1):
            block, _ = find(minutes.blocks, s, hour)
            if block >= 0:
                for at in range(max(since - hour * WIDTH, 0), min(until - hour * WIDTH, WIDTH)):
                    pour(flat, seen, nodes, minutes.side[block, at])
        _read(flat, seen, counts[w], places[w])
        until = since


@allocating
def _month(coarse: Any, s: Any, now: Any, flat: Any, seen: Any) -> None:
    """Lay the last 30 days of a histogram out."""
    days, chunks = coarse
    clear(flat, seen)
    today = now // DAY_MINUTES
    for day in range(today + 1 - DAYS, today + 1):
        block, _ = find(days.blocks, s, day)
        if block >= 0:
            pour(flat, seen, chunks, days.head[block])


@allocating
def _read(flat: Any, seen: Any, counts: Any, places: Any) -> None:
    counts[0], counts[1] = seen[TOTAL], seen[GOOD]
    quantiles(flat, seen, places)
