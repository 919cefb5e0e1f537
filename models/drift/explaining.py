"""Explaining: what sets the runs after a change apart from those before it, as run records tell them. No alarm.

Two questions, each put to the classifier (`models.drift.classifier`) by itself, as an answer to the first would hide
all of the second: whose runs are they (slices: version, environment, tenant, agent, user), and what do they do (tools
called and failed, calls, tokens, cost, time). Whether runs succeed is what is to be explained, so it is no feature.

A model is believed where it tells runs apart that it has not seen, by a test that calls at most one in 200 questions
about sides that do not differ answered.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
from scipy.stats import norm

from models.drift.classifier import FEWEST, FOLDS, tell_apart
from models.figures import about, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from models.drift.classifier import Explained

LEVEL: Final = 0.005
_POWER: Final = 0.8
_SPEAKS: Final = 0.15
"""Above .5, an AUC that is worth to speak of."""
_MOST_TOLD, _MOST_VALUES, _EXAMPLES = 5, 20, 3
SLICES: Final = ("version", "environment", "tenant", "agent", "user")
_NUMBERS: Final[dict[str, Callable[[Mapping[str, Any]], float]]] = {
    "llm calls": lambda record: record["llm_calls"],
    "tool calls": lambda record: record["tool_calls"],
    "tool errors": lambda record: record["tool_errors"],
    "input tokens": lambda record: record["input_tokens"],
    "output tokens": lambda record: record["output_tokens"],
    "duration": lambda record: record["duration_s"],
}


class Answer(NamedTuple):
    """What is known of one question."""

    verdict: Literal["told apart", "alike", "not enough evidence"]
    auc: float | None
    still_needed: int | None
    """Runs a side that are missing; None: decided."""
    by: list[dict[str, Any]]
    """Features by what the AUC loses without them, with their means a run on both sides; of models believed only."""


def explained(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], held: str = ""
) -> dict[str, Any]:
    """Explain by run records of both sides; `held` is the dimension that tells the sides apart ("": time does).

    Raises KeyError, TypeError and ValueError where a record is none.
    """
    runs = [*before, *after]
    who, size = _whose([each for each in SLICES if each != held], runs), len(before)
    what = _doing(runs)
    slices, _ = _answer(*who, size)
    behaviour, scores = _answer(*what, size)
    return {
        "runs": {"before": len(before), "after": len(after)},
        "slices": slices._asdict(),
        "behaviour": behaviour._asdict(),
        "examples": _examples(runs, size, scores),
        "summary": f"Whose runs they are: {_words(slices)} What they do: {_words(behaviour)}",
        "brief": _brief(slices, behaviour),
    }


def _answer(names: list[str], x: NDArray[np.float64], size: int) -> tuple[Answer, NDArray[np.float64] | None]:
    sizes = size, len(x) - size
    if min(sizes) < FEWEST:
        return Answer("not enough evidence", None, FEWEST - min(sizes), []), None
    if not len(names):
        return Answer("alike", None, None, []), None
    told = tell_apart(names, x, size, LEVEL)
    if told.p <= LEVEL:
        return Answer("told apart", told.auc, None, _by(told, names, x, size)), told.scores
    missing = _missing(told.auc, min(sizes))
    return Answer("not enough evidence" if missing else "alike", told.auc, missing, []), None


def _missing(auc: float, have: int) -> int | None:
    """Give the runs a side that are missing to tell this AUC, or one that is worth to speak of, four times in five.

    By Noether 1987 for the unseen runs of one fold, as the test is as strong as its folds. None: none is.
    """
    z = float(norm.isf(LEVEL / math.e) + norm.ppf(_POWER))
    needed = math.ceil(FOLDS * z**2 / (6 * max(auc - 0.5, _SPEAKS) ** 2))
    return needed - have if needed > have else None


def _by(told: Explained, names: list[str], x: NDArray[np.float64], size: int) -> list[dict[str, Any]]:
    means = zip(names, x[:size].mean(axis=0).tolist(), x[size:].mean(axis=0).tolist(), strict=True)
    sides = {name: (before, after) for name, before, after in means}
    return [
        {"feature": name, "loss": round(loss, 3), "before": round(sides[name][0], 4), "after": round(sides[name][1], 4)}
        for name, loss in told.importances[:_MOST_TOLD]
    ]


def _whose(dimensions: Sequence[str], runs: Sequence[Mapping[str, Any]]) -> tuple[list[str], NDArray[np.float64]]:
    """Give names and values [run, slice], 0 or 1: the most frequent values of each dimension that has several."""
    found: list[tuple[str, str]] = []
    for dimension in dimensions:
        values = Counter(str(run[dimension]) for run in runs if run[dimension] is not None)
        several = len(values) > 1 or sum(values.values()) < len(runs)
        found += [(dimension, value) for value, _ in values.most_common(_MOST_VALUES) if several]
    rows = [[run[dimension] is not None and str(run[dimension]) == value for dimension, value in found] for run in runs]
    return [f"{dimension} {value}" for dimension, value in found], np.array(rows, float).reshape(len(runs), len(found))


def _doing(runs: Sequence[Mapping[str, Any]]) -> tuple[list[str], NDArray[np.float64]]:
    """Give names and values [run, feature] of what runs do; a cost only where all have one."""
    tools = [run.get("tools") or {} for run in runs]
    called = Counter(tool for of in tools for tool in of).most_common(_MOST_VALUES)
    failed = Counter(tool for of in tools for tool, each in of.items() if each["errors"]).most_common(_MOST_VALUES)
    columns = {name: [float(of(run)) for run in runs] for name, of in _NUMBERS.items()}
    if all(run["cost_usd"] is not None and run["priced"] in ("reported", "computed") for run in runs):
        columns["cost"] = [float(run["cost_usd"]) for run in runs]
    for tool, _ in called:
        columns[f"calls of {tool}"] = [float(of.get(tool, {}).get("calls", 0)) for of in tools]
    for tool, _ in failed:
        columns[f"errors of {tool}"] = [float(of.get(tool, {}).get("errors", 0)) for of in tools]
    return list(columns), np.array(list(columns.values()), float).T.reshape(len(runs), len(columns))


def _examples(runs: Sequence[Mapping[str, Any]], size: int, scores: NDArray[np.float64] | None) -> dict[str, list[str]]:
    """Give the runs that are most surely of their side by what they do; the newest where nobody can tell them apart."""
    if scores is None:
        before, after = ([each["ended_at"] for each in side] for side in (runs[:size], runs[size:]))
        first, last = (sorted(range(len(side)), key=side.__getitem__, reverse=True) for side in (before, after))
    else:
        first = np.argsort(scores[:size], kind="stable").tolist()
        last = np.argsort(-scores[size:], kind="stable").tolist()
    ids = [str(run["run_id"]) for run in runs]
    return {"before": [ids[at] for at in first[:_EXAMPLES]], "after": [ids[size + at] for at in last[:_EXAMPLES]]}


def _words(answer: Answer) -> str:
    """Say it in a sentence."""
    if answer.verdict == "alike":
        return "nothing tells them apart."
    if answer.verdict == "not enough evidence":
        return f"not enough evidence yet, {answer.still_needed:,} more runs a side are needed."
    by = ", ".join(
        f"{each['feature']} ({about(each['before'])} a run before, {about(each['after'])} after)" for each in answer.by
    )
    return f"unseen runs are told apart with AUC {answer.auc:.2f} (0.5: not at all), by {by or 'no feature by itself'}."


def _brief(slices: Answer, behaviour: Answer) -> str:
    """Say in a few words what tells the sides apart, for a page; empty: nothing that is believed."""
    shares = [(each["feature"], percent(each["before"], 0), percent(each["after"], 0)) for each in slices.by[:2]]
    said = [f"{name} ({before}% → {after}% of runs)" for name, before, after in shares]
    said += [f"{each['feature']} ({about(each['before'])} → {about(each['after'])} a run)" for each in behaviour.by[:3]]
    return f"runs of both sides differ by {', '.join(said)}" if said else ""
