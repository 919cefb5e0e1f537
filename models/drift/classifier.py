"""Classifier: can a model tell runs of B from runs of A by their features, and by which? An explanation, no alarm.

Gradient-boosted trees (scikit-learn), judged on runs that they did not see: the area under the curve (AUC) is .5 where
nothing tells them apart. A feature's importance is what the AUC loses when that feature alone is shuffled among the
unseen runs (permutation importance), so a feature that only fits noise has none. Never on the hot path.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu

from models.drift.comparing import ALPHA

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


class Explained(NamedTuple):
    """`auc` of unseen runs, .5 to 1; (feature, loss of AUC without it), the largest first."""

    auc: float
    importances: list[tuple[str, float]]
    p: float
    """Chance that unseen runs are told apart as well where nothing sets them apart; exact but for ties, any folds."""
    scores: NDArray[np.float64]
    """How much each run looks like one of B to a model that has not seen it, 0 to 1; those of A first."""


def explain(a: Sequence[Run], b: Sequence[Run]) -> Explained | None:
    """Tell what sets two sets of runs apart, if `p` is at most `ALPHA`; None where there are too few."""
    if min(len(a), len(b)) < FEWEST:
        return None
    names, x = features([*a, *b])
    return tell_apart(names, x, len(a), ALPHA)


def tell_apart(names: Sequence[str], x: NDArray[np.float64], size: int, level: float = 1.0) -> Explained:
    """Tell what sets the first `size` rows of `x` [run, feature] apart from the others; `FEWEST` a side at least.

    Importances are looked for where `p` is at most `level`. Given its model, the labels of a fold's unseen runs are in
    any order alike where nothing sets them apart, so its rank test holds; the folds share runs, and e times the
    geometric mean of p-values is one whatever hangs together (Vovk and Wang 2020).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 -- takes a second to load
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    y = np.repeat([0, 1], [size, len(x) - size])
    scores, p, folds = np.zeros(len(y)), [], []
    with threadpool_limits(1):  # so few runs only make threads wait for each other
        for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED).split(x, y):
            model = HistGradientBoostingClassifier(max_depth=3, max_iter=60, min_samples_leaf=10, random_state=_SEED)
            model.fit(x[train], y[train])
            scores[test] = model.predict_proba(x[test])[:, 1]
            p.append(_rank_test(scores[test], y[test]))
            folds.append((model, x[test], y[test]))
        chance = min(1.0, math.e * float(np.exp(np.mean(np.log(p)))))
        told = _importances(names, folds) if chance <= level else []
    return Explained(float(roc_auc_score(y, scores)), told, chance, scores)


def _rank_test(scores: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """Give the chance that those of B stand as high among all by chance; Mann and Whitney 1947, with its ties."""
    if np.ptp(scores) == 0:
        return 1.0
    test = mannwhitneyu(scores[y == 1], scores[y == 0], alternative="greater", method="asymptotic")
    return max(float(test.pvalue), 1e-300)


def _importances(
    names: Sequence[str], folds: Sequence[tuple[Any, NDArray[np.float64], NDArray[np.int64]]]
) -> list[tuple[str, float]]:
    from sklearn.inspection import permutation_importance  # noqa: PLC0415 -- as above

    losses = np.zeros(len(names))
    for model, x, y in folds:
        losses += permutation_importance(
            model, x, y, scoring="roc_auc", n_repeats=_REPEATS, random_state=_SEED
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
