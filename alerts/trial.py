"""Trial: the page that `flyball deliver --test` sends, from begin to end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from alerts.grouping import begun, page_key
from models.incidents.incident import Incident, Severity, Status
from models.times import rfc3339

if TYPE_CHECKING:
    from alerts.page import Page


def trial_pages(now_ns: int) -> tuple[Page, Page]:
    """Give a page as it begins and as it ends. Each call with another time is another page."""
    now = rfc3339(now_ns)
    incident = Incident(
        key=f"test/{now_ns}",
        at=now,
        status=Status.OPEN,
        severity=Severity.SEV_3,
        class_="test",
        title="Test of a route",
        scope={"level": "product", "id": "flyball"},
        evidence={"why": "somebody ran flyball deliver --test"},
        runbook="",
        runs=(),
        revision=0,
        opened_at=now,
        rule="test",
        summary="Test page from Flyball: nothing is wrong, it ends by itself",
    )
    first = begun(incident, {"class": "test", "rule": str(now_ns)}, page_key(incident, again=False))
    page = replace(first, revision=1)
    return page, replace(page, status=Status.RESOLVED, resolved_at=now, open=0, revision=2)
