"""Throttles of command hooks: each call is a process of its own, and the limit holds over all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from flyball_sdk.adapters.hook_throttles import HookThrottles
from flyball_sdk.state import Throttle
from flyball_sdk.throttling import Asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def rule(**throttle: int) -> dict[str, Any]:
    """Throttle Bash."""
    return {
        "id": "slow",
        "version": 1,
        "match": {"tools": ["Bash"]},
        "when": "always",
        "effect": "throttle",
        "throttle": {**throttle, "per": "product"},
        "mode": "enforce",
        "message": "Slower.",
        "tests": {"block": [{}], "allow": [{"tool": "other", "input": {}}]},
    }


def said(event: str, call: str, session: str) -> dict[str, Any]:
    """Write what Claude Code tells a hook; each call has its own input, so that none repeats."""
    more = {"tool_response": "done"} if event == "PostToolUse" else {}
    tool = {"tool_name": "Bash", "tool_input": {"command": call}, "tool_use_id": call}
    return {"hook_event_name": event, "session_id": session, **tool, **more}


@pytest.fixture
def hook(tmp_path: Path) -> Callable[..., Any]:
    """Give a function that runs the hook: what it decided, and why."""

    def run(event: str, call: str, session: str = "s", **throttle: int) -> str:
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump([rule(**throttle)]))
        env = {"FLYBALL_HOOK_DIR": str(tmp_path / "hooks"), "FLYBALL_RULES": str(tmp_path / "rules.yaml")}
        done = subprocess.run(
            [sys.executable, "-m", "flyball_sdk.adapters.claude_code"],
            input=json.dumps(said(event, call, session)),
            env=env | {"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)["hookSpecificOutput"]["permissionDecisionReason"] if done.stdout else ""

    return run


def test_a_rate_holds_over_processes_and_sessions(hook: Callable[..., str], tmp_path: Path) -> None:
    """Two calls a minute: the third is told how long to wait, in another session, too."""
    for call in ("a", "b"):
        assert not hook("PreToolUse", call, calls_per_minute=2)
        assert not hook("PostToolUse", call, calls_per_minute=2)
    assert "Wait" in hook("PreToolUse", "c", calls_per_minute=2)
    assert "Wait" in hook("PreToolUse", "d", "other", calls_per_minute=2)
    assert not hook("PreToolUse", "e", calls_per_minute=3)  # what was refused did not count
    assert (tmp_path / "hooks" / "throttles.json").stat().st_mode & 0o777 == 0o600


def test_a_session_that_another_hook_has_just_forgotten_blocks_no_call(
    hook: Callable[..., str], tmp_path: Path
) -> None:
    """Sessions of last week are forgotten by whichever hook runs: a file that is listed and gone is no trouble."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    (folder / "gone.jsonl").symlink_to(folder / "nothing")  # listed, and not there, as between two hooks
    old = folder / "old.jsonl"
    old.touch()
    os.utime(old, (1e9, 1e9))
    assert not hook("PreToolUse", "a", calls_per_minute=2)
    assert not old.exists()


def test_calls_at_the_same_time_are_those_that_have_not_ended(hook: Callable[..., str]) -> None:
    """Of one at once the second waits for the first."""
    assert not hook("PreToolUse", "a", concurrency=1)
    assert hook("PreToolUse", "b", concurrency=1)
    assert not hook("PostToolUse", "a", concurrency=1)
    assert not hook("PreToolUse", "b", concurrency=1)


@pytest.mark.parametrize(("later", "refused"), [(59.0, True), (61.0, False), (-1e6, False)])
def test_what_is_old_or_of_before_a_restart_goes(tmp_path: Path, later: float, *, refused: bool) -> None:
    """A minute later, and after the machine's clock began anew, nothing is counted."""
    now, asked = [2e6], [Asked(("tenant", "acme"), Throttle(1, None))]
    one, two = (HookThrottles(tmp_path / "throttles.json", call, lambda: now[0]) for call in "ab")
    assert one.enter(asked, "", now[0]) is None
    one.leave([asked[0].key], "")
    now[0] += later
    assert (two.enter(asked, "", now[0]) is not None) is refused


@pytest.mark.parametrize("left", ['{"a738": [[100.0], {"c1', "", "7", '{"a": 7}', '{"a": [["x"], {}]}'])
def test_a_hook_that_was_killed_while_it_wrote_blocks_nobody(
    hook: Callable[..., str], tmp_path: Path, left: str
) -> None:
    """Later calls are checked, and counted from then on; the session goes on too."""
    assert not hook("PreToolUse", "a", calls_per_minute=2)
    (tmp_path / "hooks" / "throttles.json").write_text(left)
    (session,) = (tmp_path / "hooks").glob("*.jsonl")
    session.write_text(session.read_text() + '{"begin": "b", "to')
    for call in ("c", "d"):
        assert not hook("PreToolUse", call, calls_per_minute=2)
    assert "Wait" in hook("PreToolUse", "e", calls_per_minute=2)
    lines = session.read_text().splitlines()
    assert [json.loads(line)["begin"] for line in lines if not line.endswith('"to')] == ["a", "c", "d", "e"]
