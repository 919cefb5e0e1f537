"""Worker: rates, waits with jitter, Retry-After, and never a thread that dies; all on a clock that is set."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from alerts.outcome import Retry, Sent
from alerts.pace import SECOND, TokenBucket, backoff_ns


def test_a_bucket_lets_through_its_rate(incidents: Any) -> None:
    """Two a second with a burst of three: 3 at once, then one each half second; counted over a minute, 3 + 120."""
    clock = incidents.Clock()
    bucket = TokenBucket(2.0, 3, clock())
    assert [bucket.take(clock()) for _ in range(3)] == [0, 0, 0]
    assert 0 < bucket.take(clock()) <= 0.5 * SECOND + 1
    taken = 0
    for _ in range(6_000):
        clock.advance(0.01)
        taken += bucket.take(clock()) == 0
    assert taken == 120


def test_a_bucket_survives_a_clock_set_back(incidents: Any) -> None:
    """An hour back costs no hour of silence."""
    bucket = TokenBucket(1.0, 1, incidents.START_NS)
    assert bucket.take(incidents.START_NS) == 0
    back = incidents.START_NS - 3_600 * SECOND
    assert bucket.take(back) > 0
    assert bucket.take(back + SECOND) == 0


def test_waits_grow_and_are_jittered() -> None:
    """Uniform between nothing and 1, 2, 4 ... s, at most 60: the means are half of that."""
    random = Random(1)  # noqa: S311 -- repeatable, no secret
    for attempts, most in ((0, 1.0), (3, 8.0), (5, 32.0), (6, 60.0), (10_000, 60.0)):
        waits = [backoff_ns(attempts, random) / SECOND for _ in range(2_000)]
        assert max(waits) <= most
        assert min(waits) < 0.05 * most
        assert sum(waits) / len(waits) == pytest.approx(most / 2, rel=0.1)


def test_a_sink_is_not_told_faster_than_its_rate(make_desk: Any, incidents: Any) -> None:
    """30 pages at 1 a second take 29 seconds, and the most urgent that waits is always next."""
    sink = incidents.Memory(rate=1.0)
    desk = make_desk(sink)
    desk.tell(*(incidents.incident(str(n), workflow=str(n), severity=incidents.severity(3)) for n in range(30)))
    desk.work()
    assert len(sink.told) == 1
    desk.tell(incidents.incident("urgent", workflow="urgent", severity=incidents.severity(1)))
    for second in range(1, 31):
        desk.after(1)
        assert len(sink.told) == second + 1
    assert sink.told[1].workflow == "urgent"


def test_retry_after_is_kept(make_desk: Any, incidents: Any) -> None:
    """A sink that asks for 120 s hears nothing at all for 120 s, whatever happens, and everything after."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.rest(120.0, incidents.incident("a"))
    for second in range(119):
        desk.tell(incidents.incident(str(second), workflow=str(second % 7), severity=incidents.severity(1)))
        desk.after(1)
    assert len(sink.told) == 1
    desk.after(1)
    assert {page.workflow for page in sink.told[1:]} == {"airline", *map(str, range(7))}
    assert desk.metric("flyball_delivery_retries_total", sink="memory") == 1


def test_a_sink_that_is_down_is_tried_seldom_and_found_again_soon(make_desk: Any, incidents: Any) -> None:
    """Over ten minutes with 200 pages waiting it is tried about every 15 s; once it is back all are told at once."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    sink.answer = lambda page: Retry(None, "refused connection")
    desk.tell(*(incidents.incident(str(n), workflow=str(n)) for n in range(200)))
    for _ in range(6_000):
        desk.after(0.1)
    assert 25 <= len(sink.told) <= 80
    sink.told.clear()
    sink.answer = lambda page: Sent()
    desk.after(30)
    assert len({page.key for page in sink.told}) >= 195
    for _ in range(300):
        desk.after(1)
    assert len({page.key for page in sink.told}) == len(sink.told) == 200
    assert desk.said == [text for text in desk.said if "refused connection" in text]
    assert len(desk.said) == 1


def test_one_page_that_always_fails_holds_back_no_other(make_desk: Any, incidents: Any) -> None:
    """A sink that answers 500 to one page alone has all others within a minute."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    sink.answer = lambda page: Retry(None, "HTTP 500") if page.workflow == "0" else Sent()
    desk.tell(*(incidents.incident(str(n), workflow=str(n)) for n in range(50)))
    for _ in range(60):
        desk.after(1)
    assert {page.workflow for page in sink.told} == set(map(str, range(50)))
    assert desk.outbox.queue("memory").depth == 1


def test_a_mistake_in_a_sink_parks_the_page(make_desk: Any, incidents: Any) -> None:
    """A sink that raises is no end of its worker: the page is parked with what went wrong."""
    sink = incidents.Memory()
    desk = make_desk(sink)

    def fail(page: Any) -> Any:
        raise ZeroDivisionError("by zero")

    sink.answer = fail
    desk.tell(incidents.incident("a"))
    desk.work()
    assert [parked.reason for parked in desk.outbox.parked()] == ["ZeroDivisionError in the sink: by zero"]


def test_a_worker_whose_store_fails_goes_on(make_desk: Any, incidents: Any) -> None:
    """When the disk refuses for a while the thread says so, stays, and delivers afterwards."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    (worker,) = desk.workers
    taken, told = worker._outbox.take, []
    worker._outbox.take = lambda *_, **__: (_ for _ in ()).throw(OSError("disk full"))
    worker._say = lambda text: (told.append(text), setattr(worker._outbox, "take", taken), worker.wake())
    desk.tell(incidents.incident("a"))
    worker.start()
    while not sink.told:
        worker.wake()
    worker.stop(10)
    assert told == ["sink memory: OSError: disk full"]


def test_a_wish_of_nothing_is_no_reason_to_hurry(make_desk: Any, incidents: Any) -> None:
    """A sink that fails with `Retry-After: 0` is tried as seldom as one that says nothing."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    (worker,) = desk.workers
    sink.answer = lambda page: Retry(0.0, "HTTP 503")
    desk.tell(incidents.incident("a"))
    for _ in range(1_000):
        worker.step()
    assert len(sink.told) == 1
    for _ in range(6_000):
        desk.clock.advance(0.1)
        worker.step()
    assert 10 <= len(sink.told) <= 80


def test_retry_after_is_kept_over_a_restart(make_desk: Any, incidents: Any) -> None:
    """Ten minutes that a sink asked for pass before it hears of anything, also of what came just before the restart."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.rest(600.0, incidents.incident("a"))
    desk.tell(incidents.incident("b", workflow="b"))
    desk.clock.advance(5)
    desk.restart()
    desk.after(594)
    assert len(sink.told) == 1
    desk.after(1)
    assert {page.workflow for page in sink.told[1:]} == {"airline", "b"}
