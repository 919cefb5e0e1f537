"""Avoided: what a run that is stopped would have cost on its way to its caps, at the pace it had.

An estimate, and a careful one: the caps on calls would have stopped it anyway, so only what lay before the nearest of
them counts. A run that is stopped by a cap avoids nothing by this measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.runaways.base import NANO
from models.runaways.caps import CAP_LLM_CALLS, CAP_TOOL_CALLS

if TYPE_CHECKING:
    from models.runaways.base import Point
    from models.runaways.policy import RunawayPolicy

AVOIDED = "cost_usd_avoided"
"""Its name in the evidence of a kill."""


def avoided_usd(policy: RunawayPolicy, workflow: str | None, stood: Point, tool_calls: int) -> float | None:
    """Give USD, from how the run stood and the tool calls it had made; None: its cost is not known, or no cap holds.

    cost / share of the nearest cap that was used up, less the cost.
    """
    used = 0.0
    for rule, count in ((CAP_LLM_CALLS, stood.llm_calls), (CAP_TOOL_CALLS, tool_calls)):
        mode, ladder = policy.setting(rule, workflow)
        if mode == "enforce" and ladder.kill:
            used = max(used, count / ladder.kill)
    if not stood.cost or not used:
        return None
    return round(stood.cost / NANO * (1 / min(used, 1.0) - 1), 9)
