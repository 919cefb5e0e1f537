"""The ledger against a brute force over all events: every window, whatever the order, the lateness and the jumps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.slos.ledger import LEVELS, Ledger, Level

SMALL = (Level(1, 10), Level(5, 60), Level(20, 400))
WINDOWS = (1, 3, 10, 11, 37, 60, 61, 200, 399, 400)
LONGEST = 400

Event = tuple[int, int, int, int]
"""Slot, second, total, bad."""

event = st.tuples(st.integers(0, 3), st.integers(0, 600), st.integers(-2, 9), st.integers(-2, 9))
step = st.one_of(
    st.lists(event, max_size=12),
    st.integers(0, 30),  # so many seconds go by
    st.sampled_from([9, 10, 11, 59, 60, 61, 399, 400, 401, 1000]),
)


def level_of(window: int, levels: tuple[Level, ...] = SMALL) -> Level:
    """Give the finest level that holds a window."""
    return next(level for level in levels if window <= level.keep_s)


def sums(events: list[Event], slot: int, window: int, end: int, levels: tuple[Level, ...] = SMALL) -> tuple[int, int]:
    """Add up by the rule as documented: the pane of `end` and those before it, ceil(window / pane) in all."""
    pane_s = level_of(window, levels).pane_s
    last = end // pane_s
    first = last - -(-window // pane_s) + 1
    own = [e for e in events if e[0] == slot and first <= e[1] // pane_s <= last]
    return sum(e[2] for e in own), sum(e[3] for e in own)


def add(ledger: Ledger, events: list[Event]) -> None:
    """Add rows."""
    ledger.add(*np.array(events, np.int64).reshape(-1, 4).T.copy())


def read(ledger: Ledger) -> list[list[tuple[int, int]]]:
    """Give (total, bad) by window and slot."""
    return [[(total, bad) for total, bad in window.T.tolist()] for window in ledger.read()]


def expected(events: list[Event], ledger: Ledger, levels: tuple[Level, ...] = SMALL) -> list[list[tuple[int, int]]]:
    """Give what `read` must give."""
    return [[sums(events, slot, w, ledger.now, levels) for slot in range(ledger.n)] for w in ledger.windows]


@settings(max_examples=150, deadline=None)
@given(st.lists(step, max_size=25), st.integers(1, 3))
def test_every_window_is_the_sum_of_its_panes(steps: list[Any], grow: int) -> None:
    """After each step all windows of all instances equal the brute force, with late events and jumps of any size."""
    ledger, events, too_old = Ledger(WINDOWS, SMALL), [], 0  # type: Ledger, list[Event], int
    ledger.resize(2)
    ledger.advance(600)
    for at, each in enumerate(steps):
        if isinstance(each, list):
            new = [(slot % ledger.n, min(second + at * 10, ledger.now), *rest) for slot, second, *rest in each]
            add(ledger, new)
            too_old += sum(second // 20 <= ledger.now // 20 - 20 for _, second, *_ in new)
            events += new
        else:
            ledger.advance(ledger.now + each)
        if at % 7 == 3:
            ledger.resize(ledger.n + grow)
        assert read(ledger) == expected(events, ledger)
        assert ledger.too_old == too_old


@settings(max_examples=60, deadline=None)
@given(st.lists(event, max_size=30), st.integers(0, 900), st.randoms(use_true_random=False))
def test_order_does_not_matter(rows: list[Event], now: int, random: Any) -> None:
    """The same events one by one in any order, duplicates of time and all, give the same as all at once."""
    rows = [(slot, min(second, now), total, bad) for slot, second, total, bad in rows]
    once, single = Ledger(WINDOWS, SMALL), Ledger(WINDOWS, SMALL)
    for ledger in (once, single):
        ledger.resize(4)
        ledger.advance(now)
    add(once, rows)
    random.shuffle(rows)
    for row in rows:
        add(single, [row])
    assert read(once) == read(single) == expected(rows, once)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 120 * 86_400), st.integers(0, 3)), max_size=30),
    st.lists(st.integers(0, 40 * 86_400), min_size=1, max_size=5),
)
def test_the_levels_in_use(rows: list[tuple[int, int]], steps: list[int]) -> None:
    """The panes that are really used hold 5 minutes to 90 days by the same rule."""
    ledger = Ledger([300, 3600, 6 * 3600, 3 * 86_400, 28 * 86_400, 90 * 86_400])
    ledger.resize(1)
    events: list[Event] = []
    for at, jump in enumerate(steps):
        ledger.advance(ledger.now + jump)
        events += (new := [(0, min(s, ledger.now), 5, bad) for s, bad in rows[at :: len(steps)]])
        add(ledger, new)
        assert read(ledger) == expected(events, ledger, LEVELS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 1)), max_size=40), st.integers(0, 400))
def test_panes_of_a_second_are_exact(rows: list[tuple[int, int]], now: int) -> None:
    """With panes of one second a window is exactly (t - w, t]."""
    ledger = Ledger([1, 7, 300], [Level(1, 300)])
    ledger.resize(1)
    for second, bad in sorted(rows):
        ledger.advance(second)
        add(ledger, [(0, second, 1, bad)])
    ledger.advance(now)
    for window, found in zip(ledger.windows, read(ledger), strict=True):
        own = [bad for second, bad in rows if ledger.now - window < second <= ledger.now]
        assert found == [(len(own), sum(own))]


@pytest.mark.parametrize(
    ("second", "now", "counts"),
    [
        (1000, 1009, True),  # the last second of its own pane
        (1000, 1000 + 3599, True),  # its pane is the oldest of 360
        (1009, 1000 + 3600, False),  # one pane later it is gone, 9 seconds before (t - w, t] would let it go
        (999, 1000 + 3590, False),
        (990, 990 + 3599, True),
    ],
)
def test_edges_of_an_hour_of_ten_second_panes(second: int, now: int, *, counts: bool) -> None:
    """An event leaves with its whole pane, less than one pane before it is an hour old."""
    ledger = Ledger([3600])
    ledger.resize(1)
    ledger.advance(second)
    add(ledger, [(0, second, 1, 1)])
    ledger.advance(now)
    assert read(ledger) == [[(1, 1) if counts else (0, 0)]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(event, max_size=25),
    st.integers(300, 900),
    st.lists(st.integers(0, 3), unique=True, max_size=4),
    st.lists(st.sampled_from(WINDOWS), unique=True, min_size=1),
    st.lists(event, max_size=8),
    st.integers(0, 50),
)
def test_a_kept_part_goes_on_with_other_windows(
    rows: list[Event], now: int, kept: list[int], windows: list[int], later: list[Event], jump: int
) -> None:
    """Some instances restored into a ledger of other windows count on as if they had always been there."""
    rows = [(slot, min(second, now), total, bad) for slot, second, total, bad in rows]
    ledger, other = Ledger(WINDOWS, SMALL), Ledger(windows, SMALL)
    ledger.resize(4)
    ledger.advance(now)
    add(ledger, rows)
    other.fill({name: array.copy() for name, array in ledger.arrays().items()}, kept)
    assert (other.now, other.n, other.too_old) == (ledger.now, len(kept), ledger.too_old)
    events = [(kept.index(slot), *rest) for slot, *rest in rows if slot in kept]
    other.advance(now + jump)
    if kept:
        new = [(slot % len(kept), min(second, now), total, bad) for slot, second, total, bad in later]
        add(other, new)
        events += new
    assert read(other) == expected(events, other)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(event, max_size=30),
    st.integers(300, 900),
    st.lists(st.tuples(st.integers(0, len(WINDOWS) - 1), st.integers(0, 3), st.integers(0, 1000)), max_size=10),
)
def test_windows_around_ends_of_their_own(rows: list[Event], now: int, asked: list[tuple[int, int, int]]) -> None:
    """A window may end earlier; what its level no longer holds counts as nothing, an end to come counts as now."""
    rows = [(slot, min(second, now), total, bad) for slot, second, total, bad in rows]
    ledger = Ledger(WINDOWS, SMALL)
    ledger.resize(4)
    ledger.advance(now)
    add(ledger, rows)
    found = ledger.around(*np.array(asked, np.int64).reshape(-1, 3).T.copy()).T.tolist()
    for (window, slot, end), counts in zip(asked, found, strict=True):
        level = level_of(ledger.windows[window])
        held = [e for e in rows if e[1] // level.pane_s > now // level.pane_s - level.keep_s // level.pane_s]
        assert tuple(counts) == sums(held, slot, ledger.windows[window], min(end, now))


@settings(max_examples=80, deadline=None)
@given(st.lists(step, max_size=12), st.integers(100, 500))
def test_windows_around_ends_asked_again_and_again(steps: list[Any], end: int) -> None:
    """What was asked before changes nothing: events that come between, and panes that are let go of, do count."""
    ledger, fresh = Ledger(WINDOWS, SMALL), Ledger(WINDOWS, SMALL)
    asked = np.array([(window, slot, end) for window in range(len(WINDOWS)) for slot in range(4)]).T.copy()
    for each in (ledger, fresh):
        each.resize(4)
        each.advance(600)
    for one in steps:
        if isinstance(one, int):
            ledger.advance(ledger.now + one)
        elif one:
            add(ledger, one)
        fresh.fill(ledger.arrays(), range(4))
        assert ledger.around(*asked).tolist() == fresh.around(*asked).tolist()
    now = ledger.now
    ledger.set_back(min(now, end) - 50)  # what lies later is dropped
    ledger.advance(now)
    fresh.fill(ledger.arrays(), range(4))
    assert ledger.around(*asked).tolist() == fresh.around(*asked).tolist()


def test_bad_calls_are_refused() -> None:
    """An event from the future and a window that no level holds are errors that say what was found."""
    ledger = Ledger([10], SMALL)
    ledger.resize(1)
    ledger.advance(100)
    with pytest.raises(ValueError, match="event at 101, the ledger is at 100"):
        add(ledger, [(0, 101, 1, 0)])
    for window in (0, LONGEST + 1):
        with pytest.raises(ValueError, match=f"window of {window} s, expected 1 to {LONGEST} s"):
            Ledger([window], SMALL)


def test_time_never_goes_back() -> None:
    """An earlier time changes nothing."""
    ledger = Ledger([10], SMALL)
    ledger.resize(1)
    ledger.advance(100)
    add(ledger, [(0, 95, 2, 1)])
    ledger.advance(90)
    assert (ledger.now, read(ledger)) == (100, [[(2, 1)]])


def test_room_ahead_is_bounded() -> None:
    """What is held for instances to come is a twelfth of what is in use at most, from the first instance on."""
    ledger = Ledger([10], SMALL)
    for n in range(1, 400):
        ledger.resize(n)
        assert sum(ring.nbytes for ring in ledger._rings) <= 13 / 12 * sum(
            ring[:, :, :n].nbytes for ring in ledger._rings
        )


def test_an_instance_takes_less_than_a_hundred_kilobytes() -> None:
    """The counts of one instance over 90 days, blame (31 kB) and timeslices (20 kB) beside them, stay within 100 kB."""
    for days in (1, 30, 90):
        ledger = Ledger([days * 86_400])
        for n in range(1, 100):
            ledger.resize(n)
            assert 0 < ledger.memory_bytes <= n * 48_000
