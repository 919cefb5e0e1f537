"""The control plane knows the budgets of the policy before the flow has told of anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball_sdk.reserving import Request, Reserved
from flyball_sdk.scope import Subject

from control.plane import Plane
from flyball.check import configuration, policy
from flyball.control import plane_settings

if TYPE_CHECKING:
    from pathlib import Path

POLICY = "spend:\n  budgets:\n    - {name: users, level: user, period: day, limit: 1.0}\n"
COSTS = 'control:\n  tools: {"*": {cost: 0.25}}\n'


def test_a_new_user_cannot_overshoot(tmp_path: Path) -> None:
    """Of ten calls of a quarter four fit into a dollar, of a user whom no record tells of."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "flyball.yaml").write_text(COSTS)
    plane = Plane(plane_settings(configuration(tmp_path), tmp_path / "control", policy(tmp_path)), say=lambda _: None)
    request = Request("tool", "pay", {}, Subject(user="new", tenant="t1"), "digest")
    assert [isinstance(plane.reservations.reserve(request), Reserved) for _ in range(10)] == [True] * 4 + [False] * 6
    plane.stop()
