"""Driving: lets an agent work at its own pace until its guard refuses a call, and notes when what happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball_sdk.decision import Decision

    from flyball.demo.agents import Agent, Work
    from flyball.demo.stage import Stage


class Course(NamedTuple):
    """How it went. Times are time.monotonic."""

    calls: list[float]
    """When each call that was made had ended, and was told."""
    heard_at: float | None
    """When the guard first had a signal about this agent."""
    refusal: Decision | None
    """None: it made all of its calls."""


def drive(stage: Stage, agent: Agent, work: Callable[[int], Work], pace_s: float, most: int) -> Course:
    """Let the agent do steps 1, 2 ... `most`, one each `pace_s`, until one is refused."""
    calls: list[float] = []
    heard_at = None
    for number in range(1, most + 1):
        decision = agent.step(work(number))
        if not decision.allowed:
            return Course(calls, heard_at, decision)
        calls.append(time.monotonic())
        if heard_at is None and stage.wait(lambda: agent.is_held, pace_s):
            heard_at = time.monotonic()
        time.sleep(max(0.0, calls[-1] + pace_s - time.monotonic()))
    return Course(calls, heard_at, None)
