"""The doctor finds what is wrong, and the spans of the guard are read by Flyball's own decoder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from flyball_sdk import Guard, Limits, Policy, Subject, Tiers
from flyball_sdk.__main__ import main
from flyball_sdk.asking import Fired
from flyball_sdk.decision import Finding
from flyball_sdk.doctor import canary, examine
from flyball_sdk.signing import SigningKey
from flyball_sdk.telling import Event, tell_by_span
from opentelemetry.trace import get_tracer

from models.spans.columns import Decision, SpanKind
from tests.helpers.decode_by_hand import one

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def looked(env: dict[str, str]) -> dict[str, str]:
    """Examine, and give the state of each look."""
    return {finding.what: finding.state for finding in examine(env)}


@pytest.fixture
def env(plane: Any, tmp_path: Path) -> dict[str, str]:
    """Give an environment in which all is well."""
    rule = {
        "id": "a",
        "version": 1,
        "match": {"tools": ["x"]},
        "when": {"field": "n", "in": ["all"]},
        "effect": "block",
        "message": "No.",
        "tests": {"block": [{"n": "all"}], "allow": [{"n": "7"}]},
    }
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump([rule]))
    return {
        "FLYBALL_URL": f"http://127.0.0.1:{plane.port}",
        "FLYBALL_KEY": "evaluate-me",
        "FLYBALL_SIGNING_KEYS": plane.signing.public().to_text(),
        "FLYBALL_STATE": str(tmp_path / "state" / "signals.json"),
        "FLYBALL_RULES": str(tmp_path / "rules.yaml"),
    }


def test_the_doctor_finds_all_well_but_the_clock(env: dict[str, str]) -> None:
    """Everything is looked at; the control plane of the tests has a clock that stands in January."""
    assert looked(env) == {
        "canary": "ok",
        "rules": "ok",
        "keys": "ok",
        "state file": "ok",
        "signals": "ok",
        "stream": "ok",
        "clock": "FAILED",
    }


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"FLYBALL_KEY": "wrong"}, {"signals", "stream"}),
        ({"FLYBALL_KEY": ""}, {"keys"}),
        ({"FLYBALL_URL": "http://127.0.0.1:1"}, {"signals", "stream"}),
        ({"FLYBALL_SIGNING_KEYS": SigningKey.generate("k1").public().to_text()}, {"signals", "stream"}),
        ({"FLYBALL_TENANT": "another"}, {"signals"}),
        ({"FLYBALL_RULES": "/not/there"}, {"rules"}),
        ({"FLYBALL_STATE": "/proc/no/file"}, {"state file"}),
    ],
    ids=["key", "no key", "url", "signing keys", "tenant", "rules", "state"],
)
def test_the_doctor_says_what_is_wrong(env: dict[str, str], changes: dict[str, str], failed: set[str]) -> None:
    """A wrong key, a dead address, a stranger's signature, a wrong tenant: each shows where it is."""
    states = looked(env | changes)
    assert {what for what, state in states.items() if state == "FAILED" and what != "clock"} == failed


def test_the_doctor_does_without_a_control_plane(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone the guard is well, and it says what is missing; the command gives 0."""
    for name in ("FLYBALL_URL", "FLYBALL_RULES"):
        monkeypatch.delenv(name, raising=False)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["ok", "skipped", "skipped"]
    monkeypatch.setenv("FLYBALL_RULES", "/not/there")
    assert main(["doctor"]) == 1


def test_a_dead_guard_is_found() -> None:
    """A guard that only audits, or that stops no loops, lets the canary through, and that is a failure."""
    for policy in (Policy(mode="audit"), Policy(limits=Limits(identical=None)), Policy(limits=Limits(mode="audit"))):
        assert canary(Guard(policy, on_event=lambda event: None)).state == "FAILED"
    assert canary(Guard(on_event=lambda event: None)).state == "ok"


# Spans ----------------------------------------------------------------------------------------------------------------


class Says:
    """Rules that say one thing of every call."""

    digest = "d" * 64

    def __init__(self, effect: str, *, enforced: bool = True) -> None:
        change = (lambda given: {**given, "n": 1}) if effect == "modify" else None
        self.fired = Fired(Finding("the.rule", effect, "no", enforced=enforced), change=change)

    @property
    def current(self) -> Says:
        """Give itself."""
        return self

    def judge(self, question: Any) -> list[Fired]:
        """Fire, but not on what was changed, and break for `broken`."""
        if question.tool == "broken":
            raise RuntimeError("broken")
        return [] if question.tool_input.get("n") == 1 else [self.fired]


@pytest.mark.parametrize(
    ("effect", "enforced", "tool", "name", "decision"),
    [
        ("block", True, "pay", "guard:blocked:pay", Decision.BLOCK),
        ("escalate", True, "pay", "guard:blocked:pay", Decision.BLOCK),
        ("block", False, "pay", "guard:would-block:pay", Decision.ALLOW),
        ("modify", True, "pay", "guard:modified:pay", Decision.ALLOW),
        ("block", True, "broken", "guard:unanswered:broken", Decision.ALLOW),
    ],
)
def test_spans_are_decisions_to_flyballs_decoder(
    effect: str,
    enforced: bool,  # noqa: FBT001
    tool: str,
    name: str,
    decision: Decision,
) -> None:
    """Each span is of kind guard, has the tool, and counts as block or allow; no argument is in it."""
    events: list[Event] = []
    guard = Guard(Policy(tiers=Tiers(default=0)), rules=Says(effect, enforced=enforced), on_event=events.append)
    subject = Subject(run="ab" * 16, user="u", agent="a", workflow="w", tenant="t")
    guard.evaluate(tool, {"card": "4111-1111"}, subject)
    (event,) = events
    assert event.name == name
    read = one(dict(event.attributes()))
    assert (read["KIND"], read["DECISION"]) == (SpanKind.GUARD, decision)
    assert "4111" not in str(event.attributes())
    assert event.attributes()["flyball.guard.ruleset"] == "d" * 64
    if tool != "broken":
        assert event.attributes()["flyball.guard.rule"] == "the.rule"


def test_spans_go_into_the_trace_that_is_recorded(recorded: InMemorySpanExporter) -> None:
    """With OpenTelemetry the span is a child of the agent's span, and its trace id is the run."""
    guard = Guard()
    with get_tracer("agent").start_as_current_span("run") as parent:
        decisions = [guard.evaluate("search", {"q": "x"}) for _ in range(10)]
    assert decisions[-1].killed, "the trace is the run, so ten calls of it are one loop"
    *told, run = recorded.get_finished_spans()
    assert [span.name for span in told] == ["guard:allowed:search"] * 4 + ["guard:blocked:search"] * 6
    assert {span.parent.span_id for span in told} == {parent.get_span_context().span_id}
    assert told[-1].attributes["flyball.guard.run"] == f"{run.context.trace_id:032x}"
    assert not guard.evaluate("search", {"q": "x"}, Subject(run=f"{run.context.trace_id:032x}")).allowed


def test_without_opentelemetry_nothing_is_told_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the API is not installed, blocking works as ever."""
    for name in ("opentelemetry", "opentelemetry.trace"):
        monkeypatch.setitem(sys.modules, name, None)
    guard = Guard(rules=Says("block"))
    assert not guard.evaluate("pay", {}).allowed
    tell_by_span(Event("blocked", guard.evaluate("pay", {}), Subject()))
