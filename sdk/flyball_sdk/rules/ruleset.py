"""RuleSet: all rules of a moment, compiled, tried on their specimens, behind an index by tool. Immutable."""

from __future__ import annotations

import hashlib
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from flyball_sdk.rules.problems import RuleError, RuleSetError
from flyball_sdk.rules.reading import demand, finite
from flyball_sdk.rules.rule import Rule, read_rule, specimens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flyball_sdk.asking import Fired, Question

_MOST_REMEMBERED: Final = 4_096
_WILD: Final = frozenset("*?[")


class RuleSet:
    """Rules, each judged only for calls of its tools. The same answer to the same question, by any thread."""

    def __init__(self, documents: Iterable[tuple[str, object]]) -> None:
        """Read rules from (name of the file, what it says) and try them; raises RuleSetError with all that is wrong."""
        self.rules = tuple(_read(documents))
        said = sorted((rule.said for rule in self.rules), key=lambda it: str(it["id"]))
        self.digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        """SHA-256 (hex) of all rules as they were written, comments and order apart."""
        self._exact: dict[str, list[int]] = {}
        self._wild: list[tuple[str, int]] = []
        self._known: dict[str, tuple[Rule, ...]] = {}
        for at, rule in enumerate(self.rules):
            for tool in rule.tools:
                if _WILD.isdisjoint(tool):
                    self._exact.setdefault(tool, []).append(at)
                else:
                    self._wild.append((tool, at))

    def judge(self, question: Question) -> list[Fired]:
        """Give the rules that fire on a call, in the order they were written."""
        rules = self._known.get(question.tool)
        if rules is None:
            rules = self._of(question.tool)
        found = []
        for rule in rules:
            if (not rule.env and not rule.scope) or rule.concerns(question):
                fired = rule.judge(question)
                if fired is not None:
                    found.append(fired)
        return found

    def __len__(self) -> int:
        return len(self.rules)

    def _of(self, tool: str) -> tuple[Rule, ...]:
        """List the rules of a tool. A model may make up any number of tools: only some are remembered."""
        numbers = {*self._exact.get(tool, ()), *(at for glob, at in self._wild if fnmatchcase(tool, glob))}
        rules = tuple(self.rules[at] for at in sorted(numbers))
        if len(self._known) < _MOST_REMEMBERED:
            self._known[tool] = rules
        return rules


def _read(documents: Iterable[tuple[str, object]]) -> list[Rule]:
    rules: dict[str, Rule] = {}
    problems: list[RuleError] = []
    for file, said in documents:
        name = str(said.get("id", "")) if isinstance(said, dict) else ""
        try:
            finite("", said)
            rule = read_rule(said)
            demand(rule.id not in rules, "id", "an id that no other rule has", rule.id)
            _try(rule)
            rules[rule.id] = rule
        except RuleError as problem:
            problems.append(problem.of(name, file))
    if problems:
        raise RuleSetError(problems)
    return list(rules.values())


def _try(rule: Rule) -> None:
    """Try a rule on its specimens; raises RuleError. What modify has changed must be right then."""
    block, allow = specimens(rule)
    _all(rule, "block", "the rule to fire", block, fires=True)
    _all(rule, "allow", "the rule not to fire", allow, fires=False)
    if (change := rule.fired.change) is not None:
        changed = [question._replace(tool_input=change(question.tool_input)) for question in block]
        _all(rule, "block", "the rule not to fire again on what it changed", changed, fires=False)


def _all(rule: Rule, name: str, expected: str, questions: Sequence[Question], *, fires: bool) -> None:
    for at, question in enumerate(questions):
        concerned = any(fnmatchcase(question.tool, glob) for glob in rule.tools)
        fired = concerned and rule.judge(question) is not None
        found = {"tool": question.tool, "input": question.tool_input}
        demand(fired == fires, f"tests.{name}[{at}]", expected, found)
