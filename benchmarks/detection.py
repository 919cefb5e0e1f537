"""Detection of drift: false alarms without any change, delays with one, beside the usual detectors in the same run.

Run length c: one false alarm a stream and year. Delays are minutes from the change to the first alarm after it, medians
over the streams. Full mode simulates a thousand stream-years of each regime, and 100,000 streams for a week: about
thirteen minutes of one core, as many streams side by side as the cache holds, each minute drawn once for all detectors.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]

import usual_detectors as usual
from laws import failures_of
from report import Figure, arguments, tell
from scipy.stats import chi2

from models.drift import envelope, fleet, hour_of_week, known_rate
from models.drift.bounds import HOURLY_TOLERANCE
from models.drift.categories import Categories
from models.drift.cohorts import Cohorts
from models.drift.cohorts_by_task import CohortsByTask
from models.drift.day import HOURS as HOURS_OF_DAY
from models.drift.day import Day
from models.drift.exceedance import QUANTILES, Exceedance
from models.drift.frozen_rate import FrozenRate
from models.drift.hour_of_week import HourOfWeek
from models.drift.known_rate import KnownRate
from models.drift.past import Past
from models.drift.split import Split

if TYPE_CHECKING:
    from collections.abc import Callable

    from laws import Law
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.detector import Detector

YEAR, HOURS = 525_600, 8_760
EVENTS, Q = 100, 0.05
DAY = 1440
STREAMS = 4000
"""Streams side by side in a null."""


def failures(streams: int, minutes: int, rates: Any, seed: int, rho: float = 0.0) -> NDArray[np.int64]:
    """Draw failures of EVENTS a minute, [stream, minute]; rates [minute]; `rho`: correlation within a minute."""
    chance = np.random.default_rng(seed)
    rates = np.broadcast_to(rates, (streams, minutes))
    if rho:
        size = 1 / rho - 1
        rates = chance.beta(rates * size, (1 - rates) * size)
    return chance.binomial(EVENTS, rates)


def of(failed: NDArray[np.int64], events: int = EVENTS) -> NDArray[np.int64]:
    """Give [failed | events, stream, minute]."""
    return np.stack([failed, np.full_like(failed, events)])


def first_alarms(
    detector: Detector, counts: NDArray[np.int64], baseline: int, start: int, c: float = YEAR
) -> tuple[NDArray[np.int64], int]:
    """Give the minute of each stream's first alarm after `start` (0: none), and the alarms up to then."""
    state = detector.fit(counts[:, :, :baseline])
    found, early = np.zeros(counts.shape[1], np.int64), 0
    for minute in range(baseline, counts.shape[2]):
        over = detector.look(state, counts[:, :, minute]) >= c
        if over.any():
            detector.restart(state, over)
            early += int(over.sum()) if minute < start else 0
            found[over & (found == 0) & (minute >= start)] = minute + 1
    return found, early


def delay(name: str, found: NDArray[np.int64], start: int, target: str = "", unit: str = "min") -> Figure:
    """Give the median delay; a change that was missed counts as infinite."""
    delays = np.where(found > 0, found - start, np.inf)
    return Figure(name, float(np.median(delays)), unit, f"missed {np.mean(found == 0):.0%}", target)


def null_rates(
    detectors: dict[str, Detector], draw: Callable[[int], NDArray[np.int64]], minutes: int, baseline: int
) -> list[Figure]:
    """Count the false alarms of detectors that all look at the same minutes; `draw` gives [column, stream] of one."""
    past = np.stack([draw(minute) for minute in range(baseline)] or [np.empty_like(draw(0))], axis=2)
    states = {name: detector.fit(past) for name, detector in detectors.items()}
    streams, alarms = past.shape[1], dict.fromkeys(detectors, 0)
    del past
    for minute in range(baseline, baseline + minutes):
        counts = draw(minute)
        for name, detector in detectors.items():
            alarms[name] += look_null(detector, states[name], counts)
    return [null_rate(name, alarms[name], streams * minutes) for name in detectors]


NULL_C = YEAR / 10
"""Run length of the nulls: a tenth, to resolve more."""


def look_null(detector: Detector, state: State, counts: NDArray[np.int64]) -> int:
    """Take a look; streams that alarm begin anew. Gives how many did."""
    over = detector.look(state, counts) >= NULL_C
    if not over.any():
        return 0
    detector.restart(state, over)
    return int(over.sum())


def null_rate(name: str, alarms: int, looks: int) -> Figure:
    """Give the upper 95 % limit of the rate of false alarms, in those that the run length allows."""
    bound = looks / NULL_C
    limit = chi2.ppf(0.95, 2 * alarms + 2) / 2
    note = f"{alarms} alarms, {bound:,.0f} allowed at c = {NULL_C:,.0f}; {looks / YEAR:,.0f} stream-years"
    return Figure(f"false alarms, {name}", limit / bound, "a year", note, "<= 1")


def nulls(*, quick: bool) -> list[Figure]:
    """No change, in each regime: ten stream-years, or a thousand; of many streams: a look of few takes as long."""
    streams, minutes = (1000, 5000) if quick else (STREAMS, 1000 * YEAR // STREAMS)
    events = np.full(streams, EVENTS)

    def drawn_from(law: Law, seed: int) -> Callable[[int], NDArray[np.int64]]:
        chance = np.random.default_rng(seed)
        return lambda _: np.stack([law.draw(chance, streams), events])

    frozen = FrozenRate()
    independent: dict[str, Detector] = {
        "known rate, independent": KnownRate(Q),
        "frozen rate, independent": frozen,
        "frozen rate, bets of hours, independent": FrozenRate(tolerance=HOURLY_TOLERANCE, is_slow=True),
    }
    bursts: dict[str, Detector] = {
        "frozen rate, bursts rho = .02": frozen,
        "minute mean, bursts rho = .02": FrozenRate(is_robust=True),
    }
    figures = [
        *null_rates(independent, drawn_from(failures_of(EVENTS, Q), 1000), minutes, 1000),
        *null_rates(bursts, drawn_from(failures_of(EVENTS, Q, 0.02), 2000), minutes, 1000),
    ]
    cycles = [first_days_null(streams, minutes)] + ([] if quick else [cycle_null(streams, minutes)])
    return figures + cycles + usual_nulls()


def first_days_null(streams: int, minutes: int) -> Figure:
    """Baseline of one day under a daily cycle of 40 %, which goes on: between its lowest and highest hours."""
    chance, events = np.random.default_rng(3500), np.full(streams, EVENTS)
    rates = Q * (1 + 0.4 * np.sin(2 * np.pi * np.arange(DAY) / DAY))
    past, hits = Past.none(1, streams), np.zeros((1, HOURS_OF_DAY, streams), np.int64)
    for minute in range(DAY):
        failed = chance.binomial(EVENTS, rates[minute], streams)
        past, hits[0, minute // 60] = past.with_look(failed[None], events), hits[0, minute // 60] + failed
    hours = Day(hits, np.full((HOURS_OF_DAY, streams), 60 * EVENTS))
    detector, state, alarms = FrozenRate(), envelope.start(past, hours, hours.follows()), 0
    for minute in range(minutes):
        failed = chance.binomial(EVENTS, rates[minute % DAY], streams)
        alarms += look_null(detector, state, np.stack([failed, events]))
    return null_rate("frozen rate by the hours of one day, daily cycle", alarms, streams * minutes)


def cycle_null(streams: int, minutes: int) -> Figure:
    """Hour-of-week baseline of two weeks under a daily cycle of 20 %, which goes on as it was."""
    chance, events = np.random.default_rng(3000), np.full(streams, EVENTS)
    rates = Q * (1 + 0.2 * np.sin(2 * np.pi * np.arange(DAY) / DAY))
    detector, weeks = HourOfWeek(), 2 * 7 * DAY
    past = np.zeros((2, hour_of_week.HOURS, streams))
    for minute in range(weeks):  # as `fit` adds them up, without all of them at once
        past[0, minute // 60 % hour_of_week.HOURS] += chance.binomial(EVENTS, rates[minute % DAY], streams)
        past[1, minute // 60 % hour_of_week.HOURS] += events
    state, alarms = hour_of_week.start(past[:1], past[1]), 0
    for minute in range(weeks, weeks + minutes):
        failed, hour = chance.binomial(EVENTS, rates[minute % DAY], streams), minute // 60 % hour_of_week.HOURS
        alarms += look_null(detector, state, np.stack([failed, events, np.full(streams, hour)]))
    return null_rate("hour of week, daily cycle", alarms, streams * minutes)


def usual_nulls() -> list[Figure]:
    """Share of streams in which the usual detectors alarm within 1,000 minutes without change."""
    figures = []
    for regime, rho in (("independent", 0.0), ("bursts", 0.02)):
        failed = failures(10, 1200, Q, 4, rho)
        for name, found in (
            ("ADWIN", usual.adwin(failed, EVENTS, 200)),
            ("Page-Hinkley", usual.page_hinkley(failed, EVENTS, 200)),
            ("z > 3", usual.windowed_z(failed, EVENTS, 200)),
        ):
            share = float(np.mean(found > 0))
            figures.append(Figure(f"streams that alarm, {name}, {regime}", share, "share", "in 1,000 minutes"))
    return figures


def rates(scale: int) -> list[Figure]:
    """Sudden changes of a failure rate at minute 500; the ratio is to ln c / KL and one minute."""
    streams, figures = 100 * scale, []
    failed = failures(streams, 800, np.where(np.arange(800) < 500, Q, 0.1), 5)
    bound = math.log(YEAR) / kl(0.1, Q) / EVENTS + 1
    for name, detector, baseline, target in (
        ("known", KnownRate(Q), 0, "<= 1.0"),
        ("frozen", FrozenRate(tolerance=1.0), 300, "<= 1.5"),
        ("frozen, tolerance", FrozenRate(), 300, ""),
        ("unknown (split)", Split(), 0, "<= 2"),
    ):
        counts = np.stack([failed, EVENTS - failed]) if name.startswith("unknown") else of(failed)
        found, early = first_alarms(detector, counts, baseline, 500)
        told = delay(f".95 to .90, {name}", found, 500)
        figures += [told, Figure(f"ratio to the bound, {name}", told.value / bound, "x", f"{early} before", target)]
    for name, found in (
        ("ADWIN", usual.adwin(failed[:10], EVENTS, 500)),
        ("Page-Hinkley", usual.page_hinkley(failed[:10], EVENTS, 500)),
        ("z > 3", usual.windowed_z(failed, EVENTS, 500)),
    ):
        figures.append(delay(f".95 to .90, {name}", found, 500))
    small = failures(streams, 3500, np.where(np.arange(3500) < 2000, Q, 0.06), 6)
    figures.append(delay(".95 to .94, known", first_alarms(KnownRate(Q), of(small), 0, 2000)[0], 2000))
    figures.append(delay(".95 to .94, frozen on 200k", first_alarms(FrozenRate(), of(small), 1990, 2000)[0], 2000))
    hours, per_hour, flat = 14 * 24 + 40 * 24, 200, 14 * 24
    month = np.maximum(np.arange(hours) - flat, 0) / 720
    slow = np.random.default_rng(7).binomial(per_hour, np.broadcast_to(1 - 0.9 * 0.95**month, (streams, hours)))
    counts = of(slow, per_hour)
    found, _ = first_alarms(FrozenRate(tolerance=HOURLY_TOLERANCE, is_slow=True), counts, flat, flat, HOURS)
    days = np.where(found > 0, flat + (found - flat) / 24, 0)
    figures.append(delay("success falling 5 % a month, 200 tasks/h", days, flat, "<= 10", "days"))
    return figures


def asked(chance: np.random.Generator, events: int, hard: float, streams: int, minutes: int) -> NDArray[np.int64]:
    """Draw how many are easy and how many hard, [type, stream, minute]."""
    hard_ones = chance.binomial(events, hard, (streams, minutes))
    return np.stack([events - hard_ones, hard_ones])


def by_task(scale: int) -> list[Figure]:
    """A cohort of 50 beside 500 that is asked for hard things, of which 20 % fail and not 3 %: within types."""
    streams, minutes, change, chance = 30 * scale, 500, 300, np.random.default_rng(11)
    rates = np.array([0.03, 0.2])[:, None, None] * np.exp(0.3 * chance.normal(size=(streams, minutes)) - 0.045)
    twice = 2 * rates / (1 + rates)
    rest, mine = asked(chance, 500, 0.2, streams, minutes), asked(chance, 50, 0.8, streams, minutes)
    failed = chance.binomial(rest, rates)
    same = chance.binomial(mine, rates)
    later = np.where(np.arange(minutes) < change, same, chance.binomial(mine, twice))
    figures = []
    for name, of_mine in (("no type differs", same), ("odds ratio 2 in each", later)):
        tables = np.stack([failed, rest, of_mine, mine], axis=1)
        within, _ = first_alarms(
            CohortsByTask(), tables.reshape(8, streams, minutes), 0, 0 if of_mine is same else change
        )
        over, _ = first_alarms(Cohorts(), tables.sum(axis=0), 0, 0)
        if of_mine is same:
            shares = [float((found > 0).mean()) for found in (within, over)]
            figures += [
                Figure(
                    f"cohorts that alarm, asked for harder things, {name}, {how}", share, "share", "500 minutes", target
                )
                for how, share, target in (("within types", shares[0], "<= 0.01"), ("over all", shares[1], ""))
            ]
        else:
            figures.append(delay(f"the same, {name}, within types", within, change, "<= 20"))
    return figures


def shapes(scale: int) -> list[Figure]:
    """Cohorts, mixes, cost."""
    streams, minutes, change, chance = 30 * scale, 500, 300, np.random.default_rng(8)
    shock = np.exp(0.3 * chance.normal(size=(streams, minutes)) - 0.045)
    day = 1 + 0.3 * np.sin(2 * np.pi * np.arange(minutes) / DAY)
    a = np.clip(Q * day * shock, 0, 0.5)
    odds = a / (1 - a) * np.where(np.arange(minutes) < change, 1, 2)
    failed = chance.binomial(500, a), chance.binomial(50, odds / (1 + odds))
    counts = np.stack([failed[0], np.full_like(failed[0], 500), failed[1], np.full_like(failed[1], 50)])
    found, early = first_alarms(Cohorts(), counts, 0, change)
    figures = [delay("cohort of 50 against 500, shocks and cycle, odds ratio 2", found, change, "<= 20")]
    figures.append(Figure("its alarms before", early, "alarms", f"in {streams * change:,} minutes"))
    shares = np.array([0.35, 0.20, 0.15, 0.10, 0.08, 0.06, 0.04, 0.02])
    after = shares + np.array([-0.05, 0, 0, 0, 0, 0, 0.05, 0])
    mix = np.concatenate(
        [chance.multinomial(100, shares, (streams, change)), chance.multinomial(100, after, (streams, 200))], axis=1
    )
    counts = np.concatenate([np.moveaxis(mix, 2, 0), np.full((1, streams, minutes), 100)])
    found, _ = first_alarms(Categories(categories=8), counts, 250, change)
    figures.append(delay("5 points to a tool of 4 %", found, change, "<= 15"))
    figures.append(delay("the same, PSI > 0.2", usual.psi(mix, change), change))
    figures.append(delay("the same, chi-square p < 1e-4", usual.chi_square(mix, change), change))
    cost = chance.normal(0, 1.5, (streams, minutes, EVENTS))
    cost[:, change:] += math.log(1.5)
    limits = np.quantile(cost[:, :50].reshape(streams, -1), QUANTILES, axis=1)
    over = (cost[None] > limits[:, :, None, None]).sum(axis=-1)
    counts = np.concatenate([over, np.full((1, streams, minutes), EVENTS)])[:, :, 50:]
    found, _ = first_alarms(Exceedance(), counts, 220, change - 50)
    figures.append(delay("cost x 1.5", found, change - 50, "<= 15"))
    return figures


def fleets(*, quick: bool) -> list[Figure]:
    """e-d-BH over many streams, of which some break; and, in full mode, 100,000 that do not."""
    streams, broken, change, events = 2000, 100, 500, 20
    chance, state = np.random.default_rng(9), known_rate.start(np.full(2000, Q))
    detector, told = KnownRate(Q), np.zeros(streams, np.int64)
    for minute in range(change + 150):
        q = np.where((np.arange(streams) < broken) & (minute >= change), 0.1, Q)
        m = detector.look(state, np.stack([chance.binomial(events, q), np.full(streams, events)]))
        told[(told == 0) & fleet.told(m / YEAR, streams)] = minute + 1
    false = int((told[broken:] > 0).sum() + ((told[:broken] > 0) & (told[:broken] <= change)).sum())
    figures = [
        Figure("false pages, 2,000 streams", false, "pages", f"{change + 150} minutes", "<= 0.1"),
        delay("100 broken of 2,000, by e-d-BH", told[:broken], change),
    ]
    if not quick:
        many, pages = 100_000, 0
        state, all_events = known_rate.start(np.full(many, Q)), np.full(many, events)
        for _ in range(7 * DAY):
            m = detector.look(state, np.stack([chance.binomial(events, Q, many), all_events])) / YEAR
            pages += int(fleet.told(m[m >= 1 / fleet.ALPHA], many).sum())  # the others are never told
        figures.append(Figure("false pages a week, 100,000 streams", pages, "pages", "one week simulated", "<= 1"))
    return figures


def speed() -> list[Figure]:
    """A million binary streams."""
    many = 1_000_000
    state, detector = known_rate.start(np.full(many, Q)), KnownRate(Q)
    counts = np.stack([np.random.default_rng(1).binomial(20, Q, many), np.full(many, 20)])
    times = []
    for _ in range(6):
        began = time.process_time()
        detector.look(state, counts)
        times.append(time.process_time() - began)
    size = (sum(array.nbytes for array in state.values()) + counts.nbytes) / many
    return [
        Figure("a look of 1,000,000 streams", min(times) * 1e3, "ms", f"median {sorted(times)[3] * 1e3:.0f}", "<= 150"),
        Figure("state and counts", size, "B/stream", "one-sided", "<= 100"),
    ]


def kl(p: float, q: float) -> float:
    """Give the divergence of two rates, nats."""
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    scale = 1 if args.quick else 8
    tell(
        "detection",
        nulls(quick=args.quick) + rates(scale) + shapes(1) + by_task(1) + fleets(quick=args.quick) + speed(),
        as_json=args.json,
    )


if __name__ == "__main__":
    main()
