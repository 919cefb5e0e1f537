"""What is told of a contrast within types of task does not hang on which type was seen first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.drift import cohorts_by_task
from models.drift.roles import Roles
from models.drift.watches.base import Contrast
from models.drift.watches.words_by_task import rate_by_task_effect
from models.slis.readings import Label

TYPES = [f"type-{number:02}" for number in range(12)]


def _told(order: list[str]) -> dict[str, Any]:
    """Explain tables of types that came in this order: all of as many runs, each with failures of its own."""
    roles, ones = Roles(), np.ones((1, 1))
    groups = [{"workflow": "desk"}, *({"workflow": "desk", "task": task} for task in order)]
    roles.enter([Label("task_success", group, histogram=False, whole=False) for group in groups])
    numbers = np.array([1 + order.index(task) for task in order])
    failed = np.array([TYPES.index(task) for task in order])
    counts = np.stack([numbers, failed, np.full(12, 30), failed + 5, np.full(12, 20)])
    state = cohorts_by_task.start(ones, ones, ones[0])
    return rate_by_task_effect(Contrast("version", "the rest", "2"), state, counts, roles).numbers


@pytest.mark.parametrize("order", [TYPES[::-1], TYPES[5:] + TYPES[:5]])
def test_types_with_as_many_runs_are_told_in_the_order_of_their_names(order: list[str]) -> None:
    """Two workers meet them in another order than one; of twelve types ten are told, the same ones."""
    assert _told(order) == _told(TYPES)
    assert [each["task"] for each in _told(order)["by_task"]] == TYPES[:10]
