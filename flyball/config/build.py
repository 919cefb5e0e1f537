"""Build settings from YAML nodes by their types. All that is wrong is collected with its line before it is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from yaml.constructor import SafeConstructor

from flyball.config.kinds import KINDS
from flyball.config.nodes import NULL, TEXT, describe, is_quoted, line_of
from flyball.config.problems import Problem, suggestion
from flyball.config.schema import Between, Raw, Texts, Tree, is_section, keys_of, paths_of
from flyball.config.secrets import SecretError, has_reference, resolve

T = TypeVar("T")


class _Bad:
    """Stands for a value that could not be read; its problem is already noted."""


_BAD = _Bad()


@dataclass(frozen=True)
class Place:
    """Where we are reading: `where` is the dotted key, `lines` and `problems` are shared by all places of a file."""

    file: Path
    root: type
    where: str = ""
    problems: list[Problem] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)

    def wrong(self, line: int, found: str, expected: str, hint: str = "") -> _Bad:
        """Note a problem."""
        self.problems.append(Problem(str(self.file), line, self.where, found, expected, hint))
        return _BAD

    def under(self, name: str, node: yaml.Node) -> Place:
        """Go one key down."""
        inner = replace(self, where=f"{self.where}.{name}" if self.where else name)
        self.lines[inner.where] = line_of(node)
        return inner


def build(kind: type[T], node: yaml.Node | None, at: Place) -> T:
    """Build a settings dataclass; what could not be read has its default and is told in `at.problems`."""
    found = _section(kind, node, at) if node else _BAD
    return kind() if isinstance(found, _Bad) else found


def _value(hint: Any, node: yaml.Node, at: Place) -> Any:
    origin = get_origin(hint)
    if hint in KINDS:
        return _scalar(hint, node, at)
    if is_section(hint):
        return _section(hint, node, at)
    if hint in _SPECIAL:
        return _SPECIAL[hint](node, at)
    if origin is Annotated:
        return _bounded(hint, node, at)
    return _COMPOUND[origin](hint, node, at)


def _section(kind: type, node: yaml.Node, at: Place) -> Any:
    known = keys_of(kind)
    must = {name for name, found in known.items() if found.needed} | _required(known)
    if node.tag == NULL and not must:
        return kind()
    if not isinstance(node, yaml.MappingNode):
        return _expected(node, f"a section with {', '.join(known)}", at)
    read: dict[str, Any] = {}
    pairs = _pairs(node, at)
    for name, (name_node, value_node) in pairs.items():
        if name in known:
            read[name] = _value(known[name].hint, value_node, at.under(name, name_node))
        else:
            at.wrong(line_of(name_node), f"the unknown key {name}", _listed(known), _meant(name, known, at))
    for name in sorted(must - set(pairs)):
        at.wrong(line_of(node), f"no key {name}", "it")
    good = {name: value for name, value in read.items() if not isinstance(value, _Bad)}
    if _required(known) - set(good):
        return _BAD
    return _checked(kind(**{known[name].field: value for name, value in good.items()}), node, at)


def _required(known: Mapping[str, Any]) -> set[str]:
    return {name for name, found in known.items() if found.default is dataclasses.MISSING}


def _checked(value: Any, node: yaml.Node, at: Place) -> Any:
    """Let a section say what is wrong between its own keys."""
    for wrong in value.wrong() if hasattr(value, "wrong") else ():
        inner = f"{at.where}.{wrong.key}" if at.where else wrong.key
        if any(problem.where == inner for problem in at.problems):
            continue  # the key is there, and what is wrong with it is told
        line = at.lines.get(inner, line_of(node))
        replace(at, where=inner).wrong(line, wrong.found, wrong.expected)
    return value


def _pairs(node: yaml.MappingNode, at: Place) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for name_node, value_node in node.value:
        name = name_node.value if isinstance(name_node, yaml.ScalarNode) else None
        if name is None:
            at.wrong(line_of(name_node), describe(name_node), "the name of a key")
        elif name in pairs:
            first = line_of(pairs[name][0])
            at.wrong(line_of(name_node), f"the key {name} again", f"it once (first in line {first})")
        else:
            pairs[name] = (name_node, value_node)
    return pairs


def _meant(name: str, known: Mapping[str, Any], at: Place) -> str:
    elsewhere = paths_of(at.root).get(name, [])
    return suggestion(name, known) or (f"did you mean {' or '.join(elsewhere)}?" if elsewhere else "")


def _listed(names: Mapping[str, Any]) -> str:
    return "one of " + ", ".join(names) if len(names) > 1 else ", ".join(names)


def _expected(node: yaml.Node, expected: str, at: Place) -> _Bad:
    return at.wrong(line_of(node), describe(node), expected)


def _scalar(hint: Any, node: yaml.Node, at: Place) -> Any:
    kind = KINDS[hint]
    if not isinstance(node, yaml.ScalarNode) or node.tag == NULL:
        return _expected(node, kind.expected, at)
    text = _said(hint, node, at)
    if isinstance(text, _Bad):
        return text
    try:
        value = kind.parse(text)
    except ValueError:
        return _expected(node, kind.expected, at)
    return at.file.parent / value if hint is Path else value


def _said(hint: Any, node: yaml.ScalarNode, at: Place) -> str | _Bad:
    """Give the text of a scalar, references put in."""
    kind, text = KINDS[hint], str(node.value)
    refers = kind.references and has_reference(text)
    if kind.secret and not refers:
        return at.wrong(line_of(node), "a secret written out", kind.expected)
    if refers:
        try:
            return resolve(text, at.file.parent)
        except SecretError as error:
            return at.wrong(line_of(node), error.found, error.expected)
    if is_quoted(node) and not kind.quoted:
        return at.wrong(line_of(node), describe(node), kind.expected, "leave out the quotes")
    if hint is str and node.tag != TEXT:
        return at.wrong(line_of(node), describe(node), kind.expected, "put it in quotes")
    return text


def _bounded(hint: Any, node: yaml.Node, at: Place) -> Any:
    inner, bounds = get_args(hint)
    value = _value(inner, node, at)
    if isinstance(value, _Bad) or not isinstance(bounds, Between) or bounds.holds(value):
        return value
    return _expected(node, f"{KINDS[inner].name}, {bounds.say(KINDS[inner].show)}", at)


def _choice(hint: Any, node: yaml.Node, at: Place) -> Any:
    known = get_args(hint)
    if isinstance(node, yaml.ScalarNode) and node.value in known:
        return node.value
    hint_text = suggestion(node.value, known, 0.75) if isinstance(node, yaml.ScalarNode) else ""
    return at.wrong(line_of(node), describe(node), "one of " + ", ".join(known), hint_text)


def _list(hint: Any, node: yaml.Node, at: Place) -> Any:
    inner = get_args(hint)[0]
    if not isinstance(node, yaml.SequenceNode):
        items = "sections" if is_section(inner) else "items"
        if inner in KINDS:
            items = f"{KINDS[inner].expected.removeprefix('a ')}s, as in [a, b]"
        return _expected(node, f"a list of {items}", at)
    values = [_value(inner, item, at.under(str(i), item)) for i, item in enumerate(node.value)]
    return _BAD if any(isinstance(value, _Bad) for value in values) else tuple(values)


def _mapping(hint: Any, node: yaml.Node, at: Place) -> Any:
    inner = get_args(hint)[1]
    if node.tag == NULL:
        return {}
    if not isinstance(node, yaml.MappingNode):
        return _expected(node, "a section whose keys are names of your own", at)
    values = {name: _value(inner, value, at.under(name, key)) for name, (key, value) in _pairs(node, at).items()}
    return _BAD if any(isinstance(value, _Bad) for value in values.values()) else values


def _optional(hint: Any, node: yaml.Node, at: Place) -> Any:
    (inner,) = (arg for arg in get_args(hint) if arg is not NoneType)
    if node.tag == NULL:
        at.lines.pop(at.where, None)  # as if it were not written
        return None
    return _value(inner, node, at)


def _texts(node: yaml.Node, at: Place) -> Any:
    if isinstance(node, yaml.ScalarNode) and node.tag != NULL:
        value = _scalar(str, node, at)
        return value if isinstance(value, _Bad) else (value,)
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        return _expected(node, "a text, or a list of texts, as in [a, b]", at)
    return _list(tuple[str, ...], node, at)


def _sections(node: yaml.Node, at: Place) -> Any:
    return _tree(node, at) if isinstance(node, yaml.MappingNode) else _expected(node, "a section", at)


def _tree(node: yaml.Node, at: Place) -> Any:
    """Give a node as plain Python: dicts with text keys, lists, texts, numbers, booleans, None."""
    if isinstance(node, yaml.MappingNode):
        return {name: _tree(value, at.under(name, key)) for name, (key, value) in _pairs(node, at).items()}
    if isinstance(node, yaml.SequenceNode):
        return [_tree(item, at.under(str(i), item)) for i, item in enumerate(node.value)]
    if node.tag == TEXT:
        return _scalar(str, node, at) if node.value else ""
    try:
        return SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError):
        return _expected(node, "a text, a number, true, false or null", at)


_COMPOUND: dict[Any, Any] = {
    Literal: _choice,
    tuple: _list,
    dict: _mapping,
    Mapping: _mapping,
    Union: _optional,
    UnionType: _optional,
}

_SPECIAL: dict[Any, Any] = {Tree: _sections, Texts: _texts, Raw: lambda node, _at: node}
