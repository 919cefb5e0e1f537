"""Flight recorder: spans and log records of one run, read from the log when somebody looks; nothing is stored."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from control.console import otlp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from streams.port import Log, Message

    Read = Callable[[bytes, bytes], Iterator[otlp.Raw]]
    """What a message says of a trace."""

_SLACK_NS: Final = 60 * 10**9
"""Clocks of agents are not that of the log."""
_AFTER_NS: Final = 600 * 10**9
"""Spans that come later than this after the run's end are not looked for."""
_AT_ONCE, _AT_ONCE_BYTES = 500, 4 << 20
_BREATH_S: Final = 0.001


@dataclass(frozen=True)
class Bounds:
    """How much is read for one look."""

    bytes: int = 256 << 20
    messages: int = 200_000
    seconds: float = 8.0
    spans: int = 2_000


@dataclass
class Scan:
    """What was found, and how much was read for it. `cut` says why it ended early; None: it did not."""

    spans: list[otlp.Raw] = field(default_factory=list)
    messages: int = 0
    bytes: int = 0
    unreadable: int = 0
    cut: str | None = None


def scan(
    log: Log,
    topics: Mapping[str, Read],
    run_id: str,
    window: tuple[int, int | None],
    bounds: Bounds | None = None,
    now_s: Callable[[], float] = time.monotonic,
) -> Scan:
    """Read topics for the spans of a run that began and ended then (Unix ns; None: it goes on). Raises LogError.

    `topics` gives how a message of each is read. What a look may read is for all of them, in their order.
    """
    bounds = bounds or Bounds()
    found, trace, end_s = Scan(), bytes.fromhex(run_id), now_s() + bounds.seconds
    first_ns = window[0] - _SLACK_NS
    last_ns = None if window[1] is None else window[1] + _AFTER_NS
    places = [(topic, partition) for topic in topics for partition in range(log.partitions(topic))]
    for topic, partition in places:
        offset = log.offset_at(topic, partition, first_ns)
        with closing(log.reader(topic, partition, offset)) as reader:
            while found.cut is None:
                messages = reader.poll(_AT_ONCE, _AT_ONCE_BYTES)
                if not messages and not reader.lag():
                    break
                _look(found, messages, trace, topics[topic])
                found.cut = _cut(found, bounds, now_s() - end_s)
                if last_ns is not None and messages and messages[-1].appended_ns > last_ns:
                    break
                time.sleep(_BREATH_S)  # evaluations come first
    return found


def _look(found: Scan, messages: Sequence[Message], trace: bytes, read: Read) -> None:
    """Take what is of the trace."""
    for message in messages:
        found.messages += 1
        found.bytes += len(message.value)
        if otlp.names(message.value, trace):
            _take(found, message.value, trace, read)


def _take(found: Scan, value: bytes, trace: bytes, read: Read) -> None:
    try:
        found.spans += read(value, trace)
    except otlp.UnreadableError:
        found.unreadable += 1


def _cut(found: Scan, bounds: Bounds, over_s: float) -> str | None:
    """Say which bound is reached."""
    if len(found.spans) >= bounds.spans:
        return f"{len(found.spans)} spans were found, and a look ends at {bounds.spans}"
    if found.bytes >= bounds.bytes:
        return f"{bounds.bytes >> 20} MB of the log were read"
    if found.messages >= bounds.messages:
        return f"{bounds.messages} messages were read"
    return f"it took more than {bounds.seconds:.0f} s" if over_s >= 0 else None
