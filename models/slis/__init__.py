"""SLIs: one a file, one line here. `ALL` is what Flyball measures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from models.slis.approval_rate import APPROVAL_RATE
from models.slis.base import Histogram, Ratio, Sli
from models.slis.blocked_rate import BLOCKED_RATE
from models.slis.cost_per_task import COST_PER_TASK
from models.slis.duplicate_call_rate import DUPLICATE_CALL_RATE
from models.slis.escalation_rate import ESCALATION_RATE
from models.slis.feedback_score import FEEDBACK_SCORE
from models.slis.guard_coverage import GUARD_COVERAGE
from models.slis.task_success import TASK_SUCCESS
from models.slis.time_to_resolution import TIME_TO_RESOLUTION
from models.slis.tokens_per_task import TOKENS_PER_TASK
from models.slis.tool_success import TOOL_SUCCESS
from models.slis.tool_timeout import TOOL_TIMEOUT
from models.slis.trajectory_length import (
    TRAJECTORY_LENGTH,
    TRAJECTORY_LENGTH_LLM_CALLS,
    TRAJECTORY_LENGTH_TOOL_CALLS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL: tuple[Sli, ...] = (
    TASK_SUCCESS,
    TOOL_SUCCESS,
    TOOL_TIMEOUT,
    TRAJECTORY_LENGTH,
    TRAJECTORY_LENGTH_LLM_CALLS,
    TRAJECTORY_LENGTH_TOOL_CALLS,
    COST_PER_TASK,
    TOKENS_PER_TASK,
    TIME_TO_RESOLUTION,
    ESCALATION_RATE,
    DUPLICATE_CALL_RATE,
    BLOCKED_RATE,
    GUARD_COVERAGE,
    APPROVAL_RATE,
    FEEDBACK_SCORE,
)

NAMES: tuple[str, ...] = tuple(sli.name for sli in ALL)


def with_caps(caps: Mapping[str, float]) -> tuple[Sli, ...]:
    """Give all SLIs, histograms named in `caps` with that cap. Raises ValueError for a name that is no histogram."""
    unknown = set(caps) - {sli.name for sli in ALL if isinstance(sli, Histogram)}
    if unknown:
        msg = f"no histogram SLI named {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    return tuple(
        replace(sli, cap=caps[sli.name]) if isinstance(sli, Histogram) and sli.name in caps else sli for sli in ALL
    )


__all__ = ["ALL", "NAMES", "Histogram", "Ratio", "Sli", "with_caps"]
