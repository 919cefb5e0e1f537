"""Classifier: can a model tell runs of B from runs of A by their features, and by which? An explanation, no alarm.

Gradient-boosted trees (scikit-learn), judged on runs that they did not see: the area under the curve (AUC) is .5 where
nothing tells them apart. A feature's importance is what the AUC loses when that feature alone is shuffled among the
unseen runs (permutation importance), so a feature that only fits noise has none. Never on the hot path.
Where runs say their type of task they are told apart within it: a model that learns from as many runs of either side of
each type is judged by how it ranks those of one type, all types together. What was asked for tells nothing then.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu

from models.drift.comparing import ALPHA, strata_of
from models.drift.within_types import ranks_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.drift.comparing import Run

FEWEST = 20
"""Runs a side from which it is worth asking."""
FOLDS = 3
"""Each run is unseen once."""
_REPEATS, _SEED = 5, 0
_MOST_TOOLS = 20
_LEAST_IMPORTANCE = 0.005
_EVEN, _RAREST = 0.5, 1e-300


class Explained(NamedTuple):
    """`auc` of unseen runs, .5 to 1; (feature, loss of AUC without it), the largest first."""

    auc: float
    importances: list[tuple[str, float]]
    p: float
    """Chance that unseen runs are told apart as well where nothing sets them apart; exact but for ties, any folds."""
    scores: NDArray[np.float64]
    """How much each run looks like one of B to a model that has not seen it, 0 to 1; those of A first."""
    is_within_types: bool = False
    """Runs were told apart from those of the same type of task."""


def explain(a: Sequence[Run], b: Sequence[Run]) -> Explained | None:
    """Tell what sets two sets of runs apart, if `p` is at most `ALPHA`; None where there are too few.

    Where they are compared within types of task (`comparing.strata_of`), of those types, and within them.
    """
    strata = strata_of(a, b)
    sides = [[(run, number) for number, of in enumerate(strata.values()) for run in of[side]] for side in (0, 1)]
    if min(map(len, sides)) < FEWEST:
        return None
    names, x = features([run for side in sides for run, _ in side])
    types = np.array([number for side in sides for _, number in side])
    return tell_apart(names, x, len(sides[0]), ALPHA, types)._replace(is_within_types="" not in strata)


def tell_apart(
    names: Sequence[str],
    x: NDArray[np.float64],
    size: int,
    level: float = 1.0,
    types: NDArray[np.int64] | None = None,
) -> Explained:
    """Tell what sets the first `size` rows of `x` [run, feature] apart from the others; `FEWEST` a side at least.

    Of the same of `types` [run], where there are several.

    Importances are looked for where `p` is at most `level`. Given its model, the labels of a fold's unseen runs are in
    any order alike where nothing sets them apart, so its rank test holds; the folds share runs, and e times the
    geometric mean of p-values is one whatever hangs together (Vovk and Wang 2020).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 -- takes a second to load
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    y = np.repeat([0, 1], [size, len(x) - size])
    types = np.zeros(len(y), np.int64) if types is None else types
    scores, p, folds = np.zeros(len(y)), [], []
    with threadpool_limits(1):  # so few runs only make threads wait for each other
        for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED).split(x, y):
            model = HistGradientBoostingClassifier(max_depth=3, max_iter=60, min_samples_leaf=10, random_state=_SEED)
            model.fit(x[train], y[train], _evenly(y[train], types[train]))
            scores[test] = model.predict_proba(x[test])[:, 1]
            p.append(_rank_test(scores[test], y[test], types[test]))
            folds.append((model, x[test], y[test], types[test]))
        chance = min(1.0, math.e * float(np.exp(np.mean(np.log(p)))))
        told = _importances(names, folds) if chance <= level else []
    return Explained(_auc(scores, y, types), told, chance, scores)


def _evenly(y: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Give weights by which both sides are as many of each type: of a type of one side alone none. None: all alike."""
    if not types.any():
        return None
    counts = np.zeros((2, types.max() + 1))
    np.add.at(counts, (y, types), 1)
    weights = np.where(counts.min(axis=0) > 0, counts.sum(axis=0) / (2 * np.maximum(counts, 1)), 0.0)
    found: NDArray[np.float64] = weights[y, types]
    return found


def _sides(
    scores: NDArray[np.float64], y: NDArray[np.int64], types: NDArray[np.int64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Give the scores of both sides by type, of those that both have."""
    order = np.lexsort((y, types))
    ends = np.flatnonzero(np.diff(2 * types[order] + y[order])) + 1
    parts = {(int(types[part[0]]), int(y[part[0]])): scores[part] for part in np.split(order, ends)}
    return [(of_a, parts[type_, 1]) for (type_, side), of_a in parts.items() if not side and (type_, 1) in parts]


def _auc(scores: NDArray[np.float64], y: NDArray[np.int64], types: NDArray[np.int64]) -> float:
    """Give the chance that a run of B stands above one of A of the same type."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 -- as above

    return 1.0 - ranks_p(_sides(scores, y, types))[1] if types.any() else float(roc_auc_score(y, scores))


def _rank_test(scores: NDArray[np.float64], y: NDArray[np.int64], types: NDArray[np.int64]) -> float:
    """Give the chance that those of B stand as high among all by chance; Mann and Whitney 1947, with its ties.

    Of several types within each, all together (van Elteren).
    """
    if np.ptp(scores) == 0:
        return 1.0
    if types.any():
        p, above = ranks_p(_sides(scores, y, types))
        return max(p / 2 if above < _EVEN else 1.0 - p / 2, _RAREST)
    test = mannwhitneyu(scores[y == 1], scores[y == 0], alternative="greater", method="asymptotic")
    return max(float(test.pvalue), _RAREST)


def _importances(
    names: Sequence[str], folds: Sequence[tuple[Any, NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]]
) -> list[tuple[str, float]]:
    from sklearn.inspection import permutation_importance  # noqa: PLC0415 -- as above

    losses = np.zeros(len(names))
    for model, x, y, types in folds:

        def auc(model: Any, x: NDArray[np.float64], y: NDArray[np.int64], types: NDArray[np.int64] = types) -> float:
            return _auc(model.predict_proba(x)[:, 1], y, types)

        losses += permutation_importance(
            model, x, y, scoring=auc, n_repeats=_REPEATS, random_state=_SEED
        ).importances_mean
    losses /= len(folds)
    order = np.argsort(-losses, kind="stable")
    return [(names[at], float(losses[at])) for at in order.tolist() if losses[at] >= _LEAST_IMPORTANCE]


def features(runs: Sequence[Run]) -> tuple[list[str], NDArray[np.float64]]:
    """Give names and values [run, feature]: length, errors, cost, time, calls by tool, and tool after tool."""
    bigrams = [tuple(zip(run.tools, run.tools[1:], strict=False)) for run in runs]
    tools = [tool for tool, _ in Counter(tool for run in runs for tool in run.tools).most_common(_MOST_TOOLS)]
    pairs = [pair for pair, _ in Counter(pair for each in bigrams for pair in each).most_common(_MOST_TOOLS)]
    is_priced = all(run.cost_usd is not None for run in runs)  # that a price is missing is no trait of a run
    names = ["llm calls", "tool calls", "tool errors", "tokens", "duration", "most repeated call"]
    names += ["cost"] if is_priced else []
    names += [f"calls of {tool}" for tool in tools] + [f"{one} then {other}" for one, other in pairs]
    rows = [
        [
            *(run.llm_calls, run.tool_calls, run.tool_errors, run.tokens, run.duration_s, run.most_repeated),
            *((run.cost_usd,) if is_priced else ()),
            *map(run.tools.count, tools),
            *map(pairs_of.count, pairs),
        ]
        for run, pairs_of in zip(runs, bigrams, strict=True)
    ]
    return names, np.array(rows, float)
