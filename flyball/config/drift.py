# ruff: noqa: FBT003, RUF009, TC003 -- `key` declares a field as `dataclasses.field` does; the types are read at run time
"""The keys of `policy.yaml` about drift: what a baseline must be, what a person accepted, how bad drift is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from flyball.config.schema import Between, Wrong, key, needed
from flyball.config.units import Duration, duration

_LATEST_S = 2**33
"""Beyond it (in 2242) a time does not fit 64 bits of nanoseconds; the control plane takes none either."""

Span = Annotated[Duration, Between(duration("1m"), duration("90d"))]
Days = Annotated[int, Between(0, 90)]
Shift = Annotated[float, Between(0.001, 0.5)]


@dataclass(frozen=True)
class AcceptedKeys:
    """A change that a person accepted: from then on it is how things should be."""

    workflow: str | None = needed("the workflow whose baselines open anew")
    at: str | None = needed("from when on, RFC 3339, as 2026-05-04T12:00:00Z")
    sli: str | None = key(None, "only of this SLI")

    def wrong(self) -> Iterator[Wrong]:
        """Yield a time and an SLI that are none."""
        if self.at is not None and minute_of(self.at) is None:
            yield Wrong("at", self.at, "a time with its zone, as 2026-05-04T12:00:00Z")
        if self.sli is not None:
            from models.slis import NAMES  # noqa: PLC0415 -- half a second, for the few who name one

            if self.sli not in NAMES:
                yield Wrong("sli", self.sli, f"one of {', '.join(NAMES)}")


@dataclass(frozen=True)
class DriftKeys:
    """Drift: [docs/drift.md](drift.md) says what is watched and how."""

    enabled: bool = key(True, "whether drift is watched at all")
    least_baseline: Span = key(duration("24h"), "a baseline spans at least this, so that it has seen a day")
    most_baseline: Span = key(duration("336h"), "after this it is frozen with what it has; hourly ones always take it")
    shift: Shift = key(0.05, "shift of a rate (0.05: five points) that a baseline must be large enough to find")
    new_user_days: Days = key(
        7, "users are a cohort of their own for so many days after their first run; 0: they are not"
    )
    severity: Literal["SEV-1", "SEV-2", "SEV-3"] = key("SEV-3", "of incidents of drift; SEV-2 where an SLO burns too")
    accepted: tuple[AcceptedKeys, ...] = key((), "changes that people accepted; `flyball drift accept` adds one")

    def wrong(self) -> Iterator[Wrong]:
        """Yield a span that ends before it may."""
        if self.most_baseline < self.least_baseline:
            yield Wrong("most_baseline", "less than least_baseline", "at least as much")


def minute_of(text: str) -> int | None:
    """Give the Unix minute at or after a time, None for what is no time with a zone that a span can have."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None or not 0 <= at.timestamp() < _LATEST_S:
        return None
    return int(-(-at.timestamp() // 60))
