"""The same call with the same result over and over, with others in between: work that gets nowhere."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from models.runaways.base import Count, Ladder, Rule, Suspects
from models.runs.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.runaways.base import OpenRun

WINDOW = 24
"""Calls looked back on."""


def _counts(run: OpenRun) -> Iterator[Count]:
    """Count, within the last calls, those with the tool, arguments and result of the newest; all must be known."""
    window: deque[tuple[int, int, int]] = deque()
    seen: Counter[tuple[int, int, int]] = Counter()
    for call in run.calls:
        if len(window) == WINDOW:
            seen[window.popleft()] -= 1
        what = call.tool, call.arguments, call.result
        window.append(what)
        seen[what] += 1
        if call.arguments and call.result:
            yield Count(call.at_ns, seen[what], {"tool": run.text(call.tool)})


REPEAT_NO_PROGRESS = Rule(
    "repeat.no_progress",
    Ladder(warn=4, block=8, kill=16),
    Suspects((Pulse.REPEATS,)),
    _counts,
    "{tool} gave the same answer to the same question {count:full} times within 24 calls",
)
