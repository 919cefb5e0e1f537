"""Blame: slices and bad runs against a brute force; bounded, and the same after a restart."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from models.slos.blame import MAX_RUNS, MAX_SLICES, BadRun, Blame, Slice
from models.slos.dimensions import DIMENSIONS, EVERYTHING

HOUR, DAY = 3600, 86_400
START = 20_000 * DAY

Part = tuple[int, int, int, int, int]
"""Dimension, name, second, total, bad."""

part = st.tuples(
    st.sampled_from([EVERYTHING, 0, 4]),
    st.integers(1, 4),
    st.integers(0, 120 * DAY) | st.integers(0, 2 * DAY),
    st.integers(-1, 5),
    st.integers(-1, 3),
).map(lambda p: (p[0], 0 if p[0] == EVERYTHING else p[1], START + p[2] // 600 * 600, *p[3:]))


def fed(rows: list[Part]) -> Blame:
    """Add slices, each first seen 7 seconds after its pane began."""
    blame = Blame()
    for dimension, name, second, total, bad in rows:
        blame.add_slice([0, 0, 0, second, dimension, name, total, bad, second + 7])
    return blame


def expected(rows: list[Part], now: int, seconds: int) -> list[Slice]:
    """Add up whole ten minutes, hours or days: that of `now`, and as many before it as `seconds` touch."""
    unit, most = (600, 36) if seconds <= 6 * HOUR else (HOUR, 24) if seconds <= DAY else (DAY, 92)
    units = min(most, -(-seconds // unit) + 1)
    sums: Counter[tuple[int, int, int]] = Counter()
    first: dict[tuple[int, int], int] = {}
    for dimension, name, second, total, bad in rows:
        first[dimension, name] = min(first.get((dimension, name), second + 7), second + 7)
        if now // unit - units < second // unit <= now // unit:
            sums[dimension, name, 0] += total
            sums[dimension, name, 1] += bad
    found = [Slice(*key, sums[*key, 0], sums[*key, 1], at) for key, at in first.items()]
    return sorted(found, key=lambda s: (s.dimension != EVERYTHING, -s.bad, s.dimension, s.name))


@settings(max_examples=80, deadline=None)
@given(st.lists(part, max_size=40), st.sampled_from([300, HOUR, 6 * HOUR, 7 * HOUR, DAY, 3 * DAY, 30 * DAY, 90 * DAY]))
def test_slices_equal_the_oracle(rows: list[Part], seconds: int) -> None:
    """Any order of events, also months apart: ten minutes up to six hours, whole hours up to a day, days beyond."""
    now = max((second for _, _, second, *_ in rows), default=START)
    assert fed(rows).slices(now, seconds) == expected(rows, now, seconds)


def test_what_is_over_does_not_dilute_the_cause() -> None:
    """An upgrade 75 minutes ago is all of the last hour, just after the full hour as well as at half past."""
    for now in (START + 10 * HOUR + 300, START + 10 * HOUR + 1800):
        upgrade = now - 75 * 60
        rows: list[Part] = [(0, 1, at, 10, 1) for at in range(now - 6 * HOUR, upgrade, 600)]
        rows += [(0, 2, at, 10, 5) for at in range(upgrade, now, 600)]
        hour = {
            s.name: (s.bad, s.total)
            for s in fed([(d, n, at // 600 * 600, t, b) for d, n, at, t, b in rows]).slices(now, HOUR)
        }
        assert hour[1] == (0, 0)
        assert hour[2][0] * 2 == hour[2][1] >= 60


def test_events_that_are_yet_to_come_do_not_count() -> None:
    """A slice of the hour after `now` is left out."""
    blame = fed([(EVERYTHING, 0, START, 1, 1), (EVERYTHING, 0, START + HOUR, 5, 5)])
    assert [s.total for s in blame.slices(START + 600, HOUR)] == [1]


@settings(max_examples=40, deadline=None)
@given(st.lists(part, max_size=30), st.lists(part, max_size=10), st.integers(0, 10))
def test_state_round_trip(rows: list[Part], more: list[Part], runs: int) -> None:
    """Through its plain state it is the same, and goes on the same."""
    blame = fed(rows)
    for run in range(runs):
        blame.add_run([0, 0, 0, START, START * 10**9 + run, 5, run, 1, *range(len(DIMENSIONS))])
    after = Blame.of(orjson.loads(orjson.dumps(blame.state())))
    for each in (blame, after):
        for dimension, name, second, total, bad in more:
            each.add_slice([0, 0, 0, second, dimension, name, total, bad, second])
    now = max((second for _, _, second, *_ in rows + more), default=START)
    for seconds in (HOUR, 30 * DAY):
        assert blame.slices(now, seconds) == after.slices(now, seconds)
    assert blame.runs() == after.runs()
    assert blame.state() == after.state()


def test_the_slices_of_an_instance_are_bounded() -> None:
    """Of a thousand versions those with most bad events stay, the whole always, in 31 kB."""
    rows: list[Part] = []
    for version in range(1, 1001):
        bad = 50 if version in (77, 500) else version % 3
        rows += [(EVERYTHING, 0, START, 60, bad), (0, version, START, 60, bad)]
    blame = fed(rows)
    slices = blame.slices(START, DAY)
    assert len(slices) == MAX_SLICES + 1
    assert slices[0] == Slice(EVERYTHING, 0, 60_000, sum(row[4] for row in rows[::2]), START + 7)
    assert {s.name for s in slices[1:3]} == {77, 500}
    assert blame._counts.nbytes <= 31_000


def test_many_tenants_do_not_drive_out_a_version() -> None:
    """That all was well with it for hours is no reason to forget since when it is there."""
    version, tenant = DIMENSIONS.index("version"), DIMENSIONS.index("tenant")
    rows: list[Part] = [(version, 2, START, 1, 0)]
    for minute in range(600):
        at = START + minute * 60
        rows += [(version, 1, at, 1, 1), (tenant, 100 + minute % 60, at, 1, int(minute % 7 == 0))]
    rows += [(version, 2, START + 36_000, 5, 5)]
    blame = fed([(d, n, at // 600 * 600, total, bad) for d, n, at, total, bad in rows])
    (found,) = [s for s in blame.slices(START + 36_000, 30 * DAY) if (s.dimension, s.name) == (version, 2)]
    assert found == Slice(version, 2, 6, 5, START + 7)


def test_a_freed_place_is_empty() -> None:
    """Who takes the place of another slice starts from nothing."""
    blame = fed([(0, version, START, 9, 2) for version in range(1, MAX_SLICES + 2)])
    blame.add_slice([0, 0, 0, START, 0, 99, 1, 1, START])
    (late,) = [s for s in blame.slices(START, DAY) if s.name == 99]
    assert late == Slice(0, 99, 1, 1, START)


def run_row(run: int, sign: int = 1, ended: int = 0) -> list[Any]:
    """Give a row of `Events.runs`."""
    return [0, 0, 0, ended, ended, 1, run, sign, *([run] * len(DIMENSIONS))]


def test_the_latest_bad_runs_are_kept() -> None:
    """Of any number in any order the latest stay, latest first."""
    blame = Blame()
    for run in (*range(20, 40), *range(20)):
        blame.add_run(run_row(run, ended=run * 10))
    assert [run.ended_ns for run in blame.runs()] == [390 - 10 * at for at in range(MAX_RUNS)]
    assert blame.runs()[0] == BadRun(390, (1, 39), (39,) * len(DIMENSIONS))


def test_a_run_that_is_no_longer_bad_goes() -> None:
    """-1 takes it out, -1 and +1 leave a run that is still bad as it is now, -1 of an unknown one does nothing."""
    blame = Blame()
    for row in (run_row(1, ended=5), run_row(2, ended=6), run_row(1, -1, 5), run_row(3, -1, 9)):
        blame.add_run(row)
    assert [run.trace for run in blame.runs()] == [(1, 2)]
    for row in (run_row(2, -1, 6), run_row(2, 1, 8)):
        blame.add_run(row)
    assert [(run.trace, run.ended_ns) for run in blame.runs()] == [((1, 2), 8)]


def test_run_ids_are_printed_as_records_do() -> None:
    """32 hex digits, also where the signed words are negative."""
    assert BadRun(0, (-1, 255), ()).run_id == "f" * 16 + "00000000000000ff"
