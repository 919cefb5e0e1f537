"""Two or three agents that hand the task to each other for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.runaways.base import Count, Ladder, Rule, Suspects
from models.runaways.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.runaways.base import OpenRun

PERIODS = (2, 3)


def _counts(run: OpenRun) -> Iterator[Count]:
    """Count how often the nested agents have gone round, by the start of each: whatever batch told of it."""
    agents = [agent for _, agent in run.agents]
    for period in PERIODS:
        same = 0
        for at in range(period, len(agents)):
            same = same + 1 if agents[at] == agents[at - period] else 0
            circle = agents[at - period + 1 : at + 1]
            if same and len(set(circle)) > 1:
                names = [run.text(agent) for agent in circle]
                yield Count(run.agents[at][0], same // period + 1, {"sequence": names})


PINGPONG_AGENTS = Rule(
    "pingpong.agents",
    Ladder(warn=3, block=5, kill=8),
    Suspects((Seen.NESTED,), at=lambda count: count * PERIODS[0]),
    _counts,
    "the task went round {count:full} times between {sequence}",
)
