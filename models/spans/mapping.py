# ruff: noqa: EM102 - messages name what was found, where, and what is expected
"""The mapping: which attributes give which canonical column. The table is data (`attributes.yaml`); users extend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from models.spans.columns import Column, Decision, Outcome, SpanKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Map

SPAN, RESOURCE, EVENT, EXCEPTION = 1, 2, 4, 8
PLACES = {"span": SPAN, "resource": RESOURCE, "event": EVENT, "exception": EXCEPTION}
"""Where an attribute can stand, as bits; an evaluation event is one place, as a log record or on a span."""

ALL_KINDS = (1 << len(SpanKind)) - 1
ANNOTATIONS = 8
"""`annotations.N.` and `evaluations.N.` are read for N from 0 to 7."""

MEANINGS: dict[Column, dict[str, int]] = {
    Column.KIND: {kind.name.lower(): int(kind) for kind in SpanKind},
    Column.OUTCOME: {
        "success": Outcome.SUCCESS,
        "failure": Outcome.FAILURE,
        "escalated": Outcome.ESCALATED,
        "unknown": Outcome.UNKNOWN,
    },
    Column.DECISION: {"allow": Decision.ALLOW, "block": Decision.BLOCK},
    Column.HANDOFF: {"human": 1},
}
"""The enumerated columns and the words for their values."""

NAMES = range(Column.WORKFLOW, Column.LABEL + 1)
CONTENTS = (*range(Column.CALL_ID, Column.RESULT + 1), Column.RESPONSE_ID)
NUMBERS = (*range(Column.INPUT_TOKENS, Column.COST + 1), Column.SCORE)
NAMED_BY_RESOURCE = range(Column.WORKFLOW, Column.ERROR_TYPE)
EVALUATIONS = (Column.EVALUATION, Column.LABEL, Column.SCORE)
OF_EVENTS = (*EVALUATIONS, Column.RESPONSE_ID, Column.CONVERSATION)
"""The columns that evaluation events can fill: what was found, and by what it is joined to its run."""

MAPPED = (*(Column(c) for c in (*NAMES, *CONTENTS, *NUMBERS)), *MEANINGS)
"""The columns that attributes can fill."""


class MappingError(ValueError):
    """The attribute table says something that cannot be: what was found, where, and what is expected."""


@dataclass(frozen=True)
class Source:
    """One attribute that can give a column its value; see `attributes.yaml` for what the fields mean."""

    attribute: str
    places: int
    kinds: int = ALL_KINDS
    scope: str = ""
    values: Map[str, int] | None = None
    constant: int | None = None
    digest: bool = False
    plus: tuple[Column | str, ...] = ()


@dataclass(frozen=True)
class Mapping:
    """The whole table: sources by column, first wins; texts that say nothing; prefixes cut from models' names."""

    columns: Map[Column, tuple[Source, ...]]
    absent: Map[Column, frozenset[str]] = field(default_factory=dict)
    model_prefixes: tuple[str, ...] = ()

    @staticmethod
    def load(extra: Map[str, Any] | None = None) -> Mapping:
        """Read the built-in table; `extra`, of the same form, comes before it column by column.

        Raises MappingError for what `extra` gets wrong: unknown columns, places, kinds, values, keys.
        """
        built_in = yaml.safe_load(files("models.spans").joinpath("attributes.yaml").read_text("utf-8"))
        return _join(_parse(extra or {}), _parse(built_in))


def _join(first: Mapping, second: Mapping) -> Mapping:
    columns = {c: (*first.columns.get(c, ()), *second.columns.get(c, ())) for c in MAPPED}
    absent = {c: first.absent.get(c, frozenset()) | second.absent.get(c, frozenset()) for c in MAPPED}
    return Mapping(columns, absent, (*first.model_prefixes, *second.model_prefixes))


def _parse(table: Map[str, Any]) -> Mapping:
    _known(table, ("columns", "absent", "model_prefixes"), "key", "the attribute table")
    columns = {}
    for name, sources in _mapping(table.get("columns", {}), "columns").items():
        column = _column(name)
        if not isinstance(sources, list):
            raise MappingError(f"{name}: found {sources!r}, expected a list of sources")
        columns[column] = tuple(_source(column, raw) for raw in sources)
    absent = {
        _column(c): frozenset(map(str, texts)) for c, texts in _mapping(table.get("absent", {}), "absent").items()
    }
    return Mapping(columns, absent, tuple(map(str, table.get("model_prefixes", ()))))


def _source(column: Column, raw: Any) -> Source:
    where = f"{column.name}: {raw!r}"
    given: Map[str, Any] = {"attribute": raw} if isinstance(raw, str) else _mapping(raw, where)
    _known(given, ("attribute", "in", "kinds", "scope", "values", "is", "as", "plus"), "key", where)
    attribute = given.get("attribute")
    if not isinstance(attribute, str) or not attribute:
        raise MappingError(f"{where}: found no attribute, expected its name")
    places = _bits(given["in"], PLACES, f"{where}: in") if "in" in given else _default_places(column, given)
    kinds = {kind.name.lower(): 1 << kind for kind in SpanKind}
    source = Source(
        attribute=attribute,
        places=places,
        kinds=_bits(given["kinds"], kinds, f"{where}: kinds") if "kinds" in given else ALL_KINDS,
        scope=str(given.get("scope", "")),
        values=_values(column, given["values"], where) if "values" in given else None,
        constant=_meaning(column, given["is"], where) if "is" in given else None,
        digest=given.get("as") == "digest",
        plus=tuple(_addend(name) for name in _list(given.get("plus", []))),
    )
    _agree(column, source, given, where)
    return source


def _agree(column: Column, source: Source, given: Map[str, Any], where: str) -> None:
    """Refuse what the column cannot hold."""
    if "as" in given and (not source.digest or column not in NAMES):
        raise MappingError(f"{where}: found as: {given['as']!r}, expected `digest`, for a column of names")
    if (column in MEANINGS) != (source.values is not None or source.constant is not None):
        expected = "`values` or `is`" if column in MEANINGS else "neither `values` nor `is`"
        raise MappingError(f"{where}: expected {expected} for this column")
    if column == Column.KIND and (source.kinds != ALL_KINDS or source.places != SPAN):
        raise MappingError(f"{where}: the kind itself cannot depend on `kinds`, and is said by spans only")
    if source.plus and column not in NUMBERS:
        raise MappingError(f"{where}: `plus` is for numbers")
    if source.places & RESOURCE and column not in (*NAMED_BY_RESOURCE, *MEANINGS):
        raise MappingError(f"{where}: this column says something of one span: a resource cannot give it")
    if source.places & EVENT and column not in OF_EVENTS:
        raise MappingError(f"{where}: evaluation events give {', '.join(Column(c).name for c in OF_EVENTS)} only")
    if source.places & RESOURCE and (source.kinds != ALL_KINDS or source.scope):
        raise MappingError(f"{where}: an attribute of a resource cannot depend on `kinds` or `scope`")


def _default_places(column: Column, given: Map[str, Any]) -> int:
    if column in EVALUATIONS or column == Column.RESPONSE_ID:
        return EVENT | SPAN
    if "kinds" in given or "scope" in given:
        return SPAN
    return SPAN | RESOURCE if column <= Column.VARIANT and column != Column.KIND else SPAN


def _values(column: Column, raw: Any, where: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, word in _mapping(raw, where).items():
        text = str(key).lower() if isinstance(key, bool) else str(key)
        meaning = _meaning(column, word, where)
        for form in (text, text.lower(), text.upper(), text.title()):
            found.setdefault(form, meaning)
    return found


def _meaning(column: Column, word: Any, where: str) -> int:
    words = MEANINGS.get(column, {})
    _known([str(word)], words, "value", where)
    return words[str(word)]


def _column(name: Any) -> Column:
    _known([str(name)], [column.name for column in MAPPED], "column", "the attribute table")
    return Column[str(name)]


def _addend(name: Any) -> Column | str:
    return Column[name] if name in {Column(c).name for c in NUMBERS} else str(name)


def _bits(raw: Any, words: Map[str, int], where: str) -> int:
    names = [str(name) for name in _list(raw)]
    _known(names, words, "word", where)
    return sum(words[name] for name in set(names))


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else [raw]


def _mapping(raw: Any, where: str) -> Map[Any, Any]:
    if not isinstance(raw, dict):
        raise MappingError(f"{where}: found {raw!r}, expected keys and values")
    return raw


def _known(found: Iterable[str], expected: Iterable[str], what: str, where: str) -> None:
    names = list(expected)
    for name in found:
        if name not in names:
            nearest = get_close_matches(str(name).lower(), [n.lower() for n in names], 1, 0.5)
            hint = f"; nearest is {next(n for n in names if n.lower() == nearest[0])}" if nearest else ""
            raise MappingError(f"{where}: found {what} {name!r}, expected one of {', '.join(names)}{hint}")
