"""A flow whose log does not answer waits for it, says so, and can be stopped meanwhile."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from flows.metrics import Metrics
from flows.source import LogSource
from flows.waiting import StoppedError, Waiting, sleep_until
from streams.port import LogError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable


class Stop(threading.Event):
    """Is set once `pauses` were made, of which it notes the length."""

    def __init__(self, pauses: int = 1000) -> None:
        super().__init__()
        self.left, self.waited = pauses, list[float]()

    def pause(self, stop: threading.Event, seconds: float) -> None:
        """Pause, for no time."""
        assert stop is self
        self.waited.append(seconds)
        self.left -= 1
        if not self.left:
            self.set()


class Silent:
    """Does not answer for the first `failures` questions."""

    def __init__(self, failures: int, *reasons: str) -> None:
        self.left, self.reasons, self.asked = failures, reasons or ("no broker",), 0

    def __call__(self) -> str:
        """Answer, or not."""
        self.asked += 1
        if self.left:
            self.left -= 1
            raise UnreachableError(self.reasons[min(self.asked, len(self.reasons)) - 1])
        return "answer"


def test_it_waits_longer_each_time_and_says_it_once() -> None:
    """Pauses double up to ten seconds; a reason is told once, and that it is over."""
    stop, said, metrics = Stop(), list[str](), Metrics()
    assert Waiting(stop, metrics, said.append, stop.pause).until(Silent(7)) == "answer"
    assert stop.waited == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert said == ["waiting for the log, which does not answer: no broker", "the log answers"]


class Late(Future[Any]):
    """Is done just after the first wait for it has ended in vain."""

    is_first = True

    def result(self, timeout: float | None = None) -> Any:
        """Give the answer, the second time."""
        if self.is_first:
            self.is_first = False
            self.exception()  # which waits for it
            raise TimeoutError
        return super().result(timeout)


def test_an_answer_that_comes_as_the_wait_for_it_ends_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken, or what it raises is: that a wait ended is no failure of the log."""
    monkeypatch.setattr("flows.waiting.Future", Late)
    stop, said = Stop(), list[str]()
    assert Waiting(stop, Metrics(), said.append, stop.pause).until(Silent(1)) == "answer"
    assert said == ["waiting for the log, which does not answer: no broker", "the log answers"]


def test_what_answers_at_once_is_no_news() -> None:
    """Nothing is said, and health stays as it is."""
    stop, said, metrics = Stop(), list[str](), Metrics()
    metrics.problem = "starting"
    assert Waiting(stop, metrics, said.append, stop.pause).until(Silent(0)) == "answer"
    assert (stop.waited, said, metrics.problem) == ([], [], "starting")


def test_health_is_red_meanwhile_and_another_reason_is_told() -> None:
    """From the first failure on health says what is waited for; afterwards it is as before."""
    said, metrics = list[str](), Metrics()
    seen: list[str | None] = []
    silent = Silent(3, "refused", "refused", "no leader")

    def ask() -> str:
        seen.append(metrics.problem)
        return silent()

    stop = Stop()
    Waiting(stop, metrics, said.append, stop.pause).until(ask)
    told = "waiting for the log, which does not answer: "
    assert seen == [None, told + "refused", told + "refused", told + "no leader"]
    assert said == [told + "refused", told + "no leader", "the log answers"]
    assert metrics.problem is None


def test_being_stopped_ends_it() -> None:
    """Stopped in a pause it asks no more; stopped before, it does not even ask."""
    stop, silent = Stop(pauses=2), Silent(100)
    waiting = Waiting(stop, Metrics(), lambda text: None, stop.pause)
    for _ in range(2):
        with pytest.raises(StoppedError):
            waiting.until(silent)
        assert silent.asked == 2


def test_a_question_that_hangs_does_not_keep_it() -> None:
    """A log that neither answers nor refuses is left alone when the flow is stopped."""
    stop, hangs = threading.Event(), threading.Event()

    def ask() -> None:
        stop.set()
        hangs.wait(60)

    with pytest.raises(StoppedError):
        Waiting(stop, Metrics(), lambda text: None).until(ask)
    assert not hangs.is_set()
    hangs.set()


def test_a_stop_by_a_signal_in_a_pause_ends_it() -> None:
    """A handler that sets the event in the very thread that pauses does not hang, whenever it comes."""
    stop = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: stop.set())
    try:
        for number in range(40):  # at other moments each time
            stop.clear()
            signal.setitimer(signal.ITIMER_REAL, 0.0005 + number * 5e-5)
            sleep_until(stop, 60)
            assert stop.is_set()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_other_errors_are_raised() -> None:
    """What waiting does not mend is not waited for."""

    def ask() -> None:
        raise LogError("no such partition")

    with pytest.raises(LogError, match="no such partition"):
        Waiting(threading.Event(), Metrics(), lambda text: None).until(ask)


class Log:
    """Has one partition, and opens it only after some time."""

    def __init__(self, failures: int) -> None:
        self.silent, self.opened = Silent(failures), list[Any]()

    def partitions(self, topic: str) -> int:
        """Count."""
        self.silent()
        return 1

    def reader(self, topic: str, partition: int, offset: int | None) -> Any:
        """Open it."""
        self.silent()
        self.opened.append((topic, partition, offset))
        return self

    def lag(self) -> int:
        """Have nothing."""
        return 0

    def expects(self) -> bool:
        """Have nothing."""
        return False

    def poll(self, *bounds: int) -> list[Any]:
        """Have nothing."""
        return []

    def close(self) -> None:
        """Release nothing."""

    def commit(self, *given: Any) -> None:
        """Forget it."""


def source(log: Any, stop: Stop, say: Callable[[str], None]) -> LogSource:
    """Make a source that waits."""
    metrics = Metrics()
    return LogSource(lambda: log, ("spans",), stop, metrics=metrics, waiting=Waiting(stop, metrics, say, stop.pause))


def test_a_partition_without_a_leader_is_waited_for() -> None:
    """Brokers that have just come up know their partitions before they serve them: the offset is kept meanwhile."""
    log, stop, said = Log(3), Stop(), list[str]()
    reads = source(log, stop, said.append)
    assert reads.list_parts() == ["spans/00000"]
    log.silent.left = 4
    assert reads.list_parts() == ["spans/00000"]
    assert log.silent.left == 4  # not asked again
    part = reads.build_part("source", "spans/00000", 42)
    assert log.opened == [("spans", 0, 42)]
    assert len(said) == 4
    assert [batch.messages for batch in part.next_batch()] == [[]]  # the wake
    assert (list(part.next_batch()), part.snapshot()) == ([], 42)


def test_stopped_before_it_was_opened_a_partition_keeps_its_offset() -> None:
    """The engine gets a partition that ends at once: its last snapshot says where to go on next time."""
    log, stop = Log(0), Stop(pauses=3)
    reads = source(log, stop, lambda text: None)
    reads.list_parts()
    log.silent.left = 100
    part = reads.build_part("source", "spans/00000", 42)
    assert log.opened == []
    with pytest.raises(StopIteration):
        part.next_batch()
    assert part.snapshot() == 42
    part.close()
