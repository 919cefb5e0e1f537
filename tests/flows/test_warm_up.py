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

_LIVE = """
import sys, time
from datetime import timedelta
from pathlib import Path
from flows.warm_up import warm_up
warm_up(lambda text: None)
from bytewax.testing import TestingSource, run_main
from prometheus_client import CollectorRegistry
import numpy as np
from flows.items import RawBatch
from flows.metrics import Metrics
from flows.settings import FlowSettings
from flows.sink import CallSink
from flows.topology import build
from flyball.openslo.load import slos_of
from models.simulation import Encoding, Scenario, generate
from numba.core import event

traffic = generate(Scenario(seed=1, start_ns=time.time_ns(), duration_s=120, rate=200), Encoding.PROTOBUF)
values = [exported.payload for exported in traffic]

class Late(event.Listener):
    def on_start(self, event): print("compiled late:", event.data["dispatcher"].py_func.__qualname__)
    def on_end(self, event): pass

event.register("numba:compile", Late())
sizes, batches, start = [1, 5, 20, 200], [], 0
while start < len(values):
    part = values[start : start + sizes[len(batches) % 4]]
    numbers = np.arange(start, start + len(part))
    batches.append(RawBatch("memory", "otlp_spans", 0, numbers, np.full(len(part), time.time_ns()), part))
    start += len(part)
metrics = Metrics(time.time_ns, CollectorRegistry())
settings = FlowSettings(slos=slos_of(None).slos, journal=Path(sys.argv[1]))
flow = build(TestingSource(batches), CallSink(lambda out: None), settings, metrics, clock=time.time_ns)
run_main(flow, epoch_interval=timedelta(milliseconds=200))
print(metrics.seen.spans)
"""


@pytest.mark.slow
def test_nothing_is_left_to_compile_for_live_traffic(tmp_path: Path) -> None:
    """Batches of any size, by the clock, with SLOs and snapshots, compile nothing in a process that was warmed up."""
    done = subprocess.run(
        [sys.executable, "-c", _LIVE, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    late = [line for line in done.stdout.splitlines() if line.startswith("compiled late")]
    assert late == []
    assert int(done.stdout) > 10_000


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
