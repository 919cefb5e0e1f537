"""Rolling readings: compared with adding up every cell that lies in the window."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.slis.bins import OVER, bin_of, quantile
from models.slis.panes import PaneTable
from models.slis.records import sli_records
from models.slis.settings import SliSettings
from models.slis.spread import AT_MOST, SPREAD_OF

MINUTE_NS = 60 * 10**9
NOW = 472_222 * 60 + 754  # 18:34 of a day
Make = Any
RATIO, HISTOGRAM = "task_success", "time_to_resolution"

rows = st.lists(
    st.tuples(
        st.sampled_from([RATIO, HISTOGRAM]),
        st.one_of(
            st.integers(-50_000, 3), st.sampled_from([-4, -5, -59, -60, -1439, -1440, -43_200, -43_259, -44_000])
        ),
        st.sampled_from([0, 1]),
        st.sampled_from([-4096, 0, 100, 101]),
        st.integers(1, 3),
    ),
    max_size=30,
)


def starts(sli: str) -> dict[str, int]:
    """Give the first minute of each window, by the stated rule."""
    first_hour = (NOW // 60 - 719) * 60
    first_day = (NOW // 1440 - 29) * 1440
    return {"5m": NOW - 4, "1h": NOW - 59, "1d": NOW - 1439, "30d": first_hour if sli == RATIO else first_day}


@settings(max_examples=60, deadline=None)
@given(rows)
def test_windows_are_what_lies_in_them(cells: Make, drawn: list[Any]) -> None:
    """Good, total and quantiles of each window equal the sum over its cells; the 30d window ends with its last pane."""
    counted = [(sli, NOW + at, bit if sli == RATIO else bin_, n) for sli, at, bit, bin_, n in drawn]
    table = PaneTable(SliSettings())
    table.apply(cells([("airline", "", "", sli, minute, bin_, n) for sli, minute, bin_, n in counted]))
    for gauge in table.gauges(NOW * MINUTE_NS + 59 * 10**9):
        last = (
            NOW if gauge.window != "30d" else (NOW // 60 * 60 + 59 if gauge.sli == RATIO else NOW // 1440 * 1440 + 1439)
        )
        inside = [(b, n) for sli, m, b, n in counted if sli == gauge.sli and starts(sli)[gauge.window] <= m <= last]
        assert gauge.total == sum(n for _, n in inside)
        if gauge.sli == RATIO:
            assert (gauge.good, gauge.quantiles) == (sum(n for b, n in inside if b == 1), None)
            continue
        bins: dict[int, int] = {}
        for b, n in inside:
            bins[b] = bins.get(b, 0) + n
        assert gauge.good == gauge.total
        assert gauge.quantiles == tuple(quantile(bins, q) for q in (0.5, 0.95, 0.99))


moves = st.lists(
    st.tuples(rows, st.sampled_from([0, 0, 1, 7, 29, 31, 700, 1500, -20]), st.sampled_from([None, 0, 60, 2000])),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(moves)
def test_readings_kept_up_equal_readings_made_anew(cells: Make, drawn: list[Any]) -> None:
    """However time moves between readings and panes are evicted, what is kept up equals what a restored table reads."""
    table, now = PaneTable(SliSettings()), NOW
    for batch, minutes, ahead in drawn:
        now += minutes
        table.apply(cells([("a", "", "", HISTOGRAM, now + at, bin_, n) for _, at, _, bin_, n in batch]))
        if ahead is not None:
            table.final((now + ahead) * MINUTE_NS)
        anew = PaneTable.load(SliSettings(), table.dump(), [])
        kept = table.gauges(now * MINUTE_NS)
        if ahead != 2000:  # a reading behind the horizon may still count what is gone
            assert kept == anew.gauges(now * MINUTE_NS)


def test_rolling_gives_one_window(cells: Make) -> None:
    """Each series once, with hits of the cap taken off good."""
    table = PaneTable(SliSettings())
    table.apply(cells([("a", "", "", HISTOGRAM, NOW, b, 1) for b in (3, 4 + OVER)]))
    (gauge,) = table.rolling(3600, NOW * MINUTE_NS)
    assert (gauge.group, gauge.window, gauge.good, gauge.total) == ({"workflow": "a"}, "1h", 1, 2)


def test_a_window_that_is_not_kept_is_refused() -> None:
    """The message says which ones are."""
    with pytest.raises(ValueError, match="kept are"):
        PaneTable(SliSettings()).rolling(7, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 3), st.integers(1, 400), st.booleans(), st.integers(1, 3)), max_size=20))
def test_the_spread_is_what_was_at_most_each_limit(cells: Make, drawn: list[Any]) -> None:
    """Of steps, over the cap or not, in the last five minutes, to within a bin; other series have no part in it."""
    counted = [(NOW + at, bin_of(steps) + over * OVER, n) for at, steps, over, n in drawn]
    table = PaneTable(SliSettings())
    table.apply(cells([("a", "", "", SPREAD_OF, *cell) for cell in counted]))
    table.apply(cells([("a", "version", "2", SPREAD_OF, NOW, 7, 1), ("a", "", "", HISTOGRAM, NOW, 7, 1)]))
    steps = [steps for at, steps, _, n in drawn for _ in range(n) if -5 < at <= 0]
    expected = [sum(bin_of(each) <= bin_of(limit) for each in steps) for limit in (*AT_MOST, 10**6)]
    assert table.spread(NOW * MINUTE_NS) == ([("a", expected)] if drawn else [])


def test_records_and_metrics_leave_transitions_out(cells: Make) -> None:
    """They are there for detectors only."""
    table = PaneTable(SliSettings())
    table.apply(cells([("a", name, "x > y", RATIO, NOW, 1, 1) for name in ("transition", "stop_reason")]))
    assert {tuple(gauge.group) for gauge in table.gauges(NOW * MINUTE_NS)} == {("workflow", "stop_reason")}
    (record,) = sli_records(table.early(NOW * MINUTE_NS))
    assert record["group"] == {"workflow": "a", "stop_reason": "x > y"}
    assert {tuple(label.group) for label in table.closed((NOW + 60) * MINUTE_NS).labels} == {
        ("workflow", "stop_reason"),
        ("workflow", "transition"),
    }
