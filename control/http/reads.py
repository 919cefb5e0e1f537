"""What can be looked at: status, usage, the audit log, the keys that sign, health."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from flyball_sdk.scope import SCOPE_LEVELS, TENANT, USER, as_named

from control.clients import told
from control.guards import ANY_AGENT
from control.http.core import Answer, Refused
from control.metrics import CONTENT_TYPE
from models.times import rfc3339

if TYPE_CHECKING:
    from control.http.core import Request

_MOST_ENTRIES = 1_000


async def status(request: Request) -> Answer:
    """Give all scopes that are not neutral, who asked for it, and who has applied it."""
    plane = request.plane
    asked = await asyncio.to_thread(plane.authority.asked)
    shown, clients = plane.authority.shown, plane.clients
    now, now_s = plane.clocks.now(), plane.clocks.steady_s()
    clients.note(shown, now, now_s)
    scopes: list[dict[str, Any]] = []
    for place, signal in shown.signals.items():
        done, of = clients.applied(signal, now_s)
        row = {
            "scope": place.scope.to_json(),
            "tenant": place.tenant,
            "state": signal.state.to_json(),
            "reason": signal.reason,
            "rule": signal.rule,
            "epoch": signal.epoch,
            "seq": signal.seq,
            "issued_at": signal.issued_at,
            "sources": {name: state.to_json() for name, state in asked.get(place, {}).items()},
            "applied": told(done, of),
        }
        if signal.state.kill:
            row["acknowledged_at"] = clients.acknowledged_at(place, signal)
            if kill := plane.authority.orders.kill_at(place):
                row["killed_by"], row["killed_at"] = kill.by, rfc3339(kill.since_ns)
        scopes.append(row)
    return Answer(
        {
            "stream": plane.authority.stream,
            "epoch": shown.epoch,
            "seq": shown.seq,
            "at": now,
            "degraded": plane.problem,
            "clients": clients.count(now_s),
            "streams": len(plane.hub.subscribers),
            "scopes": scopes,
        }
    )


async def usage(request: Request) -> Answer:
    """Give what a scope has spent, by day and month; an evaluating key sees its own tenant only."""
    level, name = request.query.get("level", ""), as_named(request.query.get("id", ""))
    if level not in SCOPE_LEVELS or not name:
        raise Refused(400, "level", f"expected level, one of {', '.join(SCOPE_LEVELS)}, and id")
    key = request.who
    tenant = request.query.get("tenant") or None
    if key.evaluates:
        if tenant not in (None, key.tenant) or (level == TENANT and name != key.tenant) or level not in (TENANT, USER):
            raise Refused(403, "forbidden", "an evaluating key sees users and spend of its own tenant only")
        tenant = key.tenant
    tenant = tenant if level == USER else None  # only users are a tenant's; the others stand for themselves
    rows = request.plane.spend.usage(level, name, tenant)
    return Answer({"level": level, "id": name, "tenant": tenant, "usage": rows})


async def audit(request: Request) -> Answer:
    """Give audit entries after a number, a thousand at most."""
    after = request.query.get("after", "0")
    if not after.isdecimal() or len(after) > 15:  # noqa: PLR2004 -- within 2^53
        raise Refused(400, "after", "expected after to be a whole number from 0")
    found = await asyncio.to_thread(lambda: list(request.plane.store.entries(int(after), _MOST_ENTRIES)))
    entries = [{**orjson.loads(each.body), "hash": each.hash.hex()} for each in found]
    return Answer({"entries": entries, "next": found[-1].n if found else int(after)})


async def own(request: Request) -> Answer:
    """Say whose key it is: a guard has nobody else to ask. No agent: the key is of any agent of the tenant."""
    key = request.who
    return Answer({"tenant": key.tenant, "agent": None if key.agent == ANY_AGENT else key.agent})


async def signing(request: Request) -> Answer:
    """Give the public keys by kid."""
    public = request.plane.signing.public()
    return Answer({"keys": {public.kid: public.to_text()}})


async def health(request: Request) -> Answer:
    """Say whether all is well; it goes on answering where it is not."""
    problem = request.plane.problem
    return Answer(
        {"status": "ok" if problem is None else "degraded", "problem": problem}, 200 if problem is None else 503
    )


async def metrics(request: Request) -> Answer:
    """Write what Prometheus scrapes; names of runs, users and tenants are not in it."""
    request.plane.see_guards()
    return Answer(await asyncio.to_thread(request.plane.metrics.text), kind=CONTENT_TYPE)
