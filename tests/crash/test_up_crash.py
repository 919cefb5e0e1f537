"""`flyball up`, killed with all its processes while agents send, and stopped and started as people do."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from loopback import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEND_S = 12.0
PATHS = {"spans": "/v1/traces", "logs": "/v1/logs"}


@pytest.fixture
def deployment(tmp_path: Path, live: Any) -> Iterator[Any]:
    """Give a deployment whose receiver listens on a free port, `deployment.otlp`."""
    with live.Deployment(tmp_path) as deployment:
        deployment.otlp = free_ports(1)[0]
        yield deployment


def up(deployment: Any, live: Any, workers: int) -> Any:
    """Start everything and wait until it answers."""
    deployment.configure(otlp={"port": deployment.otlp}, flow={"workers": workers})
    started = deployment.command("up")
    live.until(
        lambda: (
            deployment.check_alive()
            and live.get(f"http://127.0.0.1:{deployment.otlp}/healthz")[0] == 200
            and all(deployment.metrics(number) for number in range(workers))
        ),
        lambda: started.said,
    )
    return started


class Agent(threading.Thread):
    """Posts messages one by one; what is not acknowledged is posted again."""

    def __init__(self, port: int, messages: list[tuple[str, bytes]]) -> None:
        super().__init__(daemon=True)
        self._port, self._messages = port, messages
        self.acknowledged = 0
        self.give_up = False

    def run(self) -> None:
        """Post all."""
        for name, payload in self._messages:
            time.sleep(SEND_S / len(self._messages))  # an agent at work, so that every kill meets one that sends
            while not self._post(PATHS[name], payload):
                if self.give_up:
                    return
                time.sleep(0.05)
            self.acknowledged += 1

    def _post(self, path: str, payload: bytes) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("POST", path, payload, {"Content-Type": "application/x-protobuf"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@pytest.mark.slow
def test_what_was_acknowledged_counts_once(deployment: Any, live: Any, tmp_path: Path) -> None:
    """The whole tree of processes is killed while an agent sends, with 1, 2, 1 workers: the totals are exact."""
    traffic = live.traffic(seed=31, duration_s=60.0, rate=4.0)
    oracle = live.expected([payload for _, payload in traffic.messages], tmp_path)
    agent = Agent(deployment.otlp, traffic.messages)
    try:
        for share, workers in ((0.2, 1), (0.6, 2)):
            up(deployment, live, workers)
            if agent.ident is None:
                agent.start()
            enough = share * len(traffic.messages)
            live.until(lambda: deployment.check_alive() and agent.acknowledged >= enough, "nothing is taken")  # noqa: B023
            deployment.kill_trees()
        up(deployment, live, 1)
        live.until(lambda: deployment.check_alive() and not agent.is_alive(), "not all is taken")
    finally:
        agent.give_up = True
    deployment.append_each(traffic.marks())
    live.until(
        lambda: deployment.check_alive() and deployment.watcher.read().facts() == oracle.facts(),
        lambda: deployment.watcher.told.differences(oracle),
    )
    deployment.stop()
    live.check_truth(deployment.watcher.read_all(), traffic.truth)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_leaves_nothing_running(deployment: Any, live: Any, workers: int) -> None:
    """Stopped by Ctrl-C it ends well with all it started, and a second start goes on where the first one was."""
    for number in range(2):
        started = up(deployment, live, workers)
        below = live.descendants(started.process.pid)
        assert len(below) >= 1 + workers
        to = f"http://127.0.0.1:{deployment.otlp}"
        sent = live.Command(
            deployment.folder, "simulate", "--spans", "2000", "--seed", str(number), "--fast", "--to", to
        )
        assert sent.process.wait(live.WAIT_S) == 0, sent.said
        runs = len(deployment.watcher.told.runs)
        live.until(lambda: deployment.check_alive() and len(deployment.watcher.read().runs) > runs, "no runs")  # noqa: B023
        assert started.end(signal.SIGINT) == 0, started.said
        assert [pid for pid in below if live.is_running(pid)] == []
        deployment.running.remove(started)


@pytest.mark.slow
def test_children_end_with_a_killed_supervisor(deployment: Any, live: Any) -> None:
    """When the supervisor itself dies, what it started stops too: the next start finds its ports free."""
    started = up(deployment, live, 1)
    below = live.descendants(started.process.pid)
    started.process.kill()
    started.process.wait()
    live.until(lambda: not any(live.is_running(pid) for pid in below), "orphans")
    deployment.kill()
