"""Workflow: how one kind of agent behaves when nothing is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class OutcomeBy(IntEnum):
    """How the world learns whether a run succeeded."""

    STATUS = 0  # the root span has status ERROR when it failed
    ATTRIBUTE = 1  # the root span says `flyball.outcome`
    EVALUATION = 2  # an evaluation `task_success` follows some seconds later


@dataclass(frozen=True)
class Tool:
    """A tool: `{n}` in the texts is one number of eight digits a call, so that calls differ."""

    name: str
    weight: float = 1.0
    seconds: float = 0.6
    """Median duration; durations are log-normal."""
    spread: float = 0.6
    """Standard deviation of the logarithm of the duration."""
    errors: float = 0.02
    """Probability that a call fails."""
    timeouts: float = 0.2
    """Share of failures that are timeouts."""
    approval: float = 0.0
    """Probability that a person is asked before the call."""
    arguments: str = '{"id":"{n}"}'
    result: str = '{"id":"{n}","ok":true}'


@dataclass(frozen=True)
class Model:
    """A model and its list price in USD for a million tokens."""

    name: str
    provider: str
    input_usd: float
    cached_usd: float
    output_usd: float
    tokens_per_s: float = 80.0
    """Speed of the output."""


@dataclass(frozen=True)
class Workflow:
    """Rates are probabilities a run, unless said otherwise; durations and counts are log-normal around their median."""

    name: str
    agent: str
    tools: tuple[Tool, ...]
    models: tuple[tuple[Model, float], ...]
    weight: float = 1.0
    versions: tuple[tuple[str, float], ...] = (("2026.3.1", 1.0),)
    environments: tuple[tuple[str, float], ...] = (("prod", 0.95), ("staging", 0.05))
    rounds: float = 5.0
    """Median number of model calls; all but the last are followed by tool calls."""
    rounds_spread: float = 0.5
    max_rounds: int = 40
    parallel: float = 0.15
    """Probability that a round calls two tools at once."""
    subagent: float = 0.0
    """Probability that a round is done by a nested agent."""
    pause_s: float = 0.2
    """Median time between two rounds (the user's answer, or bookkeeping)."""
    prompt_tokens: int = 2500
    output_tokens: float = 140.0
    reports_cost: bool = False
    success: float = 0.9
    crash: float = 0.005
    """Runs that end at their cap of steps, with status ERROR; they fail."""
    escalation: float = 0.0
    """Runs handed to a person at their end."""
    guard: float = 0.0
    """Runs whose input passes a guard."""
    blocked: float = 0.0
    """Share of guarded runs that the guard ends."""
    outcome_by: OutcomeBy = OutcomeBy.STATUS
    evaluated: float = 1.0
    """Runs that are evaluated, where outcomes come by evaluation."""
    evaluation_delay_s: float = 20.0
    feedback: float = 0.0
    """Runs to which the user gives a thumb up or down, some minutes later."""
