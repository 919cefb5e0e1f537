"""Watch: what is said of open runs as their spans come, by hand, and in any batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.contributions import Book, Place
from control.verdicts import read
from models.runaways import RULES
from models.runaways.baselines import EVIDENCE as BASELINE_RUNS
from models.runaways.policy import RuleSetting, RunawayPolicy
from models.runaways.tools import EVIDENCE, KnownTools
from models.runaways.touched import Runs, Touched
from models.runaways.watch import OBEY_S, Watch
from models.runs.policy import RunPolicy
from models.runs.pulse import NO_PULSES
from models.runs.shards import SHARDS
from models.runs.table import RunTable
from models.spans.columns import SpanKind, SpanStatus
from tests.helpers.span_rows import SECOND, row, spans_of

if TYPE_CHECKING:
    from models.runaways.base import Rule
    from models.verdicts import Verdict

RUN, LLM, TOOL = SpanKind.RUN, SpanKind.LLM, SpanKind.TOOL
ERROR = int(SpanStatus.ERROR)


class Shard:
    """A run shard that is watched."""

    def __init__(self, policy: RunawayPolicy | None = None) -> None:
        policy = policy or RunawayPolicy()
        self.table = RunTable(RunPolicy())
        self.table.is_watched = True
        self.tools = KnownTools(policy.tools)
        self.runs = Runs()
        self.runs.tables = dict.fromkeys(range(SHARDS), self.table)
        self.watch = Watch(policy, self.tools, self.runs)

    def feed(self, *rows: dict[str, Any], now_ns: int = 0) -> list[Verdict]:
        """Apply one batch; give what is said."""
        spans = spans_of(list(rows))
        every = np.arange(len(rows))
        changes = self.table.update(spans, every, 0)
        (pulses,) = self.table.pulses() or [NO_PULSES]
        self.defied = self.watch.defied(spans, every)
        told = self.watch.look(Touched(pulses, spans, every), now_ns) if len(pulses) else []
        self.watch.learn(changes)
        return told


def call(number: int, at: float, tool: str = "search", arguments: str = "a", **more: Any) -> dict[str, Any]:
    """Give a tool span that ends at `at`."""
    said = {"workflow": "air", "tool": tool, "arguments": arguments} | more
    return row(TOOL, number, said.pop("parent_id", 1), at - 0.5, at, **said)


def avoided(verdicts: list[Verdict]) -> dict[str, float]:
    """Give what kills say they avoided, by rule and mode."""
    kills = [v for v in verdicts if "cost_usd_avoided" in v.evidence]
    assert all(v.action == "kill" for v in kills)
    return {f"{v.rule} {v.evidence['mode']}": v.evidence["cost_usd_avoided"] for v in kills}


def said(verdicts: list[Verdict], mode: str = "enforce") -> list[tuple[str, str, float]]:
    """Give (rule, action, count) of what is in force."""
    return [(v.rule, str(v.action), v.evidence["count"]) for v in verdicts if v.evidence["mode"] == mode]


def test_a_loop_call_by_call() -> None:
    """At the third, fifth and tenth identical call, and never again."""
    shard, told = Shard(), {}
    for number in range(1, 15):
        told[number] = said(shard.feed(call(number + 10, number, tenant="acme", user="ann")))
    assert {number: what for number, what in told.items() if what} == {
        3: [("repeat.identical", "warn", 3)],
        5: [("repeat.identical", "block", 5)],
        10: [("repeat.identical", "kill", 10)],
    }


def test_the_evidence() -> None:
    """What a person needs to check it."""
    (*_, last) = [
        verdict
        for number in range(1, 6)
        for verdict in Shard.feed(SHARD, call(number + 10, number, tenant="acme", user="ann"))
        if verdict.rule == "repeat.identical"
    ]
    record = last.record()
    assert record["scope"] == {"level": "run", "id": f"{7:016x}{1:016x}"}
    assert record["at"] == "1970-01-01T00:00:05.000000Z"
    assert record["evidence"] == {
        "count": 5,
        "limit": 5,
        "tool": "search",
        "calls_so_far": 5,
        "tokens_so_far": 0,
        "first_at": "1970-01-01T00:00:01.000000Z",
        "mode": "enforce",
        "workflow": "air",
        "tenant": "acme",
        "user": "ann",
    }
    assert record["reason"] == "search was called 5 times in a row with the same arguments and no new result"


SHARD = Shard()


def test_one_call_seen_as_three_spans_counts_once() -> None:
    """The agent's, the MCP client's and the server's span of one call, children first."""
    shard = Shard()
    for number in range(1, 5):
        inner = call(number * 10 + 3, number, parent_id=number * 10 + 2)
        middle = call(number * 10 + 2, number + 0.1, parent_id=number * 10 + 1)
        verdicts = shard.feed(inner, middle, call(number * 10 + 1, number + 0.2))
        assert said(verdicts) == ([("repeat.identical", "warn", 3)] if number == 3 else [])


def test_caps_stop_at_the_very_call() -> None:
    """38 of 50 LLM calls warn, the 50th stops, whether they come one by one or all at once; with cost and tokens."""
    calls = [row(LLM, 10 + n, 1, n, n + 0.5, input_tokens=100, cost=1000, priced=1, workflow="air") for n in range(60)]
    at_once = Shard().feed(*calls)
    shard = Shard()
    one_by_one = [verdict for each in calls for verdict in shard.feed(each)]
    assert said(at_once) == said(one_by_one) == [("cap.llm_calls", "warn", 38), ("cap.llm_calls", "kill", 50)]
    assert [v.record() for v in at_once] == [v.record() for v in one_by_one]
    assert at_once[-1].evidence["tokens_so_far"] == 5000
    assert at_once[-1].evidence["cost_usd_so_far"] == 50_000 / 1e9


def test_a_rule_that_comes_into_force_is_heard() -> None:
    """Of a run that is over its cap already: who obeys takes each id once, and had this kill as one in shadow."""
    told = {}
    for mode in ("shadow", "enforce"):
        shard = Shard(RunawayPolicy({"cap.tool_calls": RuleSetting(mode=mode, limit=4)}))
        verdicts = shard.feed(*[call(10 + n, n, arguments=str(n)) for n in range(1, 6)])
        told[mode] = {v.id for v in verdicts if v.rule == "cap.tool_calls"}
    assert [len(ids) for ids in told.values()] == [2, 2]
    assert not told["shadow"] & told["enforce"]


@pytest.mark.parametrize(("second", "stops"), [(8, True), (4, False), (2, False)])
def test_a_limit_that_is_raised_after_a_resume_stops_the_run_again(second: int, *, stops: bool) -> None:
    """Of the same limit, told again after a restart, and of a lower one it does not: people let the run go on."""
    book, told = Book(), []
    for limit in (4, second):
        shard = Shard(RunawayPolicy({"cap.tool_calls": RuleSetting(limit=limit)}))
        verdicts = shard.feed(*[call(10 + n, n, arguments=str(n)) for n in range(1, 9)])
        (kill,) = [each for each in verdicts if each.action == "kill"]
        heard = read(orjson.dumps(kill.record()))
        told.append(heard.id)
        book.apply(heard)
        if len(told) == 1:
            assert book.resume(heard.scope, None, everybody=True)
    assert book.state(Place(heard.scope, None)).kill is stops
    assert (told[0] == told[1]) is (second == 4)


def test_a_workflow_of_its_own_and_shadow() -> None:
    """One workflow has a lower cap; a rule in shadow says so; one that is off says nothing."""
    policy = RunawayPolicy(
        {"cap.tool_calls": RuleSetting(mode="shadow"), "repeat.identical": RuleSetting(mode="off")},
        {"air": {"cap.tool_calls": RuleSetting(limit=4)}},
    )
    verdicts = Shard(policy).feed(*[call(10 + n, n) for n in range(1, 6)])
    assert said(verdicts, "shadow")[:2] == [("cap.tool_calls", "warn", 3), ("cap.tool_calls", "kill", 4)]
    assert said(verdicts) == []
    assert not [
        v for v in Shard(policy).feed(*[call(10 + n, n, workflow="rail") for n in range(1, 6)]) if "cap" in v.rule
    ]


def test_a_tool_that_does_not_exist() -> None:
    """Once enough runs have closed, a name that nobody has and that fails is strange; a new tool that works is not."""
    shard = Shard()
    for number in range(1, EVIDENCE + 1):
        trace = {"trace_lo": 100 + number}
        shard.feed(call(2, 1, **trace), row(RUN, 1, 0, 0, 2, workflow="air", **trace))
    assert not shard.feed(call(3, 3, tool="fresh", trace_lo=900))
    (verdict,) = shard.feed(call(4, 4, tool="serch", status=ERROR, error_type="no such tool", trace_lo=900))
    assert (verdict.rule, verdict.evidence["tool"], verdict.evidence["mode"]) == ("tool.unknown", "serch", "shadow")


def test_a_run_far_beyond_its_workflow() -> None:
    """200 runs of at most 4 LLM calls, then one of 30: at the 8th it warns, at the 20th it would be stopped."""
    shard = Shard()
    for number in range(1, BASELINE_RUNS + 1):
        trace = {"trace_lo": 1000 + number, "workflow": "air"}
        calls = [row(LLM, 10 + n, 1, n, n + 0.5, **trace) for n in range(3 + number % 2)]
        assert not shard.feed(*calls, row(RUN, 1, 0, 0, 9, **trace))
    verdicts = shard.feed(*[row(LLM, 10 + n, 1, n, n + 0.5, workflow="air", trace_lo=900) for n in range(30)])
    found = [v for v in verdicts if v.rule == "baseline.steps"]
    assert [(str(v.action), v.evidence["count"], v.evidence["value"]) for v in found] == [
        ("warn", 2, 8),
        ("kill", 5, 20),
    ]
    assert (found[0].evidence["p99"], found[0].evidence["runs"], found[0].evidence["mode"]) == (
        4,
        BASELINE_RUNS,
        "shadow",
    )
    assert not [v for v in verdicts if v.rule in {"baseline.tokens", "baseline.cost"}]


def test_without_evidence_there_is_no_baseline() -> None:
    """One run short of it: nothing is said, and it says how much there is."""
    shard = Shard()
    for number in range(1, BASELINE_RUNS):
        trace = {"trace_lo": 1000 + number, "workflow": "air"}
        shard.feed(row(LLM, 10, 1, 1, 2, **trace), row(RUN, 1, 0, 0, 9, **trace))
    assert list(shard.watch.baselines.evidence().values()) == [BASELINE_RUNS - 1]
    assert not shard.feed(*[row(LLM, 10 + n, 1, n, n + 0.5, workflow="air", trace_lo=900) for n in range(30)])


def test_agents_that_hand_it_to_each_other() -> None:
    """Two nested agents by turns."""
    shard, verdicts = Shard(), []
    for number in range(1, 9):
        name = ("planner", "writer")[number % 2]
        verdicts += shard.feed(row(RUN, 10 + number, 1, number, number + 0.5, agent=name, workflow="air"))
    assert said(verdicts, "shadow") == [("pingpong.agents", "warn", 3)]


def test_agents_are_counted_alike_in_any_batches() -> None:
    """At the start of the agent with which it went round so often, with the calls that had ended by then."""
    rows = []
    for number in range(1, 21):
        name = ("planner", "writer")[number % 2]
        rows.append(call(100 + number, number + 0.1, tool=f"t{number}"))
        rows.append(row(RUN, 10 + number, 1, number, number + 0.5, agent=name, workflow="air"))
    told = []
    for size in (1, 7, len(rows)):
        shard, verdicts = Shard(), []
        for first in range(0, len(rows), size):
            verdicts += shard.feed(*rows[first : first + size])
        own = [each for each in verdicts if each.rule == "pingpong.agents"]
        told.append([(str(e.action), e.at_ns, e.evidence["count"], e.evidence["calls_so_far"]) for e in own])
    assert [action for action, *_ in told[0]] == ["warn", "block", "kill"]
    assert told[0] == told[1] == told[2]


def test_who_does_not_obey() -> None:
    """A call that began long after the kill is told once; one that had begun, or one soon after, is not."""
    shard = Shard()
    shard.feed(*[call(10 + n, n) for n in range(1, 11)])
    shard.feed(call(30, 10 + OBEY_S / 2))
    assert shard.defied == []
    shard.feed(call(31, 12 + OBEY_S))
    (told,) = shard.defied
    assert (told.run_id, told.workflow, told.rule) == (f"{7:016x}{1:016x}", "air", "repeat.identical")
    assert told.killed_ns == 10 * SECOND
    shard.feed(call(32, 14 + OBEY_S))
    assert shard.defied == []


def test_a_run_that_people_resumed_may_go_on() -> None:
    """Until a rule kills it again."""
    shard = Shard()
    shard.feed(*[call(10 + n, n) for n in range(1, 11)])
    shard.watch.resume([f"{7:016x}{1:016x}", "no run"])
    shard.feed(call(31, 12 + OBEY_S))
    assert shard.defied == []
    shard.feed(*[call(100 + n, 100 + n, arguments=str(n)) for n in range(90)])
    shard.feed(call(400, 200 + OBEY_S))
    assert [told.rule for told in shard.defied] == ["cap.tool_calls"]


def test_a_watch_that_begins_hears_who_was_resumed() -> None:
    """It decides again what an earlier one had: what people ended since is no kill, a later one is."""
    shard, run, lifted = Shard(), f"{7:016x}{1:016x}", 20 * SECOND
    shard.feed(*[call(10 + n, n) for n in range(1, 11)])
    for is_heard_first in (True, False):
        shard.watch = Watch(RunawayPolicy(), shard.tools, shard.runs)
        now = (1000 + 1000 * is_heard_first) * SECOND
        if is_heard_first:
            shard.watch.forgive({run: lifted, "no run": lifted})
        assert ("repeat.identical", "kill", 10) in said(shard.feed(call(30 + is_heard_first, 30), now_ns=now))
        if not is_heard_first:
            shard.watch.forgive({run: lifted, "no run": lifted})
        shard.feed(call(40 + is_heard_first, 12 + OBEY_S + now / SECOND))
        assert shard.defied == []
    shard.feed(*[call(100 + n, 3000 + n, arguments=str(n)) for n in range(90)])
    shard.watch.forgive({run: lifted})
    shard.feed(call(400, 3200 + OBEY_S))
    assert [told.rule for told in shard.defied] == ["cap.tool_calls"]


@pytest.mark.parametrize("is_heard_first", [True, False])
@pytest.mark.parametrize("resumed", [True, False])
def test_a_run_that_was_resumed_at_its_cap_pages_nobody_after_a_restart(*, is_heard_first: bool, resumed: bool) -> None:
    """A watch that begins finds it over its cap with its next call: people ended that kill before; else it is one."""
    policy, run = RunawayPolicy({"cap.llm_calls": RuleSetting(limit=4)}), f"{7:016x}{1:016x}"
    lifts = {run: 20 * SECOND} if resumed else {"no run": 20 * SECOND}

    def llm(number: int, at: float) -> dict[str, Any]:
        return row(LLM, 10 + number, 1, at, at + 0.5, workflow="air")

    shard = Shard(policy)
    assert said(shard.feed(*[llm(n, n) for n in range(6)]))
    shard.watch = Watch(policy, shard.tools, shard.runs)
    if is_heard_first:
        shard.watch.forgive(lifts)
    assert said(shard.feed(llm(7, 300), now_ns=1000 * SECOND))[-1] == ("cap.llm_calls", "kill", 7)
    shard.watch.forgive(lifts)
    shard.feed(llm(8, 1100), now_ns=1100 * SECOND)
    assert bool(shard.defied) is not resumed


SPANS = st.lists(
    st.tuples(
        st.sampled_from(["tool", "llm"]),
        st.sampled_from(["search", "book"]),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["", "x"]),
        st.integers(1, 2),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(SPANS, st.data())
def test_any_batches_say_the_same(made: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """Cut anywhere, with spans told twice: the same verdicts with the same evidence, and no other."""
    rows = [
        row(LLM, 10 + n, 1, n, n + 0.5, input_tokens=10, workflow="air", trace_lo=trace)
        if kind == "llm"
        else call(10 + n, n + 0.5, tool, arguments, result=result, trace_lo=trace)
        for n, (kind, tool, arguments, result, trace) in enumerate(made)
    ]
    policy = RunawayPolicy({"cap.llm_calls": RuleSetting(limit=6), "cap.tool_calls": RuleSetting(limit=8)})
    whole = Shard(policy).feed(*rows) if rows else []
    shard, told = Shard(policy), []
    while rows:
        size = data.draw(st.integers(1, len(rows)))
        again = data.draw(st.lists(st.sampled_from(rows[:size]), max_size=2))
        told += shard.feed(*rows[:size], *again)
        rows = rows[size:]

    def records(verdicts: list[Verdict]) -> list[dict[str, Any]]:
        return sorted((verdict.record() for verdict in verdicts), key=lambda record: record["id"])

    assert records(told) == records(whole)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_any_rule_may_be_off_for_one_workflow(rule: Rule) -> None:
    """It says nothing there, whatever the others are; the shard goes on."""
    off = RunawayPolicy(workflows={"air": {rule.id: RuleSetting(mode="off")}}, tools={"air": (), "rail": ()})
    calls = [call(10 + n, n, "made up", workflow=name, trace_lo=lo) for n in range(1, 12) for name, lo in PAIR]
    told = Shard(off).feed(*calls)
    assert {verdict.rule for verdict in told if verdict.evidence["workflow"] == "air"} == {
        verdict.rule for verdict in told if verdict.evidence["workflow"] == "rail"
    } - {rule.id}
    assert {"tool.unknown", "repeat.identical"} <= {v.rule for v in told if v.evidence["workflow"] == "rail"}


PAIR = (("air", 1), ("rail", 2))


def test_a_late_kill_can_only_be_obeyed_from_now_on() -> None:
    """Minutes behind: calls that began before the kill was decided defy nobody."""
    shard = Shard()
    shard.feed(*[call(10 + n, n) for n in range(1, 11)], now_ns=500 * SECOND)
    shard.feed(call(31, 400))
    assert shard.defied == []
    shard.feed(call(32, 502 + OBEY_S))
    assert len(shard.defied) == 1


def test_what_a_stop_avoids_is_said_once() -> None:
    """At the tenth of a hundred calls, 0.05 USD: nine times that. A cap that it comes to later avoids nothing more."""
    shard = Shard()
    answers = [row(LLM, 500 + k, 1, k, k + 0.1, workflow="air", cost=10_000_000, priced=1) for k in range(5)]
    told = [v for k in range(12) for v in shard.feed(*answers[k : k + 1], call(2 + k, 10 + k))]
    assert ("repeat.identical", "kill", 10) in said(told)
    assert avoided(told)["repeat.identical enforce"] == pytest.approx(0.45)
    later = [v for k in range(12, 110) for v in shard.feed(call(2 + k, 10 + k, arguments=str(k)))]
    assert ("cap.tool_calls", "kill", 100) in said(later)
    assert not avoided(later)
