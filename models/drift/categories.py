"""Categories: e-SR of each category's share against the rest: mixes of tools, stop reasons, error types, lengths.

Guarantee: as `frozen_rate`, for independent draws; calls of one run are not quite, which the dispersion of the
baseline shows and tempers. What moved is told by Jensen-Shannon distance and the movers (`models.drift.distance`):
effect sizes, never alarms, as they have no error rate. arXiv 2203.03532; detection.md 3.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from models.drift.frozen_rate import FrozenRate

MOST = 16
"""Categories that are watched one by one; the rest of the baseline, and what is new, are the last."""


@dataclass(frozen=True)
class Categories(FrozenRate):
    """Streams of (each category ..., all)."""

    categories: int = MOST
    name: str = "categories"
    columns: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", (*(f"category_{j}" for j in range(self.categories)), "all"))
