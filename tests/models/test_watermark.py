"""The watermark over source partitions."""

from __future__ import annotations

from models.watermark import SECOND, Watermark


def test_slowest_partition_holds_it() -> None:
    """It is the smallest newest-event-time less the lateness."""
    watermark = Watermark(lateness_ns=10)
    watermark.observe("a", 1000, None)
    watermark.observe("b", 500, None)
    assert watermark.at(None) == 490


def test_it_never_goes_back() -> None:
    """A partition that appears late, far behind, does not pull it back."""
    watermark = Watermark(lateness_ns=0)
    watermark.observe("a", 1000, None)
    assert watermark.at(None) == 1000
    watermark.observe("b", 10, None)
    assert watermark.at(None) == 1000


def test_silent_partition_stops_holding_it() -> None:
    """After `idle_ns` without a word a partition is left out of the minimum."""
    watermark = Watermark(lateness_ns=0, idle_ns=30 * SECOND)
    watermark.observe("a", 100 * SECOND, now_ns=100 * SECOND)
    watermark.observe("b", 50 * SECOND, now_ns=60 * SECOND)
    assert watermark.at(80 * SECOND) == 50 * SECOND
    assert watermark.at(95 * SECOND) == 100 * SECOND


def test_it_follows_the_clock_when_all_are_silent() -> None:
    """A quiet service still closes its last runs."""
    watermark = Watermark(lateness_ns=SECOND, idle_ns=30 * SECOND)
    watermark.observe("a", 100 * SECOND, now_ns=101 * SECOND)
    assert watermark.at(141 * SECOND) == 139 * SECOND


def test_expected_partition_is_waited_for() -> None:
    """A partition not heard of yet holds everything back until it speaks or counts as silent."""
    watermark = Watermark(lateness_ns=0, idle_ns=30 * SECOND)
    watermark.expect(["a", "b"], now_ns=SECOND)
    watermark.observe("a", 100 * SECOND, now_ns=2 * SECOND)
    assert watermark.at(3 * SECOND) == 0
    watermark.observe("b", 90 * SECOND, now_ns=4 * SECOND)
    assert watermark.at(5 * SECOND) == 90 * SECOND


def test_nothing_heard_is_no_time() -> None:
    """Before any event the watermark is 0."""
    watermark = Watermark()
    watermark.expect(["a"], now_ns=SECOND)
    assert watermark.at(10_000 * SECOND) == 0
