"""What `flyball compare --canary` prints: how B does beside A, and what is missing to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.drift.canary import ALPHA_EACH
from models.drift.fixed_start import MARGIN

if TYPE_CHECKING:
    from models.drift.canary import Judged

_SURE = f"{1 - ALPHA_EACH:.2%}"


def line(judged: Judged) -> str:
    """Say one SLI in a line."""
    (bad_a, all_a), (bad_b, all_b), found = judged.a, judged.b, judged.comparison
    low, high = found.interval
    counts = f"{judged.sli}: bad {bad_a}/{all_a} of A, {bad_b}/{all_b} of B in {judged.hours} h"
    if judged.within:
        counts += f" and {len(judged.within)} type{'s' if len(judged.within) > 1 else ''} of task, within each"
    if found.odds_ratio is None:
        return f"{counts}; all are alike, so nothing is known of its odds: {found.advice}"
    said = (
        f"{counts}; odds ratio {found.odds_ratio:.2g}, between {low:.2g} and {high:.2g} ({_SURE}, at every look): "
        f"{found.advice}"
    )
    return (
        said if found.still_needed is None else f"{said}, about {found.still_needed:,} more runs of both would decide"
    )


def record(names: tuple[str, str], judged: Judged) -> dict[str, Any]:
    """Give one SLI as JSON."""
    found = judged.comparison
    return {
        "kind": "canary",
        "sli": judged.sli,
        "a": names[0],
        "b": names[1],
        "bad": [judged.a[0], judged.b[0]],
        "total": [judged.a[1], judged.b[1]],
        "hours": judged.hours,
        "odds_ratio": found.odds_ratio,
        "interval": list(found.interval),
        "alpha": ALPHA_EACH,
        "margin": MARGIN,
        "advice": found.advice,
        "still_needed": found.still_needed,
    } | ({"within": list(judged.within)} if judged.within else {})
