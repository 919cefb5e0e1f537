"""RuleSet: all rules of a moment, compiled, tried on their specimens, behind an index by tool. Immutable."""

from __future__ import annotations

import hashlib
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple

from flyball_sdk.rules.bundles import quick_of
from flyball_sdk.rules.problems import RuleError, RuleSetError
from flyball_sdk.rules.reading import demand, finite
from flyball_sdk.rules.rule import Rule, read_rule, specimens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flyball_sdk.asking import Fired, Question

    _Holds = Callable[[Mapping[str, object]], bool]
    _Entry = tuple[int, Rule, _Holds]

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
        self._known: dict[str, _Index] = {}
        for at, rule in enumerate(self.rules):
            for tool in rule.tools:
                if _WILD.isdisjoint(tool):
                    self._exact.setdefault(tool, []).append(at)
                else:
                    self._wild.append((tool, at))

    def judge(self, question: Question) -> list[Fired]:
        """Give the rules that fire on a call, in the order they were written."""
        index = self._known.get(question.tool)
        if index is None:
            index = self._of(question.tool)
        tool_input = question.tool_input
        found: list[tuple[int, Fired]] = []
        for number, rule, holds in index.always:
            _judge(found, number, rule, holds, question)
        for bundle in index.bundles:
            value = tool_input.get(bundle.member)
            if bundle.passes_none if value is None else bundle.quick(value):
                continue
            for number, rule, holds in bundle.entries:
                _judge(found, number, rule, holds, question)
        for name in index.members & tool_input.keys() if index.members else ():
            for number, rule, holds in index.by_member[name]:
                _judge(found, number, rule, holds, question)
        if len(found) > 1:
            return list(
                dict(sorted(found, key=lambda each: each[0])).values()
            )  # a rule may stand under several members
        return [fired for _, fired in found]

    def __len__(self) -> int:
        return len(self.rules)

    def _of(self, tool: str) -> _Index:
        """Index the rules of a tool. A model may make up any number of tools: only some are remembered."""
        numbers = {*self._exact.get(tool, ()), *(at for glob, at in self._wild if fnmatchcase(tool, glob))}
        always: list[_Entry] = []
        by_member: dict[str, list[_Entry]] = {}
        bundles: dict[tuple[str, str, bool], list[_Entry]] = {}
        for number in sorted(numbers):
            rule = self.rules[number]
            entry = (number, rule, rule.when.holds)
            if (simple := rule.when.simple) is not None:
                bundles.setdefault(simple[:3], []).append(entry)
            elif rule.when.needs is None:
                always.append(entry)
            for name in rule.when.needs or () if simple is None else ():
                by_member.setdefault(name, []).append(entry)
        index = _Index(always, [_bundle(entries) for entries in bundles.values()], by_member, frozenset(by_member))
        if len(self._known) < _MOST_REMEMBERED:
            self._known[tool] = index
        return index


class _Bundle(NamedTuple):
    """Rules of one tool that ask the same kind of thing of one member."""

    member: str
    passes_none: bool
    """None of them fires where the member is missing."""
    quick: Callable[[object], bool]
    """None of them fires on this value; false: perhaps one does."""
    entries: list[_Entry]


class _Index(NamedTuple):
    """The rules of one tool."""

    always: list[_Entry]
    """Those that may fire on any input."""
    bundles: list[_Bundle]
    by_member: dict[str, list[_Entry]]
    """All others, by the members one of which they need."""
    members: frozenset[str]


def _bundle(entries: list[_Entry]) -> _Bundle:
    simple = [rule.when.simple for _, rule, _ in entries if rule.when.simple is not None]
    return _Bundle(simple[0].member, not simple[0].fires_on_none, quick_of(simple), entries)


def _judge(found: list[tuple[int, Fired]], number: int, rule: Rule, holds: _Holds, question: Question) -> None:
    if rule.plain:
        if holds(question.tool_input):
            found.append((number, rule.fired))
    elif rule.concerns(question) and (fired := rule.judge(question)) is not None:
        found.append((number, fired))


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
