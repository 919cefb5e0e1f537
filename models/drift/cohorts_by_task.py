"""Cohorts by task: e-SR of two cohorts that run at the same time, within each type of task, over all types at once.

Users of a version or a tenant who ask for harder things make more of it fail though no type fails more often (Simpson).
Given how many failed in each type, the types are independent, and within each the failures of B are hypergeometric when
the odds are equal (`models.drift.cohorts`), whatever the rates of the types and their shares are. So the product of the
e-values of the types, all with the same odds ratio bet on, is an e-value: in logarithms, their sum.
Guarantee: ARL >= c looks under any rates of the types, common and varying in time, and any mix of the types on either
side, for events independent given them. Of J thresholds each is tested so, and averaged. detection.md 3.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.cohorts import ODDS_RATIOS, log_e_values
from models.drift.esr import LARGEST_LOG, advance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State

_BETS = np.array(ODDS_RATIOS)


@dataclass(frozen=True)
class CohortsByTask:
    """Streams of any number of types; `columns` are those of `types` of them, of each as of `CohortExceedance`."""

    watched: int = 1
    types: int = 2
    name: str = "cohorts_by_task"

    @property
    def columns(self) -> tuple[str, ...]:
        """Of each type: hits J and events of A, hits J and events of B."""
        sides = [(*(f"hits_{j}" for j in range(self.watched)), "events")] * 2
        names = [f"{each}_{side}" for side, of in zip("ab", sides, strict=True) for each in of]
        return tuple(f"{name}_{type_}" for type_ in range(self.types) for name in names)

    def fit(self, past: NDArray[np.int64]) -> State:
        """Open as many streams as `past` has; it tells nothing else."""
        ones = np.ones((self.watched, past.shape[1]))
        return start(ones, ones, ones[0])

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        tables = np.concatenate(np.split(counts, self.types), axis=1)
        return self.look_at(state, np.tile(np.arange(counts.shape[1]), self.types), tables)

    def look_at(self, state: State, places: NDArray[np.int64], tables: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look: `tables` [2 J + 2, T] of the streams at `places` [T]; of some streams none."""
        m = state["m"]
        log_e, found = log_e_of(state, places, tables), []
        for j in range(m.shape[1]):
            sums = np.stack([np.bincount(places, row, m.shape[2]) for row in log_e[:, j]])
            found.append(advance(m[:, j], np.exp(np.minimum(sums, LARGEST_LOG))))
        means: NDArray[np.float64] = np.mean(found, axis=0)
        return means

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew."""
        state["m"][..., which] = 0.0


def log_e_of(state: State, places: NDArray[np.int64], tables: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give ln E [bet, J, T] of each of these tables."""
    rest, mine = np.split(tables, 2)
    watched, many = len(rest) - 1, len(places)
    sides = [
        np.tile(side[-1], watched) if is_all else side[:-1].reshape(-1) for side in (rest, mine) for is_all in (0, 1)
    ]
    low, high = (state[name][:, places].reshape(-1) for name in ("low", "high"))
    log_e = log_e_values(np.stack(sides), _BETS, low, high).reshape(len(_BETS), watched, many)
    found: NDArray[np.float64] = log_e / state["dispersion"][places]
    return found


def start(low: Any, high: Any, dispersion: Any) -> State:
    """Open streams; `low` and `high` [J, stream], `dispersion` [stream] as in `models.drift.cohorts`."""
    bets = np.zeros((len(ODDS_RATIOS), *low.shape))
    return {"m": bets, "low": low.copy(), "high": high.copy(), "dispersion": dispersion.copy()}
