"""Comparing two sets of runs: hand-computed tests, Holm, what is still needed, and what a classifier can tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from models.drift.classifier import explain
from models.drift.comparing import ALPHA, Compared, Run, compare, holm


def run(
    *, good: bool | None = True, tools: tuple[str, ...] = ("search",), cost: float | None = 0.1, llm: int = 5
) -> Run:
    """Make a run."""
    return Run(
        succeeded=good,
        escalated=False,
        tool_calls=len(tools),
        tool_errors=0,
        llm_calls=llm,
        tokens=1000 * llm,
        cost_usd=cost,
        duration_s=10.0 + llm,
        tools=tools,
        most_repeated=1,
    )


def rows(a: list[Run], b: list[Run]) -> dict[str, Compared]:
    """Compare, by SLI."""
    return {row.sli: row for row in compare(a, b)}


def test_a_rate_by_hand() -> None:
    """Fisher's exact test of 1 against 8 of 10: C(20, 9) tables, 10 * 45 + 1 * 10 in each tail as rare or rarer."""
    a = [run(good=at >= 1) for at in range(10)]
    b = [run(good=at >= 8) for at in range(10)]
    found = rows(a, b)["task_success"]
    assert (found.before, found.after, found.events) == (0.9, 0.2, (10, 10))
    assert found.p == pytest.approx(2 * (10 * 45 + 10) / 167_960, rel=1e-9)
    assert found.differs
    assert found.still_needed is None


def test_outcomes_that_are_not_known_do_not_count() -> None:
    """They are neither good nor bad."""
    assert rows([run(good=None), run()], [run(), run()])["task_success"].events == (1, 2)
    assert "cost_per_task" not in rows([run(cost=None)], [run()])


@pytest.mark.parametrize("runs", [1, 2, 3, 4])
def test_of_few_runs_that_differ_in_all_it_is_said_how_many_more(runs: int) -> None:
    """All of one side succeed and none of the other: five a side are told different, by Fisher's test 2 / C(10, 5)."""
    found = rows([run()] * runs, [run(good=False)] * runs)["task_success"]
    assert (found.differs, found.still_needed) == (False, 5 - runs)
    decided = rows([run()] * 5, [run(good=False)] * 5)["task_success"]
    assert (decided.differs, decided.still_needed) == (True, None)


def test_values_say_how_many_are_missing_too() -> None:
    """By Noether: z^2 / (6 (P - 1/2)^2) a side; where neither is above the other no number would do."""
    a, b = [[run(llm=each) for each in side] for side in ((1, 2, 3, 4), (2, 3, 4, 5))]
    found = rows(a, b)["trajectory_length_llm_calls"]
    above = sum((x > y) + (x == y) / 2 for x in (1, 2, 3, 4) for y in (2, 3, 4, 5)) / 16
    level = ALPHA / sum(row.kind == "value" or row.sli.startswith("tool:") for row in rows(a, b).values())
    z = norm.isf(level / 2) + norm.ppf(0.8)
    assert found.still_needed == math.ceil(z**2 / (6 * (above - 0.5) ** 2) - 4)
    assert rows(a, a)["trajectory_length_llm_calls"].still_needed is None


def test_where_all_are_alike_nothing_says_how_far_apart() -> None:
    """No escalation on either side: there is no odds ratio, only its interval."""
    found = rows([run()] * 3, [run()] * 3)["escalation_rate"]
    assert found.odds_ratio is None
    assert found.interval is not None


def test_holm_by_hand() -> None:
    """Of .01, .02, .04 at .05: .01 <= .05/3, .02 <= .05/2, .04 <= .05; with .03 in place of .02 the second stops it."""
    assert holm([0.04, 0.01, 0.02]) == [True, True, True]
    assert holm([0.04, 0.01, 0.03]) == [False, True, False]
    assert holm([]) == []


def test_nothing_is_told_different_too_often() -> None:
    """100 pairs of 40 runs that differ in nothing: any false difference in at most 5 % a family (10 % in all)."""
    chance = np.random.default_rng(5)

    def some() -> list[Run]:
        return [
            run(good=bool(chance.random() < 0.6), cost=float(chance.lognormal()), llm=int(chance.poisson(8)) + 1)
            for _ in range(40)
        ]

    false = sum(any(row.differs for row in compare(some(), some())) for _ in range(100))
    assert false <= 100 * 2 * ALPHA + 3 * np.sqrt(100 * 2 * ALPHA * (1 - 2 * ALPHA))


def test_what_is_needed_is_enough() -> None:
    """With as many runs as are said to be missing, the same difference is found about as often as promised."""
    chance = np.random.default_rng(7)
    a, b = [run(good=at >= 12) for at in range(40)], [run(good=at >= 18) for at in range(40)]
    needed = rows(a, b)["task_success"].still_needed
    assert needed is not None
    size = 40 + needed

    def found() -> bool:
        sides = [[run(good=bool(chance.random() >= rate)) for _ in range(size)] for rate in (0.30, 0.45)]
        return rows(*sides)["task_success"].differs

    assert 0.6 <= np.mean([found() for _ in range(60)]) <= 0.98


def test_a_small_difference_in_many_runs_is_the_same() -> None:
    """40,000 runs a side at 10 % bad each: surely within an odds ratio of 1.25."""
    bad = np.arange(40_000) < 4_000
    side = [run(good=not each) for each in bad.tolist()]
    found = rows(side, side)["task_success"]
    assert found.is_same
    assert not found.differs
    assert found.still_needed is None


def test_the_classifier_names_what_differs_and_nothing_else() -> None:
    """B calls another tool after the search: AUC near 1, by that tool; of equal sets it tells nothing."""
    chance = np.random.default_rng(3)

    def side(tool: str) -> list[Run]:
        return [run(tools=("search", tool), llm=int(chance.poisson(6)) + 1) for _ in range(90)]

    told = explain(side("book"), side("cancel"))
    assert told is not None
    assert told.auc > 0.98
    assert told.importances[0][0] in {"calls of book", "calls of cancel", "search then book", "search then cancel"}
    same = explain(side("book"), side("book"))
    assert same is not None
    assert 0.35 < same.auc < 0.65
    assert explain(side("book")[:10], side("book")) is None


def test_a_missing_price_is_no_difference() -> None:
    """B is unpriced: neither compared nor something to tell B by."""
    chance = np.random.default_rng(9)
    a, b = ([run(cost=cost, llm=int(chance.poisson(6)) + 1) for _ in range(60)] for cost in (0.1, None))
    told = explain(a, b)
    assert told is not None
    assert told.auc < 0.65
