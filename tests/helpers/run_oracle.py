"""What runs are in the end, from all their rows at once, in plain Python: the specification of the run table."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from models.digest import digest_of
from models.spans.columns import Outcome, Priced, SpanKind, SpanStatus

if TYPE_CHECKING:
    from models.runs.policy import RunPolicy

Row = dict[str, Any]
NAMES = ("service", "version", "environment", "tenant", "tier", "user", "prompt", "toolset", "variant", "model")
BARRIERS = (SpanKind.RUN, SpanKind.LLM)
AGENTIC = (SpanKind.RUN, SpanKind.LLM, SpanKind.TOOL, SpanKind.GUARD, SpanKind.APPROVAL)


def runs_of(rows: list[Row], policy: RunPolicy, told: dict[str, float]) -> dict[int, dict[str, Any]]:
    """Give the facts of each published run by trace, after everything has come and all waiting is over."""
    traces: dict[int, dict[int, Row]] = defaultdict(dict)
    for row in rows:
        traces[row["trace_lo"]].setdefault(row["span_id"], row)
    runs = {trace: _gather(list(found.values()), policy) for trace, found in traces.items()}
    runs = {trace: run for trace, run in runs.items() if run}
    expected = dict(told)
    for run in runs.values():
        if run["evaluated"] and run["workflow"]:
            name, at = run["workflow"], run["evaluated"][0]
            expected[name] = min(at, expected.get(name, at))
    return {trace: _settle(run, policy, expected) for trace, run in runs.items()}


def _gather(rows: list[Row], policy: RunPolicy) -> dict[str, Any]:
    spans = [row for row in rows if row["kind"] != SpanKind.EVALUATION]
    if not any(span["kind"] in AGENTIC for span in spans):
        return {}
    run: dict[str, Any] = {"spans": len(spans)}
    roots = [span for span in spans if span["parent_id"] == 0]
    root = min(roots, key=lambda s: (s["start"], -s["end"], -s.get("status", 0))) if roots else None
    agents = [span for span in spans if span["kind"] == SpanKind.RUN]
    agent = min(agents, key=_agent_order) if agents else None
    first, last = min(span["start"] for span in spans), max(span["end"] for span in spans)
    run["root"], run["first_agent"] = root, agent
    run["closed_by"] = "root" if root else "idle"
    run["started_at"], run["ended_at"] = (root["start"], root["end"]) if root else (first, last)
    run["closed_at"] = root["end"] if root else min(last + policy.idle, first + policy.max_age)
    for name in NAMES:
        run[name] = _named(spans, name)
    run["agent"] = (agent.get("agent") if agent else None) or _named(spans, "agent")
    run["said_workflow"] = _named(spans, "workflow")
    run["workflow"] = run["said_workflow"] or run["agent"] or run["service"]
    run["cohorts"] = _cohorts(spans)
    _add_tokens(run, spans, agent)
    _add_decisions(run, spans)
    _add_evaluations(run, [row for row in rows if row["kind"] == SpanKind.EVALUATION])
    _add_calls(run, spans, policy)
    return run


def _agent_order(span: Row) -> tuple[Any, ...]:
    name = digest_of(span["agent"]) if span.get("agent") else 0
    tokens = max(span.get("input_tokens", 0), 0), max(span.get("output_tokens", 0), 0)
    cost = -span.get("cost", -1), span.get("priced", 0) != Priced.COMPUTED
    return (span["start"], -span["end"], -span.get("status", 0), -name, -tokens[0], -tokens[1], *cost)


def _rank(span: Row) -> int:
    if span["parent_id"] == 0:
        return 3
    return 2 if span["kind"] == SpanKind.RUN else 1


def _named(spans: list[Row], name: str) -> str | None:
    said = [(_rank(span), digest_of(span[name]), span[name]) for span in spans if span.get(name)]
    return max(said)[2] if said else None


_FIRST = ("task", "eval")


def _cohorts(spans: list[Row]) -> dict[str, str]:
    said: dict[str, str] = {}
    for span in spans:
        for name, value in span.get("cohorts", {}).items():
            said[name] = max(value, said.get(name, value), key=digest_of)
    return {name: said[name] for name in sorted(said, key=lambda each: (each not in _FIRST, digest_of(each)))[:4]}


def _add_tokens(run: dict[str, Any], spans: list[Row], agent: Row | None) -> None:
    llm = [span for span in spans if span["kind"] == SpanKind.LLM]
    run["llm_calls"] = len(llm)
    for name in ("input_tokens", "output_tokens"):
        run[name] = sum(span[name] for span in llm if span.get(name, -1) != -1)
    bills = [span for span in spans if span["kind"] == SpanKind.BILL]
    run["cost"] = sum(_cost(s) for s in llm + bills if s.get("priced", 0) != Priced.COMPUTED)
    run["cost"] += max(
        0, sum(map(_cost, _priced(llm, Priced.COMPUTED))) - sum(map(_cost, _priced(bills, Priced.COMPUTED)))
    )
    run["reported"] = len(_priced(llm + bills, Priced.REPORTED))
    run["computed"] = max(0, len(_priced(llm, Priced.COMPUTED)) - len(_priced(bills, Priced.COMPUTED)))
    run["unpriced"] = max(0, len(_priced(llm, Priced.UNPRICED)) - len(_priced(bills, Priced.UNPRICED)))
    run["stop"] = max(((span["end"], span["stop"]) for span in llm if span.get("stop")), default=(0, 0))[1]
    run["agent_input_tokens"] = max(agent.get("input_tokens", 0), 0) if agent else 0
    run["agent_output_tokens"] = max(agent.get("output_tokens", 0), 0) if agent else 0
    run["agent_cost"] = agent.get("cost", -1) if agent else -1
    if not llm:
        by_agent = not run["reported"] and agent is not None and agent.get("priced", 0) == Priced.COMPUTED
        run["computed"] = int(by_agent)


def _cost(span: Row) -> int:
    return max(int(span.get("cost", 0)), 0)


def _priced(spans: list[Row], priced: Priced) -> list[Row]:
    return [span for span in spans if span.get("priced", 0) == priced]


def _add_decisions(run: dict[str, Any], spans: list[Row]) -> None:
    approvals = [span for span in spans if span["kind"] == SpanKind.APPROVAL]
    approvals = [span for span in approvals if not span.get("evaluation")] or approvals
    guards = [span for span in spans if span["kind"] == SpanKind.GUARD]
    run["approvals"], run["guarded"] = len(approvals), len(guards)
    run["guarded_calls"] = sum(bool(span.get("tool")) for span in guards)
    run["approved"] = sum(span.get("decision", 0) == 1 for span in approvals)
    run["blocked"] = sum(span.get("decision", 0) == 2 for span in guards)
    said = [(_rank(span), span["outcome"]) for span in spans if span.get("outcome")]
    run["said"] = max(said)[1] if said else 0
    run["handoffs"] = sum(span.get("handoff", 0) + (span.get("outcome") == Outcome.ESCALATED) for span in spans)


def _add_evaluations(run: dict[str, Any], rows: list[Row]) -> None:
    run["feedback"] = run["feedback_good"] = 0
    verdicts = []
    for row in rows:
        if "score" not in row and not row.get("label"):
            continue
        good = row["score"] >= 500_000 if "score" in row else row["label"] in {"pass", "GOOD"}
        if row["evaluation"] == "task_success":
            verdicts.append((row["end"], Outcome.SUCCESS if good else Outcome.FAILURE))
        else:
            run["feedback"] += 1
            run["feedback_good"] += good
    run["evaluated"] = max(verdicts) if verdicts else None


def _by_end(span: Row) -> tuple[int, int, int]:
    return span["end"] >> 8, digest_of(span["tool"]) if span.get("tool") else 0, span["span_id"]


def _add_calls(run: dict[str, Any], spans: list[Row], policy: RunPolicy) -> None:
    by_id = {span["span_id"]: span for span in spans}
    tools = [span for span in spans if span["kind"] == SpanKind.TOOL]
    outer = {span["span_id"]: _outer(span, by_id) for span in tools}
    members: dict[int, list[Row]] = defaultdict(list)
    for span in tools:
        top, steps = span["span_id"], 0
        while outer[top] is not None and steps < len(tools):
            top, steps = outer[top], steps + 1
        members[top].append(span)
    calls: dict[tuple[str | None, int, str | None, str | None], list[int]] = defaultdict(lambda: [0, 0, 0])
    known: dict[tuple[str | None, str], int] = defaultdict(int)
    run["tool_calls"] = run["tool_errors"] = run["tool_timeouts"] = 0
    before: str | None = "start"
    for span in sorted(tools, key=_by_end):
        if outer[span["span_id"]] is not None:
            continue
        group = members[span["span_id"]]
        ids = {s["span_id"] for s in group}
        done = [s for s in spans if s["kind"] == SpanKind.EXECUTION and s["parent_id"] in ids]
        failed = any(s.get("status", 0) == SpanStatus.ERROR or s.get("error_type") for s in group + done)
        timed_out = any("timeout" in (s.get("error_type") or "").lower() for s in group + done)
        classes = [s["error_type"] for s in group if _is_class(s.get("error_type"))]
        inner = max(classes, key=digest_of, default=None)
        error = span["error_type"] if _is_class(span.get("error_type")) else inner
        told = calls[span.get("tool"), span["end"] // 60_000_000_000, error, before]
        before = span.get("tool")
        for k, one in enumerate((1, failed, timed_out)):
            told[k] += one
        run["tool_calls"] += 1
        run["tool_errors"] += failed
        run["tool_timeouts"] += timed_out
        run["handoffs"] += any(s.get("tool") in policy.escalation_tools for s in group)
        if span.get("arguments"):
            known[span.get("tool"), span["arguments"]] += 1
    run["duplicate_calls"] = sum(count - 1 for count in known.values())
    run["calls"] = {key: tuple(told) for key, told in calls.items()}


def _is_class(error_type: str | None) -> bool:
    return bool(error_type) and " " not in str(error_type) and len(str(error_type)) <= 64


def _outer(span: Row, by_id: dict[int, Row]) -> int | None:
    at = span["parent_id"]
    for _ in range(64):
        above = by_id.get(at)
        if above is None or above["kind"] in BARRIERS or above is span:
            return None
        if above["kind"] == SpanKind.TOOL and _is_same_call(span, above):
            return int(above["span_id"])
        at = above["parent_id"]
    return None


def _is_same_call(a: Row, b: Row) -> bool:
    if a.get("call_id") and b.get("call_id"):
        return bool(a["call_id"] == b["call_id"])
    return bool(a.get("tool")) and a.get("tool") == b.get("tool")


def _settle(run: dict[str, Any], policy: RunPolicy, expected: dict[str, float]) -> dict[str, Any]:
    senders = (run["workflow"],) if run["said_workflow"] else (run["workflow"], run["service"])
    since = [expected[name] for name in senders if name in expected]
    run["escalated"] = run["handoffs"] > 0
    if run["said"]:
        run["outcome"], run["outcome_from"] = min(run["said"], Outcome.FAILURE), "attribute"
    elif run["evaluated"]:
        run["outcome"], run["outcome_from"] = run["evaluated"][1], "evaluation"
    elif since and min(since) <= run["closed_at"] + policy.grace:
        run["outcome"], run["outcome_from"] = Outcome.UNKNOWN, None
    elif run["first_agent"] or run["root"]:
        failed = (run["first_agent"] or run["root"]).get("status", 0) == SpanStatus.ERROR
        run["outcome"], run["outcome_from"] = Outcome.FAILURE if failed else Outcome.SUCCESS, "status"
    else:
        run["outcome"], run["outcome_from"] = Outcome.UNKNOWN, None
    unknown = {"exclude": 0, "good": 1, "bad": 2}[policy.unknown]
    run["task"] = {Outcome.UNKNOWN: unknown, Outcome.SUCCESS: 1, Outcome.FAILURE: 2}[Outcome(run["outcome"])]
    return run
