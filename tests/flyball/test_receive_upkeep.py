"""What the receiver's process does beside receiving: it keeps the log within bounds, and knows how far the flow is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flyball.config.load import load
from flyball.receive import receiver_settings, retained
from streams.embedded import EmbeddedLog, Settings

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, settings: Settings, topic: str) -> EmbeddedLog:
    """Give a log with ten messages in one partition of a topic."""
    log = EmbeddedLog(folder, settings)
    log.ensure(topic, 1)
    writer = log.writer()
    writer.append(topic, [(None, b"x" * 100)] * 10)
    writer.close()
    return log


def test_a_quiet_topic_is_retained_too(tmp_path: Path) -> None:
    """Old messages go also where nobody writes any more, while the process runs."""
    log = written(tmp_path, Settings(segment_bytes=1, max_bytes=1), "quiet")
    deadline = time.monotonic() + 20
    with retained(log, every_s=0.01):
        while log.reader("quiet", 0, None).poll(100, 1 << 20):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert log.end("quiet", 0) == 10


def test_the_receiver_asks_how_far_the_flow_is(tmp_path: Path) -> None:
    """The backlog is that of the spans: what the flow has not said to have read."""
    settings = load()
    log = written(tmp_path, Settings(), settings.log.topics.spans)
    backlog = receiver_settings(settings, log).backlog
    assert backlog is not None
    assert backlog() is None
    log.commit(settings.log.topics.spans, {0: 4})
    assert backlog() == 6
