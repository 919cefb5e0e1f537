"""The flow is killed while a new version fails more often: its drift is told once, by the evidence of a replay.

FLYBALL_CRASHES=N sets how often it is killed (4 unless told). FLYBALL_CRASH_SEED=N repeats the choices of a run.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from loopback import free_port

from flows.replay import parsed, replay
from flyball.check import configuration, objectives
from flyball.wiring import flow_settings
from models.simulation import Incident
from models.simulation.workflows import support
from models.times import nanoseconds, rfc3339

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("FLYBALL_CRASHES", "4"))
SEED = int(os.environ.get("FLYBALL_CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
WORKERS = (1, 2, 1)
HOUR_S = 3600.0
UPGRADE = Incident("model_upgrade", 1.3 * HOUR_S, HOUR_S, "support", {"drop": 0.4})
CLOSE = 5
"""Minutes between the alarms of two readings. A minute is closed when all up to it has come; what comes later (calls of
runs that last longer) is not counted, and how much that is differs a little from reading to reading."""
POLICY = "drift: {least_baseline: 1h}\n"


@dataclass
class Drift:
    """What is told of drift."""

    evidence: dict[tuple[str, ...], float] = field(default_factory=dict)
    """By minute and stream."""
    alarms: dict[tuple[str, ...], str] = field(default_factory=dict)
    """When streams alarmed first."""
    incidents: dict[str, str] = field(default_factory=dict)
    """Key -> rule."""
    resolved: set[str] = field(default_factory=set)
    """Keys of those that are over."""

    def add(self, record: dict[str, Any]) -> None:
        """Take a record; one that is told again says the same."""
        if record["kind"] == "drift":
            stream = record["workflow"], record["sli"], record["detector"], str(record["contrast"])
            known = self.evidence.setdefault((record["at"], *stream), record["evidence"])
            assert known == record["evidence"], stream
            if record["alarm"]:
                self.alarms[stream] = min(record["alarm_at"], self.alarms.get(stream, record["alarm_at"]))
        elif record["kind"] == "incident" and record["class"] == "drift":
            self.incidents[record["key"]] = record["rule"]
            (self.resolved.add if record["status"] == "resolved" else self.resolved.discard)(record["key"])


def replayed(messages: list[tuple[str, bytes]], config: Path, folder: Path) -> Drift:
    """Give what a replay that nobody interrupts says."""
    path, found = folder / "oracle.pb", Drift()
    path.write_bytes(b"".join(len(payload).to_bytes(4, "big") + payload for _, payload in messages))
    settings = flow_settings(configuration(config), objectives(config))
    out: list[Any] = []
    replay([path], settings, out.extend)
    for record in parsed(out):
        found.add(record)
    return found


@pytest.mark.slow
def test_drift_is_told_once_whatever_is_killed(live: Any, tmp_path: Path) -> None:
    """Streams that alarm and keys of incidents are those of a replay; they end when a person accepts the change."""
    chance = random.Random(SEED)  # noqa: S311 -- to be repeated
    begin = time.time_ns() - int(3.5 * HOUR_S * 1e9)
    traffic = live.traffic(
        seed=5, start_ns=begin, duration_s=2.3 * HOUR_S, rate=0.6, workflows=(support.WORKFLOW,), incidents=(UPGRADE,)
    )
    with live.Deployment(tmp_path) as deployment:
        deployment.configure(flow={"resolve_after": "5s"}, control={"port": free_port()})
        (deployment.config / "policy.yaml").write_text(POLICY)
        marks = traffic.marks()
        expected = replayed([*traffic.messages, *(("spans", mark) for mark in marks)], deployment.config, tmp_path)
        assert expected.alarms
        watcher = live.Watcher(deployment.log, ["flyball.drift", "flyball.incidents"])
        watcher.told = found = Drift()
        cuts = sorted(chance.sample(range(1, len(traffic.messages)), KILLS))
        for number, (start, stop) in enumerate(zip([0, *cuts], [*cuts, None], strict=True)):
            deployment.append(traffic.messages[start:stop])
            deployment.start(WORKERS[number % len(WORKERS)])
            if stop is None:
                break
            deployment.wait(lambda: deployment.backlog() == 0)
            time.sleep(chance.random())
            deployment.kill()
        deployment.append_each(marks)
        deployment.wait(partial(_has_all, watcher, found, expected))
        assert not found.resolved
        _accept(live, deployment, traffic.end_ns)
        deployment.wait(lambda: watcher.read() and found.resolved == found.incidents.keys())
    apart = {stream: _minutes(found.alarms[stream], at) for stream, at in expected.alarms.items()}
    told = f"seed {SEED}, {KILLS} kills: {found}"
    assert (found.alarms.keys(), found.incidents) == (expected.alarms.keys(), expected.incidents), told
    assert max(apart.values()) <= CLOSE, told


def _accept(live: Any, deployment: Any, at_ns: int) -> None:
    """Accept the change as of a time on the command line, and let the minutes go on."""
    control = deployment.command("control")
    live.until(lambda: "control plane on" in control.said, lambda: control.said)
    deployment.run("drift", "accept", "--workflow", "support", "--at", rfc3339(at_ns))
    deployment.append_each(live.quiet_span(100 + part, time.time_ns()) for part in range(8))


def _minutes(one: str, other: str) -> float:
    return abs(nanoseconds(one) - nanoseconds(other)) / 60e9


def _has_all(watcher: Any, found: Drift, expected: Drift) -> bool:
    watcher.read()
    return found.alarms.keys() >= expected.alarms.keys() and found.incidents.keys() >= expected.incidents.keys()
