"""Dead letters: where a message lies that could not be read, and why, as the contract writes it."""

from __future__ import annotations

import orjson

from flows.items import Outbound


def dead_letter(out: str, reason: str, where: tuple[str, int, int], size: int) -> Outbound:
    """Give the record on its way to the topic `out`; `where` is topic, partition and offset, `size` bytes."""
    topic, partition, offset = where
    record = {
        "kind": "dead_letter",
        "reason": reason,
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "bytes": size,
    }
    return Outbound(out, f"{topic}/{partition}".encode(), orjson.dumps(record))
