"""Doubts: what is odd about a change that a person accepts as the new normal. Nothing of it is wrong for sure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flyball.errors import CommandError
from flyball.topic import records
from streams.port import LogError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.port import Log

_AHEAD, _BACK = timedelta(minutes=5), timedelta(days=1)
"""What clocks may differ by; what one may have needed to look into an alarm."""
_MEMBERS = {"workflow": str}
"""What is asked of a record, with its type."""
_NAMED = 5
"""Workflows that are named, at most."""


def of_time(at: str, now: datetime | None = None) -> Iterator[str]:
    """Say of a time (RFC 3339) that it is far from now, and what follows."""
    apart = datetime.fromisoformat(at) - (now or datetime.now(UTC))
    if apart > _AHEAD:
        yield f"{at} is in {_long(apart)}: until then what is accepted goes on alarming"
    elif apart < -_BACK:
        yield f"{at} is {_long(-apart)} ago: a running flow opens baselines anew now, and does not go back"


def of_workflow(workflow: str, log: Log, topics: Any) -> Iterator[str]:
    """Say that the log tells of other workflows, never of this one; nothing where it cannot be read, or is empty."""
    known: dict[str, None] = {}
    try:
        for topic in (topics.drift, topics.runs):
            for record in records(log, topic, _MEMBERS) if log.partitions(topic) else ():
                if record["workflow"] == workflow:
                    return
                known[record["workflow"]] = None
    except (CommandError, LogError):
        return
    if known:
        more = f" and {len(known) - _NAMED:,} more" if len(known) > _NAMED else ""
        yield f"nothing in the log was ever told of {workflow}, only of {', '.join(sorted(known)[:_NAMED])}{more}"


def _long(apart: timedelta) -> str:
    hours, days = apart / timedelta(hours=1), apart / timedelta(days=1)
    return f"{days:,.0f} days" if days >= 2 else f"{hours:,.1f} hours"  # noqa: PLR2004 -- days
