"""Scenario: what is to be simulated, in words: who works, with which tools and models, and what goes wrong when."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from models.simulation.workflows import coding, research, support

if TYPE_CHECKING:
    from models.simulation.incidents import Incident
    from models.simulation.workflow import Workflow

SECOND = 1_000_000_000
MONDAY = 1_772_442_000 * SECOND
"""2026-03-02T09:00:00Z: where simulated time starts unless said otherwise, so that files repeat byte by byte."""

INCIDENTS_MOST = 62
"""Each run notes which incidents touched it in the bits of one integer."""


class Encoding(StrEnum):
    """How messages are written."""

    JSON = "json"
    PROTOBUF = "protobuf"


@dataclass(frozen=True)
class Scenario:
    """Everything that decides the traffic; two equal scenarios give equal bytes."""

    seed: int = 0
    start_ns: int = MONDAY
    duration_s: float | None = 600.0
    """New runs start for this long (those under way finish); None: without end."""
    rate: float = 5.0
    """Runs per second over all workflows, shared out by `Workflow.weight`; arrivals are a Poisson process."""
    workflows: tuple[Workflow, ...] = field(default=(support.WORKFLOW, research.WORKFLOW, coding.WORKFLOW))
    incidents: tuple[Incident, ...] = ()
    users: int = 400
    flush_s: float = 2.0
    """Event time between two exports."""
    batch: int = 512
    """Spans in a message at most."""

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        for name in ("rate", "flush_s", "batch", "users"):
            if getattr(self, name) <= 0:
                msg = f"{name}: {getattr(self, name)} found, a number above 0 expected"
                raise ValueError(msg)
        if self.duration_s is not None and self.duration_s <= 0:
            msg = f"duration_s: {self.duration_s} found, a number above 0 or None expected"
            raise ValueError(msg)
        if not self.workflows:
            msg = "workflows: none found, at least one expected"
            raise ValueError(msg)
        known = [workflow.name for workflow in self.workflows]
        if len(set(known)) < len(known):
            msg = f"workflows: names must differ, found {known}"
            raise ValueError(msg)
        if len(self.incidents) > INCIDENTS_MOST:
            msg = f"incidents: {len(self.incidents)} found, {INCIDENTS_MOST} at most"
            raise ValueError(msg)
        for incident in self.incidents:
            incident.check(self.workflows)
            if self.duration_s is not None and incident.start_s >= self.duration_s:
                found = f"start {incident.start_s:g} s found, less than the duration of {self.duration_s:g} s expected"
                msg = f"incident {incident.kind}: {found}"
                raise ValueError(msg)
