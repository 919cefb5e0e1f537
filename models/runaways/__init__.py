"""Runaways in progress: rules on open runs. A rule is one file and one line here."""

from __future__ import annotations

from models.runaways.beyond_baseline import BASELINE_COST, BASELINE_STEPS, BASELINE_TOKENS
from models.runaways.caps import CAP_COST, CAP_LLM_CALLS, CAP_STEPS, CAP_TOKENS, CAP_TOOL_CALLS, CAP_WALL
from models.runaways.cycle import CYCLE_SEQUENCE
from models.runaways.identical import REPEAT_IDENTICAL
from models.runaways.no_progress import REPEAT_NO_PROGRESS
from models.runaways.pingpong import PINGPONG_AGENTS
from models.runaways.replan import RATE_REPLAN
from models.runaways.same_error import REPEAT_ERROR
from models.runaways.unknown_tool import TOOL_UNKNOWN

RULES = (
    CAP_STEPS,
    CAP_LLM_CALLS,
    CAP_TOOL_CALLS,
    CAP_TOKENS,
    CAP_COST,
    CAP_WALL,
    REPEAT_IDENTICAL,
    REPEAT_NO_PROGRESS,
    REPEAT_ERROR,
    CYCLE_SEQUENCE,
    TOOL_UNKNOWN,
    PINGPONG_AGENTS,
    RATE_REPLAN,
    BASELINE_STEPS,
    BASELINE_TOKENS,
    BASELINE_COST,
)
