"""`/v1/console/...`: what the page shows. All of it needs the view role, none of it changes anything."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import orjson
from flyball_sdk.errors import MalformedError
from flyball_sdk.scope import SCOPE_LEVELS, USER, Scope
from flyball_sdk.state import NEUTRAL

from control.clocks import stamp
from control.console.board import mode
from control.console.entries import Wanted, search
from control.console.events import never_told, silent_s
from control.console.runs import EXACT, ORDERS, Search, moment
from control.contributions import Place
from control.http.core import Answer, Refused
from control.masking import is_name, shown
from control.verdicts import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from control.http.core import Request
    from control.plane import Plane

_RUN: Final = re.compile(r"[0-9a-f]{1,32}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_BUDGET: Final = "spend.budget"
_NUMBER: Final = re.compile(r"\d{1,15}", re.ASCII)
_LONGEST: Final = 512
_MOST_OPEN: Final = 200
_MOST_SPEND: Final = 500
_RECENT_NS: Final = 900 * 10**9
_MOST_NAMES: Final = 10


async def overview(request: Request) -> Answer:
    """Give whose key it is, and how all of it stands."""
    plane, key = request.plane, request.who
    console, now_s = plane.console, plane.clocks.steady_s()
    incidents = console.board.incidents()
    slos = console.board.slos(plane.clocks.wall_ns())
    counted = [each for each in slos if each["total"] and not each["old"]]
    active = [each.state for each in plane.authority.shown.signals.values()]
    return Answer(
        {
            "at": plane.clocks.now(),
            "key": {"person": key.person, "roles": list(key.roles)},
            "degraded": plane.problem,
            "console": {
                "problem": console.problem,
                "caught_up": console.caught_up,
                "malformed": console.board.malformed,
            },
            "silent_s": silent_s(plane),
            "never_told": never_told(plane),
            "guards": plane.clients.count(now_s),
            "slos": len(slos),
            "slos_spent": sum((each["budget_remaining"] or 0) <= 0 for each in counted),
            "incidents": sum(each["status"] == "open" for each in incidents) + console.board.milder(),
            "signals": len(active),
            "kills": sum(each.kill for each in active),
            "runs": await asyncio.to_thread(console.runs.count),
            "drift": sum(bool(each.get("alarm") and each.get("worse", True)) for each in console.board.drift()),
        }
    )


async def slos(request: Request) -> Answer:
    """List the SLOs with four hours of history."""
    plane = request.plane
    board = plane.console.board
    return Answer({"slos": board.slos(plane.clocks.wall_ns()), "more": board.better()})


async def incidents(request: Request) -> Answer:
    """List incidents, open ones first, and how many more are open."""
    board = request.plane.console.board
    return Answer({"incidents": [_shown(each) for each in board.incidents()], "more": board.milder()})


async def incident(request: Request) -> Answer:
    """Give one incident, its evidence, its runbook, and of drift what sets its runs apart (None: not known yet)."""
    found = request.plane.console.board.incident(request.name)
    if found is None:
        raise Refused(404, "not_found", "no such incident is known here: it may be older than what the log keeps")
    told: dict[str, Any] = {"incident": _shown(found), "runbook": _runbook(found.get("runbook"))}
    if told["runbook"] is None:  # an objective's own: an address or words; what is shipped for its class helps, too
        told |= {"own_runbook": told["incident"].get("runbook"), "runbook": _runbook(found.get("class"))}
    explained = shown({"of": found, "explained": request.plane.explainer.told(request.name)})
    return Answer({**told, "explained": explained["explained"]})


def _shown(incident: dict[str, Any]) -> dict[str, Any]:
    """Give what is shown of an incident. Its place is as guards know it, or none: an order on a mask reaches nobody."""
    return {**shown(incident), "place": _place(incident)}


def _place(incident: dict[str, Any]) -> dict[str, Any] | None:
    """Give the scope and tenant that an order about it would name; None: there is none to order."""
    scope, tenant = incident.get("scope"), incident.get("tenant")
    if incident.get("class") == _BUDGET and tenant and isinstance(scope, dict) and scope.get("level") == USER:
        # it begins with the tenant, as an incident's key must tell users of two tenants apart; a signal's does not
        scope = scope | {"id": str(scope.get("id")).removeprefix(f"{tenant}/")}
    try:
        ordered = Scope.from_json(scope)
    except MalformedError:  # of Flyball itself, or of a level that no agent is in
        return None
    known = is_name(ordered.id) and is_name(tenant or "")
    return {"scope": ordered.to_json(), "tenant": tenant} if known else None


async def runs(request: Request) -> Answer:
    """Search the runs."""
    wanted = _search(request.query)
    index = request.plane.console.runs
    rows, following = await asyncio.to_thread(index.search, wanted)
    said: dict[str, Any] = {"runs": rows, "next": None if following is None else f"{following[0]}~{following[1]}"}
    if not request.query.get("after"):
        said["open"] = await asyncio.to_thread(_open, request.plane, wanted)
        said["names"] = await asyncio.to_thread(index.names)
    return Answer(said)


def _open(plane: Plane, wanted: Search) -> list[dict[str, Any]]:
    """List runs that a verdict names, and that are not closed yet."""
    if wanted != Search(text=wanted.text):
        return []  # of an open run only its id is known here
    judged = plane.console.board.judged()[:_MOST_OPEN]
    closed = plane.console.runs.known(run for run, _ in judged)
    return [
        {
            "run_id": run,
            "at": each["at"],
            "action": each["action"],
            "mode": mode(each),
            "rule": each.get("rule"),
            "reason": shown(each).get("reason"),
        }
        for run, each in judged
        if run not in closed and run.startswith(wanted.text)
    ]


async def preview(request: Request) -> Answer:
    """Say what a signal of a scope would reach, as far as it is known here."""
    level, name = request.query.get("level", ""), request.query.get("id", "")
    if level not in SCOPE_LEVELS or not name or len(name) > _LONGEST:
        raise Refused(400, "level", f"expected level, one of {', '.join(SCOPE_LEVELS)}, and id")
    of = request.query.get("tenant") or None
    tenant = of or (name if level == "tenant" else None)
    plane = request.plane
    shown = plane.authority.shown
    people = await asyncio.to_thread(_people, plane, Place(Scope(level, name), of))
    since = stamp(plane.clocks.wall_ns() - _RECENT_NS)
    seen = await asyncio.to_thread(plane.console.runs.seen, level, name, tenant, since)
    closed = await asyncio.to_thread(plane.console.runs.get, name) if level == "run" else None
    now_s = plane.clocks.steady_s()
    everybody = plane.clients.count(now_s)
    guards = everybody if tenant is None else plane.clients.position(tenant, plane.authority.shown, now_s)[1]
    there = [each for place, each in plane.authority.shown.signals.items() if place.scope == (level, name)]
    users, tenants = ({who for each in seen if (who := each[at])} for at in (1, 2))
    return Answer(
        {
            "guards": guards,
            "at": {"epoch": shown.epoch, "seq": shown.seq},
            "current": plane.console.is_current,
            "minutes": _RECENT_NS // (60 * 10**9),
            "runs": len(seen),
            "ended_at": closed and closed["ended_at"],
            "users": sorted(users)[:_MOST_NAMES],
            "users_count": len(users),
            "tenants": sorted(tenants)[:_MOST_NAMES],
            "tenants_count": len(tenants),
            "already": [{"tenant": each.tenant, "state": each.state.to_json(), "rule": each.rule} for each in there],
            "people": people,
            "two_people": level == "product",
        }
    )


def _people(plane: Plane, place: Place) -> dict[str, object]:
    """Give what people have asked of a place: their next order stands in its place. A kill is kept apart."""
    return plane.authority.asked().get(place, {}).get(OPERATOR, NEUTRAL)._replace(kill=False).to_json()


async def spend(request: Request) -> Answer:
    """List what was spent in the newest day and month, of one level or of all, by part of a name or not.

    Those of the day and month that it is come first, and of them those nearest to their limit.
    """
    level, name = request.query.get("level", ""), request.query.get("name", "").casefold()
    if level not in ("", *SCOPE_LEVELS) or len(name) > _LONGEST:
        raise Refused(400, "level", f"expected level, one of {', '.join(SCOPE_LEVELS)}, and part of a name")
    rows = await asyncio.to_thread(request.plane.spend.newest, request.plane.today())
    rows = [
        row for row in rows if level in ("", row["level"]) and name in f"{row['id']} {row['tenant'] or ''}".casefold()
    ]
    rows.sort(key=lambda row: (row["is_now"], row["used_ratio"] or -1, row["cost_usd"] or 0), reverse=True)
    return Answer({"spend": rows[:_MOST_SPEND], "more": max(0, len(rows) - _MOST_SPEND)})


async def drift(request: Request) -> Answer:
    """List streams with evidence of drift."""
    return Answer({"drift": request.plane.console.board.drift()})


async def audit(request: Request) -> Answer:
    """List audit entries that fit, the newest first; arguments are left out. `next`: go on `before` it (0: the end)."""
    chain = request.plane.authority.chain
    found, following = await asyncio.to_thread(search, request.plane.store, _wanted(request.query))
    entries = [orjson.loads(each.body) for each in found]
    for entry in entries:
        entry["what"].pop("arguments", None)
    return Answer({"entries": entries, "next": following, "height": chain.n, "signed": chain.checked})


def _wanted(query: Mapping[str, str]) -> Wanted:
    """Read a search of the audit log. Raises Refused."""
    if max(map(len, query.values()), default=0) > _LONGEST:
        raise Refused(400, "text", f"expected texts of at most {_LONGEST} characters")
    before = query.get("before", "") or "0"
    if not _NUMBER.fullmatch(before):
        raise Refused(400, "before", "expected before as the number of an entry")
    return Wanted(query.get("kind", ""), query.get("who", ""), query.get("about", ""), int(before))


def _search(query: Mapping[str, str]) -> Search:
    """Read a search. Raises Refused."""
    fields = tuple((name, query[name]) for name in EXACT if query.get(name))
    text, order = query.get("text", ""), query.get("order", "") or "ended"
    if max(map(len, query.values()), default=0) > _LONGEST:
        raise Refused(400, "text", f"expected texts of at most {_LONGEST} characters")
    if text and not _RUN.fullmatch(text):
        raise Refused(400, "text", "expected the beginning of a run id: up to 32 lower-case hex digits")
    if order not in ORDERS:
        raise Refused(400, "order", f"expected order to be one of {', '.join(ORDERS)}")
    since, until = (_time(query, name) for name in ("since", "until"))
    failed = query.get("errors", "") not in ("", "0")
    return Search(fields, query.get("tool", ""), failed, text, since, until, order, _after(query, order))


def _time(query: Mapping[str, str], name: str) -> str:
    said = query.get(name, "")
    try:
        if not said or (_TIME.fullmatch(said) and moment(said)):
            return said
    except (ValueError, OverflowError):
        pass  # there is no such day
    raise Refused(400, name, f"expected {name} as 2026-01-31T10:00:00Z")


def _after(query: Mapping[str, str], order: str) -> tuple[float | str, str] | None:
    said = query.get("after", "")
    if not said:
        return None
    value, mark, run = said.rpartition("~")
    try:
        if mark and _RUN.fullmatch(run):
            return (value if order == "ended" else float(value)), run
    except ValueError:
        pass
    raise Refused(400, "after", "expected after as it was given in `next`")


def _runbook(name: object) -> str | None:
    """Read a runbook that is shipped; None: there is none of that name."""
    folder = files("alerts").joinpath("runbooks")
    known = {each.name: each for each in folder.iterdir()}
    found = known.get(f"{name}.md")
    return None if found is None else found.read_text("utf-8")
