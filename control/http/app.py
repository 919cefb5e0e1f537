"""The table of endpoints, and the ASGI application made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from control.http import commands, guard, ofrep, openapi, reads, signals
from control.http.core import PUBLIC, VIEW_OR_EVALUATE, Door, Endpoint
from control.keys import CONFIGURE, EVALUATE, KILL, RESUME, VIEW

if TYPE_CHECKING:
    from control.plane import Plane

_OFREP: Final = "/ofrep/v1/evaluate/flags"

ENDPOINTS: Final = (
    Endpoint("POST", "/v1/guard/evaluate", EVALUATE, guard.evaluate, "Decide one call of a tool"),
    Endpoint("POST", "/v1/guard/batch", EVALUATE, guard.batch, "Decide up to 64 calls"),
    Endpoint("POST", "/v1/guard/result", EVALUATE, guard.result, "Tell what came of a call"),
    Endpoint("GET", "/v1/signals", EVALUATE, signals.snapshot, "The whole view of the key's tenant"),
    Endpoint("GET", "/v1/signals/stream", EVALUATE, signals.stream, "Signals and heartbeats as they come"),
    Endpoint("POST", "/v1/signals/ack", EVALUATE, signals.acknowledge, "Tell what was applied"),
    Endpoint("GET", "/v1/keys/signing", PUBLIC, reads.signing, "Public keys that signals are signed by"),
    Endpoint("GET", "/v1/status", VIEW, reads.status, "All scopes that are not neutral, and who has applied it"),
    Endpoint("POST", "/v1/kill", KILL, commands.kill, "Kill a scope until it is resumed"),
    Endpoint("POST", "/v1/resume", RESUME, commands.resume, "Take away all that is asked of a scope"),
    Endpoint("POST", "/v1/set", CONFIGURE, commands.set_state, "Ask a state of a scope"),
    Endpoint("GET", "/v1/usage", VIEW_OR_EVALUATE, reads.usage, "Spend of a scope by day and month"),
    Endpoint("GET", "/v1/audit", VIEW, reads.audit, "Audit entries after a number"),
    Endpoint("POST", _OFREP, EVALUATE, ofrep.bulk, "OFREP: all flags", ofrep=True),
    Endpoint("POST", f"{_OFREP}/{{key}}", EVALUATE, ofrep.single, "OFREP: one flag", ofrep=True),
    Endpoint("GET", "/ofrep/v1/events", EVALUATE, ofrep.events, "OFREP: says when to fetch again"),
    Endpoint("GET", "/healthz", PUBLIC, reads.health, "Whether all is well"),
    Endpoint("GET", "/metrics", PUBLIC, reads.metrics, "Metrics for Prometheus"),
    Endpoint("GET", "/openapi.json", PUBLIC, openapi.serve, "This description"),
)


def create_app(plane: Plane) -> Door:
    """Build the application; `plane` is started and stopped by whoever serves it."""
    return Door(plane, ENDPOINTS)
