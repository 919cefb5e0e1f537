"""The command hook of Claude Code beside a control plane: each call is a process, and asks for the state as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def hooked(served: Any, folder: Path, **env: str) -> tuple[int, Any, str]:
    """Ask the hook about a call of Read: gives exit code, decision (None: it said nothing) and complaints."""
    said = {"hook_event_name": "PreToolUse", "session_id": "s", "tool_name": "Read", "tool_input": {}}
    known = {
        "PATH": "/usr/bin:/bin",
        "FLYBALL_HOOK_DIR": str(folder / "hooks"),
        "FLYBALL_URL": f"http://127.0.0.1:{served.port}",
        "FLYBALL_KEY": served.agent,
        "FLYBALL_SIGNING_KEYS": served.plane.signing.public().to_text(),
    }
    done = subprocess.run(
        [sys.executable, "-m", "flyball_sdk.adapters.claude_code"],
        input=json.dumps(said | {"tool_use_id": "t"}),
        env=known | env,
        capture_output=True,
        text=True,
        check=False,
    )
    specific = json.loads(done.stdout)["hookSpecificOutput"] if done.stdout else {}
    return done.returncode, specific.get("permissionDecision"), done.stderr


@pytest.mark.parametrize(("level", "name"), [("agent", "a1"), ("tenant", "t1")])
def test_a_kill_of_whom_the_key_names_stops_its_sessions(served: Any, tmp_path: Path, level: str, name: str) -> None:
    """A session says neither its agent nor its tenant: they are the key's, also where only the kept state answers."""
    state = {"FLYBALL_STATE": str(tmp_path / "state")}
    assert hooked(served, tmp_path, **state) == (0, None, "")
    served.ask("POST", "/v1/kill", {"scope": {"level": level, "id": name}}, served.admin)
    assert hooked(served, tmp_path) == (0, "deny", "")
    assert hooked(served, tmp_path, **state) == (0, "deny", "")
    away = {"FLYBALL_URL": "http://127.0.0.1:9", "FLYBALL_MODE": "audit"}  # an audit stops nothing but a kill
    assert hooked(served, tmp_path, **state, **away)[:2] == (0, "deny")


@pytest.mark.parametrize("wrong", [{"FLYBALL_KEY": "fbk_no"}, {"FLYBALL_URL": "http://127.0.0.1:9"}])
def test_a_control_plane_that_gives_no_signals_stops_no_audit(
    served: Any, tmp_path: Path, wrong: dict[str, str]
) -> None:
    """Refused or away: an enforcing hook lets nothing through, an auditing one all, and both say why."""
    code, decided, why = hooked(served, tmp_path, **wrong)
    assert (code, decided) == (0, "deny")
    assert "no signals" in why
    assert hooked(served, tmp_path, **wrong, FLYBALL_MODE="audit")[:2] == (0, None)


def test_signals_that_cannot_be_kept_are_obeyed(served: Any, tmp_path: Path) -> None:
    """A disk that refuses is no outage: what is open stays open, what is killed is stopped, and it is said."""
    state = {"FLYBALL_STATE": "/proc/no/state"}
    code, decided, why = hooked(served, tmp_path, **state)
    assert (code, decided, "not kept" in why) == (0, None, True)
    served.ask("POST", "/v1/kill", {"scope": {"level": "product", "id": "*"}}, served.admin)
    assert hooked(served, tmp_path, **state)[:2] == (0, "deny")
