"""Reading verdicts as they lie in the log. What cannot be read at all is refused; a stop is never lost to bad evidence.

Evidence that is malformed counts as not said, and what is not said is always the stricter: a block without a tool is
`static`, a bound without tools bounds by level, a tenant that is no text is everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flyball_sdk.checks import a_count, a_text, one_of, wrong
from flyball_sdk.state import BOUNDED, NEUTRAL, STATIC, State, Throttle

from control.records import record_of, scope_in
from models.verdicts import Action

if TYPE_CHECKING:
    from flyball_sdk.scope import Scope

OPERATOR: Final = "operator"
"""The source of what people ask; no rule may be called so."""
ACTIONS: Final = tuple(str(action) for action in Action)
WARN, THROTTLE, BOUND, BLOCK, KILL, CLEAR = ACTIONS
ENFORCE: Final = "enforce"
"""Mode of a rule that is in force. What another one decides, as in `shadow`, is audited as a warning, and no more."""
_LONGEST_REASON: Final = 300
_MOST_BYTES: Final = 64 * 1024


class Verdict(NamedTuple):
    """What the stream decided about a scope. `tenant` None: everybody's."""

    id: str
    scope: Scope
    tenant: str | None
    action: str
    rule: str
    reason: str
    generation: int
    evidence: dict[str, Any]


def read(value: bytes) -> Verdict:
    """Read one record; raises MalformedError."""
    if len(value) > _MOST_BYTES:
        raise wrong("verdict", f"at most {_MOST_BYTES} bytes", len(value))
    said = record_of("verdict", value)
    evidence = said.get("evidence")
    evidence = evidence if isinstance(evidence, dict) else {}
    tenant = evidence.get("tenant")
    action = one_of("action", said.get("action"), ACTIONS)
    verdict = Verdict(
        id=a_text("id", said.get("id")),
        scope=scope_in(said),
        tenant=tenant if isinstance(tenant, str) and tenant else None,
        action=action if evidence.get("mode", ENFORCE) == ENFORCE else WARN,
        rule=a_text("rule", said.get("rule")),
        reason=plain(said.get("reason")),
        generation=a_count("generation", said.get("generation")),
        evidence=evidence,
    )
    if verdict.rule == OPERATOR:
        raise wrong("rule", "the name of a rule", OPERATOR)
    return verdict


def asked(verdict: Verdict, default: Throttle) -> State:
    """Give what a verdict asks beside a kill; neutral for warn, kill and clear."""
    evidence = verdict.evidence
    if verdict.action == THROTTLE:
        said = Throttle(_count(evidence.get("calls_per_minute")), _count(evidence.get("concurrency")))
        return State(throttle=default if said == Throttle() else said)
    if verdict.action == BOUND:
        return State(level=BOUNDED, tools=_tools(evidence.get("tools")))
    if verdict.action == BLOCK:
        tool = evidence.get("tool")
        return State(deny=frozenset({tool})) if isinstance(tool, str) and tool else State(level=STATIC)
    return NEUTRAL


def plain(text: object) -> str:
    """Give a reason that may be shown: one line of printable characters, cut."""
    words = text if isinstance(text, str) else ""
    return "".join(c if c.isprintable() else " " for c in words[:_LONGEST_REASON])


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else None


def _tools(value: object) -> frozenset[str] | None:
    if not isinstance(value, list) or not all(isinstance(tool, str) and tool for tool in value):
        return None
    return frozenset(value)
