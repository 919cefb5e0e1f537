"""Rule: one rule, read from its YAML and compiled."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.asking import Fired, Question
from flyball_sdk.decision import Finding
from flyball_sdk.limits import AUDIT, ENFORCE, MODES
from flyball_sdk.rules.conditions import Condition, compile_condition
from flyball_sdk.rules.effects import compile_change
from flyball_sdk.rules.problems import RuleError
from flyball_sdk.rules.reading import choice, items, members, text, texts, whole
from flyball_sdk.scope import SCOPE_LEVELS
from flyball_sdk.state import Throttle
from flyball_sdk.throttling import Asked
from flyball_sdk.tiers import HIGHEST_TIER

if TYPE_CHECKING:
    from collections.abc import Mapping

EFFECTS: Final = ("block", "escalate", "modify", "throttle", "allow-list")
SEVERITIES: Final = ("low", "medium", "high", "critical")
_NEEDED: Final = ("id", "version", "match", "effect", "message", "tests")
_SCOPES: Final = ("agent", "user", "workflow", "tenant")
_LARGEST: Final = 10**9

_Members: Final = (
    *_NEEDED,
    "when",
    "mode",
    "tier",
    "severity",
    "scope",
    "modify",
    "throttle",
    "allow",
)


@dataclass(frozen=True)
class Rule:
    """A compiled rule. Who or where a call is that is not known counts as whom or what a rule is for."""

    id: str
    tools: tuple[str, ...]
    env: tuple[str, ...]
    scope: Mapping[str, str]
    when: Condition
    allow: tuple[str, ...] | None
    """Of an allow-list: the tools that it lets through."""
    throttle: Throttle | None
    per: str
    fired: Fired
    said: Mapping[str, Any]
    """The rule as it was written."""

    @property
    def plain(self) -> bool:
        """Only the input decides whether it fires, and it says the same of every call."""
        return not self.env and not self.scope and self.allow is None and self.throttle is None

    def concerns(self, question: Question) -> bool:
        """Tell whether a call is of an environment and a scope that the rule is for."""
        if self.env and question.env is not None and not any(fnmatchcase(question.env, glob) for glob in self.env):
            return False
        for level, glob in self.scope.items():
            name = getattr(question.subject, level)
            if name is not None and not fnmatchcase(name, glob):
                return False
        return True

    def judge(self, question: Question) -> Fired | None:
        """Give what the rule says of a call of one of its tools; None: nothing."""
        if self.allow is not None and any(fnmatchcase(question.tool, glob) for glob in self.allow):
            return None
        if not self.when.holds(question.tool_input):
            return None
        if self.throttle is None:
            return self.fired
        whose = getattr(question.subject, self.per)
        return self.fired._replace(throttle=Asked((self.id, self.per, whose), self.throttle))


def read_rule(said: object) -> Rule:
    """Read and compile one rule; raises RuleError. Its specimens are not tried yet."""
    it = members("", said, _Members, _NEEDED)
    match = members("match", it["match"], ("tools", "env"), ("tools",))
    scope = {n: text(f"scope.{n}", v) for n, v in members("scope", it.get("scope", {}), _SCOPES).items()}
    effect = choice("effect", it["effect"], EFFECTS)
    mode = choice("mode", it.get("mode", AUDIT), MODES)
    finding = Finding(
        rule=text("id", it["id"], 100),
        effect="block" if effect == "allow-list" else effect,
        says=text("message", it["message"], 300),
        version=whole("version", it["version"], 1, _LARGEST),
        severity=choice("severity", it.get("severity", "medium"), SEVERITIES),
        enforced=mode == ENFORCE,
    )
    _only_with(it, "modify", effect == "modify")
    _only_with(it, "throttle", effect == "throttle")
    _only_with(it, "allow", effect == "allow-list")
    if effect != "allow-list" and "when" not in it:
        raise RuleError("when", "a condition, or always", None)
    throttle, per = _throttle(it["throttle"]) if effect == "throttle" else (None, "run")
    return Rule(
        id=finding.rule,
        tools=texts("match.tools", match["tools"]),
        env=texts("match.env", match["env"]) if "env" in match else (),
        scope=scope,
        when=compile_condition("when", it.get("when", "always")),
        allow=texts("allow", it["allow"]) if effect == "allow-list" else None,
        throttle=throttle,
        per=per,
        fired=Fired(
            finding,
            change=compile_change("modify", it["modify"]) if effect == "modify" else None,
            tier=whole("tier", it["tier"], 0, HIGHEST_TIER) if "tier" in it else None,
        ),
        said=it,
    )


def _only_with(it: Mapping[str, object], name: str, needed: bool) -> None:  # noqa: FBT001 -- a comparison
    if needed and name not in it:
        raise RuleError(name, f"to be there for effect {it['effect']}", None)
    if not needed and name in it:
        raise RuleError(name, f"not to be there for effect {it['effect']}", it[name])


def _throttle(said: object) -> tuple[Throttle, str]:
    it = members("throttle", said, ("calls_per_minute", "concurrency", "per"))
    numbers = [
        whole(f"throttle.{name}", it[name], 0, _LARGEST) if name in it else None
        for name in ("calls_per_minute", "concurrency")
    ]
    if numbers == [None, None]:
        raise RuleError("throttle", "calls_per_minute, concurrency or both", said)
    return Throttle(*numbers), choice("throttle.per", it.get("per", "run"), SCOPE_LEVELS)


def specimens(rule: Rule) -> tuple[list[Question], list[Question]]:
    """Read the rule's specimens: what it must fire on, and what it must leave alone. Raises RuleError."""
    tests = members("tests", rule.said["tests"], ("block", "allow"), ("block", "allow"))
    block, allow = (
        [_specimen(rule, f"tests.{name}[{at}]", each) for at, each in enumerate(items(f"tests.{name}", tests[name]))]
        for name in ("block", "allow")
    )
    return block, allow


def _specimen(rule: Rule, field: str, said: object) -> Question:
    """Read one: an input of the rule's first tool, {tool, input}, or for an allow-list the name of a tool."""
    from flyball_sdk.scope import NOBODY  # noqa: PLC0415 -- only when rules are loaded

    if rule.allow is not None and isinstance(said, str):
        return Question(said, {}, NOBODY, None)
    if not isinstance(said, dict):
        raise RuleError(field, "an input, an object", said)
    if set(said) == {"tool", "input"} and isinstance(said["input"], dict):
        return Question(text(f"{field}.tool", said["tool"]), said["input"], NOBODY, None)
    return Question(rule.tools[0].replace("*", "x").replace("?", "x"), said, NOBODY, None)
