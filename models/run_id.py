"""The id of a run as records print it: its trace id, 32 hex digits."""

from __future__ import annotations

_WORD = 2**64


def run_id_of(high: int, low: int) -> str:
    """Write the two words of a trace id, signed or not.

    >>> run_id_of(-1, 255)
    'ffffffffffffffff00000000000000ff'
    """
    return f"{high % _WORD:016x}{low % _WORD:016x}"
