"""`flyball demo` as people start it: everything is caught, nothing is left, and a second start works."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
MOST_S = 600
"""For the whole story: on a fresh machine every kernel is compiled first."""
pytestmark = pytest.mark.slow


class Demo:
    """A demo on free ports, in a folder by which its processes are known."""

    def __init__(self, live: Any, folder: Path, *options: str) -> None:
        self._live = live
        self.folder = folder / "demo"
        self.out, self.err = folder / "out", folder / "err"
        command = [sys.executable, "-m", "flyball", "demo", "--free-ports", "--data", str(self.folder), *options]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait for something while it runs."""

        def is_so() -> Any:
            assert self.process.poll() is None, self.said
            return condition()

        self._live.until(is_so, lambda: self.said, MOST_S)

    @property
    def said(self) -> str:
        """Give what it printed so far."""
        return self.out.read_text() + self.err.read_text()

    def processes(self) -> list[int]:
        """List the processes that name its folder: all but our own."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(self.folder).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return [pid for pid in found if self._live.is_running(pid)]

    def ports(self) -> list[int]:
        """List the ports that its configuration names; none where it was stopped before it had one."""
        said = yaml.safe_load((self.folder / "config" / "flyball.yaml").read_text())
        if "metrics" not in said:
            return []
        return [section["port"] for section in (said["otlp"], said["control"], said["metrics"])]

    def is_gone(self) -> bool:
        """Tell whether nothing of it is left."""
        return not self.processes() and all(_is_free(port) for port in self.ports())


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def demo(live: Any, tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Start demos; what is left of them is killed."""
    started: list[Demo] = []

    def start(*options: str) -> Demo:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Demo(live, folder, *options))
        return started[-1]

    yield start
    for each in started:
        for pid in each.processes():
            live.kill(pid)
        each.process.wait(30)


def test_everything_is_caught_and_nothing_is_left(demo: Callable[..., Demo]) -> None:
    """The loop is stopped, the cost throttled, the upgrade named, the page sent with its cause."""
    shown = demo("--once", "--json")
    assert shown.process.wait(MOST_S) == 0, shown.said
    loop, cost, upgrade, page = (json.loads(line) for line in shown.out.read_text().splitlines())
    assert all(act["caught"] for act in (loop, cost, upgrade, page))
    assert (loop["rule"], loop["refused_by"], loop["limit"]) == ("repeat.identical", "repeat.identical", 5)
    assert 0 <= loop["detected_s"] < 10
    assert loop["calls_made"] + loop["saved_calls"] == 100
    assert (cost["action"], cost["refused_by"], cost["user"]) == ("throttle", "throttle.calls_per_minute", "analyst-7")
    assert cost["spent_usd"] > cost["limit_usd"] == 5
    assert cost["saved_usd_a_minute"] > 0
    assert upgrade["contrast"] == {"dimension": "version", "from": "2026.3.1", "to": "2026.4.0"}
    assert 0 < upgrade["named_after_min"] < 30
    assert upgrade["interval"][0] > upgrade["before"]
    assert "explained by version 2026.4.0" in page["summary"]
    assert page["runbook"].endswith("/runbooks/slo.burn.md")
    assert page["pages"]["runaway"] == page["pages"]["slo.burn"] == 1
    assert "✔ repeat.identical" in shown.err.read_text()
    assert shown.is_gone()


def parts_start(shown: Demo) -> bool:
    """Tell whether the parts are there, whatever they do yet."""
    return len(shown.processes()) > 4


def past_is_read(shown: Demo) -> bool:
    """Tell whether the flow has begun to read."""
    return "all parts answer" in shown.said


def test_ctrl_c_at_any_moment_leaves_nothing_and_it_starts_again(demo: Callable[..., Demo]) -> None:
    """While parts start, and while the past is read; twice in a row does no harm."""
    for moment in (parts_start, past_is_read):
        shown = demo()
        shown.wait(partial(moment, shown))
        shown.process.send_signal(signal.SIGINT)
        shown.process.send_signal(signal.SIGINT)
        assert shown.process.wait(60) == 0, shown.said
        assert "nothing of it is left running" in shown.said
        assert shown.is_gone()


def test_killed_outright_it_leaves_nothing_either(live: Any, demo: Callable[..., Demo]) -> None:
    """Its processes end with it."""
    shown = demo()
    shown.wait(lambda: len(shown.processes()) > 5)
    shown.process.kill()
    shown.process.wait(10)
    live.until(shown.is_gone, lambda: f"{shown.processes()} {shown.said}", 60)
