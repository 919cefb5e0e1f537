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


def test_a_clock_that_was_ahead_holds_nothing_when_it_is_set_right() -> None:
    """A quiet service followed it by two hours: what comes then is of now; a silent partition holds as long as ever."""
    hour = 3600 * SECOND
    watermark = Watermark(lateness_ns=60 * SECOND, idle_ns=30 * SECOND)
    for part in ("a", "b"):
        watermark.observe(part, 10 * hour, now_ns=10 * hour)
    assert watermark.at(12 * hour) > 11 * hour
    watermark.observe("b", 10 * hour, now_ns=12 * hour)
    now = 10 * hour + 120 * SECOND
    assert watermark.at(now) == now - 60 * SECOND
    watermark.observe("a", now + 31 * SECOND, now_ns=now + 31 * SECOND)
    assert watermark.at(now + 31 * SECOND) == now - 29 * SECOND


def test_small_steps_back_change_nothing() -> None:
    """An event may be as much ahead as the decoder lets pass."""
    watermark = Watermark(lateness_ns=0)
    watermark.observe("a", 400 * SECOND, now_ns=100 * SECOND)
    assert watermark.at(100 * SECOND) == 400 * SECOND
    assert watermark.at(101 * SECOND) == 400 * SECOND
