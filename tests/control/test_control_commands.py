"""The commands, as people run them, against a real process."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streams.embedded.log import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A `flyball control` with its own folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "config").mkdir(exist_ok=True)
        (folder / "config" / "flyball.yaml").write_text("control: {port: 0}\n")
        self.common = ["--config", str(folder / "config"), "--data", str(folder / "data")]
        self.process: Any = None

    def start(self, planes: Any) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "said").open("ab") as said:
            command = [sys.executable, "-m", "flyball", "control", *self.common]
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        planes.until(lambda: self.process.poll() is not None or "guards pin" in self.said(), self.said, 60)

    def said(self) -> str:
        """Give what it printed."""
        return (self.folder / "said").read_text()

    def run(
        self, *words: str, env: dict[str, str] | None = None, stdin: int = subprocess.DEVNULL
    ) -> tuple[int, str, str]:
        """Run another command."""
        command = [sys.executable, "-m", "flyball", *words, *self.common]
        environment = os.environ | (env or {})
        done = subprocess.run(
            command,
            cwd=ROOT,
            check=False,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def process(tmp_path: Path, planes: Any) -> Iterator[Process]:
    """Give a running control plane."""
    running = Process(tmp_path)
    running.start(planes)
    yield running
    running.process.kill()
    running.process.wait(30)


def test_drift_is_accepted_at_once(process: Process, planes: Any) -> None:
    """By the control plane, and in policy.yaml; what it refuses is not written; one that is down is no obstacle."""
    policy = process.folder / "config" / "policy.yaml"
    assert process.run("drift", "accept", "--workflow", "air", "--at", "yesterday")[0] == 1
    assert not policy.exists()
    code, out, _ = process.run(
        "drift", "accept", "--workflow", "air", "--sli", "task_success", "--reason", "new prices"
    )
    assert (code, "now: the flow is told" in out) == (0, True)
    assert "task_success" in policy.read_text()
    told = planes.until(lambda: process.run("records", "flyball.orders")[1])
    (order,) = [json.loads(line) for line in told.splitlines()]
    assert (order["order"], order["workflow"], order["sli"], order["by"]) == (
        "accept",
        "air",
        "task_success",
        "first operator",
    )
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(30) == 0, process.said()
    code, out, _ = process.run("drift", "accept", "--workflow", "air")
    assert (code, "once the flow is started again" in out) == (0, True)
    code, _, err = process.run("drift", "accept", "--workflow", "air", "--url", "http://127.0.0.1:9")
    assert (code, "does not answer" in err) == (1, True)


def test_kill_status_resume_audit(process: Process) -> None:
    """The operator's commands do what they say, end well, and SIGTERM leaves an audit log that verifies."""
    run = f"run:{'cd' * 16}"
    code, out, _ = process.run("kill", run, "--reason", "loops; password=hunter2")
    assert code == 0
    assert re.fullmatch(rf"{run} is killed, signal \(\d+, 1\)\n", out)
    code, out, _ = process.run("status", "--json")
    (row,) = json.loads(out)["scopes"]
    assert (row["state"]["kill"], list(row["sources"])) == (True, ["operator"])
    assert run in process.run("status")[1]
    code, out, _ = process.run("resume", run)
    assert (code, out) == (0, f"{run} is resumed\n")
    assert process.run("resume", run)[1] == f"nothing was asked of {run}\n"
    code, out, _ = process.run("kill", "product")
    assert (code, out.splitlines()[1].startswith("of it no run has ended in the last 15 minutes")) == (0, True)
    code, out, _ = process.run("resume", "product")
    assert (code, "a second person" in out) == (1, True)
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(30) == 0, process.said()
    code, out, _ = process.run("audit", "verify")
    assert (code, out.endswith("0 entries not yet signed\n")) == (0, True), out
    token = (process.folder / "data" / "control" / "operator.key").read_text().strip()
    exported = process.run("audit", "export")[1]
    assert token.split("_", 2)[2] not in process.said() + exported
    assert "hunter2" not in exported
    commands = [
        json.loads(line)["entry"]["what"].get("command") for line in exported.splitlines() if "entry" in line[:9]
    ]
    assert [each for each in commands if each] == ["kill", "resume", "resume", "kill", "resume.asked"]
    kept = process.folder / "export.jsonl"
    kept.write_text(exported)
    assert process.run("audit", "verify", "--against", str(kept))[0] == 0


def test_who_sits_at_a_terminal_is_asked_before_all_stops(process: Process) -> None:
    """About the whole product alone: what would stop is said, and nothing but the word kills; scripts are not asked."""

    def typed(text: bytes, *words: str) -> tuple[int, str]:
        keyboard, terminal = pty.openpty()
        try:
            os.write(keyboard, text)
            code, out, _ = process.run("kill", *words, stdin=terminal)
        finally:
            os.close(keyboard)
            os.close(terminal)
        return code, out

    def killed() -> list[str]:
        return [each["scope"]["level"] for each in json.loads(process.run("status", "--json")[1])["scopes"]]

    for text in (b"y\n", b"\n", b"\x04"):
        code, out = typed(text, "product")
        assert (code, killed()) == (1, []), out
        assert "this stops all agents of every workflow, user and tenant" in out
        assert "guards connected: 0" in out
        assert out.endswith("nothing was killed\n")
    assert typed(b"", "workflow:air")[0] == 0
    assert typed(b"", "product", "--yes")[0] == 0
    assert sorted(killed()) == ["product", "workflow"]
    assert typed(b"product\n", "product", "--tenant", "acme")[0] == 0
    assert process.run("kill", "product")[0] == 0


def test_a_kill_without_a_log_doubts_no_name(tmp_path: Path, planes: Any) -> None:
    """While Kafka is away nobody knows what ran: that is said, and not that the name may be wrong."""
    running = Process(tmp_path)
    file = tmp_path / "config" / "flyball.yaml"
    file.write_text(file.read_text() + 'log: {brokers: ["127.0.0.1:9"]}\n')
    running.start(planes)
    try:
        code, out, _ = running.run("kill", "workflow:air")
        assert (code, "is the name right" in out) == (0, False), out
        assert "what ran is not known, as the log is not read up now; guards connected: 0" in out
    finally:
        running.process.kill()
        running.process.wait(30)


def test_whom_a_kill_reached_is_told(process: Process, planes: Any, told: Any) -> None:
    """By the runs that ended of late; a name that nobody has is asked about, and killed all the same."""
    log = EmbeddedLog(process.folder / "data" / "log")
    log.ensure("flyball.runs", 1)
    with closing(log.writer()) as writer:
        record = told.run(1, datetime.now(UTC), workflow="air")
        writer.append("flyball.runs", [(None, json.dumps(record).encode())])
        writer.flush()
    seen = "workflow:air is killed"

    def killed() -> str:
        out = process.run("kill", "workflow:air")[1]
        assert out.startswith(seen)
        return out if "1 run ended in the last 15 minutes; guards connected: 0\n" in out else ""

    planes.until(killed)
    code, out, _ = process.run("kill", "workflow:ari")
    assert (code, out.count("\n")) == (0, 2)
    assert "of it no run has ended in the last 15 minutes: is the name right?" in out


def test_what_is_wrong_is_told_in_one_line(tmp_path: Path) -> None:
    """A plane that is down, a scope that is none, a key that is missing: one clear line each, exit 1."""
    down = Process(tmp_path)
    key = {"FLYBALL_CONTROL_KEY": "fbk_x", "FLYBALL_CONTROL": "http://127.0.0.1:9"}
    code, out, err = down.run("kill", "product", env=key)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "does not answer at http://127.0.0.1:9: Connection refused. Nothing was changed." in err
    code, _, err = down.run("kill", "everything", env=key)
    assert (code, "'everything' is no scope" in err) == (1, True)
    code, _, err = down.run("status")
    assert (code, "Set FLYBALL_CONTROL_KEY" in err) == (1, True)
    code, _, err = down.run("audit", "verify")
    assert (code, "no control plane ever ran" in err) == (1, True)


def test_the_list_of_keys_tells_which_are_over(tmp_path: Path) -> None:
    """A key of a day says until when it holds, one that has expired since when it does not, one for ever neither."""
    folder = Process(tmp_path)
    names = [
        folder.run("control", "--new-key", "agent", "--agent", agent, *days)[1].split("_")[1]
        for agent, days in (("lasting", ()), ("daily", ("--days", "1")), ("late", ("--days", "1")))
    ]
    (path,) = tmp_path.rglob("keys.json")
    rows = orjson.loads(path.read_bytes())
    next(row for row in rows if row["id"] == names[2])["expires_ns"] = 1_790_000_000 * 10**9
    path.write_bytes(orjson.dumps(rows))
    lasting, daily, late = (
        next(line for line in folder.run("control", "--keys")[1].splitlines() if line.startswith(name))
        for name in names
    )
    assert lasting.endswith("agent lasting")
    assert "agent daily  until 2" in daily
    assert late.endswith("agent late  over since 2026-09-21T14:13:20.000Z")


def test_keys_are_made_shown_once_and_revoked(tmp_path: Path) -> None:
    """--new-key prints a token and nothing else; --keys never shows it; --revoke ends it."""
    folder = Process(tmp_path)
    code, token, _ = folder.run("control", "--new-key", "agent", "--tenant", "t1", "--agent", "a1")
    assert (code, token.startswith("fbk_")) == (0, True)
    name = token.split("_")[1]
    listed = folder.run("control", "--keys")[1]
    assert name in listed
    assert token.strip() not in listed
    assert folder.run("control", "--revoke", name)[0] == 0
    assert folder.run("control", "--keys")[1].endswith("revoked\n")
    code, _, err = folder.run("control", "--new-key", "operator", "--person", "bob", "--roles", "root")
    assert (code, "expected some of view, kill, resume, configure" in err) == (1, True)
