"""Timeslices: a slice of time is one event, and a late outcome may turn it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from models.slos.blame import MAX_SLICES, Blame
from models.slos.burn import burn_rate
from models.slos.ledger import DAY_S, HOUR_S, Ledger
from models.slos.slices import Slicer
from models.slos.spec import Slices

NINETY = Slices(300, Fraction("0.9"))


def slicer() -> Slicer:
    """Give eleven slices of 10 good events and one of 50 good and 50 bad."""
    found = Slicer(NINETY)
    found.add((300 * at + event, 1, 0) for at in range(11) for event in range(10))
    found.add((3300 + event, 1, int(event < 50)) for event in range(100))
    return found


def test_eleven_of_twelve_slices_are_good() -> None:
    """At a target of 95 % that is a burn rate of 5/3; by occurrences it would be 4.76."""
    counts = list(slicer().settle(10_000))
    total, bad = sum(count[1] for count in counts), sum(count[2] for count in counts)
    assert (total, bad) == (12, 1)
    assert burn_rate(bad, total, Fraction("0.95")) == Fraction(5, 3)
    assert burn_rate(50, 210, Fraction("0.95")) == Fraction(100, 21)


def test_a_slice_counts_once_it_has_settled() -> None:
    """Not before its end and a minute more."""
    counting = slicer()
    assert len(list(counting.settle(3300 + 300 + 59))) == 11
    assert list(counting.settle(3300 + 300 + 60)) == [(3300, 1, 1)]
    assert list(counting.settle(10_000)) == []


def test_an_slo_takes_less_than_a_hundred_kilobytes() -> None:
    """With each window up to 90 days and slices of any length, where room was just grown, and blame is full."""
    blame = Blame()
    for name in range(2 * MAX_SLICES):
        blame.add_slice([0, 0, 0, 0, 0, name, 1, 1, 0])
    slices = max(_arrays(Slicer(Slices(seconds, Fraction("0.9")))) for seconds in range(60, 25 * 3600 + 1, 60))
    windows = [300, 1800, HOUR_S, 2 * HOUR_S, 6 * HOUR_S, DAY_S, 3 * DAY_S]  # of the rules
    for hours in range(1, 90 * 24 + 1):
        ledger = Ledger([*windows, hours * HOUR_S])
        ledger.resize(1)
        grown = ledger.memory_bytes * 13 / 12  # test_ledger.test_room_ahead_is_bounded
        assert grown + _arrays(blame) + slices <= 100_000, hours


def _arrays(kept: object) -> int:
    """Give the bytes of its arrays."""
    return sum(each.nbytes for each in vars(kept).values() if isinstance(each, np.ndarray))


def test_late_outcomes_turn_a_slice_also_after_a_restart() -> None:
    """41 of the 50 bad events turn out good: 91 of 100 are, and the slice is no longer bad."""
    before = slicer()
    assert len(list(before.settle(10_000))) == 12
    after = Slicer.of(NINETY, before.state())
    after.add([(3305, 0, -39)])
    assert list(after.settle(10_000)) == []
    after.add([(3306, 0, -2)])
    assert list(after.settle(10_000)) == [(3300, 0, -1)]
