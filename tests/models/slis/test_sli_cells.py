"""Cells: compared with an oracle in plain Python that reads the run rows one by one."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.digest import digest_of, mix64
from models.runs.calls import START as FIRST_CALL
from models.runs.changes import CALL, Changes
from models.runs.record import RUN, ClosedBy, OutcomeFrom
from models.slis import ALL
from models.slis.base import DuplicateSliError, Ratio, by_digest
from models.slis.bins import OVER, bin_of
from models.slis.cells import Cells, cells_of
from models.slis.groups import OF_FAILED, OF_RUN, OF_TASK, PARTINGS, cohort_dimension, series_shard
from models.slis.kinds import SLI_OF
from models.slis.series import SeriesBook
from models.slis.settings import SliSettings
from models.spans.columns import Outcome, Stop

Key = tuple[int, int, int, str, int, int]
NAMES = {
    digest_of(text): text for text in ("a", "b", "c", "exp", "version", "task", "search", "buy", "Timeout", "Refused")
}
SLI_NAMES = {digest_of(sli.name): sli.name for sli in ALL}
name = st.sampled_from([0, *(digest_of(text) for text in ("a", "b", "c"))])
START = 1_700_000_000 * 10**9


def run_rows(draw: Any) -> Any:
    """Draw one RUN row."""
    row = np.zeros(1, RUN)
    for field in ("workflow", "agent", "service", *OF_RUN):
        row[field] = draw(name)
    if draw(st.booleans()):
        row["cohort_name"][0, :2] = digest_of("exp"), digest_of("version")
        row["cohort_value"][0, :2] = draw(name), draw(name)
    if draw(st.booleans()):
        row["cohort_name"][0, 2], row["cohort_value"][0, 2] = digest_of("task"), draw(name)
    row["started_at"] = START
    row["ended_at"] = START + draw(st.integers(0, 200 * 10**9))
    for field in ("llm_calls", "tool_calls"):
        row[field] = draw(st.integers(0, 170))
    for total, part in (
        ("tool_calls", "duplicate_calls"),
        ("guarded", "blocked"),
        ("approvals", "approved"),
        ("feedback", "feedback_good"),
    ):
        if total != "tool_calls":
            row[total] = draw(st.integers(0, 5))
        row[part] = draw(st.integers(0, int(row[total][0])))
    row["guarded_calls"] = draw(st.integers(0, 170))
    for field in ("outcome", "outcome_from", "closed_by", "tool_errors"):
        row[field] = draw(st.integers(0, 2))
    row["stop"] = draw(st.sampled_from([0, *Stop]))
    for field in ("reported", "computed", "unpriced", "task", "escalated"):
        row[field] = draw(st.integers(0, 2 if field == "task" else 1))
    for field in ("cost", "agent_cost", "input_tokens", "agent_input_tokens", "output_tokens", "agent_output_tokens"):
        row[field] = draw(st.sampled_from([0, 7, 1_234_567, -1 if field.startswith("agent") else 3]))
    return row


@st.composite
def changes(draw: Any) -> Changes:
    """Draw a batch of changes."""
    n = draw(st.integers(0, 4))
    runs = np.concatenate([np.zeros(0, RUN), *(run_rows(draw) for _ in range(n))])
    weight = np.array([draw(st.sampled_from([1, 1, -1, 0])) for _ in range(n)], np.int64)
    calls = np.zeros(draw(st.integers(0, 3)) if n else 0, CALL)
    for call in calls:
        call["run"] = draw(st.integers(0, n - 1))
        call["tool"] = draw(st.sampled_from([0, digest_of("search"), digest_of("buy")]))
        call["minute"] = START // (60 * 10**9) + draw(st.integers(0, 1))
        call["calls"] = draw(st.integers(-3, 3))
        call["errors"] = draw(st.integers(-1, 1))
        call["before"] = draw(st.sampled_from([0, FIRST_CALL, digest_of("search"), digest_of("buy")]))
        call["error"] = draw(st.sampled_from([0, digest_of("Timeout"), digest_of("Refused")]))
        call["timeouts"] = draw(st.integers(-1, 1))
    return Changes(runs, weight, calls, runs[:0], NAMES)


def groups(row: Any, tool: int = 0) -> list[tuple[int, int, int]]:
    """Give the groups of a run row, as the contract says them."""
    workflow = int(row["workflow"] or row["agent"] or row["service"] or digest_of("unknown"))
    found = [(workflow, 0, 0)]
    found += [(workflow, digest_of(field), int(row[field])) for field in OF_RUN if row[field]]
    if tool:
        found.append((workflow, digest_of("tool"), tool))
    for cohort, value in zip(row["cohort_name"], row["cohort_value"], strict=True):
        if value:
            found.append((workflow, int(cohort_dimension(cohort)), int(value)))
    return found + crossed(row, workflow)


def crossed(row: Any, workflow: int) -> list[tuple[int, int, int]]:
    """Give the pairs of what a run is and its type of task."""
    task = int(row["cohort_value"][2])
    if not task:
        return []
    found = [(workflow, digest_of(f"task_{field}"), pair(row[field], task)) for field in OF_RUN if row[field]]
    for cohort, value in zip(row["cohort_name"][:2], row["cohort_value"][:2], strict=True):
        if value:
            whose = int(mix64(np.uint64(int(cohort) % 2**64))) ^ (int(value) % 2**64)
            found.append((workflow, digest_of("task_cohort"), pair(int(mix64(np.uint64(whose))), task)))
    return found


def ratios(row: Any) -> dict[str, tuple[int, int]]:
    """Give (total, good) of each ratio of a run row."""
    return {
        "task_success": (int(row["task"] > 0), int(row["task"] == 1)),
        "escalation_rate": (1, 1 - int(row["escalated"])),
        "duplicate_call_rate": (int(row["tool_calls"]), int(row["tool_calls"] - row["duplicate_calls"])),
        "blocked_rate": (int(row["guarded"]), int(row["guarded"] - row["blocked"])),
        "guard_coverage": (int(row["tool_calls"]), min(int(row["tool_calls"]), int(row["guarded_calls"]))),
        "approval_rate": (int(row["approvals"]), int(row["approved"])),
        "feedback_score": (int(row["feedback"]), int(row["feedback_good"])),
    }


def histograms(row: Any) -> dict[str, tuple[float | None, float]]:
    """Give (value, cap) of each histogram of a run row."""
    own, llm = row["llm_calls"] > 0, int(row["llm_calls"])
    tokens = sum(max(0, int(row[("" if own else "agent_") + field])) for field in ("input_tokens", "output_tokens"))
    spent = own or row["reported"] > 0  # a bill is reported even where its call was lost
    priced = row["reported"] + row["computed"] > 0 if spent else row["agent_cost"] >= 0
    cost = int(row["cost" if spent else "agent_cost"]) / 1e9 if priced and row["unpriced"] == 0 else None
    return {
        "trajectory_length": (llm + int(row["tool_calls"]), 150),
        "trajectory_length_llm_calls": (llm, 50),
        "trajectory_length_tool_calls": (int(row["tool_calls"]), 100),
        "tokens_per_task": (tokens or None, math.inf),
        "cost_per_task": (cost, math.inf),
        "time_to_resolution": (int(row["ended_at"] - row["started_at"]) / 1e9, math.inf),
    }


def failure(row: Any) -> str | None:
    """Give how a run failed, as `models.runs.failing` says it."""
    failed, source = row["outcome"] == Outcome.FAILURE, row["outcome_from"]
    if failed and source == OutcomeFrom.STATUS:
        return "crashed"
    if row["escalated"]:
        return "escalated"
    if row["closed_by"] == ClosedBy.IDLE:
        return "abandoned"
    if failed and source in {OutcomeFrom.EVALUATION, OutcomeFrom.ATTRIBUTE}:
        return "judged" if source == OutcomeFrom.EVALUATION else "reported"
    return "tool errors" if row["tool_errors"] else None


def kinds(batch: Changes) -> Counter[Key]:
    """Count what failed by how, the slow way."""
    counts: Counter[Key] = Counter()
    for row, weight in zip(batch.runs, batch.weight.tolist(), strict=True):
        how = failure(row)
        if row["task"] == 2 and how:
            for of in by_task(row, "failure", digest_of(how)):
                counts[*of, "task_success", int(row["ended_at"]) // (60 * 10**9), 0] += weight
        if row["task"] and row["stop"]:
            for of in by_task(row, "stop_reason", digest_of(Stop(row["stop"]).name.lower())):
                counts[*of, "task_success", int(row["ended_at"]) // (60 * 10**9), int(row["task"] == 1)] += weight
    counts.update(kinds_of_calls(batch))
    return counts


def kinds_of_calls(batch: Changes) -> Counter[Key]:
    """Count failed calls by error type, all by transition, and by type of task and tool."""
    counts: Counter[Key] = Counter()
    for call in batch.calls:
        if call["error"]:
            for of in by_task(batch.runs[call["run"]], "error", int(call["error"])):
                counts[*of, "tool_success", int(call["minute"]), 0] += int(call["errors"])
        found = by_task(batch.runs[call["run"]], "tool", int(call["tool"]))[1:] if call["tool"] else []
        if call["before"] and call["tool"]:
            found += by_task(batch.runs[call["run"]], "transition", pair(call["before"], call["tool"]))
        for of in found:
            for bin_, count in ((0, call["errors"]), (1, call["calls"] - call["errors"])):
                counts[*of, "tool_success", int(call["minute"]), bin_] += int(count)
    return counts


def by_task(row: Any, dimension: str, kind: int) -> list[tuple[int, int, int]]:
    """Give the group of a kind, and that of it and the type of the run's task."""
    workflow, task = groups(row)[0][0], int(row["cohort_value"][2])
    by_type = [(workflow, digest_of(f"task_{dimension}"), pair(task, kind))] if task else []
    return [(workflow, digest_of(dimension), kind), *by_type]


def pair(before: Any, tool: Any) -> int:
    """Digest a pair of names."""
    of_tool = int(mix64(np.uint64(int(tool) % 2**64)))
    digest = int(mix64(np.uint64((int(before) % 2**64) ^ of_tool)))
    return digest - 2**64 if digest >= 2**63 else digest


def oracle(batch: Changes) -> Counter[Key]:
    """Count everything the slow way."""
    counts = kinds(batch)
    for row, weight in zip(batch.runs, batch.weight.tolist(), strict=True):
        minute = int(row["ended_at"]) // (60 * 10**9)
        for group in groups(row):
            for sli, (total, good) in ratios(row).items():
                counts[*group, sli, minute, 1] += good * weight
                counts[*group, sli, minute, 0] += (total - good) * weight
            for sli, (value, cap) in histograms(row).items():
                if value is not None:
                    counts[*group, sli, minute, bin_of(value) + (OVER if value > cap else 0)] += weight
    for call in batch.calls:
        for group in groups(batch.runs[call["run"]], int(call["tool"])):
            for sli, field in (("tool_success", "errors"), ("tool_timeout", "timeouts")):
                counts[*group, sli, int(call["minute"]), 0] += int(call[field])
                counts[*group, sli, int(call["minute"]), 1] += int(call["calls"] - call[field])
    return Counter({key: count for key, count in counts.items() if count})


def counted(cells: Cells) -> Counter[Key]:
    """Add cells up."""
    counts: Counter[Key] = Counter()
    for workflow, dimension, value, sli, minute, bin_, count in cells.cols.T.tolist():
        counts[workflow, dimension, value, SLI_NAMES[sli], minute, bin_] += count
    return Counter({key: count for key, count in counts.items() if count})


@settings(max_examples=60, deadline=None)
@given(st.lists(changes(), max_size=4))
def test_cells_equal_the_oracle(batches: list[Changes]) -> None:
    """All SLIs over all groups of several shards' changes are what reading the rows one by one gives."""
    expected: Counter[Key] = Counter()
    for batch in batches:
        for key, count in oracle(batch).items():
            expected[key] += count
    cells = cells_of(batches)
    assert {key: count for key, count in expected.items() if count} == counted(cells)
    assert 0 not in cells.count


def test_kinds_by_type_of_task_have_their_names() -> None:
    """Both texts, in series that have no records; a run that says no type is in none of them."""
    run, call = np.zeros(2, RUN), np.zeros(2, CALL)
    run["workflow"], run["ended_at"] = digest_of("a"), START
    run["cohort_name"][0, 1], run["cohort_value"][0, 1] = digest_of("task"), digest_of("c")
    run["task"], run["escalated"], run["stop"] = 2, 1, Stop.STOP
    call["run"], call["tool"], call["before"], call["calls"], call["errors"] = (
        [0, 1],
        digest_of("buy"),
        FIRST_CALL,
        1,
        1,
    )
    call["error"] = digest_of("Timeout")
    cells = cells_of([Changes(run, np.ones(2, np.int64), call, run[:0], NAMES)])
    book = SeriesBook(SliSettings(), ALL)
    (part,) = cells.split().values()
    book.resolve(part.cols, part.names)
    found = {(key, value): each for each in book.labels for key, value in each.group.items() if key in OF_TASK}
    assert set(found) == {
        ("task_tool", "c\x1fbuy"),
        ("task_transition", "c\x1fstart > buy"),
        ("task_error", "c\x1fTimeout"),
        ("task_failure", "c\x1fescalated"),
        ("task_stop_reason", "c\x1fstop"),
    }
    assert all(each.untold and each.sli == SLI_OF.get(OF_TASK[key], "tool_success") for (key, _), each in found.items())


def test_what_a_run_is_has_the_names_of_its_type_and_value() -> None:
    """Of a version, and of a cohort with its name; in series that have no records, of every SLI."""
    run = np.zeros(2, RUN)
    run["workflow"], run["ended_at"], run["task"] = digest_of("a"), START, 1
    run["version"], run["cohort_name"][0, 1], run["cohort_value"][0, 1] = (
        digest_of("b"),
        digest_of("task"),
        digest_of("c"),
    )
    run["cohort_name"][:, 0], run["cohort_value"][:, 0] = digest_of("exp"), digest_of("buy")
    cells = cells_of([Changes(run, np.ones(2, np.int64), np.zeros(0, CALL), run[:0], NAMES)])
    book = SeriesBook(SliSettings(), ALL)
    book.resolve(cells.cols, cells.names)
    found = [(label.sli, *each) for label in book.labels for each in label.group.items() if each[0].startswith("task_")]
    of_success = {each[1:] for each in found if each[0] == "task_success"}
    assert of_success == {("task_version", "c\x1fb"), ("task_cohort", "c\x1fexp\x1fbuy")}
    assert ("trajectory_length", "task_version", "c\x1fb") in found
    assert all(label.untold == any(key.startswith("task_") for key in label.group) for label in book.labels)
    assert cells.count[cells.dimension == digest_of("task_version")].max() == 1


def test_pairs_have_a_bound_of_their_own() -> None:
    """Of three values and six types all pairs beyond fifteen count together, and values have theirs as ever."""
    run, task = np.zeros(18, RUN), np.arange(18) % 6
    run["workflow"], run["ended_at"], run["task"] = digest_of("a"), START, 1
    run["version"] = [digest_of(f"v{at // 6}") for at in range(18)]
    run["cohort_name"][:, 1] = digest_of("task")
    run["cohort_value"][:, 1] = [digest_of(f"t{each}") for each in task]
    texts = {digest_of(text): text for text in ("a", "task", *(f"{of}{at}" for of in "vt" for at in range(6)))}
    cells = cells_of([Changes(run, np.ones(18, np.int64), np.zeros(0, CALL), run[:0], texts)])
    limits = SliSettings(max_values=3)
    book = SeriesBook(limits, ALL)
    book.resolve(cells.cols, cells.names)
    found = [label.group for label in book.labels if label.sli == "task_success"]
    assert sum("task_version" in group for group in found) == 15 + 1
    assert {"workflow": "a", "task_version": "other"} in found
    assert sum("version" in group for group in found) == 3


def test_every_parting_is_of_an_sli() -> None:
    """The dimensions that one SLI each has, and no others."""
    assert SLI_OF.keys() == {*OF_FAILED, *PARTINGS}
    assert {*SLI_OF.values()} <= {sli.name for sli in ALL}


def test_transitions_have_names() -> None:
    """Of the two tools; the first call of a run follows its start."""
    calls = np.zeros(2, CALL)
    calls["tool"], calls["before"], calls["calls"] = digest_of("buy"), [FIRST_CALL, digest_of("search")], 1
    cells = cells_of([Changes(np.zeros(1, RUN), np.ones(1, np.int64), calls, np.zeros(0, RUN), NAMES)])
    found = {cells.names[int(value)] for value in cells.value[cells.dimension == digest_of("transition")]}
    assert found == {"start > buy", "search > buy"}


def test_what_is_called_like_a_dimension_keeps_its_name() -> None:
    """A workflow `model` and a tool `error` are told as such."""
    names = {digest_of(text): text for text in ("model", "error")}
    run, call = np.zeros(1, RUN), np.zeros(1, CALL)
    run["workflow"], call["tool"], call["calls"] = digest_of("model"), digest_of("error"), 1
    (part,) = cells_of([Changes(run, np.ones(1, np.int64), call, run[:0], names)]).split().values()
    assert {part.names[digest] for digest in names} == {"model", "error"}


@settings(max_examples=30, deadline=None)
@given(changes())
def test_a_cell_appears_once_per_kind_of_row(batch: Changes) -> None:
    """Cells are added up before they travel."""
    cells = cells_of([batch])
    assert len(counted(cells)) == len(cells)


@settings(max_examples=30, deadline=None)
@given(changes())
def test_a_change_taken_back_leaves_nothing(batch: Changes) -> None:
    """The same rows with weight +1 and -1 in one batch give no run cells."""
    both = Changes(
        np.concatenate([batch.runs] * 2),
        np.concatenate([batch.weight, -batch.weight]),
        np.zeros(0, CALL),
        batch.runs,
        NAMES,
    )
    assert len(cells_of([both])) == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(changes(), min_size=1, max_size=3), st.sampled_from([1, 2, 64]))
def test_split_parts_by_workflow_and_loses_nothing(batches: list[Changes], shards: int) -> None:
    """Each shard gets the cells of its workflows, with the texts to tell them by."""
    cells = cells_of(batches)
    parts = cells.split(shards)
    for shard, part in parts.items():
        assert len(part) > 0
        assert {series_shard(workflow, shards) for workflow in part.workflow.tolist()} == {shard}
        assert set(part.workflow.tolist()) | set(part.value.tolist()) - {0} <= set(part.names)
    together = np.concatenate([Cells.empty().cols, *(part.cols for part in parts.values())], axis=1)
    assert sorted(together.T.tolist()) == sorted(cells.cols.T.tolist())


def test_names_of_cohorts_never_hide_a_dimension() -> None:
    """A cohort called like a dimension of ours is told as `cohort.<name>`."""
    run = np.zeros(1, RUN)
    run["workflow"], run["ended_at"] = digest_of("a"), START
    run["cohort_name"][0, :2] = digest_of("exp"), digest_of("version")
    run["cohort_value"][0, :2] = digest_of("b")
    cells = cells_of([Changes(run, np.ones(1, np.int64), np.zeros(0, CALL), run[:0], NAMES)])
    names = {cells.names[d] for d in set(cells.dimension.tolist()) if d}
    assert names == {"exp", "cohort.version"}


def test_no_changes_give_no_cells() -> None:
    """Nothing in, nothing out."""
    assert len(cells_of([])) == len(cells_of([Changes.none(), Changes.none()])) == 0
    assert Cells.empty().split() == {}


def test_an_sli_that_reads_what_is_not_there_is_refused() -> None:
    """The message names the field and the kind of row."""
    wrong = Ratio("wrong", total=pl.col("typo"), good=pl.lit(1), good_means="never")
    run = np.zeros(1, RUN)
    with pytest.raises(ValueError, match=r"per run read \['typo'\]"):
        cells_of([Changes(run, np.ones(1, np.int64), np.zeros(0, CALL), run[:0], {})], [wrong])


def test_two_slis_of_one_name_are_refused() -> None:
    """Names stand for SLIs in the state: they must differ."""
    sli = Ratio("same", total=pl.lit(1), good=pl.lit(1), good_means="always")
    with pytest.raises(DuplicateSliError, match="'same'"):
        by_digest([sli, sli])


def test_shard_numbers_never_change() -> None:
    """Stored state is found by them."""
    assert [series_shard(digest_of(text)) for text in ("airline", "retail", "telecom")] == [42, 19, 3]
