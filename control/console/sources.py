"""What the attributes of one span say of a column, by the flow's own table and the user's: in Python, span by span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from models.spans.columns import Column, SpanKind
from models.spans.mapping import LOG, RESOURCE, SPAN

if TYPE_CHECKING:
    from control.console.otlp import Raw
    from models.spans.mapping import Mapping, Name, Source

Number = float | int
_NUMBERS = (Column.INPUT_TOKENS, Column.OUTPUT_TOKENS, Column.CACHE_READ, Column.CACHE_WRITE, Column.COST)
"""In the order in which the flow adds them up."""


class Said:
    """What a span of some kind says."""

    def __init__(self, span: Raw, kind: SpanKind, mapping: Mapping) -> None:
        self._span, self._kind, self._mapping = span, 1 << kind, mapping

    def of(self, column: Column) -> Any:
        """Give what the first source that applies says; None: nothing does."""
        return self._best(column)[1]

    def number(self, column: Column) -> Number | None:
        """Give it as a number; None where it is none."""
        return number(self.of(column))

    def amounts(self) -> dict[Column, Number | None]:
        """Give tokens and USD, each with what its source has added to it: Anthropic's input is without the cache."""
        best = {column: self._best(column) for column in _NUMBERS}
        found = {column: number(value) for column, (_, value) in best.items()}
        for column, (source, _) in best.items():
            if source is not None and found[column] is not None:
                self._add(found, column, source)
        return found

    def _add(self, found: dict[Column, Number | None], column: Column, source: Source) -> None:
        room = float("inf")
        if source.within:
            other = Column.OUTPUT_TOKENS if column == Column.INPUT_TOKENS else Column.INPUT_TOKENS
            room = self._addend(found, source.within, -1) - (found[other] or 0)
        for more in source.plus:
            added = self._addend(found, more, 0)
            if added > 0 and (found[column] or 0) + added <= room:
                found[column] = (found[column] or 0) + added

    def _addend(self, found: dict[Column, Number | None], name: Column | Name, unknown: Number) -> Number:
        value = found[name] if isinstance(name, Column) else number(member(self._span.attributes, name))
        return unknown if value is None else value

    def _best(self, column: Column) -> tuple[Source | None, Any]:
        absent = self._mapping.absent.get(column, frozenset())
        for source in self._mapping.columns[column]:
            value = self._value(source, is_kind=column == Column.KIND)
            if source.values is not None:
                value = source.values.get(str(value).lower() if isinstance(value, bool) else str(value))
            elif source.constant is not None and value is not None:
                value = source.constant
            if value is not None and value not in absent:
                return source, value
        return None, None

    def _value(self, source: Source, *, is_kind: bool) -> Any:
        span = self._span
        fits = is_kind or (source.kinds & self._kind and source.span_kinds & (1 << span.span_kind))
        if not fits or not span.scope.startswith(source.scope):
            return None
        if source.beside and member(span.attributes, source.beside) is None:
            return None
        if is_kind and span.is_record:
            return span.name if source.places & LOG else None
        places = SPAN | LOG if span.is_record else SPAN  # what is looked for on spans is looked for on records too
        found = member(span.attributes, source.name) if source.places & places else None
        return member(span.resource, source.name) if found is None and source.places & RESOURCE else found


def kind_of(span: Raw, mapping: Mapping) -> SpanKind:
    """Give the kind that the attributes say."""
    return SpanKind(Said(span, SpanKind.OTHER, mapping).of(Column.KIND) or 0)


def member(attributes: dict[str, Any], name: Name) -> Any:
    """Give an attribute, or what a path leads to in the JSON that it holds; None: it is not there, or no JSON."""
    value = attributes.get(name[0])
    if len(name) == 1 or not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value if len(name) == 1 else None
    try:
        found = orjson.loads(value)
    except ValueError:
        return None
    for key in name[1:]:
        found = found.get(key) if isinstance(found, dict) else None
    return None if isinstance(found, (dict, list)) else found


def number(value: Any) -> Number | None:
    """Read a number, also one that is written as a text; None: it is none."""
    try:
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
