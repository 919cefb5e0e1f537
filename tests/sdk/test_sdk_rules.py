"""Rules: each condition and effect, what is refused at load, and that nothing is let through by accident."""

from __future__ import annotations

import copy
import fnmatch
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from flyball_sdk import Guard, Policy, Subject, Tiers
from flyball_sdk.asking import Question
from flyball_sdk.rules import RuleBook, RuleError, RuleSet, RuleSetError
from flyball_sdk.rules.conditions import compile_condition
from flyball_sdk.rules.globs import allowing, forbidding
from flyball_sdk.rules.rule import read_rule
from flyball_sdk.scope import NOBODY
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

RULE: dict[str, Any] = {
    "id": "refund.large",
    "version": 1,
    "match": {"tools": ["refund"]},
    "when": {"field": "amount", "not_between": {"min": 0, "max": 500}},
    "effect": "block",
    "mode": "enforce",
    "message": "Refunds go up to 500.",
    "tests": {"block": [{"amount": 501}], "allow": [{"amount": 500}]},
}


def rule(**changes: Any) -> dict[str, Any]:
    """Make a rule; None takes a member away."""
    return {name: value for name, value in (copy.deepcopy(RULE) | changes).items() if value is not None}


def ruleset(*rules: Any) -> RuleSet:
    """Compile rules."""
    return RuleSet([("rules.yaml", each) for each in rules])


def fires(when: Any, tool_input: Any) -> bool:
    """Tell whether a condition holds."""
    return compile_condition("when", when).holds(tool_input)


def guard_of(*rules: Any, **policy: Any) -> Guard:
    """Make a guard with rules and tier 0 tools."""

    class Fixed:
        current = ruleset(*rules)

    return Guard(Policy(tiers=Tiers(default=0), **policy), rules=Fixed(), on_event=lambda event: None)


BETWEEN = {"field": "n", "not_between": {"min": 1, "max": 10}}
ALLOWED = {"field": "to", "not_in": ["*@example.com", "ops@acme.io"]}
ALL = {"field": "id", "in": ["all", "*", "any"]}


@pytest.mark.parametrize(
    ("when", "holds", "does_not"),
    [
        (BETWEEN, [0, 11, 10.5, float("nan"), "99", "nine", True, None, [5, 11], {}, []], [1, 10, "10", 2.5, [1, 2]]),
        ({"field": "n", "not_between": {"max": 10}, "optional": True}, [11, "x"], [None, -5, 10]),
        (
            ALLOWED,
            [
                "a@evil.org",
                "a@evil.org,b@example.com",
                "a@evil.org\nb@example.com",
                "a@evil.org b@example.com",
                "x@y@example.com",
                "<a@evil.org>@example.com",
                "OPS@acme.io",
                "a@example.com.evil.org",
                "",
                5,
                None,
                ["a@example.com", "a@evil.org"],
                {"address": "a@evil.org"},
            ],
            ["a@example.com", "ops@acme.io", ["a@example.com", "ops@acme.io"]],
        ),
        (
            ALL,
            ["all", "ALL", " all\t", "\uff21\uff4c\uff4c", "a\u200bll", "*", ["7", "All"], {"x": "any"}],
            ["7", "wall", 7, None, [], "all of it"],
        ),
        ({"field": "n", "in": [0, True]}, [0, "0", True, "true"], [1, False, "00"]),
        ({"field": "s", "matches": r"mkfs\.|>\s*/dev/sd"}, ["mkfs.ext4", "a > /dev/sda", ["mkfs."]], ["mkfs", None]),
        ({"field": "s", "missing": True}, [None], ["", 0, False]),
        ({"field": "s", "not_a": "text"}, [5, None, ["a"], True], ["", "a"]),
        ({"field": "s", "not_a": "number"}, ["5", True, None], [5, 5.5]),
        ({"field": "s", "not_a": "boolean", "optional": True}, [0, "true"], [True, False]),
        ({"field": "s", "not_schema": {"type": "string", "maxLength": 3}}, ["abcd", 5, None], ["abc"]),
        ({"all": [BETWEEN, {"field": "n", "not_between": {"min": 100}}]}, [11], [5, 101]),
        ({"any": [BETWEEN, {"field": "n", "in": ["5"]}]}, [11, 5], [6]),
        ({"not": {"field": "n", "in": ["5"]}}, [6, None], [5]),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)  # fmt: skip
def test_conditions_hold_where_they_should(when: Any, holds: list[Any], does_not: list[Any]) -> None:
    """Each condition, on values that fire it and on values that do not; None stands for a member of null."""
    name = (
        next(iter(when.values()))[0]["field"] if "field" not in when and "not" not in when else when.get("field", "n")
    )
    assert [value for value in holds if not fires(when, {name: value})] == []
    assert [value for value in does_not if fires(when, {name: value})] == []


@pytest.mark.parametrize("when", [BETWEEN, ALLOWED, {"field": "x", "not_a": "text"}, {"field": "x", "not_schema": {}}])
def test_what_is_demanded_of_a_missing_field_fires(when: Any) -> None:
    """A tool whose field was renamed does not slip past a demand; `optional` says that it may be missing."""
    assert fires(when, {"renamed": 5})
    assert not fires(when | {"optional": True}, {"renamed": 5})


def test_paths_lead_into_objects_and_lists() -> None:
    """Members, each of a list, and everything at any depth, names of members too."""
    orders = {"orders": [{"lines": [{"n": 5}, {"n": 50}]}, {"lines": []}], "note": {"to": "all"}}
    assert fires({"field": "orders[*].lines[*].n", "not_between": {"max": 10}}, orders)
    assert not fires({"field": "orders[*].lines[*].n", "not_between": {"max": 50}}, orders)
    assert fires({"field": "note.to", "in": ["all"]}, orders)
    assert fires({"field": "**", "in": ["all"]}, orders)
    assert fires({"field": "**", "in": ["lines"]}, orders)
    assert not fires({"field": "**", "in": ["none"]}, orders)


def test_a_schema_of_the_whole_input() -> None:
    """Without a field the schema is of the input; references to elsewhere are not fetched."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
    assert not fires({"not_schema": schema}, {"n": 5})
    assert fires({"not_schema": schema}, {"n": 5, "force": True})
    with pytest.raises(RuleError):
        fires({"not_schema": {"$ref": "http://localhost:1/x.json"}}, {})


plain = st.text("ab@,* ", max_size=6)


@given(st.lists(plain.filter(lambda p: "*" in p and "**" not in p), min_size=1, max_size=3), plain)
def test_a_star_stays_within_a_word(patterns: list[str], text: str) -> None:
    """`*` matches as fnmatch does on each word, and never over a comma, a blank or an @."""
    words = text.split()
    loose = any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)
    assert allowing(patterns)(text) <= loose
    if len(words) == 1 and text == words[0] and "," not in text and "@" not in text:
        assert allowing(patterns)(text) == loose


@given(st.text("ab*", min_size=1, max_size=8).filter(lambda p: "**" not in p), st.text("ab", max_size=8))
def test_wildcards_are_those_of_fnmatch_within_a_word(pattern: str, text: str) -> None:
    """On plain words the matching is exact."""
    assert allowing([pattern])(text) == fnmatch.fnmatchcase(text, pattern)
    if pattern != "*":
        assert forbidding([pattern])(text) == fnmatch.fnmatchcase(text, pattern)


def test_no_pattern_and_no_text_takes_long() -> None:
    """Patterns that hang backtracking engines are linear here, in regular expressions and in wildcards."""
    assert not fires({"field": "s", "matches": r"^(a+)+$"}, {"s": "a" * 60_000 + "!"})
    assert not fires({"field": "s", "matches": r"(x+x+)+y"}, {"s": "x" * 60_000})
    assert not allowing(["*a" * 20 + "b"])("a" * 4_000)
    assert not allowing(["**a**a**b"])("a" * 100_000)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"match": {"tools": []}}, "match.tools"),
        ({"match": {}}, "match.tools"),
        ({"match": None}, "match"),
        ({"match": {"tools": ["x"], "stage": "pre"}}, "match.stage"),
        ({"wehn": {}}, "wehn"),
        ({"when": None}, "when"),
        ({"when": {}}, "when"),
        ({"when": {"any": []}}, "when.any"),
        ({"when": {"field": "amount", "betwen": {}}}, "when.betwen"),
        ({"when": {"field": "amount"}}, "when"),
        ({"when": {"field": "a..b", "missing": True}}, "when.field"),
        ({"when": {"field": "a", "missing": False}}, "when.missing"),
        ({"when": {"field": "a", "missing": True, "optional": True}}, "when.optional"),
        ({"when": {"field": "a", "not_between": {"max": float("nan")}}}, "when.not_between.max"),
        ({"when": {"field": "a", "not_between": {"max": float("inf")}}}, "when.not_between.max"),
        ({"when": {"field": "a", "not_between": {"min": 5, "max": 4}}}, "when.not_between"),
        ({"when": {"field": "a", "not_between": {}}}, "when.not_between"),
        ({"when": {"field": "a", "matches": "("}}, "when.matches"),
        ({"when": {"field": "a", "matches": "(?=x)"}}, "when.matches"),
        ({"when": {"field": "a", "in": []}}, "when.in"),
        ({"when": {"field": "a", "not_schema": {"type": "strnig"}}}, "when.not_schema"),
        ({"when": {"all": [{"not": {"field": "a", "not_a": "string"}}]}}, "when.all[0].not.not_a"),
        ({"when": {"missing": True}}, "when.field"),
        ({"effect": "deny"}, "effect"),
        ({"effect": "modify"}, "modify"),
        ({"effect": "modify", "modify": {}}, "modify"),
        ({"effect": "modify", "modify": {"set": {"**": 1}}}, "modify.set.**"),
        ({"effect": "throttle", "throttle": {}}, "throttle"),
        ({"effect": "throttle", "throttle": {"calls_per_minute": -1}}, "throttle.calls_per_minute"),
        ({"effect": "throttle", "throttle": {"concurrency": 1, "per": "day"}}, "throttle.per"),
        ({"modify": {"set": {"a": 1}}}, "modify"),
        ({"effect": "allow-list"}, "allow"),
        ({"mode": "on"}, "mode"),
        ({"tier": 4}, "tier"),
        ({"version": 0}, "version"),
        ({"version": True}, "version"),
        ({"id": ""}, "id"),
        ({"message": None}, "message"),
        ({"scope": {"team": "x"}}, "scope.team"),
        ({"tests": None}, "tests"),
        ({"tests": {"block": [{"amount": 501}]}}, "tests.allow"),
        ({"tests": {"block": [], "allow": [{"amount": 1}]}}, "tests.block"),
        ({"tests": {"block": [{"amount": 500}], "allow": [{"amount": 1}]}}, "tests.block[0]"),
        ({"tests": {"block": [{"amount": 501}], "allow": [{"amount": 1}, {"amount": 999}]}}, "tests.allow[1]"),
        ({"tests": {"block": [{"tool": "pay", "input": {"amount": 501}}], "allow": [{"amount": 1}]}}, "tests.block[0]"),
        ({"effect": "modify", "modify": {"set": {"amount": 900}}}, "tests.block[0]"),
    ],
    ids=str,
)
def test_a_rule_with_anything_wrong_is_refused_by_name(changes: Any, field: str) -> None:
    """Typos, empty matches, NaN, invalid expressions, missing and failing specimens: file, rule and field are named."""
    with pytest.raises(RuleSetError) as raised:
        ruleset(rule(**changes))
    (problem,) = raised.value.problems
    assert problem.field == field
    assert str(problem).startswith("rules.yaml: ")
    assert "expected" in str(problem)
    assert "found" in str(problem)


def test_all_problems_of_a_set_are_told() -> None:
    """One look at the message is enough to put a set right; two rules of one id are a problem too."""
    with pytest.raises(RuleSetError) as raised:
        ruleset(rule(), rule(), rule(id="b", mode="x"), "no rule")
    assert [problem.rule for problem in raised.value.problems] == ["refund.large", "b", ""]


def test_rules_fire_by_tool_environment_and_scope() -> None:
    """Globs of tools; an environment or agent that is not known counts as the one the rule is for."""
    rules = ruleset(
        rule(id="glob", match={"tools": ["re*", "pay"]}),
        rule(id="env", match={"tools": ["refund"], "env": ["prod*"]}),
        rule(id="agent", scope={"agent": "support-*", "tenant": "t1"}),
    )

    def fired(tool: str, subject: Subject = NOBODY, env: str | None = None) -> list[str]:
        return [each.finding.rule for each in rules.judge(Question(tool, {"amount": 501}, subject, env))]

    assert fired("refund") == ["glob", "env", "agent"]
    assert fired("refund", env="test") == ["glob", "agent"]
    assert fired("refund", Subject(agent="sales"), "production") == ["glob", "env"]
    assert fired("refund", Subject(agent="support-2", tenant="t2")) == ["glob", "env"]
    assert fired("pay") == fired("refuse") == ["glob"]
    assert fired("other") == []


def test_a_new_rule_only_audits() -> None:
    """Without a mode a rule is in audit: it shows what it would do, and stops nothing."""
    answer = guard_of(rule(mode=None)).evaluate("refund", {"amount": 501})
    assert (answer.decision, answer.would) == ("allow", "block")


def test_each_effect_does_what_it_says() -> None:
    """Block, escalate, modify by clip and set, throttle per user, and an allow-list of tools for an agent."""
    blocked = guard_of(rule()).evaluate("refund", {"amount": 501})
    assert (blocked.decision, blocked.reason_code, blocked.message) == ("block", "refund.large", RULE["message"])
    assert guard_of(rule(effect="escalate")).evaluate("refund", {"amount": 501}).decision == "escalate"

    clip = rule(effect="modify", modify={"clip": {"amount": {"max": 500}}, "set": {"checked": True}})
    changed = guard_of(clip).evaluate("refund", {"amount": "9999", "to": "a"})
    assert changed.modified_input == {"amount": 500, "to": "a", "checked": True}
    assert guard_of(clip).evaluate("refund", {"amount": "a lot"}).decision == "block"

    slow = guard_of(rule(effect="throttle", when="always", throttle={"calls_per_minute": 2, "per": "user"},
                         tests={"block": [{}], "allow": [{"tool": "other", "input": {}}]}))  # fmt: skip
    ask = [slow.evaluate("refund", {"n": n}, Subject(user="u")).decision for n in range(3)]
    assert ask == ["allow", "allow", "block"]
    assert slow.evaluate("refund", {}, Subject(user="v")).decision == "allow"

    only = rule(
        effect="allow-list", when=None, match={"tools": ["*"]}, scope={"agent": "support"}, allow=["refund", "read_*"],
        tests={"block": ["shell"], "allow": ["refund", "read_mail"]},
    )  # fmt: skip
    held = guard_of(only)
    answers = {t: held.evaluate(t, {}, Subject(agent="support")).allowed for t in ("refund", "read_x", "shell")}
    assert answers == {"refund": True, "read_x": True, "shell": False}
    assert held.evaluate("shell", {}, Subject(agent="ops")).allowed


def test_a_tier_of_a_rule_counts_for_the_call() -> None:
    """A rule that knows a call to be worse than its tool raises the call's tier."""
    assert guard_of(rule(effect="escalate", tier=3)).evaluate("refund", {"amount": 501}).tier == 3


def test_an_audited_rule_never_changes_the_outcome_and_a_blocking_one_never_opens() -> None:
    """Metamorphic: adding an audited rule leaves every decision, adding a blocking one never loosens one."""
    effects: list[dict[str, Any]] = [
        {"effect": "block"},
        {"effect": "escalate"},
        {"effect": "modify", "modify": {"clip": {"amount": {"max": 500}}}},
    ]
    order = ["allow", "modify", "escalate", "block"]
    for base in effects:
        for added in effects:
            for amount in (1, 501):
                before = guard_of(rule(**base)).evaluate("refund", {"amount": amount}).decision
                audited = guard_of(rule(**base), rule(id="x", mode="audit", **added))
                assert audited.evaluate("refund", {"amount": amount}).decision == before
                blocking = guard_of(rule(**base), rule(id="x", **effects[0]))
                assert order.index(blocking.evaluate("refund", {"amount": amount}).decision) >= order.index(before)


def test_the_digest_names_the_content() -> None:
    """Order of rules does not change it, any change of a rule does; decisions carry it."""
    one, other = rule(), rule(id="b")
    assert ruleset(one, other).digest == ruleset(other, one).digest
    assert ruleset(one).digest != ruleset(rule(version=2)).digest
    assert guard_of(one).evaluate("refund", {"amount": 1}).ruleset == ruleset(one).digest


def test_the_last_good_rules_stay(tmp_path: Path) -> None:
    """A reload with an error is refused and told, the rules before go on; a good one takes over at once."""
    file = tmp_path / "pack" / "refund.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump([rule()]))
    book = RuleBook(tmp_path)
    guard = Guard(Policy(tiers=Tiers(default=0)), rules=book, on_event=lambda event: None)
    good = book.current
    for bad in ("- id: [", yaml.safe_dump([rule(mode="x")]), "id: a\nid: b\n", "\x00", "a: &a [*a]", "- &x {y: *x}"):
        file.write_text(bad)
        assert not book.reload()
        assert str(file) in str(book.trouble)
        assert book.current is good
        assert not guard.evaluate("refund", {"amount": 501}).allowed
    file.write_text(yaml.safe_dump_all([rule(version=2), rule(id="b")]))
    assert book.reload()
    assert book.trouble is None
    assert len(book.current) == 2
    assert guard.evaluate("refund", {"amount": 502}).rules[0].version == 2
    with pytest.raises(RuleSetError):
        RuleBook(tmp_path / "not there")


def test_a_mounted_config_map_has_each_rule_once(tmp_path: Path) -> None:
    """Kubernetes keeps the files in a hidden folder beside links to them, and swaps one link: a reload sees the new."""
    book = None
    for version in (1, 2):
        kept = tmp_path / f"..2026_{version}"
        kept.mkdir()
        (kept / "refund.yaml").write_text(yaml.safe_dump([rule(version=version)]))
        (tmp_path / "..new").symlink_to(kept.name)
        (tmp_path / "..new").replace(tmp_path / "..data")
        if book is None:
            (tmp_path / "refund.yaml").symlink_to("..data/refund.yaml")
            book = RuleBook(tmp_path)
        assert book.reload()
        guard = Guard(rules=book, on_event=lambda event: None)
        assert [each.version for each in guard.evaluate("refund", {"amount": 501}).rules] == [version]


def test_a_missing_extra_refuses_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without RE2 a rule with a regular expression is refused with the command to install it, never left out."""
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(RuleSetError, match=r"flyball-sdk\[rules\]"):
        ruleset(rule(when={"field": "amount", "matches": "x"}))


NUMBERS = [0, 7, 10, 11, 99, 10.5, float("nan"), True, None]
TEXTS = ["7", "all", "ALL ", "x@evil.org", "rm -rf /", "a@example.com", "a@b.example.com"]
VALUES: st.SearchStrategy[Any] = st.sampled_from([*NUMBERS, *TEXTS, [], [5, "all"], {"n": "all"}, {}])
CONDITIONS = st.sampled_from(
    [
        {"not_between": {"max": 10}},
        {"not_between": {"min": 7, "max": 99}},
        {"not_in": ["*@example.com", "7"]},
        {"not_in": ["*@b.example.com", "all"]},
        {"in": ["all", "*"]},
        {"in": [7, "x@**"]},
        {"matches": r"rm\s+-rf"},
        {"matches": "^a|7"},
        {"missing": True},
        {"not_a": "text"},
    ]
)


@given(
    st.lists(st.tuples(CONDITIONS, st.sampled_from(["n", "to"]), st.booleans()), min_size=1, max_size=8),
    st.dictionaries(st.sampled_from(["n", "to", "other"]), VALUES),
)
def test_bundles_change_nothing(conditions: Any, tool_input: Any) -> None:
    """Rules looked at together say just what each says alone, on any input, in the order they were written."""
    whens = []
    for condition, field, optional in conditions:
        more = {"optional": True} if optional and next(iter(condition)).startswith("not_") else {}
        whens.append({"field": field} | condition | more)
    rules = [read_rule(rule(id=str(at), when=when)) for at, when in enumerate(whens)]
    made = RuleSet([])
    made.rules, made._exact = tuple(rules), {"refund": list(range(len(rules)))}
    fired = [each.finding.rule for each in made.judge(Question("refund", tool_input, NOBODY, None))]
    assert fired == [str(at) for at, when in enumerate(whens) if fires(when, tool_input)]


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=4))
def test_any_value_is_answered(value: Any) -> None:
    """Whatever stands in a field, every condition answers, and the same value twice the same."""
    for when in (BETWEEN, ALLOWED, ALL, {"field": "n", "matches": "x"}, {"field": "**", "not_in": ["a*"]}):
        given_input = {"n": value, "to": value, "id": value}
        assert fires(when, given_input) == fires(when, given_input)


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3)
    | st.just(set()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@given(st.text(max_size=8) | st.integers() | st.none(), st.dictionaries(st.text(max_size=6), ANYTHING) | ANYTHING)
def test_a_guard_never_raises(tool: Any, tool_input: Any) -> None:
    """Whatever a model writes as tool and arguments gets a decision, and the same one twice."""
    changes = {"match": {"tools": ["*"]}, "when": {"field": "**", "matches": "x"}}
    specimens = {"tests": {"block": [{"amount": "x"}], "allow": [{"amount": 500}]}}
    rules = [rule(**changes, **specimens), rule(id="b", match={"tools": ["*"]})]
    answers = [guard_of(*rules, tools={"*": ["*"]}).evaluate(tool, tool_input) for _ in range(2)]
    assert answers[0].decision in ("allow", "block")
    assert answers[0].action_digest == answers[1].action_digest
    assert [each.decision for each in answers] == [answers[0].decision] * 2


def test_rules_are_replaced_under_load(tmp_path: Path) -> None:
    """While threads decide, rules are loaded again and again, good and bad: each call is judged by one whole set."""
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump([rule()]))
    book = RuleBook(file)
    guard = Guard(Policy(tiers=Tiers(default=0)), rules=book, on_event=lambda event: None)
    wrong, done = [], threading.Event()

    def decide(name: str) -> None:
        for at in range(400):
            answer = guard.evaluate("refund", {"amount": 501 + at}, Subject(run=f"{name}{at // 50}"))
            if answer.decision != "block" or answer.reason_code != "refund.large":
                wrong.append(answer)

    def reload() -> None:
        version = 1
        while not done.is_set():
            version += 1
            file.write_text("- broken: [" if version % 3 == 0 else yaml.safe_dump([rule(version=version)]))
            book.reload()

    loader = threading.Thread(target=reload)
    loader.start()
    threads = [threading.Thread(target=decide, args=(str(at),)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    loader.join()
    assert wrong == []
