"""`flyball deliver`, killed at random points, time after time: no page is lost, none is there twice, ends come last.

FLYBALL_CRASHES=N sets how often (40 unless told); FLYBALL_SEED=N repeats a run.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from alerts.delivery import opened
from alerts.grouping import page_key
from streams.embedded import EmbeddedLog

ROOT = Path(__file__).resolve().parents[2]
ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"
TOPIC = "flyball.incidents"
CRASHES = int(os.environ.get("FLYBALL_CRASHES", "40"))
SEED = int(os.environ.get("FLYBALL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
BATCH = 12
ROUTES = """
sinks:
  - {{name: pager, type: pagerduty, url: "{url}", secret: "${{FILE:pager.key}}", rate: 100000}}
  - {{name: hook, type: webhook, url: "{hook}"}}
routes: [{{name: all, sinks: [pager, hook]}}]
"""


class Killed:
    """A delivery process that is killed: as the sink takes its n-th event from now, or after some time."""

    def __init__(self, arguments: list[str], said: Path) -> None:
        with said.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flyball", "deliver", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def kill(self) -> None:
        """Kill it on the spot."""
        self.process.send_signal(signal.SIGKILL)

    def gone(self) -> bool:
        """Tell whether it is gone."""
        return self.process.poll() is not None


def wait(condition: Any, seconds: float) -> bool:
    """Poll until the condition holds; False when it never did."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@pytest.mark.slow
def test_killed_at_random_points(tmp_path: Path, pagerduty: Any, pagerduty_tool: Any, incidents: Any) -> None:
    """Every expected page is at PagerDuty's stand-in just once by its key, resolved where it has ended; the same at a
    second sink. The key of each is computed beforehand, from its incident.
    """
    print(f"FLYBALL_SEED={SEED}")  # noqa: T201 -- shown when it fails
    chance = random.Random(SEED)
    config, data, said = tmp_path / "config", tmp_path / "data", tmp_path / "said"
    config.mkdir()
    (config / "pager.key").write_text(ROUTING_KEY)
    (config / "flyball.yaml").write_text("deliver: {metrics: {port: 0}}\n")
    log = EmbeddedLog(data / "log")
    log.ensure(TOPIC, 3)
    writer = log.writer()
    expected: dict[str, str] = {}
    with pagerduty_tool.PagerDuty() as hook:
        hook.lenient = True
        (config / "routes.yaml").write_text(ROUTES.format(url=pagerduty.url, hook=f"{hook.root}/hook"))
        arguments = ["--config", str(config), "--data", str(data)]
        for crash in range(CRASHES):
            some = [incidents.incident(f"{crash}/{n}", workflow=f"{crash}/{n}") for n in range(BATCH)]
            ended = [incidents.resolved(each.key, workflow=each.workflow) for each in chance.sample(some, BATCH // 2)]
            over = {each.key for each in ended}
            for each in some:
                expected[page_key(each, again=False)] = "resolved" if each.key in over else "triggered"
            stream = [incidents.message(each) for each in (*some, *ended)]
            running = Killed(arguments, said)
            victim, kills_at = running, len(pagerduty.events) + chance.randrange(1, BATCH + BATCH // 2)

            def on_event(event: dict[str, Any], victim: Killed = victim, kills_at: int = kills_at) -> None:
                if len(pagerduty.events) == kills_at:
                    victim.kill()

            by_event = chance.random() < 0.6
            pagerduty.on_event = on_event if by_event else (lambda event: None)
            before = len(pagerduty.events)
            for message in stream:
                writer.append(TOPIC, [message])
                if chance.random() < 0.3:
                    writer.flush()
                    time.sleep(0.001)
            writer.flush()
            if not by_event:
                wait(lambda: running.gone() or len(pagerduty.events) > before, 60)  # noqa: B023
                time.sleep(chance.random() * 0.1)
                running.kill()
            assert wait(running.gone, 90), said.read_text()
            assert running.process.wait() == -signal.SIGKILL, said.read_text()
        pagerduty.on_event = lambda event: None
        last = Killed(arguments, said)
        try:
            found = wait(lambda: pagerduty.incidents() == expected, 120)
            states = pagerduty.incidents()
            assert found, {key: (state, states.get(key)) for key, state in expected.items() if states.get(key) != state}
            with opened(data / "deliver") as outbox:
                assert wait(lambda: outbox.queue("pager").depth == outbox.queue("hook").depth == 0, 60)
                assert outbox.parked() == []
        finally:
            last.process.terminate()
            code = last.process.wait(60)
        assert code == 0, said.read_text()
        check_hook(hook, expected)
    assert pagerduty.refused == []
    check_order(pagerduty.events)
    writer.close()


def check_order(events: list[dict[str, Any]]) -> None:
    """See that no trigger of a key comes after its resolve."""
    lives: dict[str, list[str]] = defaultdict(list)
    for event in events:
        lives[event["dedup_key"]].append(event["event_action"])
    for actions in lives.values():
        assert actions == sorted(actions, key=("trigger", "resolve").index)


def check_hook(hook: Any, expected: dict[str, str]) -> None:
    """See that the webhook heard of every page, in order; what came twice has the same delivery id."""
    heard: dict[str, list[str]] = defaultdict(list)
    for _, _, headers, _ in hook.bare:
        key, status, _ = headers["X-Flyball-Delivery"].split("/")
        heard[key].append(status)
    assert heard.keys() == expected.keys()
    for key, state in expected.items():
        assert heard[key] == sorted(heard[key])  # open, then resolved
        assert (heard[key][-1] == "resolved") == (state == "resolved")
