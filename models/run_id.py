"""The id of a run as records print it: its trace id, 32 hex digits."""

from __future__ import annotations

import re

_WORD = 2**64
_ID = re.compile(r"[0-9a-fA-F]{32}")


def run_id_of(high: int, low: int) -> str:
    """Write the two words of a trace id, signed or not.

    >>> run_id_of(-1, 255)
    'ffffffffffffffff00000000000000ff'
    """
    return f"{high % _WORD:016x}{low % _WORD:016x}"


def words_of(run_id: str) -> tuple[int, int] | None:
    """Read the two words of a run's id, signed as in columns; None: it is none.

    >>> words_of("ffffffffffffffff00000000000000ff"), words_of("air")
    ((-1, 255), None)
    """
    if not _ID.fullmatch(run_id):
        return None
    high, low = (int(half, 16) for half in (run_id[:16], run_id[16:]))
    return high - _WORD * (high >= _WORD // 2), low - _WORD * (low >= _WORD // 2)
