"""Page: a group of incidents as one thing that people are told of, and may be told again."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

import orjson

from models.incidents.incident import Severity, Status
from models.plain import plain

RANKS = {Severity.SEV_1: 1, Severity.SEV_2: 2, Severity.SEV_3: 3}
"""Order of urgency; 1 goes first."""

MAX_RUNS = 5
MAX_SCOPES = 10

_ADDRESS = re.compile(r"https?://[^\s<>|]+")
"""That can be linked to, in Slack too."""
_NAME = re.compile(r"[\w.-]+")
"""Of a runbook in a folder of them. What an SLO says may also be an address, or a text."""


@dataclass(frozen=True)
class Page:
    """What is known of a page at one moment. Times are RFC 3339 UTC.

    `key`, `group`, `class_`, `rule`, `workflow`, `tenant`, `owner`, `opened_at` and `first_severity` never change;
    `severity` only gets worse; `title`, `summary`, `evidence`, `labels`, `runbook` are those of the incident that made
    it so (`led_by`, its key), as it was last told. `count` incidents ever belonged to it, `open` still are.
    """

    key: str
    group: dict[str, str]
    status: Status
    severity: Severity
    first_severity: Severity
    class_: str
    rule: str
    workflow: str | None
    tenant: str | None
    owner: str
    title: str
    summary: str
    opened_at: str
    at: str
    resolved_at: str | None
    count: int
    open: int
    runs: tuple[str, ...]
    scopes: tuple[dict[str, str], ...]
    evidence: dict[str, Any]
    labels: dict[str, str]
    runbook: str
    revision: int = 0
    """Rises each time the page is told."""
    acknowledged_by: str | None = None
    """Who has it in hand."""
    acknowledged_in: int = 0
    """The revision that says so."""
    led_by: str = ""

    @property
    def rank(self) -> int:
        """Give the order of urgency, 1 to 3."""
        return RANKS[self.severity]

    @property
    def is_open(self) -> bool:
        """Tell whether any incident of it is open."""
        return self.status is Status.OPEN

    @property
    def headline(self) -> str:
        """Say it in one line: severity, what, and of how many incidents when there are several."""
        many = f" ({self.count} incidents, {self.open} open)" if self.count > 1 else ""
        return plain(f"[{self.severity}] {self.summary or self.title}{many}")

    @property
    def runbook_name(self) -> str:
        """Give the name of its runbook in a folder of them: that of its class where an SLO says what to do in words."""
        return self.runbook if _NAME.fullmatch(self.runbook) else self.class_

    @property
    def runbook_address(self) -> str | None:
        """Give the address of its runbook, where an SLO has one of its own."""
        return self.runbook if _ADDRESS.fullmatch(self.runbook) else None

    @property
    def advice(self) -> str:
        """Give what an SLO says in words is to be done; empty where its runbook is a name or an address."""
        return "" if _NAME.fullmatch(self.runbook) or self.runbook_address else self.runbook

    def record(self) -> dict[str, Any]:
        """Give it as a record: what the webhook sends."""
        said: dict[str, Any] = {"kind": "page"}
        for each in fields(self):
            said[each.name.rstrip("_")] = getattr(self, each.name)
        return said

    def dump(self) -> bytes:
        """Give it as bytes to store."""
        return orjson.dumps(self.record())

    @staticmethod
    def load(stored: bytes) -> Page:
        """Read back what `dump` gave."""
        said = orjson.loads(stored)
        values = {each.name: said[name] for each in fields(Page) if (name := each.name.rstrip("_")) in said}
        return Page(
            **values
            | {
                "status": Status(said["status"]),
                "severity": Severity(said["severity"]),
                "first_severity": Severity(said["first_severity"]),
                "runs": tuple(said["runs"]),
                "scopes": tuple(said["scopes"]),
            }
        )
