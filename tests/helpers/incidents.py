"""Incidents for tests: a producer of records, a clock that is set, a sink that remembers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from alerts.outcome import Sent
from alerts.sinks.base import Sink, SinkSettings
from models.incidents.incident import Incident, Severity, Status
from models.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from alerts.outcome import Outcome
    from alerts.page import Page

SECOND = 10**9
START_NS = 1_780_000_000 * SECOND
"""2026-05-28 20:26:40 UTC, a Thursday."""


def incident(key: str = "k", revision: int = 0, **said: Any) -> Incident:
    """Give a telling of an open incident; `said` replaces fields."""
    made = Incident(
        key=key,
        at=rfc3339(START_NS + revision * SECOND),
        status=Status.OPEN,
        severity=Severity.SEV_2,
        class_="slo.burn",
        title="task-success burns its error budget",
        scope={"level": "workflow", "id": "airline"},
        evidence={"burn": 15.0},
        runbook="slo.burn",
        runs=("a" * 32,),
        revision=revision,
        opened_at=rfc3339(START_NS),
        rule="task-success",
        summary="15.0 times too many failures for an hour",
        workflow="airline",
    )
    return replace(made, **said)


def resolved(key: str = "k", revision: int = 1, **said: Any) -> Incident:
    """Give the telling of its end."""
    at = rfc3339(START_NS + revision * SECOND)
    return incident(key, revision, **{"status": Status.RESOLVED, "resolved_at": at} | said)


def message(telling: Incident) -> tuple[bytes, bytes]:
    """Give a telling as the log has it: key and value."""
    return telling.key.encode(), orjson.dumps(telling.record())


class Clock:
    """A clock that is set, Unix ns."""

    def __init__(self, ns: int = START_NS) -> None:
        self.ns = ns

    def __call__(self) -> int:
        """Give the time."""
        return self.ns

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.ns += int(seconds * SECOND)


class Memory(Sink):
    """A sink that remembers what it was told; `answer` may be replaced."""

    def __init__(self, name: str = "memory", **said: Any) -> None:
        super().__init__(SinkSettings(name, "stdout", **said))
        self.told: list[Page] = []
        self.answer: Callable[[Page], Outcome] = lambda page: Sent()

    def deliver(self, page: Page) -> Outcome:
        """Remember, and answer."""
        self.told.append(page)
        return self.answer(page)

    @property
    def words(self) -> list[tuple[str, str, str, int]]:
        """Give what was told in short: status, severity, key's last four, count."""
        return [(page.status.value, page.severity.value, page.key[-4:], page.count) for page in self.told]


def severity(number: int) -> Severity:
    """Give SEV-number."""
    return Severity(f"SEV-{number}")
