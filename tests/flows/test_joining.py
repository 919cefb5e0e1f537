"""The dataflow over evaluations that name no trace, or not the trace of the run they score."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSource, run_main

from flows.items import RawBatch
from flows.metrics import Metrics
from flows.settings import FlowSettings
from flows.sink import CallSink
from flows.topology import build

if TYPE_CHECKING:
    from pathlib import Path

    from flows.items import Outbound

SECOND = 10**9
AT = 1_785_000_000 * SECOND
RUNS = 40


def said(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Write attributes."""
    kinds = {str: "stringValue", float: "doubleValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in values.items()]


def span(trace: int, number: int, parent: int, values: dict[str, Any]) -> dict[str, Any]:
    """Write a span of run `trace`, which lasts from its minute's begin to 30 s later."""
    start = AT + trace * 60 * SECOND
    made = {"traceId": f"{trace * 7919:032x}", "spanId": f"{number:016x}", "name": "s", "attributes": said(values)}
    made |= {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 30 * SECOND)}
    return made | ({"parentSpanId": f"{parent:016x}"} if parent else {})


def traces(*spans: dict[str, Any], service: str = "shop") -> bytes:
    """Write a message of spans."""
    resource = {"attributes": said({"service.name": service})}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]})


def run(trace: int) -> bytes:
    """Write run `trace`: a call of a model in an agent's span; four runs make a conversation."""
    agent = {"gen_ai.operation.name": "invoke_agent", "session.id": f"talk-{trace % (RUNS // 4)}"}
    call = {"gen_ai.operation.name": "chat", "gen_ai.response.id": f"answer-{trace}"}
    return traces(span(trace, 2, 1, call), span(trace, 1, 0, agent))


def verdict(trace: int, *, foreign: bool) -> bytes:
    """Write the evaluation of the answer of run `trace`: a failure, where the trace is odd."""
    values = {"gen_ai.evaluation.name": "task_success", "gen_ai.evaluation.score.value": float(trace % 2 == 0)}
    record = {
        "timeUnixNano": str(AT + trace * 60 * SECOND + 40 * SECOND),
        "eventName": "gen_ai.evaluation.result",
        "attributes": said(values | {"gen_ai.response.id": f"answer-{trace}"}),
        **({"traceId": f"{10**9 + trace:032x}"} if foreign else {}),
    }
    resource = {"attributes": said({"service.name": "judge"})}
    return orjson.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]})


def feedback(trace: int) -> bytes:
    """Write feedback on the conversation of run `trace`, given just after that run."""
    values = {"openinference.span.kind": "EVALUATOR", "session.id": f"talk-{trace % (RUNS // 4)}"}
    values |= {"annotations.0.annotation.name": "helpful", "annotations.0.annotation.label": "yes"}
    made = span(trace, 5, 0, values) | {"traceId": f"{10**10 + trace:032x}"}
    made["endTimeUnixNano"] = str(int(made["endTimeUnixNano"]) + 5 * SECOND)
    return traces(made, service="people")


def batches(messages: list[bytes], size: int) -> list[RawBatch]:
    """Cut messages into batches of one partition."""
    out = []
    for first in range(0, len(messages), size):
        some = messages[first : first + size]
        numbers = np.arange(first, first + len(some))
        out.append(RawBatch("t/0", "t", 0, numbers, np.full(len(some), AT + 10**5 * SECOND), some))
    return out


class Bench:
    """Runs the flow and collects records."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.told: list[dict[str, Any]] = []

    def run(self, items: list[Any], folder: Path | None = None) -> Bench:
        """Run to the end of the items; with a folder for the state, as often as they are cut."""
        settings = FlowSettings(journal=folder / "journal" if folder else None)
        source, recovery = TestingSource(items), None
        if folder:
            (folder / "engine").mkdir()
            init_db_dir(folder / "engine", 1)
            recovery = RecoveryConfig(str(folder / "engine"))
        for _ in range(1 + 3 * sum(not isinstance(item, RawBatch) for item in items)):
            self.metrics = Metrics()
            flow = build(source, CallSink(self._take), settings, self.metrics, clock=None, drain=True)
            run_main(flow, epoch_interval=timedelta(0), recovery_config=recovery)
        return self

    def _take(self, records: list[Outbound]) -> None:
        self.told += [orjson.loads(record.value) for record in records]

    def outcomes(self) -> dict[int, str]:
        """Give the outcome in the last record of each run."""
        runs = [record for record in self.told if record["kind"] == "run"]
        return {int(record["run_id"], 16) // 7919: record["outcome"] for record in runs if len(record) > 1}

    def good_feedback(self) -> dict[str, int]:
        """Give the good feedback by pane, as it was told last."""
        panes = [record for record in self.told if record.get("sli") == "feedback_score" and len(record["group"]) == 1]
        return {record["pane_start"][11:16]: record["good"] for record in panes if record["total"]}

    @property
    def unjoined(self) -> int:
        """Give how many evaluations have no run."""
        return self.metrics.run_counters()["evaluations_unjoined"]


EXPECTED = {trace: ("success", "failure")[trace % 2] for trace in range(1, RUNS)}


@pytest.mark.parametrize("foreign", [False, True], ids=["no trace", "foreign trace"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_leads_to_the_run_in_any_shard(foreign: bool, size: int) -> None:  # noqa: FBT001
    """Evaluations of answers decide the outcome of runs all over the shards."""
    messages = [part for trace in range(1, RUNS) for part in (run(trace), verdict(trace, foreign=foreign))]
    bench = Bench().run(batches(messages, size))
    assert (bench.outcomes(), bench.unjoined) == (EXPECTED, 0)


def test_evaluations_may_come_first_and_are_counted_until_their_run_comes(tmp_path: Path) -> None:
    """They wait for it over a restart; one that never finds a run stays counted."""
    verdicts = [verdict(trace, foreign=False) for trace in range(RUNS + 1)]
    items: list[Any] = batches([*verdicts, *[run(trace) for trace in range(1, RUNS)]], 10)
    items.insert(6, TestingSource.EOF())
    bench = Bench().run(items, tmp_path)
    assert (bench.outcomes(), bench.unjoined) == (EXPECTED, 2)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_feedback_on_a_conversation_is_on_its_latest_run(size: int) -> None:
    """Of the four runs of each conversation the one that had just ended is credited, in its own minute."""
    messages = [part for trace in range(1, RUNS) for part in (run(trace), *([feedback(trace)] if trace > 5 else []))]
    bench = Bench().run(batches(messages, size))
    assert bench.unjoined == 0
    assert sum(bench.good_feedback().values()) == RUNS - 6
    assert set(bench.good_feedback().values()) == {1}


def test_feedback_waits_over_a_restart(tmp_path: Path) -> None:
    """Feedback before its run, a cut between them: the run is credited; without any it stays counted."""
    messages = [feedback(trace) for trace in range(1, 4)] + [run(trace) for trace in (1, 2)]
    items: list[Any] = batches(messages, 1)
    items.insert(3, TestingSource.ABORT())
    items.insert(4, TestingSource.EOF())
    bench = Bench().run(items, tmp_path)
    assert (sum(bench.good_feedback().values()), bench.unjoined) == (2, 1)


@pytest.mark.parametrize("order", ["as it was", "verdicts first", "backwards"])
def test_what_one_shard_learns_of_evaluations_all_wait_for(order: str) -> None:
    """An evaluator under a name of its own scores every fourth run: of the others nobody knows the outcome.

    Without that word they would count as successes, each in the shards that have no scored run.
    """
    runs = [run(trace) for trace in range(1, RUNS)]
    verdicts = [verdict(trace, foreign=False) for trace in range(1, RUNS) if trace % 4 == 1]
    messages = {"as it was": [*runs, *verdicts], "verdicts first": [*verdicts, *runs]}
    told = messages.get(order, [*runs, *verdicts][::-1])
    expected = {trace: "failure" if trace % 4 == 1 else "unknown" for trace in range(1, RUNS)}
    for size in (1, 1000):
        assert Bench().run(batches(told, size)).outcomes() == expected
