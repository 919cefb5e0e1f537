"""A, B, A, B: calls that go in a circle, by sequence, of two to eight calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.runaways.base import Count, Ladder, Rule, Suspects
from models.runs.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.runaways.base import Call, OpenRun

PERIODS = range(2, 9)
"""Lengths of a circle, shortest first: a longer one is only a shorter one gone round twice."""


def _counts(run: OpenRun) -> Iterator[Count]:
    """Count how often the newest calls have gone round. Of one call alone it is no circle but a repetition."""
    same = dict.fromkeys(PERIODS, 0)  # calls in a row that are the one a period ago, with the same end
    calls = run.calls
    for at, call in enumerate(calls):
        for period in PERIODS:
            before = calls[at - period] if at >= period else None
            again = before is not None and call.is_as(before) and call.ended_as(before)
            same[period] = same[period] + 1 if again else 0
        for period in PERIODS:
            rounds = same[period] // period + 1
            if rounds > 1:
                circle = calls[at - period + 1 : at + 1]
                if any(not each.is_as(circle[0]) for each in circle):
                    first = calls[at - same[period] - period + 1].at_ns
                    yield Count(call.at_ns, rounds, {"sequence": _names(run, circle), "first_ns": first})
                break


def _names(run: OpenRun, circle: list[Call]) -> list[str]:
    return [run.text(call.tool) for call in circle]


CYCLE_SEQUENCE = Rule(
    "cycle.sequence",
    Ladder(warn=3, block=4, kill=6),
    Suspects((Pulse.REPEATS,)),
    _counts,
    "the same sequence of calls {count:full} times: {sequence}",
)
