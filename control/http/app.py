"""The table of endpoints, and the ASGI application made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from control.console import api, events, record, static
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
    Endpoint("GET", "/v1/keys/own", EVALUATE, reads.own, "Whose key this is"),
    Endpoint("GET", "/v1/keys/signing", PUBLIC, reads.signing, "Public keys that signals are signed by"),
    Endpoint("GET", "/v1/status", VIEW, reads.status, "All scopes that are not neutral, and who has applied it"),
    Endpoint("POST", "/v1/kill", KILL, commands.kill, "Kill a scope until it is resumed"),
    Endpoint("POST", "/v1/resume", RESUME, commands.resume, "Take away all that is asked of a scope"),
    Endpoint("POST", "/v1/set", CONFIGURE, commands.set_state, "Ask a state of a scope"),
    Endpoint("POST", "/v1/drift/accept", CONFIGURE, commands.accept_drift, "Accept drift: open baselines anew"),
    Endpoint("GET", "/v1/usage", VIEW_OR_EVALUATE, reads.usage, "Spend of a scope by day and month"),
    Endpoint("GET", "/v1/audit", VIEW, reads.audit, "Audit entries after a number"),
    Endpoint("POST", _OFREP, EVALUATE, ofrep.bulk, "OFREP: all flags", ofrep=True),
    Endpoint("POST", f"{_OFREP}/{{key}}", EVALUATE, ofrep.single, "OFREP: one flag", ofrep=True),
    Endpoint("GET", "/ofrep/v1/events", EVALUATE, ofrep.events, "OFREP: says when to fetch again"),
    Endpoint("GET", "/v1/console/overview", VIEW, api.overview, "Console: whose key, and how all of it stands"),
    Endpoint("GET", "/v1/console/slos", VIEW, api.slos, "Console: SLOs with their history"),
    Endpoint("GET", "/v1/console/incidents", VIEW, api.incidents, "Console: open and resolved incidents"),
    Endpoint("GET", "/v1/console/incidents/{key}", VIEW, api.incident, "Console: one incident with its runbook"),
    Endpoint("GET", "/v1/console/runs", VIEW, api.runs, "Console: search runs"),
    Endpoint("GET", "/v1/console/runs/{key}", VIEW, record.run, "Console: flight recorder of a run"),
    Endpoint("GET", "/v1/console/preview", VIEW, api.preview, "Console: what a signal of a scope would reach"),
    Endpoint("GET", "/v1/console/spend", VIEW, api.spend, "Console: spend and budgets of the newest day and month"),
    Endpoint("GET", "/v1/console/drift", VIEW, api.drift, "Console: streams with evidence of drift"),
    Endpoint("GET", "/v1/console/audit", VIEW, api.audit, "Console: audit entries that fit, without arguments"),
    Endpoint("GET", "/v1/console/events", VIEW, events.events, "Console: says what has changed, as it does"),
    Endpoint("GET", "/console/", PUBLIC, static.page, "The console"),
    Endpoint("GET", "/console/{key}", PUBLIC, static.own, "The console's scripts and styles"),
    Endpoint("GET", "/console/vendor/{key}", PUBLIC, static.vendor, "The console's libraries"),
    Endpoint("GET", "/console", PUBLIC, static.move, "Leads to the console"),
    Endpoint("GET", "/", PUBLIC, static.move, "Leads to the console"),
    Endpoint("GET", "/healthz", PUBLIC, reads.health, "Whether all is well"),
    Endpoint("GET", "/metrics", PUBLIC, reads.metrics, "Metrics for Prometheus"),
    Endpoint("GET", "/openapi.json", PUBLIC, openapi.serve, "This description"),
)


def create_app(plane: Plane) -> Door:
    """Build the application; `plane` is started and stopped by whoever serves it."""
    return Door(plane, ENDPOINTS)
