"""What is known of tools where there are more than are kept: nothing is said of what cannot be known."""

from __future__ import annotations

import numpy as np

from models.runaways.tools import EVIDENCE, KnownTools
from models.runs.changes import CALL, Changes
from models.runs.record import RUN

AIR, MOST_TOOLS, MOST_WORKFLOWS = 77, 2000, 1000


def closed(tools: range, *, workflow: int = AIR, runs: int = EVIDENCE) -> Changes:
    """Give runs that closed, the first of which has called these tools, none in vain."""
    rows, calls = np.zeros(runs, RUN), np.zeros(len(tools), CALL)
    rows["workflow"] = workflow
    calls["tool"], calls["calls"] = list(tools), 1
    return Changes(rows, np.ones(runs, np.int64), calls, rows[:0], {})


def test_a_workflow_of_too_many_tools_has_no_strange_ones() -> None:
    """Of one with a tool less the tools are known; at the bound another may be as good as those that are kept."""
    tools = KnownTools()
    tools.learn(closed(range(1, MOST_TOOLS)))
    assert tools.of("air", AIR) == (frozenset(range(1, MOST_TOOLS)), False)
    tools.learn(closed(range(MOST_TOOLS, MOST_TOOLS + 2)))
    assert tools.of("air", AIR) == (None, False)


def test_workflows_beyond_the_bound_take_no_room() -> None:
    """Nothing is kept of them, whatever names they have; those that are known stay known."""
    tools = KnownTools()
    for workflow in range(AIR, AIR + MOST_WORKFLOWS + 50):
        tools.learn(closed(range(1, 3), workflow=workflow))
    assert len(tools._learnt) == MOST_WORKFLOWS
    assert tools.of("air", AIR) == (frozenset((1, 2)), False)
