"""What a stopped run would have cost on its way to its caps, by hand."""

from __future__ import annotations

import pytest

from models.runaways.avoided import avoided_usd
from models.runaways.base import Point
from models.runaways.policy import RuleSetting, RunawayPolicy

USD = 1_000_000_000
CASES = [
    # of 100 tool calls, of 50 model calls, USD so far -> USD to the nearest cap
    (10, 5, 0.05, 0.45),
    (10, 25, 0.5, 0.5),
    (50, 0, 3.0, 3.0),
    (100, 10, 2.0, 0.0),
    (150, 10, 2.0, 0.0),
    (10, 5, 0.0, None),
    (0, 0, 1.0, None),
]


@pytest.mark.parametrize(("tool_calls", "llm_calls", "cost", "expected"), CASES)
def test_to_the_nearest_cap(tool_calls: int, llm_calls: int, cost: float, expected: float | None) -> None:
    """Cost over the share of the cap that was used up, less the cost; without a cost nothing is known."""
    stood = Point(0, llm_calls, 0, int(cost * USD))
    assert avoided_usd(RunawayPolicy(), "w", stood, tool_calls) == expected


def test_caps_are_those_of_the_workflow() -> None:
    """One that is only watched, or off, stops nothing."""
    stood = Point(0, 5, 0, USD)
    off = {"cap.llm_calls": RuleSetting(mode="off"), "cap.tool_calls": RuleSetting(mode="shadow")}
    policy = RunawayPolicy(workflows={"free": off, "tight": {"cap.tool_calls": RuleSetting(limit=20)}})
    assert avoided_usd(policy, "free", stood, 10) is None
    assert avoided_usd(policy, "tight", stood, 10) == 1.0
    assert avoided_usd(policy, "other", stood, 10) == 9.0
