"""Times as people and records write them."""

from __future__ import annotations

from datetime import UTC, datetime

_SECOND = 1_000_000_000


def nanoseconds(text: str) -> int:
    """Read what `rfc3339` wrote.

    >>> nanoseconds("2025-12-02T14:04:02.726730Z")
    1764684242726730000
    """
    moment = datetime.fromisoformat(text)
    return int(moment.replace(microsecond=0).timestamp()) * _SECOND + moment.microsecond * 1000


def rfc3339(ns: int) -> str:
    """Write Unix nanoseconds as RFC 3339 UTC with microseconds.

    >>> rfc3339(1_764_684_242_726_730_000)
    '2025-12-02T14:04:02.726730Z'
    """
    second, rest = divmod(ns, _SECOND)
    moment = datetime.fromtimestamp(second, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def in_words(at: str, *, seconds: bool = False) -> str:
    """Write an RFC 3339 UTC time as people read it, to the minute or the second.

    >>> in_words("2025-12-02T14:04:02.726730Z")
    '2025-12-02 14:04Z'
    """
    return f"{at[: 19 if seconds else 16].replace('T', ' ')}Z"
