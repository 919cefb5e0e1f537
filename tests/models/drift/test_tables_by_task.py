"""Tables by type of task, and evidence from them, beside plain oracles: runs counted one by one, sums written out."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import hypergeom

from models.digest import digest_of
from models.drift.cohorts import ODDS_RATIOS
from models.drift.cohorts_by_task import CohortsByTask
from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.runs.changes import CALL, Changes
from models.runs.record import RUN
from models.slis.cells import MINUTE_NS, cells_of
from models.slis.closing import Closed
from models.slis.groups import BETWEEN
from models.slis.panes import PaneTable
from models.slis.readings import Label
from models.slis.settings import SliSettings

if TYPE_CHECKING:
    from models.drift.tables import Tables

START = 29_000_160
Run = tuple[str, str, str, bool]
"""Version, plan, type of task ("": none), whether it failed."""
Table = tuple[int, int, int, int]
BEYOND = "beyond"
"""Types of such names are beyond the bound: counted as `other`."""


def runs_of(chance: np.random.Generator, many: int) -> list[Run]:
    """Draw runs of two versions, two plans and three types; one in ten says no type."""
    types = chance.choice(["ask", "book", "pay", ""], many, p=[0.5, 0.2, 0.2, 0.1]).tolist()
    versions, plans = chance.choice(["1", "2"], many).tolist(), chance.choice(["free", "pro"], many).tolist()
    return list(zip(versions, plans, types, (chance.random(many) < 0.2).tolist(), strict=True))


def groups_of(run: Run, beyond: frozenset[tuple[str, str]]) -> list[tuple[str, str]]:
    """Name the groups that count a run; pairs of a type and a version that are `beyond` are `other`."""
    version, plan, task, _ = run
    found = [("", ""), ("version", version), ("plan", plan)]
    if task:
        pair = "other" if (task, version) in beyond else f"{task}{BETWEEN}{version}"
        found += [
            ("task", "other" if task.startswith(BEYOND) else task),
            ("task_version", pair),
            ("task_cohort", f"{task}{BETWEEN}plan{BETWEEN}{plan}"),
        ]
    return found


class Panes:
    """Makes closed panes of runs; series come as they are first seen."""

    def __init__(self, beyond: frozenset[tuple[str, str]] = frozenset()) -> None:
        self.series: dict[tuple[str, str], int] = {}
        self._beyond = beyond

    def closed(self, at: int, runs: list[Run]) -> Closed:
        """Give those of a minute."""
        first = len(self.series)
        total, bad = Counter[int](), Counter[int]()
        for run in runs:
            for group in groups_of(run, self._beyond):
                series = self.series.setdefault(group, len(self.series))
                total[series] += 1
                bad[series] += run[3]
        labels = [
            Label("task_success", {"workflow": "desk"} | ({key: value} if key else {}), histogram=False, whole=False)
            for key, value in list(self.series)[first:]
        ]
        series, none = np.array(sorted(total), np.int64), np.empty((0, 3), np.int64)
        counts = np.array([(total[each], total[each] - bad[each]) for each in series.tolist()]).T
        look = np.full(len(series), START + at)
        return Closed(START + at + 1, first, labels, look, series, *counts, none)


def expected(runs: list[Run], column: int, value: str, beyond: frozenset[tuple[str, str]]) -> list[Table]:
    """Count one by one what both sides did, by type; runs of no type, and types beyond for the value, are left out."""
    found: dict[str, list[int]] = {}
    for run in runs:
        task = run[2]
        if not task or (column == 0 and (task, value) in beyond):
            continue
        of = found.setdefault(task, [0, 0, 0, 0])
        side = 2 * (run[column] == value)
        of[side] += run[3]
        of[side + 1] += 1
    return sorted(tuple(of) for of in found.values() if of[1] and of[3])  # type: ignore[misc]


def told(tables: Tables, series: int) -> list[Table]:
    """Give the tables of one value."""
    return sorted(tuple(each) for each in tables.counts[:, tables.of == series].T.tolist())


@pytest.mark.parametrize("beyond", [frozenset(), frozenset({("pay", "2"), ("book", "1")})])
def test_tables_are_what_counting_one_by_one_gives(beyond: frozenset[tuple[str, str]]) -> None:
    """Of versions and of a cohort, runs of no type among them; and pairs that came beyond their bound."""
    chance, panes, table = np.random.default_rng(1), Panes(beyond), DriftTable(DriftSettings())
    seen = 0
    for at in range(60):
        runs = runs_of(chance, int(chance.integers(1, 40)))
        closed = panes.closed(at, runs)
        table.look(closed)
        shard = table.shard
        for column, name in ((0, "version"), (1, "plan")):
            for value in ("1", "2") if column == 0 else ("free", "pro"):
                series = shard.untyped.series("task_success", "desk", name, value)
                rows = told(shard.tables["rates"], series)
                assert rows == expected(runs, column, value, beyond)
                seen += len(rows)
    assert seen > 400


@pytest.mark.parametrize("batches", [1, 7])
def test_runs_come_to_be_tables(batches: int) -> None:
    """From runs by cells and panes, in batches of any order: what counting them one by one gives."""
    chance, table, panes = np.random.default_rng(3), DriftTable(DriftSettings()), PaneTable(SliSettings(waits=(0, 0)))
    runs = runs_of(chance, 200)
    order = np.array_split(chance.permutation(len(runs)), batches)
    for part in order:
        panes.apply(cells_of([_changes([runs[at] for at in part.tolist()])]))
    closed = panes.closed((START + 1) * MINUTE_NS)
    assert closed is not None
    table.look(closed)
    for column, name, values in ((0, "version", "12"), (1, "plan", ("free", "pro"))):
        for value in values:
            series = table.shard.untyped.series("task_success", "desk", name, value)
            assert told(table.shard.tables["rates"], series) == expected(runs, column, value, frozenset())
    assert len(table.shard.tables["values"].of) > 0


def test_how_a_version_is_compared_is_not_decided_by_its_first_run() -> None:
    """One in twenty says no type, and the first run of version 2 is such a one: it would be held over all for ever."""
    chance, panes, table = np.random.default_rng(4), Panes(), DriftTable(DriftSettings(least_span=30))
    for at in range(80):
        runs: list[Run] = [("1", "free", "ask" if number else "", bool(chance.random() < 0.2)) for number in range(20)]
        runs += [("2", "free", "" if at == 50 else "ask", False)] if at >= 50 else []
        table.look(panes.closed(at, runs))
        assert not len(table.banks["change_rate"])
        if at < 60:
            assert not len(table.banks["change_rate_by_task"])
    for name, many in (("live_rate_by_task", 1), ("live_rate", 0), ("change_rate_by_task", 1), ("change_rate", 0)):
        named = [table.shard.roles.dimension(each.series) for each in table.banks[name].streams]
        assert named.count(("version", "2")) == many


@pytest.mark.parametrize(("watched", "how"), [(0.2, "live_rate"), (0.8, "live_rate_by_task")])
def test_a_value_whose_types_are_not_watched_is_compared_over_all(watched: float, how: str) -> None:
    """Runs name their ticket as their type: hardly any is asked for twice, so no type says what version 2 does."""
    chance, panes, table = np.random.default_rng(4), Panes(), DriftTable(DriftSettings(least_span=30))
    for at in range(70):
        runs: list[Run] = []
        for number, (version, plan, _, failed) in enumerate(runs_of(chance, 10)):
            task = "ask" if chance.random() < watched else f"{BEYOND}{at}.{number}"
            runs.append((version if at > 50 else "1", plan, task, failed))
        table.look(panes.closed(at, runs))
    of = {
        name: [table.shard.roles.dimension(each.series) for each in bank.streams] for name, bank in table.banks.items()
    }
    assert [name for name, named in of.items() if ("version", "2") in named and name.startswith("live")] == [how]


def _changes(runs: list[Run]) -> Changes:
    rows, names = np.zeros(len(runs), RUN), ("desk", "task", "plan", "ask", "book", "pay", "free", "pro", "1", "2")
    rows["workflow"], rows["ended_at"], rows["started_at"] = digest_of("desk"), START * MINUTE_NS + 5, START * MINUTE_NS
    rows["cohort_name"][:, 0] = digest_of("plan")
    for row, (version, plan, task, failed) in zip(rows, runs, strict=True):
        row["version"], row["cohort_value"][0] = digest_of(version), digest_of(plan)
        row["task"] = 2 if failed else 1
        if task:
            row["cohort_name"][3], row["cohort_value"][3] = digest_of("task"), digest_of(task)
    texts = {digest_of(each): each for each in names}
    return Changes(rows, np.ones(len(runs), np.int64), np.zeros(0, CALL), rows[:0], texts)


def test_evidence_is_the_product_of_what_the_types_say() -> None:
    """Sums over hypergeometric chances, written out, for tables of three types."""
    chance, detector = np.random.default_rng(2), CohortsByTask(1, 3)
    state, m = detector.fit(np.zeros((12, 4, 0), np.int64)), np.zeros((len(ODDS_RATIOS), 4))
    for _ in range(30):
        counts = np.zeros((12, 4), np.int64)
        counts[1::2] = chance.integers(0, 12, (6, 4))
        counts[::2] = chance.binomial(counts[1::2], 0.3)
        for bet, psi in enumerate(ODDS_RATIOS):
            for stream in range(4):
                e_value = np.prod([_e_value(psi, *counts[4 * t : 4 * t + 4, stream].tolist()) for t in range(3)])
                m[bet, stream] = (m[bet, stream] + 1) * e_value
        np.testing.assert_allclose(detector.look(state, counts), m.mean(axis=0), rtol=1e-9)


def _e_value(psi: float, failed_a: int, a: int, failed_b: int, b: int) -> float:
    k = failed_a + failed_b
    if not a or not b or not k:
        return 1.0
    chances = hypergeom.pmf(np.arange(b + 1), a + b, k, b)
    return float(psi**failed_b / (chances * psi ** np.arange(b + 1.0)).sum())


@pytest.mark.parametrize("psi", [1 / 3, 2.0])
def test_it_is_an_e_value_whatever_the_types_and_their_mix_are(psi: float) -> None:
    """Its expectation over all outcomes of two types, of rates of 5 and 60 %, asked for in other shares, is one."""
    (a1, b1), (a2, b2), rates = (9, 2), (2, 7), (0.05, 0.6)
    expectation = 0.0
    for ka1, kb1, ka2, kb2 in product(range(a1 + 1), range(b1 + 1), range(a2 + 1), range(b2 + 1)):
        p = 1.0
        for k, n, rate in ((ka1, a1, rates[0]), (kb1, b1, rates[0]), (ka2, a2, rates[1]), (kb2, b2, rates[1])):
            p *= _binomial(k, n, rate)
        expectation += p * _e_value(psi, ka1, a1, kb1, b1) * _e_value(psi, ka2, a2, kb2, b2)
    assert expectation == pytest.approx(1.0, rel=1e-9)


def _binomial(k: int, n: int, rate: float) -> float:
    return float(np.prod([(n - i) / (i + 1) for i in range(k)])) * rate**k * (1 - rate) ** (n - k)
