"""Conditions: when a rule fires. A closed language, compiled to functions of the tool's input; no code in it.

    all: [...]   any: [...]   not: {...}   always
    {field: PATH, missing: true}            nothing is there, or null
    {field: PATH, not_a: text}              text, number, integer, boolean, list or object
    {field: PATH, not_between: {min, max}}  no number within
    {field: PATH, not_in: [GLOB, ...]}      not on this allow-list
    {field: PATH, in: [GLOB, ...]}          one of these forbidden values
    {field: PATH, matches: REGEX}           found anywhere in the text
    {not_schema: {...}}                     the input (or the value at `field`) is not as this JSON Schema says

What is demanded (`not_...`) fails closed: it fires on a value that is missing or of another type, too; with
`optional: true` a missing one passes. A list at the path counts by its members: the condition is asked of each.

Regular expressions are RE2's: their time is linear in the text, so no pattern and no text can hang the agent. They come
with the extra `rules`, as JSON Schema does; without it a rule that needs one is refused, not left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flyball_sdk.rules.bundles import KINDS as BUNDLED
from flyball_sdk.rules.bundles import Simple
from flyball_sdk.rules.expressions import extra, searching
from flyball_sdk.rules.globs import allowing, forbidding
from flyball_sdk.rules.paths import Path, leaves
from flyball_sdk.rules.problems import RuleError
from flyball_sdk.rules.reading import bounds, choice, demand, items, members, text, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DEEPEST: Final = 8
_LONGEST_REGEX: Final = 1_000
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "list": (list, tuple),
    "object": (dict,),
}


class Condition(NamedTuple):
    """A compiled condition. `needs`: it cannot hold unless one of these members is in the input; None: it can."""

    holds: Callable[[Mapping[str, object]], bool]
    needs: frozenset[str] | None
    simple: Simple | None = None
    """What it asks, where it only asks one thing of one member."""


def compile_condition(field: str, said: object, depth: int = 0) -> Condition:
    """Compile a condition; raises RuleError."""
    if said == "always":
        return Condition(lambda tool_input: True, None)
    if depth > _DEEPEST or not isinstance(said, dict):
        raise RuleError(field, f"a condition, at most {_DEEPEST} deep", said)
    if len(said) != 1 or (name := next(iter(said))) not in ("all", "any", "not"):
        return _leaf(field, said)
    inside = f"{field}.{name}"
    if name == "not":
        inner = compile_condition(inside, said["not"], depth + 1).holds
        return Condition(lambda tool_input: not inner(tool_input), None)
    parts = [compile_condition(f"{inside}[{at}]", p, depth + 1) for at, p in enumerate(items(inside, said[name]))]
    tests = [part.holds for part in parts]
    needs = [part.needs for part in parts if part.needs is not None]
    if name == "all":
        return Condition(lambda tool_input: all(test(tool_input) for test in tests), needs[0] if needs else None)
    together = frozenset[str]().union(*needs) if len(needs) == len(parts) else None
    return Condition(lambda tool_input: any(test(tool_input) for test in tests), together)


def as_number(value: object) -> float | None:
    """Give a number, also one that is written as a text of digits; None: it is none."""
    if type(value) in (int, float):
        return value  # type: ignore[return-value]
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


def _leaf(field: str, said: dict[str, object]) -> Condition:
    members(field, said, ("field", "optional", *KINDS))
    kinds = [name for name in said if name in KINDS]
    if len(kinds) != 1:
        raise RuleError(field, f"exactly one of {', '.join(KINDS)}", sorted(said))
    kind = kinds[0]
    demanded, optional = kind.startswith("not_"), "optional" in said
    optional_fits = not optional or (demanded and said["optional"] is True)
    demand(optional_fits, f"{field}.optional", "true, beside a not_ condition", said.get("optional"))
    test: Callable[[object], bool] = KINDS[kind](f"{field}.{kind}", said[kind])
    if "field" not in said:
        demand(kind == "not_schema", f"{field}.field", "to be there", None)
        return Condition(test, None)
    path = Path(f"{field}.field", said["field"])
    if kind == "missing":
        return Condition(lambda tool_input: all(value is None for value in path.find(tool_input)), None)
    needs = None if path.first is None or (demanded and not optional) else frozenset({path.first})
    if kind in ("not_a", "not_schema"):
        return Condition(_on_values(path, test, fires_on_none=not optional), needs)
    if path.only is not None:
        fires_on_none = demanded and not optional
        simple = Simple(kind, path.only, fires_on_none, _said(kind, said[kind])) if kind in BUNDLED else None
        return Condition(_on_member(path.only, test, fires_on_none=fires_on_none), needs, simple)
    return Condition(_on_leaves(path, test, demanded=demanded, optional=optional), needs)


def _on_values(path: Path, test: Any, *, fires_on_none: bool) -> Callable[[Mapping[str, object]], bool]:
    def holds(tool_input: Mapping[str, object]) -> bool:
        found = path.find(tool_input)
        return any(map(test, found)) if found else fires_on_none

    return holds


def _said(kind: str, said: Any) -> Any:
    """Give what a condition says in the form that bundles take; it has been compiled, so it is right."""
    if kind == "not_between":
        return bounds("", said)
    return said if kind == "matches" else tuple(map(_text_of, said))


def _on_member(name: str, test: Any, *, fires_on_none: bool) -> Callable[[Mapping[str, object]], bool]:
    """Ask of one member of the input, which is what most rules do."""

    def holds(tool_input: Mapping[str, object]) -> bool:
        value = tool_input.get(name)
        if type(value) is str or type(value) is int:
            return bool(test(value))
        return fires_on_none if value is None else _holds_inside(value, test, fires_on_none=fires_on_none)

    return holds


def _on_leaves(path: Path, test: Any, *, demanded: bool, optional: bool) -> Callable[[Mapping[str, object]], bool]:
    fires_on_none = demanded and not optional

    def holds(tool_input: Mapping[str, object]) -> bool:
        found = path.find(tool_input)
        if not found or found == [None]:
            return fires_on_none
        return any(_holds_inside(value, test, fires_on_none=fires_on_none) for value in found)

    return holds


def _holds_inside(value: object, test: Any, *, fires_on_none: bool) -> bool:
    if isinstance(value, (list, tuple, dict)):
        inside = list(leaves(value))
        return any(map(test, inside)) if inside else fires_on_none
    return bool(test(value))


def _missing(field: str, said: object) -> Any:
    if said is not True:
        raise RuleError(field, "true", said)
    return None


def _not_a(field: str, said: object) -> Any:
    name = choice(field, said, tuple(_TYPES))
    types = _TYPES[name]
    return lambda value: not isinstance(value, types) or (name != "boolean" and isinstance(value, bool))


def _not_between(field: str, said: object) -> Any:
    least, most = bounds(field, said)

    def outside(value: object) -> bool:
        number = as_number(value)
        return number is None or not (least <= number <= most)  # so that NaN is outside

    return outside


def _not_in(field: str, said: object) -> Any:
    allowed = allowing(texts(field, _as_texts(field, said)))
    return lambda value: not allowed(_text_of(value))


def _in(field: str, said: object) -> Any:
    forbidden = forbidding(texts(field, _as_texts(field, said)))
    return lambda value: forbidden(_text_of(value))


def _matches(field: str, said: object) -> Any:
    found = searching(field, text(field, said, _LONGEST_REGEX))
    return lambda value: found(_text_of(value))


def _not_schema(field: str, said: object) -> Any:
    schemas = extra("jsonschema_rs", field)

    def nowhere(uri: str) -> Any:
        msg = f"{uri}: schemas are not fetched"
        raise ValueError(msg)

    if not isinstance(said, dict):
        raise RuleError(field, "a JSON Schema, an object", said)
    try:
        # the linear engine for `pattern`; unknown draft-less schemas are of 2020-12
        options = schemas.RegexOptions()
        valid = schemas.validator_for(said, retriever=nowhere, pattern_options=options).is_valid
    except (ValueError, schemas.ReferencingError) as error:
        raise RuleError(field, f"a JSON Schema ({str(error).splitlines()[0]})", said) from error
    return lambda value: not valid(value)


def _as_texts(field: str, said: object) -> list[object]:
    """Let numbers and booleans stand in a list of values, as the texts they are in JSON."""
    return [item if isinstance(item, str) else _text_of(item) for item in items(field, said)]


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


KINDS: Final[Mapping[str, Callable[[str, object], Any]]] = {
    "missing": _missing,
    "not_a": _not_a,
    "not_between": _not_between,
    "not_in": _not_in,
    "in": _in,
    "matches": _matches,
    "not_schema": _not_schema,
}
"""Kinds of conditions: what compiles each, from its place in the rule and what it says, to a test of one value."""
