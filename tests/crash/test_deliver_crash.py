"""`flyball deliver`, killed at random points, time after time: no page is lost, none is there twice, ends come last.

FLYBALL_CRASHES=N sets how often (130 unless told); FLYBALL_CRASH_SEED=N repeats a run.
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
CRASHES = int(os.environ.get("FLYBALL_CRASHES", "130"))
SEED = int(os.environ.get("FLYBALL_CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
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


class Crashes:
    """A deployment whose delivery is killed again and again, and what its sinks must know at the end, by page key."""

    def __init__(self, folder: Path, pagerduty: Any, hook: Any, incidents: Any) -> None:
        self._chance = random.Random(SEED)  # noqa: S311 -- repeatable, no secret
        self._pagerduty, self._incidents = pagerduty, incidents
        self.data, self._said = folder / "data", folder / "said"
        config = folder / "config"
        config.mkdir()
        (config / "pager.key").write_text(ROUTING_KEY)
        (config / "flyball.yaml").write_text("deliver: {metrics: {port: 0}}\n")
        (config / "routes.yaml").write_text(ROUTES.format(url=pagerduty.url, hook=f"{hook.root}/hook"))
        self._arguments = ["--config", str(config), "--data", str(self.data)]
        log = EmbeddedLog(self.data / "log")
        log.ensure(TOPIC, 3)
        self.writer = log.writer()
        self.expected: dict[str, str] = {}

    @property
    def said(self) -> str:
        """Give what the processes printed."""
        return self._said.read_text()

    def start(self) -> Killed:
        """Start a process."""
        return Killed(self._arguments, self._said)

    def crash(self, number: int) -> None:
        """Start, let incidents come, and kill: as the sink takes its n-th event, or some time after its first."""
        stream = self._stream(number)
        running, before = self.start(), len(self._pagerduty.events)
        kills_at = before + self._chance.randrange(1, len(stream))
        by_event = self._chance.random() < 0.6
        self._pagerduty.on_event = lambda event: (
            running.kill() if by_event and len(self._pagerduty.events) == kills_at else None
        )
        for message in stream:
            self.writer.append(TOPIC, [message])
            if self._chance.random() < 0.3:
                self.writer.flush()
        self.writer.flush()
        if not by_event:
            wait(lambda: running.gone() or len(self._pagerduty.events) > before, 60)
            time.sleep(self._chance.random() * 0.1)
            running.kill()
        assert wait(running.gone, 90), self.said
        assert running.process.wait() == -signal.SIGKILL, self.said
        self._pagerduty.on_event = lambda event: None

    def _stream(self, number: int) -> list[tuple[bytes, bytes]]:
        """Give tellings of some incidents, half of which end, and note what is expected of them."""
        some = [self._incidents.incident(f"{number}/{n}", workflow=f"{number}/{n}") for n in range(BATCH)]
        ended = self._chance.sample(some, BATCH // 2)
        self.expected |= {page_key(each, again=False): "triggered" for each in some}
        self.expected |= {page_key(each, again=False): "resolved" for each in ended}
        ends = [self._incidents.resolved(each.key, workflow=each.workflow) for each in ended]
        return [self._incidents.message(each) for each in (*some, *ends)]


@pytest.mark.slow
def test_killed_at_random_points(tmp_path: Path, pagerduty: Any, pagerduty_tool: Any, incidents: Any) -> None:
    """Every expected page is at PagerDuty's stand-in just once by its key, resolved where it has ended; so at a hook.

    The key of each page is computed beforehand, from its incident.
    """
    print(f"FLYBALL_CRASH_SEED={SEED}")  # noqa: T201 -- shown when it fails
    with pagerduty_tool.PagerDuty() as hook:
        hook.lenient = True
        crashes = Crashes(tmp_path, pagerduty, hook, incidents)
        for number in range(CRASHES):
            crashes.crash(number)
        last = crashes.start()
        try:
            wait(lambda: pagerduty.incidents() == crashes.expected, 120)
            assert pagerduty.incidents() == crashes.expected
            with opened(crashes.data / "deliver") as outbox:
                assert wait(lambda: outbox.queue("pager").depth == outbox.queue("hook").depth == 0, 60)
                assert outbox.parked() == []
        finally:
            last.process.terminate()
            code = last.process.wait(60)
        assert code == 0, crashes.said
        check_hook(hook, crashes.expected)
    assert pagerduty.refused == []
    check_order(pagerduty.events)
    crashes.writer.close()


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
