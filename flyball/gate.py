"""Gate: may something be rolled out? Looks up the last `slo` record of each instance in the log."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any

from flyball.topic import present, record_of
from models.figures import percent
from streams.port import LostOffsetError

if TYPE_CHECKING:
    from flyball.topic import Members
    from streams.port import Log, Reader

OPEN, SHUT, UNKNOWN = 0, 1, 2
"""Exit codes: go on; a budget is spent or frozen; it is not known."""

_BACK = 20_000
"""Messages of a partition that are looked through first: some hours of a hundred SLOs."""
_MEMBERS: Members = {"slo": str, "at": str, "gate": str, "budget_used": (int, float, NoneType)}


@dataclass(frozen=True)
class Gate:
    """What is known of one SLO: the answer, and a sentence for each of its instances."""

    code: int
    words: tuple[str, ...]


def gate(log: Log, topic: str, name: str, *, now: datetime, max_age_s: float) -> Gate:
    """Answer for an SLO: `NAME` or one of its instances, `NAME:VALUE`. Of several instances the worst counts.

    A record older than `max_age_s` says nothing: the flow is down, or behind.
    """
    last = _last(log, topic, name, _BACK) or _last(log, topic, name, None)
    if not last:
        return Gate(UNKNOWN, (f"no record of an SLO named {name} in {topic}",))
    answers = [_answer(record, now, max_age_s) for _, record in sorted(last.items())]
    shut = any(code == SHUT for code, _ in answers)
    return Gate(SHUT if shut else max(code for code, _ in answers), tuple(words for _, words in answers))


def _answer(record: dict[str, Any], now: datetime, max_age_s: float) -> tuple[int, str]:
    age = (now - datetime.fromisoformat(record["at"])).total_seconds()
    used = record["budget_used"]
    share = "no events yet" if used is None else f"{percent(used)}% of the budget used"
    if age > max_age_s:
        return UNKNOWN, f"{record['slo']}: last heard of {age:.0f} s ago ({share}), expected at most {max_age_s:.0f} s"
    if record["gate"] == "frozen":
        return SHUT, f"{record['slo']}: frozen, {share}"
    if used is not None and used >= 1:
        return SHUT, f"{record['slo']}: spent, {share}"
    return OPEN, f"{record['slo']}: open, {share}"


def _last(log: Log, topic: str, name: str, back: int | None) -> dict[str, dict[str, Any]]:
    """Give the last record of each instance among the last `back` messages of each partition; None: among all."""
    found: dict[str, dict[str, Any]] = {}
    for partition in range(log.partitions(topic)):
        with closing(_reader(log, topic, partition, back)) as reader:
            for message in present(reader):
                record = record_of(message.value, _MEMBERS)
                if record is None or not _is_time(record["at"]):
                    continue  # whoever wrote it: it says nothing of a budget
                slo = record["slo"]
                if slo == name or slo.partition(":")[0] == name:
                    found[slo] = max(record, found.get(slo, record), key=lambda each: each["at"])
    return found


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _reader(log: Log, topic: str, partition: int, back: int | None) -> Reader:
    start = None if back is None else log.end(topic, partition) - back
    if start is None or start <= 0:
        return log.reader(topic, partition, None)
    try:
        return log.reader(topic, partition, start)
    except LostOffsetError:
        return log.reader(topic, partition, None)
