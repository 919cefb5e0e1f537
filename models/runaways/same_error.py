"""A tool that fails the same way again and again, whatever it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.runaways.base import Count, Ladder, Rule, Suspects
from models.runs.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.runaways.base import OpenRun


def _counts(run: OpenRun) -> Iterator[Count]:
    """Count failures of a tool with one error, until that tool succeeds or fails another way."""
    failing: dict[int, tuple[int, int, int]] = {}  # tool -> error, how often, since
    for call in run.calls:
        if not call.failed:
            failing.pop(call.tool, None)
            continue
        error, times, first = failing.get(call.tool, (call.result, 0, call.at_ns))
        times, first = (times + 1, first) if error == call.result else (1, call.at_ns)
        failing[call.tool] = call.result, times, first
        yield Count(call.at_ns, times, {"tool": run.text(call.tool), "first_ns": first})


REPEAT_ERROR = Rule(
    "repeat.error",
    Ladder(warn=3, block=6, kill=12),
    Suspects((Pulse.ERRORS,)),
    _counts,
    "{tool} failed {count:full} times with the same error",
)
