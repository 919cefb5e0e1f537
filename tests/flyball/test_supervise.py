"""The supervisor says how processes end, gives up when they end again and again, and does not leave them behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from flyball import supervise
from flyball.cli import main
from flyball.supervise import Part, Supervisor, _how

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def signals() -> Iterator[None]:
    """Put the handlers of signals back that a supervisor sets."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("code", "told"), [(0, "exit 0"), (1, "exit 1"), (-9, "killed by SIGKILL"), (-40, "killed by signal 40")]
)
def test_how_a_process_ended(code: int, told: str) -> None:
    """A signal is told by its name, where it has one."""
    assert _how(code) == told


@pytest.mark.usefixtures("signals")
def test_what_ends_at_once_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five short lives in a row end everything, with exit code 1, and a word of why."""
    monkeypatch.setattr(supervise, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(supervise, "_LONGEST_WAIT", 0.01)
    said: list[str] = []
    assert Supervisor([Part("flow 0", "flow", ["--version"])], said.append).run() == 1
    assert said[:-2] == ["flow 0 (exit 0) ended: starting flow again in 0.01 s"] * 4
    assert said[-2:] == ["flow 0 (exit 0) ended within 20 s for the 5th time in a row: giving up", "stopping"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_processes_end_with_a_supervisor_that_is_killed() -> None:
    """A child of a supervisor killed by SIGKILL gets SIGTERM: the pipe that it holds open is closed."""
    child = "import time; print(1, end='', flush=True); time.sleep(60)"
    parent = (
        "import subprocess, sys, time\n"
        "from flyball.supervise import end_with_parent\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}], preexec_fn=end_with_parent)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 1) == b"1"
        process.kill()
        rest, _ = process.communicate(timeout=20)
    assert rest == b""


@pytest.mark.parametrize("key", ["otlp.port", "otlp.grpc_port", "metrics.port", "control.port"])
def test_up_says_which_port_is_taken(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started, not even the data folder made, when an address cannot be had."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {
            name: port if name == key else 0 for name in ("otlp.port", "otlp.grpc_port", "metrics.port", "control.port")
        }
        (tmp_path / "flyball.yaml").write_text(
            f"otlp: {{port: {ports['otlp.port']}, grpc_port: {ports['otlp.grpc_port']}}}\n"
            f"metrics: {{port: {ports['metrics.port']}}}\n"
            f"control: {{port: {ports['control.port']}}}\ndeliver: {{metrics: {{port: 0}}}}\n"
        )
        assert main(["up", "--config", str(tmp_path), "--data", str(tmp_path / "data")]) == 1
    assert capsys.readouterr().err == (
        f"flyball: cannot listen on 127.0.0.1:{port}: Address already in use; "
        f"another port is set by {key} in flyball.yaml\n"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("signals")
def test_it_never_waits_on_what_its_signal_handler_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Event.wait` holds a lock at its begin and end; a handler that came just then would wait for it for ever."""
    monkeypatch.setattr(supervise, "_LOOK_S", 0.01)
    supervisor = Supervisor([], lambda _: None)
    monkeypatch.setattr(supervisor._stop, "wait", lambda _: pytest.fail("waited"))
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    assert supervisor.run() == 0
    timer.join()
