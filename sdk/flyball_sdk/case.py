"""Case: one call while the guard makes up its mind, and what each part of the guard adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball_sdk.decision import BLOCK, ESCALATE, KILL, MODIFY, Finding, Signal, strictest
from flyball_sdk.state import HUMAN, NEUTRAL, State, merged
from flyball_sdk.throttling import Asked
from flyball_sdk.tiers import CLOSED, HIGHEST_FREE, NORMAL, OPEN, STALE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyball_sdk.arguments import Call
    from flyball_sdk.asking import Fired
    from flyball_sdk.loops import Made
    from flyball_sdk.scope import Subject
    from flyball_sdk.signals import Held


class Case:
    """One call. `tool_input` None: the arguments are not known."""

    __slots__ = (
        "approved",
        "call",
        "changes",
        "findings",
        "kind",
        "made",
        "modified",
        "ruleset",
        "rung",
        "shadow_throttles",
        "signal",
        "signal_killed",
        "state",
        "subject",
        "throttles",
        "tier",
        "tool",
        "tool_input",
        "unanswered",
    )

    def __init__(
        self, kind: str, tool: str, tool_input: Mapping[str, object] | None, subject: Subject, tier: int, call: Call
    ) -> None:
        self.kind = kind
        self.tool = tool
        self.tool_input = tool_input
        self.subject = subject
        self.tier = tier
        self.call = call
        self.state: State = NEUTRAL
        self.findings: list[Finding] = []
        self.changes: list[Fired] = []
        self.throttles: list[Asked] = []
        self.shadow_throttles: list[Fired] = []
        self.unanswered: list[str] = []
        self.modified: dict[str, object] | None = None
        self.approved: float | None = None
        """Until when an approval of a person holds that this call has taken; None: there is none."""
        self.made: Made | None = None
        self.signal_killed = False
        self.ruleset = ""
        self.signal: Signal | None = None
        self.rung = NORMAL

    def enforced(self) -> Finding | None:
        """Give the strictest finding that counts."""
        return strictest(finding for finding in self.findings if finding.enforced) if self.findings else None

    def add_rules(self, fired: Sequence[Fired]) -> None:
        """Add what rules say."""
        for each in fired:
            if each.throttle is not None:
                if each.finding.enforced:
                    self.throttles.append(each.throttle)
                else:
                    self.shadow_throttles.append(each)
                continue
            self.findings.append(each.finding)
            if each.finding.enforced:
                if each.tier is not None:
                    self.tier = max(self.tier, each.tier)
                if each.finding.effect == MODIFY:
                    self.changes.append(each)

    def add_signals(self, held: Sequence[Held], fail: str) -> None:
        """Add what signals of the case's rung ask, for a tier that fails so. A kill counts however old it is."""
        rung = self.rung
        for each in held:
            if each.state.kill:
                self.signal_killed = True
                self._add(each.rule or "signal.kill", KILL, each.reason or "This run was stopped.")
        if rung == STALE and fail == CLOSED and self.kind == "tool":
            self._add("signals.stale", BLOCK, "This tool is not available now: its safety state is not known.")
        if not held or (rung == STALE and fail == OPEN):
            return
        self.state = held[0].state if len(held) == 1 else merged([each.state for each in held])
        if self.kind != "tool":
            return
        for each in held:
            tools = each.state.tools
            if self.tool in each.state.deny or (tools is not None and self.tool not in tools):
                self._add(each.rule or "signal.tools", BLOCK, each.reason or f"{self.tool} is not available now.")
        for scope in dict.fromkeys(each.scope for each in held if each.state.throttle is not None):
            # asked of everybody and of a tenant it is one throttle: a call is counted once
            throttle = merged([each.state for each in held if each.scope == scope]).throttle
            assert throttle is not None  # noqa: S101 -- one of them has it
            self.throttles.append(Asked(scope, throttle))
        if self.tier > HIGHEST_FREE[self.state.level]:
            strict = [each for each in held if each.state.level == self.state.level]
            effect = ESCALATE if self.state.level == HUMAN else BLOCK
            self._add(f"level.{self.state.level}", effect, strict[0].reason or f"{self.tool} is not available now.")

    def add_unanswered(self, fail: str) -> None:
        """Add what it means that a part had no answer, for a tier that fails so."""
        if self.unanswered and fail == CLOSED:
            self._add("guard.unanswered", BLOCK, "This call could not be checked, so it was not made.")

    def _add(self, rule: str, effect: str, says: str) -> None:
        self.findings.append(Finding(rule, effect, says, severity="high"))
