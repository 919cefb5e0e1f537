"""Time of one look at 10,000 SLOs, and memory of one: eight judge shards as the service has them, a look each second.

Each SLO has the four rules of the SRE workbook and gets an event a second. `calm`: all keep their objective.
all burn, so every rule asks for evidence and every incident is open: the worst look there can be.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]

from report import Figure, arguments, tell

from models.digest import digest_of
from models.slos.events import BAD, ROWS, SHARDS, TIME_S, TOTAL, Events
from models.slos.keeping import KeptSloTable
from models.slos.spec import BurnRule, Indicator, Rolling, Slo

HOUR, DAY = 3600, 86_400
SLOS = 10_000
START = 1_790_000_000
RULES = (
    BurnRule("page-fast", Fraction(72, 5), HOUR, 300, page=True),
    BurnRule("page-slow", Fraction(6), 6 * HOUR, 1800, page=True),
    BurnRule("ticket-fast", Fraction(3), DAY, 2 * HOUR, page=False),
    BurnRule("ticket-slow", Fraction(1), 3 * DAY, 6 * HOUR, page=False),
)


def slos_of(shard: int) -> list[Slo]:
    """Give the SLOs of one shard."""
    return [
        Slo(f"slo-{number}", "bench", Indicator("task_success"), Fraction(99, 100), Rolling(30 * DAY), rules=RULES)
        for number in range(shard, SLOS, SHARDS)
    ]


def events_at(slos: list[Slo], second: int, bad: int) -> Events:
    """Give one event of every SLO."""
    counts = np.zeros((ROWS[0], len(slos)), np.int64)
    counts[0] = [digest_of(slo.name) for slo in slos]
    counts[TIME_S], counts[TOTAL], counts[BAD] = second, 1, bad
    slices, runs = (np.empty((rows, 0), np.int64) for rows in ROWS[1:])
    return Events(counts, slices, runs, {digest_of(slo.name): slo.name for slo in slos})


def looks(seconds: int, bad: int) -> tuple[list[float], int]:
    """Give the time in ms of each look at all shards, and the bytes of one SLO."""
    shards = [slos_of(shard) for shard in range(SHARDS)]
    tables = [KeptSloTable(slos) for slos in shards]
    news = [events_at(slos, START, bad) for slos in shards]
    took = []
    for second in range(START, START + seconds):
        for table, events in zip(tables, news, strict=True):
            events.counts[TIME_S] = second
            table.apply(Events(events.counts.copy(), events.slices, events.runs, {}))
        began = time.process_time()
        for table in tables:
            table.look(second)
        took.append(1000 * (time.process_time() - began))
        for table in tables:
            table.take_news()
    return took[2:], sum(table.memory_bytes for table in tables) // SLOS


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    seconds = 70 if args.quick else 400
    figures = []
    for name, bad in (("calm", 0), ("breached", 1)):
        took, size = looks(seconds, bad)
        note = f"{SLOS:,} SLOs, {name}, {len(took)} looks, CPU time"
        figures += [
            Figure(f"{name}_look_p50_ms", float(np.percentile(took, 50)), "ms", note, "<= 50"),
            Figure(f"{name}_look_p99_ms", float(np.percentile(took, 99)), "ms", note, "<= 50"),
        ]
    figures.append(
        Figure(
            "bytes_per_slo",
            size,
            "bytes",
            "ledger with its room; blame adds 31 kB, timeslices 20 kB at most",
            "<= 100,000",
        )
    )
    tell("slos", figures, as_json=args.json)


if __name__ == "__main__":
    main()
