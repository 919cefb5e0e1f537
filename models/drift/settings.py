"""Settings of drift detection: what a baseline must be, which objectives are known, what people accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_MINUTES = 1440


@dataclass(frozen=True)
class Accepted:
    """From the Unix minute `at` on, what a workflow does is as it should be: its baselines open anew.

    `sli` None: all of its SLIs.
    """

    workflow: str
    at: int
    sli: str | None = None


@dataclass(frozen=True)
class DriftSettings:
    """What shapes the detectors of one deployment."""

    is_on: bool = True
    least_span: int = DAY_MINUTES
    """Minutes that a baseline spans at least, so that it has seen a day."""
    most_span: int = 14 * DAY_MINUTES
    """Minutes after which a baseline is frozen with whatever it has; that of the hour clock always takes as long."""
    shift: float = 0.05
    """The shift of a rate (absolute) that a baseline must be large enough to find."""
    most_streams: int = 20_000
    """Streams a shard; beyond it no more are opened, counted."""
    objectives: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(workflow, ratio SLI) -> share of good events that an SLO asks for."""
    accepted: tuple[Accepted, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.least_span <= self.most_span:
            msg = f"least_span is {self.least_span}, most_span {self.most_span}; expected 0 < least_span <= most_span"
            raise ValueError(msg)
        if not 0.0 < self.shift < 1.0:
            msg = f"shift is {self.shift}; expected a number between 0 and 1"
            raise ValueError(msg)
