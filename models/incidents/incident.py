"""Incident: one telling of something a person must hear, and its record (`{"kind":"incident", ...}`)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


APART = 2
"""Revisions from one telling to the next: the one after it is left to whoever says the same, with what it found out."""


class Severity(StrEnum):
    """How bad: harm that goes on, harm that is done, a pattern."""

    SEV_1 = "SEV-1"
    SEV_2 = "SEV-2"
    SEV_3 = "SEV-3"


class Status(StrEnum):
    """Where an incident is in its life."""

    OPEN = "open"
    RESOLVED = "resolved"


class IncidentError(ValueError):
    """A record that is no incident: what was found, where, what is expected."""


@dataclass(frozen=True)
class Incident:
    """One telling. Tellings of one `key` rise in `revision`, by `APART`; the highest is what holds.

    `at`, `opened_at`, `resolved_at` are RFC 3339 UTC. `scope` is {"level", "id"}. `runs` are run ids, at most five.
    """

    key: str
    at: str
    status: Status
    severity: Severity
    class_: str
    title: str
    scope: dict[str, str]
    evidence: dict[str, Any]
    runbook: str
    runs: tuple[str, ...]
    revision: int
    opened_at: str
    rule: str
    summary: str
    owner: str = "on-call"
    resolved_at: str | None = None
    workflow: str | None = None
    tenant: str | None = None
    labels: dict[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Give the record, in the words of the contract."""
        said: dict[str, Any] = {"kind": "incident"}
        for each in fields(self):
            value = getattr(self, each.name)
            said["class" if each.name == "class_" else each.name] = list(value) if each.name == "runs" else value
        return said

    @staticmethod
    def of(record: Mapping[str, Any]) -> Incident:
        """Read a record back; fields that are not known are left out. Raises IncidentError."""
        if record.get("kind") != "incident":
            msg = f"found kind {record.get('kind')!r}, expected 'incident'"
            raise IncidentError(msg)
        said = {("class_" if name == "class" else name): value for name, value in record.items()}
        known = {each.name for each in fields(Incident)}
        try:
            return Incident(
                **{name: value for name, value in said.items() if name in known}
                | {
                    "status": Status(said["status"]),
                    "severity": Severity(said["severity"]),
                    "runs": tuple(said["runs"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            msg = f"incident {record.get('key')!r}: {error}"
            raise IncidentError(msg) from error
