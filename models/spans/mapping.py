# ruff: noqa: EM102 - messages name what was found, where, and what is expected
"""The mapping: which attributes give which canonical column. The table is data (`attributes.yaml`); users extend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from models.spans.columns import Column, Decision, Outcome, SpanKind, SpanStatus, Stop

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Map

SPAN, RESOURCE, EVENT, EXCEPTION, LOG = 1, 2, 4, 8, 16
PLACES = {"span": SPAN, "resource": RESOURCE, "event": EVENT, "exception": EXCEPTION, "log": LOG}
"""Where an attribute can stand, as bits; an evaluation event is one place, as a log record or on a span. LOG: other log
records. One that gets a kind becomes a row, and for that the places of a span are looked at too."""

RECORD_NAME = "event.name"
"""The attribute that stands for the name of a log record, however that was sent."""

EVALUATION_EVENT = "gen_ai.evaluation.result"
"""The name of an event, or a log record, that is an evaluation."""

ALL_KINDS = (1 << max(SpanKind) + 1) - 1
SPAN_KINDS = {"unspecified": 0, "internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
"""OTLP's own kinds of spans, https://opentelemetry.io/docs/specs/otel/trace/api/#spankind."""
ALL_SPAN_KINDS = (1 << len(SPAN_KINDS)) - 1
MAX_PATH = 8
"""Objects inside each other that a path can lead through."""
ANNOTATIONS = 8
"""`annotations.N.` and `evaluations.N.` are read for N from 0 to 7."""

MEANINGS: dict[Column, dict[str, int]] = {
    Column.KIND: {kind.name.lower(): int(kind) for kind in SpanKind},
    Column.STATUS: {status.name.lower(): int(status) for status in SpanStatus},
    Column.OUTCOME: {
        "success": Outcome.SUCCESS,
        "failure": Outcome.FAILURE,
        "escalated": Outcome.ESCALATED,
        "unknown": Outcome.UNKNOWN,
    },
    Column.DECISION: {"allow": Decision.ALLOW, "block": Decision.BLOCK},
    Column.HANDOFF: {"human": 1},
    Column.STOP: {stop.name.lower(): int(stop) for stop in Stop if stop},
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

_TOKENS = (Column.INPUT_TOKENS, Column.OUTPUT_TOKENS)
_KEYS = ("attribute", "path", "in", "kinds", "span_kinds", "beside", "scope", "values", "is", "as", "plus", "within")
_SPAN_KIND_BITS = {name: 1 << kind for name, kind in SPAN_KINDS.items()}


Name = tuple[str, ...]
"""An attribute, and the path to a member of the object that it holds."""


class MappingError(ValueError):
    """The attribute table says something that cannot be: what was found, where, and what is expected."""


@dataclass(frozen=True)
class Source:
    """One attribute that can give a column its value; see `attributes.yaml` for what the fields mean."""

    attribute: str
    places: int
    path: Name = ()
    kinds: int = ALL_KINDS
    span_kinds: int = ALL_SPAN_KINDS
    beside: Name = ()
    scope: str = ""
    values: Map[str, int] | None = None
    constant: int | None = None
    digest: bool = False
    plus: tuple[Column | Name, ...] = ()
    within: Name = ()

    @property
    def name(self) -> Name:
        """The attribute and the path in it."""
        return (self.attribute, *self.path)

    @property
    def waits(self) -> bool:
        """Whether it is only known at the end of a span if the source applies."""
        return self.kinds != ALL_KINDS or self.span_kinds != ALL_SPAN_KINDS or bool(self.beside)


@dataclass(frozen=True)
class Mapping:
    """The whole table: sources by column, first wins; texts that say nothing; prefixes cut from models' names.

    `unnamed` are the columns in which a UUID is no name.
    """

    columns: Map[Column, tuple[Source, ...]]
    absent: Map[Column, frozenset[str]] = field(default_factory=dict)
    unnamed: frozenset[Column] = frozenset()
    model_prefixes: tuple[str, ...] = ()

    @staticmethod
    def load(extra: Map[str, Any] | None = None) -> Mapping:
        """Read the built-in table; `extra`, of the same form, comes before it column by column.

        Raises MappingError for what `extra` gets wrong: unknown columns, places, kinds, values, keys.
        """
        return _join(_parse(extra or {}), _built_in())


@cache
def _built_in() -> Mapping:
    """Read the built-in table, once a process: it takes 50 ms, and a start makes half a dozen decoders."""
    return _parse(yaml.safe_load(files("models.spans").joinpath("attributes.yaml").read_text("utf-8")))


def _join(first: Mapping, second: Mapping) -> Mapping:
    columns = {c: (*first.columns.get(c, ()), *second.columns.get(c, ())) for c in MAPPED}
    absent = {c: first.absent.get(c, frozenset()) | second.absent.get(c, frozenset()) for c in MAPPED}
    prefixes = (*first.model_prefixes, *second.model_prefixes)
    return Mapping(columns, absent, first.unnamed | second.unnamed, prefixes)


def _parse(table: Map[str, Any]) -> Mapping:
    _known(table, ("columns", "absent", "model_prefixes"), "key", "the attribute table")
    columns = {}
    for name, sources in _mapping(table.get("columns", {}), "columns").items():
        column = _column(name)
        if not isinstance(sources, list):
            raise MappingError(f"{name}: found {sources!r}, expected a list of sources")
        columns[column] = tuple(_source(column, raw) for raw in sources)
    absent, unnamed = {}, set()
    for name, texts in _mapping(table.get("absent", {}), "absent").items():
        column = _column(name)
        absent[column] = frozenset(str(text) for text in texts if not isinstance(text, dict))
        for form in (text for text in texts if isinstance(text, dict)):
            if form != {"form": "uuid"} or column not in NAMES:
                raise MappingError(f"absent: {name}: found {form!r}, expected `form: uuid`, for a column of names")
            unnamed.add(column)
    return Mapping(columns, absent, frozenset(unnamed), tuple(map(str, table.get("model_prefixes", ()))))


def _source(column: Column, raw: Any) -> Source:
    where = f"{column.name}: {raw!r}"
    given: Map[str, Any] = {"attribute": raw} if isinstance(raw, str) else _mapping(raw, where)
    _known(given, _KEYS, "key", where)
    attribute, *path = _name({key: given[key] for key in ("attribute", "path") if key in given}, where)
    places = _bits(given["in"], PLACES, f"{where}: in") if "in" in given else _default_places(column, given)
    kinds = {kind.name.lower(): 1 << kind for kind in SpanKind}
    source = Source(
        attribute=attribute,
        places=places,
        path=tuple(path),
        kinds=_bits(given["kinds"], kinds, f"{where}: kinds") if "kinds" in given else ALL_KINDS,
        span_kinds=_bits(given["span_kinds"], _SPAN_KIND_BITS, f"{where}: span_kinds")
        if "span_kinds" in given
        else ALL_SPAN_KINDS,
        beside=_name(given["beside"], where) if "beside" in given else (),
        scope=str(given.get("scope", "")),
        values=_values(column, given["values"], where) if "values" in given else None,
        constant=_meaning(column, given["is"], where) if "is" in given else None,
        digest=given.get("as") == "digest",
        plus=tuple(_addend(name, where) for name in _list(given.get("plus", []))),
        within=_name(given["within"], where) if "within" in given else (),
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
    if column == Column.KIND:
        _agree_on_kind(source, where)
    if source.plus and column not in NUMBERS:
        raise MappingError(f"{where}: `plus` is for numbers")
    if source.within and (not source.plus or column not in _TOKENS):
        raise MappingError(f"{where}: `within` limits what `plus` adds to INPUT_TOKENS or OUTPUT_TOKENS")
    if source.places & RESOURCE and column not in (*NAMED_BY_RESOURCE, Column.OUTCOME, Column.DECISION, Column.HANDOFF):
        raise MappingError(f"{where}: this column says something of one span: a resource cannot give it")
    if source.places & EVENT and column not in OF_EVENTS:
        raise MappingError(f"{where}: evaluation events give {', '.join(Column(c).name for c in OF_EVENTS)} only")
    if source.places & RESOURCE and (source.waits or source.scope):
        raise MappingError(
            f"{where}: an attribute of a resource cannot depend on `kinds`, `scope` or what is beside it"
        )


def _agree_on_kind(source: Source, where: str) -> None:
    """Refuse what the kind of a span or log record cannot be said by."""
    if source.waits or source.places & ~(SPAN | LOG):
        raise MappingError(f"{where}: the kind itself cannot depend on `kinds`, and is said by spans and logs only")
    if source.places & LOG and source.name != (RECORD_NAME,):
        raise MappingError(f"{where}: the kind of a log record is said by its name, expected attribute {RECORD_NAME}")
    if source.places & LOG and SpanKind.EVALUATION in {*(source.values or {}).values(), source.constant}:
        raise MappingError(f"{where}: a log record is an evaluation by the name {EVALUATION_EVENT} only")


def _default_places(column: Column, given: Map[str, Any]) -> int:
    if column in EVALUATIONS or column == Column.RESPONSE_ID:
        return EVENT | SPAN
    if given.keys() & {"kinds", "span_kinds", "beside", "scope"}:
        return SPAN
    return SPAN | RESOURCE if Column.WORKFLOW <= column <= Column.VARIANT else SPAN


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


def _addend(raw: Any, where: str) -> Column | Name:
    return Column[raw] if raw in [Column(c).name for c in NUMBERS] else _name(raw, where)


def _name(raw: Any, where: str) -> Name:
    """Read the name of an attribute, or a mapping of that and a path."""
    given: Map[str, Any] = raw if isinstance(raw, dict) else {"attribute": raw}
    _known(given, ("attribute", "path"), "key", where)
    attribute, path = given.get("attribute"), _list(given.get("path", []))
    if not isinstance(attribute, str) or not attribute:
        raise MappingError(f"{where}: found no attribute, expected its name")
    if len(path) > MAX_PATH or not all(isinstance(member, str) and member for member in path):
        raise MappingError(f"{where}: found path {path!r}, expected a member's name, or at most {MAX_PATH} in a list")
    return (attribute, *path)


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
