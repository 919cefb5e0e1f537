"""Settings: the bounds of the receiver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class ReceiverSettings:
    """Bounds of the receiver; sizes in bytes."""

    spans_topic: str = "otlp_spans"
    logs_topic: str = "otlp_logs"
    partitions: int = 4
    """Of a topic that does not exist yet."""
    max_body: int = 16 << 20
    """Larger bodies, compressed or not, are refused with 413."""
    max_message: int = 900_000
    """Larger requests are cut; a span larger than this is rejected. Must not be beyond what the log takes."""
    max_pending: int = 64 << 20
    """Bytes received and not yet in the log beyond which senders are told to wait (429)."""
    max_receiving: int = 256 << 20
    """Bytes of bodies that have not all come, beyond which senders are told to wait (429)."""
    body_within_s: float = 30.0
    """A body that has not all come by then is answered 503; exporters give up after 10 s."""
    backlog: Callable[[], int | None] | None = None
    """How many messages the reader of the log is behind; asked every second, in a thread."""
    max_backlog: int = 1_000_000
    """A backlog beyond which senders are told to wait (429)."""
    acknowledge_within_s: float = 10.0
    """A request that is not in the log by then is answered 503; it may still come to lie there."""
    retry_after_s: int = 1
