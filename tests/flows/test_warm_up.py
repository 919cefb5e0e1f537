"""The warm-up leaves nothing to compile for what comes after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_LATE = """
from numba.core.dispatcher import Dispatcher

def tell_what_comes_late():
    # whoever asks for one more signature of a kernel: it is compiled, or on this machine lies on disk already
    compiled = Dispatcher.compile
    def told(self, signature):
        print("compiled late:", self.py_func.__qualname__, signature)
        return compiled(self, signature)
    Dispatcher.compile = told
"""
_PROBE = f"""{_LATE}
import sys
from pathlib import Path
from flows.warm_up import warm_up
warm_up(lambda text: None)

tell_what_comes_late()
from flows.replay import replay
from flows.settings import FlowSettings
out = []
print(replay([Path(sys.argv[1])], FlowSettings(), out.extend).runs)
"""

_LIVE = f"""{_LATE}
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

traffic = generate(Scenario(seed=1, start_ns=time.time_ns(), duration_s=120, rate=200), Encoding.PROTOBUF)
values = [exported.payload for exported in traffic]

tell_what_comes_late()
sizes, batches, start = [1, 5, 20, 200], [], 0
while start < len(values):
    part = values[start : start + sizes[len(batches) % 4]]
    numbers = np.arange(start, start + len(part))
    batches.append(RawBatch("memory", "otlp_spans", 0, numbers, np.full(len(part), time.time_ns()), part))
    start += len(part)
registry = CollectorRegistry()
metrics = Metrics(time.time_ns, registry)
settings = FlowSettings(slos=slos_of(None).slos, journal=Path(sys.argv[1]))
sink = CallSink(lambda out: list(registry.collect()))
flow = build(TestingSource(batches), sink, settings, metrics, clock=time.time_ns)
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
