"""Cohort exceedance: e-SR of two cohorts that run at the same time, by how many values of each lie over thresholds.

For cost, tokens, latency, length: Fisher's conditional test (`models.drift.cohorts`) at each of J thresholds, averaged.
Guarantee: as `cohorts`, whatever the thresholds are, as long as they do not come from the looks themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.cohorts import ODDS_RATIOS, log_e_values
from models.drift.esr import LARGEST_LOG, advance
from models.drift.exceedance import QUANTILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State

_OVER = tuple(f"over_{quantile:g}" for quantile in QUANTILES)


@dataclass(frozen=True)
class CohortExceedance:
    """Streams of (values of A over each threshold ..., all of A, those of B over each ..., all of B)."""

    name: str = "cohort_exceedance"
    columns: tuple[str, ...] = (
        *(f"{each}_a" for each in _OVER),
        "events_a",
        *(f"{each}_b" for each in _OVER),
        "events_b",
    )

    def fit(self, past: NDArray[np.int64]) -> State:
        """Open as many streams as `past` has; it tells nothing else."""
        ones = np.ones((len(_OVER), past.shape[1]))
        return start(ones, ones)

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        over_a, over_b = np.split(counts, 2)
        found = []
        for j in range(len(_OVER)):
            table = np.stack([over_a[j], over_a[-1], over_b[j], over_b[-1]])
            log_e = log_e_values(table, np.array(ODDS_RATIOS), state["low"][j], state["high"][j])
            found.append(advance(state["m"][:, j], np.exp(np.minimum(log_e, LARGEST_LOG))))
        means: NDArray[np.float64] = np.mean(found, axis=0)
        return means

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew."""
        state["m"][..., which] = 0.0


def start(low: Any, high: Any) -> State:
    """Open streams; `low` and `high` [J, stream] as in `models.drift.cohorts`."""
    return {"m": np.zeros((len(ODDS_RATIOS), *low.shape)), "low": low.copy(), "high": high.copy()}
