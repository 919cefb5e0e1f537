"""Loops: how often the end of a run's calls repeats itself.

A run's calls are a sequence. It ends in `n` rounds of length `p` if its last n * p calls are the same p calls n times
over, and no call among them had a result that differs from that of the same call in another round. So polling, whose
result changes, begins anew at the change; a result that was not recorded leaves a loop one; and calls whose arguments
are not known are equal to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Made:
    """A call as it was asked for, and what came of it."""

    __slots__ = ("alike", "error", "result", "tool")

    def __init__(self, tool: str, alike: bytes | None) -> None:
        self.tool = tool
        self.alike = alike
        self.result: bytes | None = None
        """Digest of result or error; None: not recorded (yet)."""
        self.error = False


def rounds(calls: Sequence[Made], length: int, most: int) -> int:
    """Count the rounds of `length` calls that the sequence ends in, at most `most`; 0: the last calls are not known."""
    last = len(calls) - 1
    if last < 0 or calls[last].alike is None:
        return 0
    results: list[bytes | None] = [None] * length
    matched = 0
    for back in range(min(len(calls), length * most)):
        call = calls[last - back]
        if call.alike is None or call.alike != calls[last - back % length].alike:
            break
        if call.result is not None:
            known = results[back % length]
            if known is not None and known != call.result:
                break
            results[back % length] = call.result
        matched += 1
    return matched // length


def cycle(calls: Sequence[Made], longest: int, least: int, most: int) -> tuple[int, int]:
    """Find the shortest cycle of 2 to `longest` calls with at least `least` rounds: (length, rounds), or (0, 0).

    The same call all over is no cycle.
    """
    for length in range(2, longest + 1):
        # a look at one call back spares most of the work
        if len(calls) < length * least or calls[-1].alike != calls[-1 - length].alike:
            continue
        found = rounds(calls, length, most)
        if found >= least and len({call.alike for call in list(calls)[-length:]}) > 1:
            return length, found
    return 0, 0
