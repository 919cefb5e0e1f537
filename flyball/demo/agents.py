"""Agents: each has a guard of the SDK, asks it before each tool call, and exports what it does as OTLP over HTTP."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from flyball_sdk.client import Client
from flyball_sdk.guard import Guard
from flyball_sdk.limits import Limits
from flyball_sdk.policy import Policy
from flyball_sdk.scope import Subject
from flyball_sdk.settings import Settings

from flyball.simulate_output import HttpTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball_sdk.decision import Decision
    from flyball_sdk.signing import KeyRing
    from flyball_sdk.telling import Event

TENANT = "acme"
_TOOL_S = 0.02
"""How long a tool takes, as the spans say."""


class Door(NamedTuple):
    """How an agent reaches the deployment."""

    otlp: str
    control: str
    key: str
    signing_keys: KeyRing


class Work(NamedTuple):
    """One step of an agent: what its model reads and writes, and the call of a tool that comes of it."""

    tool: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    model: str
    provider: str
    input_tokens: int
    output_tokens: int


class Agent:
    """One run of an agent. Its guard has no limits of its own: what stops it are signals of the control plane."""

    def __init__(self, door: Door, name: str, workflow: str, user: str, seed: int) -> None:
        self._random = random.Random(f"{seed}/{name}")  # noqa: S311 -- ids, no secret
        self.run_id = f"{self._random.getrandbits(128) or 1:032x}"
        self.subject = Subject(run=self.run_id, user=user, agent=name, workflow=workflow, tenant=TENANT)
        settings = Settings(door.control, door.key, door.signing_keys, client=name)
        self._client = Client(settings).start()
        alone = Limits(llm_calls=None, tool_calls=None, identical=None, cycle=None, error=None)
        self.guard = Guard(Policy(limits=alone), signals=self._client.store, on_event=self._tell_event)
        self._target = HttpTarget(door.otlp, "json")
        self._root = self._span_id()
        self._began = time.time_ns()
        self._last_ns = self._began
        self.calls = 0

    @property
    def is_listening(self) -> bool:
        """Tell whether signals arrive."""
        return self._client.live and not self._client.store.wants_snapshot

    @property
    def is_held(self) -> bool:
        """Tell whether a signal asks something of this agent now."""
        return bool(self._client.store.of(self.subject))

    def step(self, work: Work) -> Decision:
        """Do a step if the guard lets its tool run; gives the decision."""
        decision = self.guard.evaluate(work.tool, work.arguments, self.subject)
        if decision.allowed:
            self.guard.result(decision, work.result)
            self.calls += 1
            self._tell(self._spans_of(work))
        return decision

    def _tell_event(self, event: Event) -> None:
        """Tell what the guard did, as it would by itself where OpenTelemetry is installed."""
        now = time.time_ns()
        self._tell([self._span(event.name, now, now, event.attributes())])

    def end(self, error: str = "") -> None:
        """End the run."""
        said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": self.subject.agent}
        failed = {"error.type": error} if error else {}
        root = self._span(f"invoke_agent {self.subject.agent}", self._began, time.time_ns(), said | failed, error=error)
        self._tell([root | {"spanId": self._root, "parentSpanId": ""}])

    def close(self) -> None:
        """Hang up."""
        self._client.close(1.0)
        self._target.close()

    def _spans_of(self, work: Work) -> list[dict[str, Any]]:
        """Give the model call since the last step, and the tool call that has just ended."""
        now = time.time_ns()
        called = max(self._last_ns, now - int(_TOOL_S * 1e9))
        chat = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": work.provider,
            "gen_ai.request.model": work.model,
            "gen_ai.response.model": work.model,
            "gen_ai.usage.input_tokens": work.input_tokens,
            "gen_ai.usage.output_tokens": work.output_tokens,
        }
        call = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": work.tool,
            "gen_ai.tool.call.arguments": orjson.dumps(work.arguments).decode(),
            "gen_ai.tool.call.result": orjson.dumps(work.result).decode(),
        }
        spans = [
            self._span(f"chat {work.model}", self._last_ns, called, chat),
            self._span(f"execute_tool {work.tool}", called, now, call),
        ]
        self._last_ns = now
        return spans

    def _span(self, name: str, start: int, end: int, said: Mapping[str, Any], *, error: str = "") -> dict[str, Any]:
        whose = {
            "flyball.workflow": self.subject.workflow,
            "flyball.tenant.id": self.subject.tenant,
            "user.id": self.subject.user,
        }
        return {
            "traceId": self.run_id,
            "spanId": self._span_id(),
            "parentSpanId": self._root,
            "name": name,
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(end),
            "attributes": [_attribute(key, value) for key, value in {**said, **whose}.items()],
            "status": {"code": 2} if error else {},
        }

    def _span_id(self) -> str:
        return f"{self._random.getrandbits(64) or 1:016x}"

    def _tell(self, spans: list[dict[str, Any]]) -> None:
        resource = {"attributes": [_attribute("service.name", str(self.subject.agent))]}
        payload = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
        self._target.send("traces", orjson.dumps(payload))


def _attribute(key: str, value: str | int | None) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    kind = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
    return {"key": key, "value": kind}
