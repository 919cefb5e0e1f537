"""Health while the log takes nothing: red within seconds, in words, until it takes again or the flow has ended."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from flows.flushes import SLOW_S, Flushes
from flows.health import Health
from flows.metrics import Metrics
from streams.port import UndeliveredError


class Stuck:
    """A writer whose flush lasts until it is let go, or says that nothing was taken."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.refuses = threading.Event(), threading.Event(), False

    def flush(self) -> None:
        """Wait."""
        self.begun.set()
        assert self.go_on.wait(30)
        if self.refuses:
            msg = "3 messages were not taken"
            raise UndeliveredError(msg)


def test_a_flow_that_waits_for_the_log_is_not_well() -> None:
    """A broker that hangs holds the flow up in the middle of an epoch: /healthz answers from another thread."""
    now, writer = [100.0], Stuck()
    stuck: Any = writer
    flushes = Flushes(lambda: now[0])
    health = Health(Metrics())
    health.asked.append(flushes.problem)
    flushing = threading.Thread(target=lambda: flushes.flush(stuck))
    flushing.start()
    assert writer.begun.wait(30)
    assert health.problem is None
    now[0] += SLOW_S + 2
    assert health.problem == "the flow stands still: the log has taken nothing for 7 s"
    writer.go_on.set()
    flushing.join(30)
    assert health.problem is None


def test_a_flow_that_ends_for_it_stays_unwell() -> None:
    """The engine takes its time to end, in which nothing is read."""
    writer = Stuck()
    stuck: Any = writer
    writer.refuses = True
    writer.go_on.set()
    flushes = Flushes()
    with pytest.raises(UndeliveredError):
        flushes.flush(stuck)
    assert flushes.problem() == (
        "the flow ends, to be started again: the log does not take what it writes: 3 messages were not taken"
    )


def test_what_was_told_comes_first() -> None:
    """Starting is starting, whatever else is wrong."""
    metrics = Metrics()
    health = Health(metrics)
    health.asked += [lambda: None, lambda: "the log is away"]
    metrics.problem = "starting"
    assert health.problem == "starting"
    metrics.problem = None
    assert health.problem == "the log is away"
