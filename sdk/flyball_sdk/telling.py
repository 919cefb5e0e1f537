"""Telling what the guard did: one span for each call it stopped, would have stopped, changed, or could not answer.

A call that was simply allowed is told too where it can be known whose it was: inside a span that is recorded. Without
that nobody could tell a call that the guard allowed from one that it was never asked about.

Spans carry digests, never arguments. Their attributes are those that Flyball's decoder reads as a guard's decision.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from flyball_sdk.decision import Decision
    from flyball_sdk.scope import Subject

ALLOWED: Final = "allowed"
BLOCKED: Final = "blocked"
WOULD_BLOCK: Final = "would-block"
MODIFIED: Final = "modified"
UNANSWERED: Final = "unanswered"

_VERDICTS: Final = {"allow": "allow", "modify": "modify", "block": "deny", "escalate": "escalate"}
_LONGEST_NAME: Final = 64
_ALLOW: Final[dict[str, str | int | bool]] = {
    "gen_ai.operation.name": "run_guardrail",
    "gen_ai.guardrail.name": "flyball",
    "gen_ai.guardrail.verdict.type": "allow",
}


class Event(NamedTuple):
    """Something that the guard did."""

    kind: str
    """allowed (and no more), or blocked, would-block, modified, unanswered; of these more than one may be told."""
    decision: Decision
    subject: Subject
    unanswered: tuple[str, ...] = ()
    """The parts of the guard that had no answer: rules, signals, limits, budget."""

    @property
    def name(self) -> str:
        """guard:<kind>:<tool>, the tool's name cut."""
        return f"guard:{self.kind}:{self.decision.tool[:_LONGEST_NAME]}"

    def attributes(self) -> dict[str, str | int | bool]:
        """Give the attributes of the event's span; of a plain allow, of which there are most by far, only a few."""
        decision, subject = self.decision, self.subject
        if self.kind == ALLOWED:
            return _ALLOW | {"gen_ai.tool.name": decision.tool, "flyball.guard.decision_id": decision.decision_id}
        verdict = "warn" if self.kind == WOULD_BLOCK else _VERDICTS[decision.decision]
        said: dict[str, str | int | bool | None] = {
            "gen_ai.operation.name": "run_guardrail",
            "gen_ai.guardrail.name": "flyball",
            "gen_ai.guardrail.verdict.type": verdict,
            "gen_ai.tool.name": decision.tool,
            "gen_ai.agent.name": subject.agent,
            "user.id": subject.user,
            "flyball.workflow": subject.workflow,
            "flyball.tenant.id": subject.tenant,
            "flyball.guard.run": subject.run,
            "flyball.guard.rule": decision.reason_code or (decision.rules[0].rule if decision.rules else ""),
            "flyball.guard.mode": decision.mode,
            "flyball.guard.would": decision.would,
            "flyball.guard.tier": decision.tier,
            "flyball.guard.ruleset": decision.ruleset,
            "flyball.guard.input_digest": decision.action_digest,
            "flyball.guard.decision_id": decision.decision_id,
            "flyball.guard.degraded": decision.degraded,
            "flyball.guard.unanswered": ",".join(self.unanswered) or None,
            "flyball.guard.killed": decision.killed,
        }
        if decision.signal is not None:
            said["flyball.guard.epoch"], said["flyball.guard.seq"] = decision.signal[:2]
        return {name: value for name, value in said.items() if value is not None}


def tell_by_span(event: Event) -> None:
    """Emit the event as a span, at once over; where opentelemetry-api is not installed, nothing."""
    tracer = _tracer()
    if tracer is not None:
        tracer.start_span(event.name, attributes=event.attributes()).end()


def is_recorded() -> bool:
    """Say whether this is inside a span that is recorded."""
    trace: Any = sys.modules.get("opentelemetry.trace")  # who records spans has it loaded
    return trace is not None and bool(trace.get_current_span().is_recording())


def _tracer() -> Any:
    try:
        return _made_tracer()
    except ImportError:  # not installed
        return None


@cache
def _made_tracer() -> Any:
    """Make the tracer, once: it takes longer than a span."""
    return importlib.import_module("opentelemetry.trace").get_tracer("flyball_sdk")
