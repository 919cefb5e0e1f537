"""Peers of a process: what the engine says of those that are gone is told so that people know what to do."""

from __future__ import annotations

import re
import signal
import socket
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from loopback import free_ports

from flows.cluster import ClusterError, peers_minded

if TYPE_CHECKING:
    from pathlib import Path

LOST = "another process of this flow has ended"
TAKEN_TOLD = "cannot listen there for the other processes of this flow: Address already in use"


class PanicException(BaseException):
    """What a panic of the engine becomes in Python."""


SEND = PanicException("Send thread panic: Any { .. }")
CLOSED = RuntimeError("(src/run.rs:292:17) panicked at tcp.rs:21:5:\ntimely communication error: reading data: closed")
TAKEN = RuntimeError(
    "(src/run.rs:274:10) error building timely communication pipeline\n"
    "Caused by => Exception: failed to initialize networking: Address already in use (os error 98)"
)


@pytest.mark.parametrize(
    ("error", "is_stopped", "kind", "told"),
    [
        (SEND, True, None, ""),
        (SEND, False, ClusterError, LOST),
        (PanicException("Receive thread panic: Any"), True, ClusterError, LOST),
        (CLOSED, False, ClusterError, LOST),
        (TAKEN, False, ClusterError, f"a:1: {TAKEN_TOLD}"),
        (RuntimeError("Step panic"), False, RuntimeError, "Step panic"),
        (PanicException("of a step"), True, PanicException, "of a step"),
        (KeyboardInterrupt(), False, KeyboardInterrupt, ""),
    ],
)
def test_what_the_engine_says_of_peers(
    error: BaseException,
    is_stopped: bool,  # noqa: FBT001
    kind: type[BaseException] | None,
    told: str,
) -> None:
    """A connection that is gone at the end of a stop is no failure, else one for people; the rest is passed on."""
    stop = threading.Event()
    if is_stopped:
        stop.set()
    with pytest.raises(kind, match=told or None) if kind else nullcontext(), peers_minded(stop, "a:1"):
        raise error


def health(live: Any, deployment: Any, number: int) -> Any:
    """Ask a process how it is."""
    return live.get(f"http://127.0.0.1:{deployment.metrics_port + number}/healthz")


@pytest.mark.slow
def test_a_process_that_waits_for_the_others_says_so(live: Any, tmp_path: Path) -> None:
    """It is not healthy, and can be stopped."""
    with live.Deployment(tmp_path) as deployment:
        addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(2))
        for number in range(2):
            alone = deployment.command("flow", "--process", str(number), "--addresses", addresses)
            waiting = (503, "waiting for the other processes of this flow\n")
            live.until(lambda: health(live, deployment, number) == waiting, lambda: alone.said)  # noqa: B023
            assert alone.end(signal.SIGTERM, 10) == 0, alone.said
        deployment.running.clear()


@pytest.mark.slow
def test_processes_whose_peer_is_gone_say_so(live: Any, tmp_path: Path) -> None:
    """One of two is killed: the other ends with a word of it, and no traceback. So does one whose address is taken."""
    with live.Deployment(tmp_path) as deployment:
        deployment.start(2)
        killed, left = deployment.running
        for number in range(2):
            live.until(lambda: health(live, deployment, number)[0] == 200, lambda: left.said)  # noqa: B023
        killed.end(signal.SIGKILL)
        assert left.process.wait(60) == 1
        assert re.fullmatch(rf"(worker .*\n)*flyball: {LOST}.*\n", left.said)
        with socket.create_server(("127.0.0.1", 0)) as other:
            address = f"127.0.0.1:{other.getsockname()[1]}"
            refused = deployment.command("flow", "--process", "0", "--addresses", f"{address};127.0.0.1:1")
            assert refused.process.wait(60) == 1
            assert refused.said == f"flyball: {address}: {TAKEN_TOLD}\n"
        deployment.running.clear()
