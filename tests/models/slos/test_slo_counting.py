"""Counting: events of SLOs compared with an oracle in plain Python that reads the run and call rows one by one."""

from __future__ import annotations

from collections import Counter as Counts
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from models.digest import digest_of
from models.runs.changes import CALL, Changes
from models.runs.failing import FAILURES
from models.runs.record import RUN, ClosedBy, OutcomeFrom
from models.slis import ALL
from models.slis.bins import bin_of
from models.slis.groups import series_shard
from models.slis.rows import Query
from models.slos.counting import EXAMPLES, Counter
from models.slos.dimensions import DIMENSIONS, ERROR, EVERYTHING, TOOL
from models.slos.events import KNOWN_S, SHARDS, Events
from models.slos.indicators import measure_of
from models.slos.spec import Indicator, Op, Slo, Threshold
from models.spans.columns import Outcome
from tests.helpers.slo_events import slo

SECOND = 10**9
MINUTE_NS = 60 * SECOND
START_S = 1_700_000_000
TEXTS = ("a", "b", "c", "exp", "version", "search", "buy")
NAMES = {digest_of(text): text for text in TEXTS}
A, B, C, EXP, VERSION, SEARCH, BUY = NAMES
COST = 1_234_567  # nano-USD


def where(sli: str, threshold: Threshold | None = None, **accepted: str) -> Indicator:
    """Give an indicator; `version="ab"` accepts a and b."""
    filters = tuple((name.replace("cohort_", "cohort."), tuple(values.split())) for name, values in accepted.items())
    return Indicator(sli, filters, threshold)


SLOS = (
    slo("all", indicator=where("task_success")),
    slo("flows", indicator=where("task_success", workflow="a b")),
    slo("one", indicator=where("task_success", workflow="a")),
    slo("filtered", indicator=where("task_success", version="a b", tenant="c")),
    slo("cohort", indicator=where("task_success", cohort_exp="a b", cohort_version="c")),
    slo("tenants", indicator=where("task_success"), split="tenant"),
    slo("workflows", indicator=where("task_success", tier="a"), split="workflow"),
    slo("cheap", indicator=where("cost_per_task", Threshold(Op.LTE, COST / 1e9))),
    slo("cheaper", indicator=where("cost_per_task", Threshold(Op.LT, COST / 1e9))),
    slo("long", indicator=where("trajectory_length", Threshold(Op.GTE, 30.0))),
    slo("longer", indicator=where("trajectory_length", Threshold(Op.GT, 30.0))),
    slo("capped", indicator=where("trajectory_length")),
    slo("repeats", indicator=where("duplicate_call_rate")),
    slo("calls", indicator=where("tool_success")),
    slo("tools", indicator=where("tool_success", tool="search buy"), split="tool"),
    slo("calls of flows", indicator=where("tool_success", workflow="a b", environment="a b"), split="workflow"),
)

Facts = dict[str, Any]


@st.composite
def run_row(draw: st.DrawFn) -> Any:
    """Draw one RUN row."""
    row = np.zeros(1, RUN)
    for field in ("workflow", "agent", "service", "version", "environment", "tenant", "tier", "prompt"):
        row[field] = draw(st.sampled_from([0, A, B, C]))
    if draw(st.booleans()):
        row["cohort_name"][0, :2] = EXP, VERSION
        row["cohort_value"][0, :2] = draw(st.sampled_from([0, A, B, C])), draw(st.sampled_from([0, C]))
    row["trace_hi"], row["trace_lo"] = draw(st.integers(-5, 5)), draw(st.integers(-(2**62), 2**62))
    row["ended_at"] = START_S * SECOND + draw(st.integers(0, 1300 * SECOND))
    row["llm_calls"], row["tool_calls"] = (
        draw(st.sampled_from([1, 10, 11, 140])),
        draw(st.sampled_from([0, 10, 19, 20])),
    )
    row["duplicate_calls"] = draw(st.integers(0, int(row["tool_calls"][0])))
    row["cost"] = draw(st.sampled_from([0, COST - 1, COST, COST + 1]))
    row["reported"], row["unpriced"] = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    row["task"], row["escalated"], row["tool_errors"] = (draw(st.integers(0, most)) for most in (2, 1, 1))
    row["outcome"], row["outcome_from"] = draw(st.integers(0, 3)), draw(st.sampled_from(list(OutcomeFrom)))
    row["closed_by"] = draw(st.sampled_from([ClosedBy.ROOT, ClosedBy.IDLE]))
    return row


@st.composite
def changes(draw: st.DrawFn) -> Changes:
    """Draw a batch of changes."""
    n = draw(st.integers(0, 5))
    runs = np.concatenate([np.zeros(0, RUN), *(draw(run_row()) for _ in range(n))])
    weight = np.array([draw(st.sampled_from([1, 1, -1, 0])) for _ in range(n)], np.int64)
    calls = np.zeros(draw(st.integers(0, 5)) if n else 0, CALL)
    for call in calls:
        call["run"] = draw(st.integers(0, n - 1))
        call["tool"] = draw(st.sampled_from([0, SEARCH, BUY, A]))
        call["minute"] = START_S // 60 + draw(st.integers(0, 20))
        call["calls"] = draw(st.integers(1, 3)) * draw(st.sampled_from([1, -1]))
        call["errors"] = draw(st.integers(0, abs(int(call["calls"])))) * np.sign(call["calls"])
        call["error"] = draw(st.sampled_from([0, B, C])) if call["errors"] else 0
    return Changes(runs, weight, calls, runs[:0], NAMES)


def workflow_of(run: Any) -> int:
    """Give what a run counts for."""
    return int(run["workflow"] or run["agent"] or run["service"] or digest_of("unknown"))


def failure_of(run: Any) -> int:
    """Give how a run failed: the first that holds."""
    failed = run["outcome"] == Outcome.FAILURE
    cases = {
        "crashed": failed and run["outcome_from"] == OutcomeFrom.STATUS,
        "escalated": run["escalated"],
        "abandoned": run["closed_by"] == ClosedBy.IDLE,
        "judged": failed and run["outcome_from"] == OutcomeFrom.EVALUATION,
        "reported": failed and run["outcome_from"] == OutcomeFrom.ATTRIBUTE,
        "tool errors": run["tool_errors"],
    }
    return next((digest_of(name) for name, holds in cases.items() if holds), 0)


def accepts(one: Slo, run: Any, tool: int) -> bool:
    """Apply all filters."""
    cohorts = dict(zip(run["cohort_name"].tolist(), run["cohort_value"].tolist(), strict=True))
    for dimension, accepted in one.indicator.where:
        if dimension.startswith("cohort."):
            found = cohorts.get(digest_of(dimension.removeprefix("cohort.")), 0)
        else:
            found = {"workflow": workflow_of(run), "tool": tool}.get(dimension) or int(
                run[dimension] if dimension in (RUN.names or ()) else 0
            )
        if found not in [digest_of(value) for value in accepted]:
            return False
    return True


def measured(one: Slo, run: Any) -> tuple[int, int]:
    """Give (total, bad) of a run."""
    sli, cut = one.indicator.sli, one.indicator.threshold
    if sli == "task_success":
        return int(run["task"] > 0), int(run["task"] == 2)
    if sli == "duplicate_call_rate":
        return int(run["tool_calls"]), int(run["duplicate_calls"])
    if sli == "cost_per_task":
        known, value = run["reported"] > 0 and run["unpriced"] == 0, int(run["cost"])
        at = COST
    else:
        known, value, at = True, int(run["llm_calls"] + run["tool_calls"]), 30 if cut else 150
    op = cut.op if cut else Op.LTE
    good = {Op.LTE: value <= at, Op.LT: value < at, Op.GTE: value >= at, Op.GT: value > at}[op]
    return int(known), int(known and not good)


def hits(batch: Changes) -> list[Facts]:
    """Give (instance, second, total, bad, run, values of dimensions) of everything that counts."""
    found = []
    for one in SLOS:
        per_call = one.indicator.sli == "tool_success"
        met: dict[int, set[tuple[int, int]]] = defaultdict(set)
        for call in batch.calls:
            if call["errors"]:
                met[int(call["run"])] |= {(TOOL, int(call["tool"])), (ERROR, int(call["error"]))}
        rows: list[tuple[Any, int, int, int, int, set[tuple[int, int]]]] = []
        if per_call:
            for call in batch.calls:
                tool, run = int(call["tool"]), batch.runs[call["run"]]
                amounts = int(call["calls"]), int(call["errors"])
                of_call = {(TOOL, tool), (ERROR, int(call["error"]))}
                rows.append((run, tool, int(call["minute"]) * 60, *amounts, of_call))
        else:
            for at, (run, weight) in enumerate(zip(batch.runs, batch.weight.tolist(), strict=True)):
                total, bad = (weight * amount for amount in measured(one, run))
                rows.append((run, 0, int(run["ended_at"]) // SECOND, total, bad, met[at]))
        for run, tool, second, total, bad, of_calls in rows:
            workflow = workflow_of(run)
            value = {"workflow": workflow, "tool": tool}.get(one.split or "") or (
                int(run[one.split]) if one.split == "tenant" else 0
            )
            if not total or not accepts(one, run, tool) or (one.split and not value):
                continue
            home = workflow if one.split == "workflow" or one.name == "one" else digest_of(one.name)
            values = {name: int(run[name]) for name in DIMENSIONS if name not in ("tool", "failure", "error")}
            values["failure"] = failure_of(run)
            parts = {(EVERYTHING, 0)} | {(DIMENSIONS.index(n), v) for n, v in values.items() if v}
            instance = digest_of(one.name), value, series_shard(home, SHARDS)
            fact = {"instance": instance, "second": second, "total": total, "bad": bad, "run": run}
            values["tool"] = tool
            values["error"] = next((v for dimension, v in of_calls if dimension == ERROR and per_call), 0)
            found.append(fact | {"parts": parts | {part for part in of_calls if part[1]}, "values": values})
    return found


def check(events: Events, batch: Changes) -> None:
    """Compare everything."""
    counts, slices = Counts[Any](), Counts[Any]()
    first: dict[Any, int] = {}
    better, worse = [], defaultdict(list)
    for hit in hits(batch):
        key = *hit["instance"], hit["second"] // 10 * 10
        counts[*key, "total"] += hit["total"]
        counts[*key, "bad"] += hit["bad"]
        for part in hit["parts"]:
            key = *hit["instance"], hit["second"] // 600 * 600, *part
            slices[*key, "total"] += hit["total"]
            slices[*key, "bad"] += hit["bad"]
            first[key] = min(first.get(key, hit["second"]), hit["second"])
        if hit["bad"]:
            run = hit["run"]
            ended, trace = int(run["ended_at"]), (int(run["trace_hi"]), int(run["trace_lo"]))
            values = [hit["values"][name] for name in DIMENSIONS]
            row = (*hit["instance"], ended // SECOND, ended, *trace, 1 if hit["bad"] > 0 else -1, *values)
            (better if hit["bad"] < 0 else worse[*hit["instance"], ended // MINUTE_NS]).append(row)
    found = {tuple(row[:4]): row[4:KNOWN_S] for row in events.counts.T.tolist()}
    assert found == {key[:4]: [counts[*key[:4], "total"], counts[*key[:4], "bad"]] for key in counts}
    parts = {tuple(row[:6]): row[6:KNOWN_S] for row in events.slices.T.tolist()}
    assert parts == {key: [slices[*key, "total"], slices[*key, "bad"], at] for key, at in first.items()}
    rows = [tuple(row[:KNOWN_S]) for row in events.runs.T.tolist()]
    assert sorted(row for row in rows if row[7] < 0) == sorted(better)
    for instance in {row[:3] for row in rows}:  # those no longer bad come first
        signs = [row[7] for row in rows if row[:3] == instance]
        assert signs == sorted(signs)
    told = [row for row in rows if row[7] > 0]
    for (*instance, minute), all_bad in worse.items():
        own = [row for row in told if row[:3] == tuple(instance) and row[4] // MINUTE_NS == minute]
        assert len(own) == min(len(all_bad), EXAMPLES)
        assert set(own) <= set(all_bad)
        assert sorted(row[4] for row in own) == sorted(row[4] for row in all_bad)[-EXAMPLES:]
    assert {row[:3] for row in told} == {key[:3] for key in worse}


COUNTER = Counter(SLOS)


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(batch=changes())
def test_events_equal_the_oracle(batch: Changes) -> None:
    """Counts, slices and examples of every SLO are what reading the rows one by one gives."""
    check(COUNTER.count([batch]), batch)


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(batches=st.lists(changes(), min_size=2, max_size=4))
def test_batches_add_up(batches: list[Changes]) -> None:
    """Several shards' changes at once give the sums of each alone; parted by shard nothing is lost."""
    together, alone = COUNTER.count(batches), [COUNTER.count([batch]) for batch in batches]
    for table, key in ((0, 4), (1, 6)):
        sums: list[Counts[Any]] = [Counts(), Counts()]
        for which, parts in enumerate(([together], alone)):
            for events in parts:
                for row in events.arrays[table].T.tolist():
                    sums[which][*row[:key], "total"] += row[key]
                    sums[which][*row[:key], "bad"] += row[key + 1]
        assert sums[0] == sums[1]
    split = together.split()
    assert sum(len(part) for part in split.values()) == len(together)
    for shard, part in split.items():
        assert {shard} == {int(value) for array in part.arrays for value in array[2]}
        assert all(part.names[digest] == COUNTER.count(batches).names[digest] for digest in part.names)


def runs_of(n: int, **fields: Any) -> np.ndarray[Any, Any]:
    """Give n failed runs a second apart, each of a trace of its own."""
    rows = np.zeros(n, RUN)
    rows["task"], rows["workflow"] = 2, A
    rows["trace_lo"] = np.arange(n)
    rows["ended_at"] = (START_S + np.arange(n)) * SECOND
    for name, value in fields.items():
        rows[name] = value
    return rows


def counted(runs: Any, *slos: Slo, weight: int = 1, calls: Any = None) -> Events:
    """Count runs of one weight."""
    changed = Changes(runs, np.full(len(runs), weight), np.zeros(0, CALL) if calls is None else calls, runs[:0], NAMES)
    return Counter(slos).count([changed])


def test_examples_are_the_latest() -> None:
    """Of forty bad runs in a minute the sixteen latest are told, latest first; all that are no longer bad are."""
    events = counted(runs_of(40), SLOS[0])
    assert events.runs[6].tolist() == list(range(39, 23, -1))
    back = counted(runs_of(40), SLOS[0], weight=-1)
    assert sorted(back.runs[6].tolist()) == list(range(40))
    assert set(back.runs[7].tolist()) == {-1}


def test_ways_of_failing_have_names() -> None:
    """What a record says of a way of failing travels with the events."""
    events = counted(runs_of(1, outcome=Outcome.FAILURE, outcome_from=OutcomeFrom.STATUS), SLOS[0])
    (part,) = events.split().values()
    assert {name for name in part.names.values() if name in FAILURES.values()} == {"crashed"}


def test_the_same_sli_at_two_thresholds() -> None:
    """A threshold is exact at its value: at most and below differ by the run that lies on it."""
    runs = runs_of(3, cost=np.array([COST - 1, COST, COST + 1]), reported=1, llm_calls=1)
    events = counted(runs, *SLOS[7:9])
    bad = Counts[int]()
    for row in events.counts.T.tolist():
        bad[row[0]] += row[5]
    assert {slo_.name: bad[digest_of(slo_.name)] for slo_ in SLOS[7:9]} == {"cheap": 1, "cheaper": 2}


@pytest.mark.parametrize(
    ("sli", "written", "field", "parts"),
    [
        ("time_to_resolution", [f"{second}" for second in range(1, 3601)], "ended_at", SECOND),
        ("cost_per_task", [f"{cent // 100}.{cent % 100:02d}" for cent in range(1, 2001)], "cost", 10**9),
    ],
)
def test_what_lies_on_a_threshold_is_within_it(sli: str, written: list[str], field: str, parts: int) -> None:
    """Every whole second and every cent, as they are written in a file, however many runs are counted at once."""
    exact = np.array([round(Fraction(text) * parts) for text in written], np.int64)
    runs = runs_of(3 * len(exact), llm_calls=1, reported=1, started_at=0)
    runs[field] = np.concatenate([exact - 1, exact, exact + 1])
    columns = {name: runs[name] for name in RUN.names if not RUN[name].subdtype}
    for op, good in ((Op.LTE, (1, 1, 0)), (Op.LT, (1, 0, 0)), (Op.GTE, (0, 1, 1)), (Op.GT, (0, 0, 1))):
        for number in range(0, len(exact), 97):
            measure = measure_of(Indicator(sli, (), Threshold(op, float(written[number]))), ALL)
            said = Query((measure,), "run").ask({**columns, "workflow": runs["workflow"]}, len(runs))
            assert tuple(said.good[0, [number, len(exact) + number, 2 * len(exact) + number]].tolist()) == good
    values = Query(ALL, "run")
    said = values.ask({**columns, "workflow": runs["workflow"]}, len(runs))
    place = values.histograms.tolist().index(digest_of(sli))
    assert said.bins[place, len(exact) : 2 * len(exact)].tolist() == [bin_of(float(text)) for text in written]


@pytest.mark.parametrize(
    ("indicator", "message"),
    [
        (Indicator("nothing"), "no SLI is named 'nothing'"),
        (Indicator("task_success", threshold=Threshold(Op.LTE, 1)), "task_success is a ratio"),
    ],
)
def test_what_cannot_be_measured_is_refused(indicator: Indicator, message: str) -> None:
    """The error says what was found and why it is none."""
    with pytest.raises(ValueError, match=message):
        Counter([replace(SLOS[0], indicator=indicator)])


def test_nothing_to_count() -> None:
    """No changes, or no SLOs, are no events."""
    assert len(COUNTER.count([Changes.none()])) == 0
    assert len(COUNTER.count([])) == 0
    assert len(counted(runs_of(3))) == 0


def test_without_a_clock_it_counts_when_its_run_closed() -> None:
    """A call with its run; what waits for an evaluation with that; what is taken back with the news."""
    runs = runs_of(3, outcome_from=OutcomeFrom.EVALUATION)
    runs["closed_at"], runs["evaluated_at"] = (START_S + 100) * SECOND, (START_S + 500) * SECOND
    runs["trace_lo"], runs["evaluated_at"][0] = [7, 7, 8], (START_S + 300) * SECOND
    calls = np.zeros(1, CALL)
    calls["minute"], calls["calls"], calls["run"] = START_S // 60, 1, 2
    changed = Changes(runs, np.array([-1, 1, 1]), calls, runs[:0], NAMES)
    by_call = replace(SLOS[0], name="calls", indicator=Indicator("tool_success"))
    events = Counter([SLOS[0], by_call], by_clock=False).count([changed])
    known = {(row[0], row[5] or row[4]): row[KNOWN_S] - START_S for row in events.counts.T.tolist()}
    told = digest_of(SLOS[0].name)
    assert known == {(told, 1): 500, (digest_of("calls"), 1): 100}
    assert all(not array[KNOWN_S].any() for array in Counter([SLOS[0]]).count([changed]).arrays)
