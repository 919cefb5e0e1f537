"""Settings of the panes."""

from __future__ import annotations

from dataclasses import dataclass

HOUR_MINUTES = 60
DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class SliSettings:
    """Bounds and rhythms of a `PaneTable`. Raises ValueError for what cannot be."""

    keep_minutes: int = 25 * HOUR_MINUTES
    """How far behind the watermark a minute pane can still be corrected and told again."""
    keep_days: int = 31
    """How far behind the watermark the coarse panes of the rolling readings reach."""
    max_workflows: int = 1000
    """Workflows per series shard; cells of further ones are refused and counted."""
    max_cohorts: int = 20
    """Cohort dimensions per workflow; cells of further ones are refused and counted."""
    max_values: int = 200
    """Values per workflow and dimension; further ones count as `other`."""
    new_user_days: int = 0
    """For how long a user is new, days; 0: series are not split by the age of users."""
    max_users: int = 200_000
    """Users per series shard whose first day is remembered; further ones have no age and are counted."""
    early_alone_ns: int = 50_000_000
    """Processing time between early panes of the series of workflows alone."""
    early_groups_ns: int = 1_000_000_000
    """Processing time between early panes of all other series."""
    waits: tuple[int, int] = (16, 31)
    """Minutes after its end at which a minute is closed for detectors: over the idle time after which an abandoned run
    counts, and its calls with it; of runs that wait for an evaluation, over the grace more. A call counts when its run
    ends: calls of runs that last longer than this, from before, are not looked at."""

    def __post_init__(self) -> None:
        for name, least in (("keep_minutes", DAY_MINUTES), ("keep_days", 31), ("max_workflows", 1), ("max_values", 1)):
            if getattr(self, name) < least:
                msg = f"{name} is {getattr(self, name)}; expected at least {least}"
                raise ValueError(msg)
