"""Grouping: which page an incident belongs to, and what it changes there. Pure: no clock, no storage."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from alerts.page import MAX_RUNS, MAX_SCOPES, RANKS, Page
from models.incidents.classes import is_safety
from models.incidents.incident import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.incidents.incident import Incident, Severity

FIELDS = ("class", "rule", "workflow", "tenant", "owner")
"""What incidents can be grouped by."""

DEFAULT_GROUP_BY = ("class", "rule", "workflow")


def group_of(incident: Incident, group_by: Sequence[str]) -> dict[str, str]:
    """Give the group of an incident: values by field. A safety class is a group of its own, whatever is asked for."""
    safety = is_safety(incident.class_)
    names = [name for name in FIELDS if name in group_by or (safety and name == "class")]
    group = {name: str(getattr(incident, "class_" if name == "class" else name) or "") for name in names}
    return group | {"safety": "true"} if safety else group


def key_of(group: dict[str, str]) -> str:
    """Write a group as one text."""
    return orjson.dumps(group, option=orjson.OPT_SORT_KEYS).decode()


def page_key(incident: Incident, *, again: bool) -> str:
    """Name the page that an incident begins: the same under every replay.

    `again`: the incident has begun or joined a page before and opens anew, which makes another page of it.
    """
    name = f"{incident.key}\n{incident.revision}" if again else incident.key
    return "flyball-" + sha256(name.encode()).hexdigest()[:32]


def begun(incident: Incident, group: dict[str, str], key: str) -> Page:
    """Give the page of a group with its first incident."""
    return Page(
        key=key,
        group=group,
        status=Status.OPEN,
        severity=incident.severity,
        first_severity=incident.severity,
        class_=incident.class_,
        rule=incident.rule,
        workflow=incident.workflow,
        tenant=incident.tenant,
        owner=incident.owner,
        title=incident.title,
        summary=incident.summary,
        opened_at=incident.opened_at,
        at=incident.at,
        resolved_at=None,
        count=1,
        open=1,
        runs=incident.runs[:MAX_RUNS],
        scopes=(incident.scope,),
        evidence=incident.evidence,
        labels=incident.labels,
        runbook=incident.runbook,
        led_by=incident.key,
    )


def changed(page: Page, incident: Incident, *, new: int, opened: int) -> Page:
    """Give the page after a telling: `new` is 1 for an incident that was not in it, `opened` 1, 0 or -1.

    It resolves when no incident of it is open any more.
    """
    still = page.open + opened
    after = replace(
        page,
        at=max(page.at, incident.at),
        count=page.count + new,
        open=still,
        runs=_some(page.runs, incident.runs),
        scopes=_with(page.scopes, incident.scope),
    )
    worse = RANKS[incident.severity] < page.rank
    if worse or incident.key == page.led_by:
        after = _led(after, incident, incident.severity if worse else page.severity)
    if still <= 0:
        return replace(after, status=Status.RESOLVED, resolved_at=incident.resolved_at or incident.at)
    return after


def _led(page: Page, incident: Incident, severity: Severity) -> Page:
    """Let the worst incident speak for the page, by what was last told of it."""
    return replace(
        page,
        severity=severity,
        title=incident.title,
        summary=incident.summary,
        evidence=incident.evidence,
        labels=incident.labels,
        runbook=incident.runbook,
        led_by=incident.key,
    )


def _some(known: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    if len(known) >= MAX_RUNS:
        return known
    return tuple(dict.fromkeys((*known, *more)))[:MAX_RUNS]


def _with(known: tuple[dict[str, str], ...], scope: dict[str, str]) -> tuple[dict[str, str], ...]:
    return known if len(known) >= MAX_SCOPES or scope in known else (*known, scope)
