"""Two sets of runs that were asked for other things are compared within the types that both were asked for."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.stats import fisher_exact, mannwhitneyu

from flyball.report.canary import line
from flyball.report.canary import record as canary_record
from flyball.report.compared import apart, is_worse, record, within_types
from models.drift.canary import HOUR_NS, judge
from models.drift.classifier import explain
from models.drift.comparing import Compared, Run, compare, strata_of
from models.drift.within_types import Table, exact_p, medians, ranks_p, rates


def _run(*, is_good: bool, task: str, ended_ns: int = 0) -> Run:
    return Run(
        succeeded=is_good,
        escalated=False,
        tool_calls=0,
        tool_errors=0,
        llm_calls=5,
        tokens=1000,
        cost_usd=None,
        duration_s=10.0,
        tools=(),
        most_repeated=1,
        ended_ns=ended_ns,
        task=task,
    )


def runs(task: str, good: int, bad: int, cost: float = 0.1) -> list[Run]:
    """Give runs of one type, with costs around one."""
    return [_run(is_good=at < good, task=task)._replace(cost_usd=cost * (1 + at / 1000)) for at in range(good + bad)]


def rows(a: list[Run], b: list[Run]) -> dict[str, Compared]:
    """Compare, by SLI."""
    return {row.sli: row for row in compare(a, b)}


EASY_A, EASY_B = runs("ask", 388, 12), runs("ask", 97, 3)
HARD_A, HARD_B = runs("book", 80, 20, 0.5), runs("book", 320, 80, 0.5)


def test_a_harder_mix_is_no_difference() -> None:
    """3 and 20 % fail on either side; A is mostly asked the easy ones. Without types B is worse, and dearer."""
    found = rows(EASY_A + HARD_A, EASY_B + HARD_B)
    assert not any(row.differs for row in found.values())
    success = found["task_success"]
    assert success.within == ("ask", "book")
    assert success.before == pytest.approx(success.after)
    assert success.events == (500, 500)
    without = [[run._replace(task="") for run in side] for side in (EASY_A + HARD_A, EASY_B + HARD_B)]
    assert {row.sli for row in compare(*without) if row.differs} >= {"task_success", "cost_per_task"}
    assert not any(row.within for row in compare(*without))


def test_worse_in_each_type_and_better_over_all_is_worse() -> None:
    """B is asked for easy things: it fails less often than A, in each type more than twice as often."""
    a, b = runs("ask", 98, 2) + runs("book", 320, 80), runs("ask", 370, 30) + runs("book", 60, 40)
    found = rows(a, b)["task_success"]
    assert found.differs
    assert is_worse(found)
    assert found.direction == "down"
    assert found.before is not None
    assert found.after is not None
    assert found.before > found.after
    over_all = rows([run._replace(task="") for run in a], [run._replace(task="") for run in b])["task_success"]
    assert over_all.direction == "up"


@pytest.mark.parametrize(
    "tables",
    [
        [(3, 10, 6, 9)],
        [(1, 5, 3, 4), (2, 7, 2, 3)],
        [(0, 4, 2, 5), (3, 3, 1, 2), (2, 6, 5, 6)],
        [(0, 3, 0, 4), (1, 4, 0, 2)],
    ],
)
def test_the_exact_test_is_what_counting_all_tables_gives(tables: list[Table]) -> None:
    """All ways in which the hits of each type may fall on both sides."""
    ways: dict[int, float] = {}
    every = [range(max(0, ha + hb - a), min(b, ha + hb) + 1) for ha, a, hb, b in tables]
    for hits in product(*every):
        chance = 1.0
        for x, (ha, a, hb, b) in zip(hits, tables, strict=True):
            chance *= comb(b, x) * comb(a, ha + hb - x) / comb(a + b, ha + hb)
        ways[sum(hits)] = ways.get(sum(hits), 0.0) + chance
    seen = ways[sum(table[2] for table in tables)]
    assert exact_p(tables) == pytest.approx(sum(each for each in ways.values() if each <= seen * (1 + 1e-7)))


@pytest.mark.parametrize("table", [(3, 50, 30, 60), (400, 90_000, 510, 80_000), (0, 3, 3, 3)])
def test_of_one_type_it_is_fishers_test(table: Table) -> None:
    """With many events, too."""
    hits_a, a, hits_b, b = table
    p = fisher_exact([[hits_b, b - hits_b], [hits_a, a - hits_a]])[1]
    assert exact_p([table]) == pytest.approx(p, rel=1e-6)


def test_ranks_of_one_type_are_mann_and_whitneys() -> None:
    """With ties, by the normal approximation."""
    chance = np.random.default_rng(1)
    a, b = chance.poisson(3, 40).tolist(), chance.poisson(4, 30).tolist()
    p, above = ranks_p([(a, b)])
    test = mannwhitneyu(a, b, method="asymptotic", use_continuity=False)
    assert p == pytest.approx(test.pvalue)
    assert above == pytest.approx(test.statistic / 1200)


def test_ranks_within_types_are_told_different_as_rarely_as_said() -> None:
    """1,000 pairs of sets, of two types of other values, asked for in other shares: 5 % at .05, and four sigma."""
    chance, found = np.random.default_rng(2), []
    for _ in range(1000):
        sides = [
            (chance.lognormal(shift, 1.0, n_a).tolist(), chance.lognormal(shift, 1.0, n_b).tolist())
            for shift, n_a, n_b in ((0.0, 40, 15), (2.0, 10, 45))
        ]
        found.append(ranks_p(sides)[0])
    assert abs(np.mean(np.array(found) < 0.05) - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 1000)


def test_rates_and_medians_are_those_with_the_tasks_of_b() -> None:
    """By hand: 10 % of 30 and 50 % of 10; three quarters of the weight of A lie on the first type."""
    assert rates([(1, 10, 6, 30), (5, 10, 5, 10)]) == (pytest.approx(0.2), pytest.approx(11 / 40))
    assert medians([([1.0, 2.0], [5.0] * 3), ([9.0], [8.0])]) == (2.0, 5.0)
    assert medians([([1.0, 3.0], [4.0, 6.0])]) == (2.0, 5.0)


def test_types_of_one_side_are_left_out_and_that_is_said() -> None:
    """A pays, too; B says no type in one run of twenty."""
    a, b = EASY_A + runs("pay", 5, 20), EASY_B + runs("", 3, 2)
    assert rows(a, b)["task_success"].events == (400, 100)
    said = within_types(a, b)
    assert said.startswith(
        "Compared within the types of task that both were asked for: ask. Left out: 25 runs of A and 5 "
    )
    assert record(("a", "b"), rows(a, b)["task_success"])["within"] == ("ask",)


def test_where_few_say_a_type_all_are_compared_together() -> None:
    """Where few say theirs, or one side none: that is said, and that no type is common; where nobody does, nothing."""
    few = [*EASY_B, *runs("", 30, 0)]
    for a, b in ((few, few), (EASY_A, runs("", 30, 2))):
        assert list(strata_of(a, b)) == [""]
        assert within_types(a, b).startswith(
            "Compared over all: 100 of 130 runs of A" if a is few else "Compared over all"
        )
        assert "within" not in record(("a", "b"), rows(a, b)["task_success"])
    assert within_types(runs("", 30, 0), runs("", 30, 2)) == ""
    assert within_types(EASY_A, HARD_B).startswith("A and B have no type of task in common: compared over all")


@pytest.mark.parametrize(("dearer", "is_told"), [(1.0, False), (1.3, True)])
def test_runs_are_told_apart_from_those_of_the_same_type(dearer: float, is_told: bool) -> None:  # noqa: FBT001
    """B is mostly asked for the dear type: its runs are no others for that. A third more in each type is told."""
    chance = np.random.default_rng(5)
    sides: list[list[Run]] = []
    for share, times in ((0.2, 1.0), (0.8, dearer)):
        tasks = ["book" if chance.random() < share else "ask" for _ in range(400)]
        costs = [times * {"book": 0.5, "ask": 0.1}[task] * chance.lognormal(0, 0.3) for task in tasks]
        sides.append(
            [
                _run(is_good=True, task=task)._replace(cost_usd=cost, llm_calls=int(chance.poisson(6)))
                for task, cost in zip(tasks, costs, strict=True)
            ]
        )
    told = explain(*sides)
    assert told is not None
    assert told.is_within_types
    assert (told.p <= 0.05) == is_told
    assert [name for name, _ in told.importances[:1]] == (["cost"] if is_told else [])
    assert ("of the same type of task" in apart(told), "AUC 0." in apart(told)) == (True, True)
    over_all = explain(*([run._replace(task="") for run in side] for side in sides))
    assert over_all is not None
    assert over_all.p <= 0.05
    assert "of the same type" not in apart(over_all)


def test_what_is_asked_for_is_told_by_chance_alone() -> None:
    """Forty pairs of sides that differ in nothing but what they are asked for, of three types: two may be told."""
    told = 0
    for seed in range(40):
        chance = np.random.default_rng(seed)
        sides = [
            [
                _run(is_good=True, task=f"t{task}")._replace(llm_calls=int(chance.poisson(4 + 8 * task)))
                for task in chance.choice(3, 80, p=shares).tolist()
            ]
            for shares in ((0.7, 0.2, 0.1), (0.1, 0.2, 0.7))
        ]
        found = explain(*sides)
        told += found is not None and found.p <= 0.05
    assert told <= 5


def test_a_canary_that_is_asked_for_harder_things_is_not_rolled_back() -> None:
    """Over 40 hours; the same runs without types are."""
    chance, sides = np.random.default_rng(3), ([], [])
    shares: tuple[list[Run], list[Run]] = sides
    for hour, (side, asks) in product(range(41), enumerate((0.8, 0.2))):
        for at in range(40):
            task = "ask" if chance.random() < asks else "book"
            good = bool(chance.random() >= {"ask": 0.03, "book": 0.2}[task])
            ended = (490_000 + hour) * HOUR_NS + at
            shares[side].append(_run(is_good=good, task=task, ended_ns=ended))
    a, b = shares
    assert judge(a, b)[0].comparison.advice.value != "roll back"
    assert judge(a, b)[0].hours == 40
    assert "in 40 h and 2 types of task, within each; odds ratio" in line(judge(a, b)[0])
    assert canary_record(("a", "b"), judge(a, b)[0])["within"] == ["ask", "book"]
    plain = [[run._replace(task="") for run in side] for side in (a, b)]
    assert judge(plain[0], plain[1])[0].comparison.advice.value == "roll back"
    assert "within" not in canary_record(("a", "b"), judge(plain[0], plain[1])[0])


def test_a_canary_that_is_never_asked_for_the_same_is_not_judged() -> None:
    """A is asked for easy things alone and B for hard ones: over all B looks far worse, and nobody knows."""
    sides = [
        [run._replace(ended_ns=(490_000 + hour) * HOUR_NS) for hour in range(41) for run in runs(task, good, 40 - good)]
        for task, good in (("ask", 39), ("book", 32))
    ]
    assert judge(sides[0], sides[1]) == []
    plain = [[run._replace(task="") for run in side] for side in sides]
    assert judge(plain[0], plain[1])[0].comparison.advice.value == "roll back"
