"""Words of contrasts within types of task: the odds ratio that all types have together, and the rates of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.confidence import OddsRatio
from models.drift.watches.base import Contrast, Effect
from models.drift.watches.words import amount, bets_up, is_worse, odds_words, rest_words, rounded, value_over
from models.figures import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.roles import Roles

_MOST_TOLD = 10


def rate_by_task_effect(contrast: Contrast, state: State, counts: NDArray[np.int64], roles: Roles) -> Effect:
    """Explain a cohort's rate of bad events; `counts` as `TableBank.since` gives them."""
    numbers, ratio = _numbers(counts[0], counts[1:3], counts[3:5], roles)
    usual = [float(state[name][0, 0]) for name in ("low", "high")]
    is_up = bets_up(state["m"][:, 0, 0])
    numbers["usual"] = usual
    rate, rest = percent(numbers["rate"]), percent(numbers["rest"])
    words = f"{rate}% bad, {rest}% of {rest_words(contrast)} with these tasks, "
    words += f"{odds_words(ratio)} within types of task"
    if usual != [1.0, 1.0]:
        words += f" (usually {usual[0]:.2g} to {usual[1]:.2g})"
    return Effect(contrast, "up" if is_up else "down", is_up, rounded(numbers), words)


def values_by_task_effect(
    contrast: Contrast, sli: str, over: NDArray[np.int64], state: State, counts: NDArray[np.int64], roles: Roles
) -> Effect:
    """Explain a cohort's values against those of the rest, by the threshold that says most."""
    j = int(np.argmax(state["m"].mean(axis=0)[:, 0]))
    is_up = bets_up(state["m"][:, j, 0])
    rest, mine = np.split(counts[1:], 2)
    limit = value_over(over[j])
    numbers, ratio = _numbers(counts[0], rest[[j, -1]], mine[[j, -1]], roles)
    rate, elsewhere = percent(numbers["rate"]), percent(numbers["rest"])
    words = f"{rate}% over {amount(sli, limit)}, {elsewhere}% of {rest_words(contrast)} "
    words += f"with these tasks, {odds_words(ratio)} within types of task"
    direction = "up" if is_up else "down"
    return Effect(contrast, direction, is_worse(sli, is_up=is_up), rounded({"over": limit} | numbers), words)


def _numbers(
    task: NDArray[np.int64], rest: NDArray[np.int64], mine: NDArray[np.int64], roles: Roles
) -> tuple[dict[str, Any], OddsRatio]:
    """Give what is told of (hits, events) of both sides by type, [2, type] each; and the odds ratio within types.

    The rate of the rest is what it would have had with the tasks of the cohort (direct standardisation).
    """
    ratio = OddsRatio()
    ratio.look(np.concatenate([rest, mine]))
    of_rest, of_mine = (hits / np.maximum(events, 1) for hits, events in (rest, mine))
    hits, events = mine.sum(axis=1).tolist()
    same_tasks = float((of_rest * mine[1]).sum() / max(events, 1))
    names = [(roles.dimension(series) or ("", ""))[1] for series in task.tolist()]
    told = sorted(range(len(names)), key=lambda at: (-mine[1, at], names[at]))[:_MOST_TOLD]  # numbers: who came first
    by_task = [
        {
            "task": names[at],
            "rest": float(of_rest[at]),
            "rate": float(of_mine[at]),
            "events": int(mine[1, at]),
        }
        for at in told
    ]
    return {
        "rest": same_tasks,
        "rate": hits / max(events, 1),
        "odds_ratio": ratio.estimate,
        "interval": list(ratio.interval()),
        "events": events,
        "events_of_rest": int(rest[1].sum()),
        "by_task": by_task,
    }, ratio
