"""The warm-up leaves nothing to compile for what comes after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_PROBE = """
import sys
from pathlib import Path
from numba.core import event
from flows.warm_up import warm_up
warm_up(lambda text: None)

class Late(event.Listener):
    def on_start(self, event): print("compiled late:", event.data["dispatcher"].py_func.__qualname__)
    def on_end(self, event): pass

event.register("numba:compile", Late())
from flows.replay import replay
from flows.settings import FlowSettings
out = []
print(replay([Path(sys.argv[1])], FlowSettings(), out.extend).runs)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["json", "protobuf"])
def test_nothing_is_left_to_compile(tmp_path: Path, kind: str) -> None:
    """A replay in a process that was warmed up compiles nothing."""
    path = tmp_path / "traffic"
    make = [sys.executable, "-m", "flyball", "simulate", "--duration", "60s", "--format", kind, "--to", str(path)]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    probe = [sys.executable, "-c", _PROBE, str(path)]
    done = subprocess.run(probe, cwd=ROOT, check=True, capture_output=True, text=True)
    late = [line for line in done.stdout.splitlines() if line.startswith("compiled late")]
    assert late == []
    assert int(done.stdout) > 0
