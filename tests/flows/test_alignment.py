"""Partitions that catch up do so in the order of time, none is starved, and who is read up waits for nobody."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.alignment import Alignment
from streams.port import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE = 100


class Clock:
    """Seconds, set by the test."""

    now = 0.0

    def __call__(self) -> float:
        """Tell them."""
        return self.now


class Partition:
    """A reader of messages of SIZE bytes with these times, of which some have come."""

    def __init__(self, times: Sequence[int], come: int | None = None) -> None:
        self.left = deque(Message(k, at, None, bytes(SIZE)) for k, at in enumerate(times))
        self.come = len(times) if come is None else come
        self.is_closed = False

    def poll(self, max_messages: int, max_bytes: int) -> list[Message]:
        """Give what has come."""
        count = min(self.come, max(1, max_bytes // SIZE), max_messages, len(self.left))
        self.come -= count
        return [self.left.popleft() for _ in range(count)]

    def lag(self) -> int:
        """Count the rest."""
        return len(self.left)

    def expects(self) -> bool:
        """Tell whether there is a rest."""
        return bool(self.left)

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


def times(messages: list[Message]) -> list[int]:
    """Give when the log took them."""
    return [message.appended_ns for message in messages]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 1000)), min_size=1, max_size=4), st.randoms())
def test_all_is_given_once_and_in_time(parts: list[list[int]], chance: object) -> None:
    """Whoever is asked next: all of each partition comes in its order, and none runs ahead of what another holds."""
    alignment, known = Alignment(Clock()), [sorted(part) for part in parts]
    lanes = [alignment.add(Partition(part), 5 * SIZE) for part in known]
    given_: list[list[int]] = [[] for _ in parts]
    for _ in range(4 * sum(map(len, parts)) + 8):
        which = chance.randrange(len(lanes))  # type: ignore[attr-defined]
        came = times(lanes[which].take())
        for other, rest in enumerate(known):
            # at most the five messages that the other has at hand are older
            older = [at for at in rest[len(given_[other]) :] if came and at < came[-1]]
            assert other == which or len(older) <= 5
        given_[which] += came
    for which, lane in enumerate(lanes):  # whoever was asked seldom
        for _ in range(len(parts) * (len(known[which]) + 2)):
            given_[which] += times(lane.take())
            for other, each in enumerate(lanes):
                given_[other] += times(each.take())
    assert given_ == known


def test_one_that_is_read_up_waits_for_nobody_and_holds_up_nobody() -> None:
    """Of a partition that has all there is, everything is given, and another need not be as old."""
    alignment = Alignment(Clock())
    old, live = alignment.add(Partition([1, 2]), 10 * SIZE), alignment.add(Partition([900]), 10 * SIZE)
    assert (times(live.take()), times(old.take())) == ([900], [1, 2])


def test_what_is_newer_waits_for_what_lags() -> None:
    """A partition is given up to the time that the other has read to; the rest follows it."""
    alignment = Alignment(Clock())
    slow = alignment.add(Partition(range(0, 100, 10)), 3 * SIZE)
    fast = alignment.add(Partition([5, 15, 25, 35]), 10 * SIZE)
    assert times(slow.take()) == [0, 10, 20]
    assert times(fast.take()) == [5, 15]
    assert times(fast.take()) == [25, 35]  # a new round: slow has 30, 40, 50 at hand
    assert times(slow.take()) == [30, 40, 50]


def test_messages_that_do_not_come_are_waited_for_a_moment() -> None:
    """A broker that is away holds up the others for a tenth of a second, once."""
    clock = Clock()
    alignment = Alignment(clock)
    away, here = alignment.add(Partition([1, 2], come=0), 10 * SIZE), alignment.add(Partition([7, 8]), 10 * SIZE)
    assert (away.take(), here.take()) == ([], [])
    clock.now = 0.09
    assert here.take() == []
    clock.now = 0.1
    assert times(here.take()) == [7, 8]


def test_a_wrong_clock_holds_up_its_own_partition_for_half_a_minute() -> None:
    """Messages from the future, by a producer's clock, come while others still lag."""
    clock = Clock()
    alignment = Alignment(clock)
    lagging = Partition(range(10_000))
    slow, future = alignment.add(lagging, SIZE), alignment.add(Partition([10**6, 10**6 + 1]), 10 * SIZE)
    for clock.now in (0.0, 10.0, 29.0):
        assert future.take() == []
        assert len(slow.take()) == 1
    clock.now = 30.0
    assert slow.take()
    assert times(future.take()) == [10**6, 10**6 + 1]


def test_one_that_is_closed_holds_up_nobody() -> None:
    """Its reader is closed with it."""
    alignment = Alignment(Clock())
    partition = Partition([1, 2], come=0)
    away, here = alignment.add(partition, 10 * SIZE), alignment.add(Partition([7]), 10 * SIZE)
    away.close()
    assert times(here.take()) == [7]
    assert partition.is_closed
