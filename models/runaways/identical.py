"""The same call again and again in a row. A result that changes is polling, which only the caps end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.runaways.base import Count, Ladder, Rule, Suspects
from models.runs.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.runaways.base import Call, OpenRun


def _counts(run: OpenRun) -> Iterator[Count]:
    """Count calls in a row that are alike; a result that was not recorded leaves it one row."""
    in_row, result, first = 0, 0, 0
    before: Call | None = None
    for call in run.calls:
        changed = call.result not in (0, result) and result != 0
        if before is not None and call.is_as(before) and not changed:
            in_row += 1
            result = result or call.result
            yield Count(call.at_ns, in_row, {"tool": run.text(call.tool), "first_ns": first})
        else:
            in_row, result, first = 1, call.result, call.at_ns
        before = call


REPEAT_IDENTICAL = Rule(
    "repeat.identical",
    Ladder(warn=3, block=5, kill=10),
    Suspects((Pulse.REPEATS,)),
    _counts,
    "{tool} was called {count:full} times in a row with the same arguments and no new result",
    mode="enforce",
)
