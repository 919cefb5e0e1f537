"""Caps and loops of `policy.yaml` hold at the control plane's own guard as they do in the flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk.limits import Limits, Repeats
from flyball_sdk.scope import Subject

from control.guards import Call
from control.keys import Key
from control.plane import Plane
from flyball.check import configuration, policy
from flyball.config.guard_limits import guard_limits
from flyball.config.policy import PolicyFile
from flyball.control import plane_settings

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """
runaways:
  rules:
    cap.tool_calls: {limit: 6}
    cap.wall: {mode: enforce, limit: 60}
    repeat.identical: {warn: 2, block: 3, kill: 40}
    repeat.error: {mode: shadow}
  workflows:
    batch:
      cap.tool_calls: {limit: 9}
      repeat.identical: {mode: "off"}
"""


def calls(plane: Plane, count: int, workflow: str, *, alike: bool = False) -> list[str]:
    """Ask about calls of one run."""
    who, key = Subject(run=f"{count:032x}", workflow=workflow), Key("k", "", "", agent="*")
    made = [Call("tool", "read", {"n": 0 if alike else n}, who, None, 0) for n in range(count)]
    return [plane.guards.evaluate(key, each)["reason_code"] for each in made]


def test_what_the_policy_says_holds(tmp_path: Path) -> None:
    """A cap that was raised for one workflow is raised here too: else its runs were killed at a cap nobody had set."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    plane = Plane(plane_settings(configuration(tmp_path), tmp_path / "c", policy(tmp_path)), say=lambda _: None)
    assert calls(plane, 7, "air") == [""] * 6 + ["cap.tool_calls"]
    assert calls(plane, 10, "batch") == [""] * 9 + ["cap.tool_calls"]
    assert calls(plane, 4, "air", alike=True) == [""] * 2 + ["repeat.identical"] * 2
    assert calls(plane, 8, "batch", alike=True) == [""] * 8
    plane.stop()


def test_rules_that_are_not_named_are_the_guards_own(tmp_path: Path) -> None:
    """Only what the policy says is changed; what it does not enforce limits nothing."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    everywhere, own = guard_limits(policy(tmp_path))
    assert everywhere == Limits(tool_calls=6, wall_s=60.0, identical=Repeats(2, 3, 16), error=None)
    assert own == {"batch": Limits(tool_calls=9, wall_s=60.0, identical=None, error=None)}
    assert guard_limits(PolicyFile()) == (Limits(), {})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{block: 0}", Repeats(3, 10, 10)),
        ("{block: 0, kill: 0}", None),
        ("{warn: 1, block: 1, kill: 1}", Repeats(2, 2, 2)),
        ("{warn: 20, block: 30, kill: 40}", None),
    ],
)
def test_any_ladder_is_one_of_the_guard(tmp_path: Path, said: str, expected: Any) -> None:
    """A step that was taken away, and counts that the guard does not go to."""
    (tmp_path / "policy.yaml").write_text(f"runaways:\n  rules:\n    repeat.identical: {said}\n")
    assert guard_limits(policy(tmp_path))[0].identical == expected
