"""Known rate: e-SR of a failure rate against an objective, as one less an SLO's target.

Guarantee: ARL >= c looks whatever the failure rate is, as long as it is at most the objective's and failures are
independent given it (`is_robust`: under any dependence within a look); no baseline, nothing estimated. Units: M in
looks. arXiv 2203.03532; detection.md 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.drift.esr import ODDS_RATIOS, bet_on_counts, bet_on_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State


@dataclass(frozen=True)
class KnownRate:
    """Streams of (failed, events) against `objective`, the failure rate that is allowed."""

    objective: float
    is_robust: bool = False
    """Bet on the mean of a look only: exact under any dependence between the failures of a look, and slower."""
    name: str = "known_rate"
    columns: tuple[str, ...] = ("failed", "events")

    def fit(self, past: NDArray[np.int64]) -> State:
        """Open as many streams as `past` has; it tells nothing else."""
        return start(np.full(past.shape[1], self.objective))

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        (failed, events), null = counts, state["null"]
        means: NDArray[np.float64] = (
            bet_on_mean(state["m"], failed, events, null)
            if self.is_robust
            else bet_on_counts(state["m"], failed, events, null, state["dispersion"])
        )
        return means

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew."""
        state["m"][:, which] = 0.0


def start(null: NDArray[np.float64]) -> State:
    """Open streams with these allowed failure rates, [stream]."""
    return {"m": np.zeros((len(ODDS_RATIOS), len(null))), "null": null, "dispersion": np.ones_like(null)}
