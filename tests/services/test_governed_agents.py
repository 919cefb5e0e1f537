"""Agents under `flyball up`: their spans go in, a verdict comes of them, and their guard obeys its signal."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk.client import Client
from flyball_sdk.guard import Guard
from flyball_sdk.limits import Limits
from flyball_sdk.policy import Policy
from flyball_sdk.scope import Subject
from flyball_sdk.settings import Settings
from flyball_sdk.signing import KeyRing
from loopback import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


class Place:
    """`flyball up`, and what an agent needs to be governed by it."""

    def __init__(self, live: Any, folder: Path) -> None:
        self.live = live
        self.deployment = live.Deployment(folder, ensure=False)
        self.otlp, self.control = free_ports(2)
        self.deployment.configure(otlp={"port": self.otlp}, control={"port": self.control})
        rules = {
            "repeat.identical": {"kill": 0}
        }  # how often it calls before it hears of the block is up to the machine
        policy = {"runaways": {"rules": rules}}
        (self.deployment.config / "policy.yaml").write_text(json.dumps(policy))
        self.started = self.deployment.command("up")
        for answers in (lambda: self._answers(self.otlp), lambda: self._answers(self.control), self.deployment.metrics):
            self.deployment.wait(answers)

    def guard(self, key: str) -> tuple[Guard, Client]:
        """Give a guard without limits of its own: what stops it are signals."""
        keys = "\n".join(
            json.loads(self.live.get(f"http://127.0.0.1:{self.control}/v1/keys/signing")[1])["keys"].values()
        )
        settings = Settings(f"http://127.0.0.1:{self.control}", key, KeyRing.from_text(keys), client="agent")
        self.deployment.wait(lambda: self._knows(key))  # within a second
        client = Client(settings).start()
        alone = Limits(llm_calls=None, tool_calls=None, identical=None, cycle=None, error=None)
        guard = Guard(Policy(limits=alone), signals=client.store)
        self.deployment.wait(lambda: guard.evaluate("search", {"q": "first"}, Subject(run="0" * 31 + "1")).allowed)
        return guard, client

    def _knows(self, key: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=30)
        connection.request("GET", "/v1/signals", headers={"Authorization": f"Bearer {key}"})
        status = connection.getresponse().status
        connection.close()
        return status == 200

    def _answers(self, port: int) -> bool:
        return bool(self.live.get(f"http://127.0.0.1:{port}/healthz")[0] == 200)


class Agent:
    """One run of an agent that asks its guard before each call, and tells of each call as it ends."""

    def __init__(self, guard: Guard, port: int, workflow: str) -> None:
        self.run_id = uuid.uuid4().hex
        self.calls = 0
        self._guard, self._port, self._workflow = guard, port, workflow
        self._subject = Subject(run=self.run_id, workflow=workflow, tenant="acme")

    def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        """Call a tool if the guard lets it; gives the decision."""
        decision = self._guard.evaluate(tool, arguments, self._subject)
        if decision.allowed:
            self.calls += 1
            self._tell(tool, json.dumps(arguments))
        return decision

    def _tell(self, tool: str, arguments: str) -> None:
        now = time.time_ns()
        said = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
        said |= {"gen_ai.tool.call.arguments": arguments, "gen_ai.tool.call.result": "nothing found"}
        said |= {"flyball.workflow": self._workflow, "flyball.tenant.id": "acme"}
        span = {
            "traceId": self.run_id,
            "spanId": uuid.uuid4().hex[:16],
            "parentSpanId": "00000000000000aa",
            "name": "call",
            "startTimeUnixNano": str(now - 1_000_000),
            "endTimeUnixNano": str(now),
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in said.items()],
        }
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/json"})
        assert connection.getresponse().status == 200
        connection.close()


@pytest.fixture
def place(live: Any, tmp_path: Path) -> Iterator[Place]:
    """Give a running deployment."""
    found = Place(live, tmp_path)
    with found.deployment:
        yield found


def test_a_loop_is_stopped_from_outside(place: Place) -> None:
    """A guard that counts nothing itself: the flow sees the loop, and the tool is blocked for that run alone.

    Then people kill the workflow and resume it, and the audit log has it all.
    """
    key = place.deployment.run("control", "--new-key", "agent", "--tenant", "acme", "--agent", "support").split()[-1]
    guard, client = place.guard(key)
    looping, other = Agent(guard, place.otlp, "air"), Agent(guard, place.otlp, "air")
    deadline = time.monotonic() + 60
    while (decision := looping.call("search", {"q": "same"})).allowed:
        assert time.monotonic() < deadline, place.started.said
        time.sleep(0.1)
    assert decision.decision == "block"
    assert looping.calls >= 5
    assert "search" in decision.message
    assert other.call("search", {"q": "same"}).allowed
    assert looping.call("answer", {}).allowed

    place.deployment.run("kill", "workflow:air", "--reason", "a test")
    place.deployment.wait(lambda: not other.call("answer", {"n": other.calls}).allowed)
    assert other.call("answer", {}).killed
    assert "workflow:air" in place.deployment.run("status")
    place.deployment.run("resume", "workflow:air")
    place.deployment.wait(lambda: other.call("answer", {"n": other.calls}).allowed)
    client.close()
    place.deployment.stop()
    assert "entries" in place.deployment.run("audit", "verify")
