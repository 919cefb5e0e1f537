"""Tools that do not exist: the model made a name up, was told so, and tries another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.runaways.base import Count, Ladder, Rule, Suspects
from models.runaways.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.runaways.base import OpenRun


def _counts(run: OpenRun) -> Iterator[Count]:
    """Count different names outside the known ones. Where these were only learnt, a call must have failed too."""
    if run.known_tools is None:
        return
    made_up: dict[int, None] = {}
    for call in run.calls:
        if call.tool and call.tool not in run.known_tools and (call.failed or run.tools_are_listed):
            made_up[call.tool] = None
            names = [run.text(tool) for tool in made_up]
            yield Count(call.at_ns, len(made_up), {"tool": names[-1], "sequence": names})


TOOL_UNKNOWN = Rule(
    "tool.unknown",
    Ladder(warn=1, block=2, kill=4),
    Suspects((Seen.STRANGE,), at=lambda _: 1),
    _counts,
    "{tool} is no tool of this workflow ({count:full} such names so far)",
)
