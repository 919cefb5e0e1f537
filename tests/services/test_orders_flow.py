"""Orders on their way: people kill, a real flow hears it through the log, and tells who goes on calling.

The control plane's clock is two minutes behind, so that nobody waits for the half minute that a kill has to be obeyed.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from flyball_sdk.scope import Scope
from flyball_sdk.signing import SigningKey
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from control.authority import Authority
from control.clocks import Clocks
from control.outlet import Outlet
from control.store import Store
from flyball import topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
ORDERS, INCIDENTS = "orders", "incidents"
BEHIND_NS = 120 * 10**9
_numbers = itertools.count(1)


def call(ago_s: float, **names: str) -> tuple[str, bytes]:
    """Give a model call of a new run that began some seconds ago and has just ended."""
    data, number = TracesData(), next(_numbers)
    span = data.resource_spans.add().scope_spans.add().spans.add()
    span.name, span.trace_id, span.span_id = "chat", number.to_bytes(16, "big"), b"\1" * 8
    span.parent_span_id = b"\2" * 8
    span.start_time_unix_nano = time.time_ns() - int(ago_s * 1e9)
    span.end_time_unix_nano = time.time_ns()
    said = {"gen_ai.operation.name": "chat", "flyball.workflow": "air"} | names
    for name, value in said.items():
        attribute = span.attributes.add()
        attribute.key, attribute.value.string_value = name, value
    return "spans", data.SerializeToString()


def is_healthy(world: World, process: int) -> bool:
    """Say whether a process of the flow runs."""
    address = f"http://127.0.0.1:{world.deployment.metrics_port + process}/healthz"
    return bool(world.live.get(address) == (200, "ok\n"))


def of(scope: str, name: str) -> dict[str, str]:
    """Give the attribute that says whose a call is."""
    return {{"user": "user.id", "tenant": "flyball.tenant.id", "workflow": "flyball.workflow"}[scope]: name}


class World:
    """A deployment whose control plane is in this process."""

    def __init__(self, folder: Path, live: Any, broker: str | None) -> None:
        self.live = live
        self.deployment = live.Deployment(folder, broker)
        for name in (ORDERS, INCIDENTS):
            self.deployment.topics[name] = self.deployment.topics["spans"].replace("spans", name)
        self.deployment.configure()
        self.store = Store(folder / "control.db")
        clocks = Clocks(lambda: time.time_ns() - BEHIND_NS)
        self.authority = Authority(self.store, SigningKey.generate(), clocks=clocks)
        self.outlet = Outlet(self.store, self.deployment.log, self.deployment.topics[ORDERS])

    def put(self) -> None:
        """Put what was ordered, and wait until a snapshot of the flow has it."""
        while self.outlet.step():
            pass
        self.wait(lambda: self.deployment.log.backlog(self.deployment.topics[ORDERS]) == 0)

    def wait(self, condition: Any) -> Any:
        """Wait."""
        return self.deployment.wait(condition)

    def defied(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Give what was told of stops that failed, by scope."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for record in topic.records(self.deployment.log, self.deployment.topics[INCIDENTS], {}):
            if record["class"] == "stop.failed":
                found.setdefault((record["scope"]["level"], record["scope"]["id"]), []).append(record)
        return found

    def close(self) -> None:
        """End all of it."""
        self.outlet.close()
        self.store.close()
        self.deployment.__exit__()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(request: Any, tmp_path: Path, live: Any) -> Iterator[World]:
    """Give a deployment on either log."""
    broker = request.getfixturevalue("kafka").address if request.param == "kafka" else None
    found = World(tmp_path, live, broker)
    yield found
    found.close()


def test_who_goes_on_after_a_kill_is_told(world: World) -> None:
    """Through a crash of the flow, which goes on as two processes; what was lifted is defied by nobody."""
    deployment, authority = world.deployment, world.authority
    authority.kill(Scope("workflow", "rail"), None, "ann", "")
    deployment.start()
    world.put()
    deployment.append([call(60, **of("workflow", "rail")), call(100, **of("workflow", "air"))])
    world.wait(world.defied)
    ((scope, (first, *_)),) = world.defied().items()
    assert (scope, first["rule"], first["severity"]) == (("workflow", "rail"), "operator", "SEV-1")
    assert first["title"] == "workflow rail: calls go on after it was killed by ann"
    assert 55 <= first["evidence"]["count"] <= 120

    for name in ("u1", "u2"):
        authority.kill(Scope("user", name), "acme", "bob", "")
    authority.resume(Scope("user", "u2"), "acme", "bob", "")
    world.put()
    deployment.kill()  # as by the system: nothing is said
    umbra, acme = of("tenant", "umbra"), of("tenant", "acme")
    # once, before the flow is there again: its shards have these calls before they know what is in force
    deployment.append([call(1, **of("user", "u2"), **acme), call(1, **of("user", "u1"), **umbra)])
    deployment.append([call(1, **of("user", "u1"), **acme)])
    deployment.start(2)
    world.wait(lambda: is_healthy(world, 0) and is_healthy(world, 1))
    found = world.wait(lambda: ("user", "u1") in world.defied() and world.defied())
    assert (found["user", "u1"][0]["tenant"], found["user", "u1"][0]["evidence"]["killed_by"]) == ("acme", "bob")
    assert ("user", "u2") not in found
    assert len({record["key"] for told in found.values() for record in told}) == 2


def test_orders_hold_nothing_back_and_no_rubbish_stops_them(world: World) -> None:
    """With an order once and never again, minutes close by the spans alone; what is no order is a dead letter."""
    deployment = world.deployment
    writer = deployment.log.writer()
    deployment.log.ensure(deployment.topics[ORDERS], 1)
    writer.append(deployment.topics[ORDERS], [(b"orders", b"rubbish"), (b"orders", orjson.dumps({"kind": "order"}))])
    writer.close()
    world.authority.kill(Scope("product", "*"), None, "ann", "")
    deployment.start()
    world.put()
    traffic = world.live.traffic(seed=7, duration_s=20.0, rate=2.0)
    deployment.append(traffic.messages)
    deployment.append_each(traffic.marks())
    world.wait(lambda: deployment.watcher.read().runs.keys() >= traffic.truth.keys())
    letters = world.wait(lambda: deployment.watcher.read().dead_letters[1:] and deployment.watcher.told.dead_letters)
    assert sorted(letter["reason"] for letter in letters) == ["order: not JSON", "order: of no known kind"]
