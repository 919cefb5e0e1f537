"""A network between guards and control plane that swallows what is sent: nothing is refused, nothing arrives."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import pytest
from flyball_sdk import Guard, Subject
from flyball_sdk.client import Client
from flyball_sdk.limits import Limits
from flyball_sdk.policy import Policy
from flyball_sdk.settings import Settings
from flyball_sdk.signing import KeyRing

if TYPE_CHECKING:
    from collections.abc import Iterator

ALONE = Policy(limits=Limits(llm_calls=None, tool_calls=None, identical=None, cycle=None, error=None))


class Network:
    """Carries connections to a port, each way, except while it is parted: then both ends only see silence."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._passes, self._ended = threading.Event(), threading.Event()
        self._passes.set()
        self._open: list[socket.socket] = [self._listener]

    def __enter__(self) -> Self:
        """Begin to carry."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """End all connections."""
        self._ended.set()
        self._passes.set()
        for each in self._open:
            each.close()

    def part(self) -> None:
        """Carry nothing more."""
        self._passes.clear()

    def heal(self) -> None:
        """Carry what was held up, as TCP does that sends again, and all that follows."""
        self._passes.set()

    def lead_to(self, port: int) -> None:
        """Carry new connections to another port."""
        self._to = port

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._open.append(near)
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        self._passes.wait()
        with contextlib.suppress(OSError, ValueError):
            far = socket.create_connection(("127.0.0.1", self._to))
            self._open.append(far)
            ways = {near: far, far: near}
            while not self._ended.is_set():
                for source in select.select([near, far], [], [], 0.1)[0]:
                    came = source.recv(1 << 16)
                    self._passes.wait()
                    if not came:
                        near.close()
                        far.close()
                        return
                    ways[source].sendall(came)


@pytest.fixture
def network(served: Any) -> Iterator[Network]:
    """Give the network before a running control plane."""
    with Network(served.port) as found:
        yield found


def connected(served: Any, network: Network) -> Client:
    """Start a client behind the network."""
    keys = KeyRing.from_text("\n".join(served.ask("GET", "/v1/keys/signing")[1]["keys"].values()))
    url = f"http://127.0.0.1:{network.port}"
    return Client(Settings(url, served.agent, keys, client="agent", watchdog_s=2.5, poll_s=0.5)).start()


@pytest.fixture
def client(served: Any, network: Network) -> Iterator[Client]:
    """Give such a client."""
    with contextlib.closing(connected(served, network)) as found:
        yield found


@pytest.mark.slow
def test_a_partition_undoes_no_stop_and_ends_by_itself(
    served: Any, planes: Any, network: Network, client: Client
) -> None:
    """What was known stays in force; what was ordered meanwhile arrives with the network; the position only rises."""
    guard, positions = Guard(ALONE, signals=client.store, on_event=lambda event: None), []

    def allowed(tool: str = "read") -> bool:
        positions.append(client.store.position)
        return bool(guard.evaluate(tool, {"n": len(positions)}, Subject(tenant="t1")).allowed)

    def order(what: str, scope: dict[str, str]) -> None:
        assert served.ask("POST", f"/v1/{what}", {"scope": scope, "reason": "drill"}, served.admin)[0] == 200

    tenant = {"level": "tenant", "id": "t1"}
    planes.until(lambda: client.live and allowed(), "the guard is never connected")
    for _ in range(2):
        network.part()
        order("kill", tenant)
        planes.until(lambda: not client.live and "stream" in client.trouble, "nobody notices the silence")
        assert allowed()  # of a reading tool: it fails open, and nothing was heard
        network.heal()
        planes.until(lambda: not allowed(), "the kill never arrives")

        network.part()
        order("resume", tenant)
        planes.until(lambda: not client.live and "stream" in client.trouble, "nobody notices the silence")
        assert not allowed()
        network.heal()
        planes.until(allowed, "the resume never arrives")
    planes.until(lambda: client.trouble == {}, "something is still wrong")
    known = [each for each in positions if each is not None]
    assert all(earlier <= later for earlier, later in pairwise(known))
    assert served.plane.authority.problem is None


@pytest.mark.slow
def test_restarted_behind_a_partition_it_is_believed_again(planes: Any, tmp_path: Any) -> None:
    """A kill, a partition, a restart of the control plane meanwhile: stopped all along, then in the new epoch."""
    with contextlib.ExitStack() as stack:
        with planes.Served(tmp_path) as first:
            network = stack.enter_context(Network(first.port))
            client = stack.enter_context(contextlib.closing(connected(first, network)))
            guard = Guard(ALONE, signals=client.store, on_event=lambda event: None)
            first.ask("POST", "/v1/kill", {"scope": planes.PRODUCT, "reason": "drill"}, first.admin)
            planes.until(lambda: not guard.evaluate("read", {"n": 1}, Subject()).allowed, "the kill never arrives")
            network.part()
            before = first.plane.authority.shown.epoch
        second = stack.enter_context(planes.Served(tmp_path))
        planes.until(lambda: not client.live, "nobody notices the silence")
        assert not guard.evaluate("read", {"n": 2}, Subject()).allowed
        network.lead_to(second.port)
        network.heal()
        planes.until(lambda: client.live and client.store.position[0] > before, "the new epoch never arrives")
        assert not guard.evaluate("read", {"n": 3}, Subject()).allowed
