"""Decision: what the guard answers, and Finding: one thing that speaks for it."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALLOW: Final = "allow"
MODIFY: Final = "modify"
THROTTLE: Final = "throttle"
ESCALATE: Final = "escalate"
BLOCK: Final = "block"
KILL: Final = "kill"
WARN: Final = "warn"

_RANK: Final = {WARN: 0, MODIFY: 1, THROTTLE: 2, ESCALATE: 3, BLOCK: 4, KILL: 5}
_DECISION: Final = {WARN: ALLOW, MODIFY: MODIFY, THROTTLE: BLOCK, ESCALATE: ESCALATE, BLOCK: BLOCK, KILL: BLOCK}

_prefix = os.urandom(6).hex()
_numbers: Final = itertools.count(1)


class Finding(NamedTuple):
    """One rule, limit or signal that has something to say of a call. `says` is safe for a model."""

    rule: str
    effect: str
    says: str
    version: int = 0
    severity: str = "medium"
    enforced: bool = True
    evidence: Mapping[str, object] | None = None
    retry_after_ms: int | None = None


class Signal(NamedTuple):
    """What the guard knew: the newest position, and the age of the last heartbeat (None: none heard)."""

    epoch: int
    seq: int
    age_ms: int | None


class Decision(NamedTuple):
    """What the guard answers to one call."""

    decision: str
    """allow, block, modify or escalate."""
    mode: str
    """enforce or audit: of the guard."""
    would: str
    """What the decision would be if all that only audits were enforced."""
    reason_code: str
    """The rule that decided; empty for a plain allow."""
    message: str
    """Why, safe to show a model; empty for a plain allow."""
    rules: tuple[Finding, ...]
    """All that had something to say, the strictest first."""
    modified_input: dict[str, object] | None
    """What to call the tool with instead, for modify."""
    action_digest: str
    level: str
    throttle: Mapping[str, int] | None
    """{"retry_after_ms": ...} where waiting helps."""
    signal: Signal | None
    """None: this guard listens to no control plane."""
    degraded: str
    """none, stale (signals are old) or partial (a part of the guard had no answer)."""
    decision_id: str
    eval_us: int
    tool: str
    tier: int
    killed: bool = False
    """The run, or a scope it is in, is to end: no other call will be let through either."""
    ruleset: str = ""
    """Digest of the rules that were asked."""

    @property
    def allowed(self) -> bool:
        """The tool may run now, for modify with the modified input."""
        return self.decision in (ALLOW, MODIFY)

    def to_json(self) -> dict[str, object]:
        """Give the response of docs/governor.md's guard endpoint."""
        rules = [{"id": f.rule, "version": f.version, "effect": f.effect, "severity": f.severity} for f in self.rules]
        said: dict[str, object] = {
            "decision": self.decision,
            "mode": self.mode,
            "would": self.would,
            "reason_code": self.reason_code,
            "message": self.message,
            "rules": rules,
            "action_digest": self.action_digest,
            "level": self.level,
            "ruleset": {"digest": self.ruleset},
            "signal": None if self.signal is None else self.signal._asdict(),
            "degraded": self.degraded,
            "decision_id": self.decision_id,
            "eval_us": self.eval_us,
            "killed": self.killed,
        }
        if self.modified_input is not None:
            said["modified_input"] = self.modified_input
        if self.throttle is not None:
            said["throttle"] = dict(self.throttle)
        return said


def strictest(findings: Iterable[Finding]) -> Finding | None:
    """Give the finding with the strictest effect, the first of equals; None: no findings."""
    return max(findings, key=lambda finding: _RANK[finding.effect], default=None)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings, the strictest first, equals as they came."""
    return tuple(sorted(findings, key=lambda finding: -_RANK[finding.effect]))


def decision_of(finding: Finding | None) -> str:
    """Give what a finding makes of the call."""
    return ALLOW if finding is None else _DECISION[finding.effect]


def stops(finding: Finding | None, effect: str) -> bool:
    """Tell whether a finding is as strict as an effect."""
    return finding is not None and _RANK[finding.effect] >= _RANK[effect]


def new_id() -> str:
    """Make a decision's id, unique among processes."""
    return f"dec_{_prefix}{next(_numbers):x}"


def _renew() -> None:
    global _prefix  # noqa: PLW0603 -- of the process
    _prefix = os.urandom(6).hex()


os.register_at_fork(after_in_child=_renew)
