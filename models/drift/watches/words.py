"""Words: what an alarm says. Effects with intervals; the alarm itself stands on the evidence, never on these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.confidence import OddsRatio, of_rate
from models.drift.distance import jensen_shannon, movers
from models.drift.exceedance import QUANTILES
from models.drift.watches.base import Contrast, Effect
from models.figures import number, percent
from models.slis import ALL, Histogram
from models.slis.bins import EDGES, ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.confidence import Interval

_DIGITS = 6
_UNITS = {sli.name: sli.unit for sli in ALL if isinstance(sli, Histogram)}
_EITHER_WAY = ("trajectory_length",)
"""SLIs (by how they begin) of which less is no better than more."""


def rate_effect(contrast: Contrast, state: State, counts: NDArray[np.int64], before: dict[str, Any]) -> Effect:
    """Explain a rate of bad events against a baseline."""
    bad, total = counts.tolist()
    is_up = _strongest(state) == 0
    was, rate = float(before["rates"][0]), bad / max(total, 1)
    interval = of_rate(bad, total)
    numbers = {"before": was, "rate": rate, "interval": list(interval), "events": total, "baseline": _told(before)}
    moved = "rose" if is_up else "fell"
    words = f"bad events {moved} from {percent(was)}% to {percent(rate)}% {_percent(interval)}"
    return Effect(contrast, "up" if is_up else "down", is_up, rounded(numbers), words)


def values_effect(
    contrast: Contrast,
    sli: str,
    over: NDArray[np.int64],
    state: State,
    counts: NDArray[np.int64],
    before: dict[str, Any],
) -> Effect:
    """Explain values against a baseline, by the threshold that says most."""
    row = _strongest(state)
    j, is_up = row % len(over), row < len(over)
    limit, total = value_over(over[j]), int(counts[-1])
    was, rate = float(before["rates"][j]), int(counts[j]) / max(total, 1)
    numbers: dict[str, Any] = {"over": limit, "quantile": QUANTILES[j], "before": was, "rate": rate, "events": total}
    interval = of_rate(int(counts[j]), total)
    numbers |= {"interval": list(interval), "baseline": _told(before)}
    moved = "rose" if is_up else "fell"
    words = f"the share over {amount(sli, limit)} {moved} from {percent(was)}% to {percent(rate)}% {_percent(interval)}"
    return Effect(contrast, "up" if is_up else "down", is_worse(sli, is_up=is_up), rounded(numbers), words)


def cohort_effect(contrast: Contrast, state: State, counts: NDArray[np.int64]) -> Effect:
    """Explain a cohort's rate of bad events against that of the rest."""
    failed_a, events_a, failed_b, events_b = counts.tolist()
    rate_a, rate_b = failed_a / max(events_a, 1), failed_b / max(events_b, 1)
    ratio = OddsRatio()
    ratio.look(counts[:, None])
    usual = [float(state[name][0]) for name in ("low", "high")]
    is_up = bets_up(state["m"][:, 0])
    numbers: dict[str, Any] = {
        "rest": rate_a,
        "rate": rate_b,
        "odds_ratio": ratio.estimate,
        "interval": list(ratio.interval()),
    }
    numbers |= {"usual": usual, "events": events_b, "events_of_rest": events_a}
    words = f"{percent(rate_b)}% bad against {percent(rate_a)}% of {rest_words(contrast)}, {odds_words(ratio)}"
    if usual != [1.0, 1.0]:
        words += f" (usually {usual[0]:.2g} to {usual[1]:.2g})"
    return Effect(contrast, "up" if is_up else "down", is_up, rounded(numbers), words)


def cohort_values_effect(
    contrast: Contrast, sli: str, over: NDArray[np.int64], state: State, counts: NDArray[np.int64]
) -> Effect:
    """Explain a cohort's values against those of the rest, by the threshold that says most."""
    j = int(np.argmax(state["m"].mean(axis=0)[:, 0]))
    is_up = bets_up(state["m"][:, j, 0])
    rest, mine = np.split(counts, 2)
    limit = value_over(over[j])
    rate_a, rate_b = int(rest[j]) / max(int(rest[-1]), 1), int(mine[j]) / max(int(mine[-1]), 1)
    ratio = OddsRatio()
    ratio.look(np.array([[rest[j]], [rest[-1]], [mine[j]], [mine[-1]]]))
    numbers: dict[str, Any] = {"over": limit, "rest": rate_a, "rate": rate_b, "odds_ratio": ratio.estimate}
    numbers |= {"interval": list(ratio.interval()), "events": int(mine[-1]), "events_of_rest": int(rest[-1])}
    rates = f"{percent(rate_b)}% over {amount(sli, limit)} against {percent(rate_a)}% of {rest_words(contrast)}"
    words = f"{rates}, {odds_words(ratio)}"
    return Effect(contrast, "up" if is_up else "down", is_worse(sli, is_up=is_up), rounded(numbers), words)


def mix_effect(
    contrast: Contrast, what: str, names: Sequence[str], before: Any, after: Any, baseline: dict[str, Any]
) -> Effect:
    """Explain a mix of something by its distance and what moved."""
    moved = movers(names, before, after)
    numbers = {
        "distance": jensen_shannon(before, after),
        "movers": [{"name": each.name, "before": each.before, "after": each.after} for each in moved],
        "events": int(np.sum(after)),
        "baseline": _told(baseline),
    }
    words = ", ".join(f"{each.name} {percent(each.before)}% to {percent(each.after)}%" for each in moved)
    words = f"the mix of {what} moved: {words}"
    return Effect(contrast, "mixed", is_worse=True, numbers=rounded(numbers), words=words)


def value_over(bin_: int) -> float:
    """Give the value over which a bin's successors lie, three digits."""
    return float(f"{EDGES[int(bin_) - ZERO]:.3g}")


def amount(sli: str, value: float) -> str:
    """Give a value with the unit of its SLI."""
    unit = _UNITS.get(sli)
    return f"{number(value)} {unit}" if unit else number(value)


def _percent(interval: Interval) -> str:
    return f"[{percent(interval.low)}%, {percent(interval.high)}%]"


def odds_words(ratio: OddsRatio) -> str:
    """Tell an odds ratio with its interval."""
    low, high = ratio.interval()
    return f"odds ratio {ratio.estimate:.2g} [{low:.2g}, {high:.2g}]"


def _strongest(state: State) -> int:
    """Give the row of a band with most evidence: j up, J + j down."""
    return int(np.argmax(state["m"].mean(axis=0)[:, 0]))


def bets_up(m: NDArray[np.float64]) -> bool:
    """Say whether the bets on worse, the first half, have more evidence."""
    half = len(m) // 2
    return bool(m[:half].sum() >= m[half:].sum())


def is_worse(sli: str, *, is_up: bool) -> bool:
    """Say whether values that moved this way are worse."""
    return is_up or sli.startswith(_EITHER_WAY)


def rest_words(contrast: Contrast) -> str:
    """Name what is held against."""
    return "the rest" if contrast.from_ == "the rest" else contrast.from_


def _told(before: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in before.items() if name != "rates"}


def rounded(numbers: dict[str, Any]) -> dict[str, Any]:
    """Give numbers as they are told."""
    return {name: _round(value) for name, value in numbers.items()}


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, list):
        return [_round(each) for each in value]
    return {name: _round(each) for name, each in value.items()} if isinstance(value, dict) else value
