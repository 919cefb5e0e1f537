"""Timeline: spans of one run as rows to show, in order, with depth, tokens and cost so far; names and numbers only."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from control import masking
from models.spans.columns import Column, Decision, SpanKind, SpanStatus
from models.spans.mapping import EVALUATION_EVENT, LOG, RESOURCE, SPAN, Mapping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from control.console.costs import Costs
    from control.console.otlp import Raw
    from models.spans.mapping import Source

_NAMES: Final = (Column.AGENT, Column.MODEL, Column.TOOL, Column.PROVIDER)
_NUMBERS: Final = (Column.INPUT_TOKENS, Column.OUTPUT_TOKENS, Column.CACHE_READ, Column.CACHE_WRITE, Column.COST)
_SAID: Final = (*_NAMES, *_NUMBERS, Column.ERROR_TYPE, Column.EVALUATION, Column.SCORE, Column.LABEL)
_DEEPEST: Final = 32


def rows(spans: Iterable[Raw], costs: Costs | None = None) -> list[dict[str, Any]]:
    """Give the rows: one a span id, by start; a parent comes before its children where they start together.

    Costs are as reported; with `costs`, else computed.
    """
    named = {each.span_id or f"?{number}": each for number, each in enumerate(spans)}
    kinds = {name: _kind(each) for name, each in named.items()}
    # of log records only those to which the table gives a kind: what else is logged says nothing here
    kept = {name: each for name, each in named.items() if not each.is_record or kinds[name] != SpanKind.OTHER}
    if SpanKind.BILL in kinds.values():
        costs = None  # a bill says what its call cost: that is not computed too
    depths = {name: _depth(name, kept) for name in kept}
    ordered = sorted(kept, key=lambda name: (kept[name].start_ns, depths[name], -kept[name].end_ns, name))
    tokens, cost, found = 0, None, []
    for name in ordered:
        row = _row(kept[name], kinds[name], costs)
        if row["kind"] == "llm":
            tokens += (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
        if row["kind"] in {"llm", "bill"}:
            cost = cost if row["cost_usd"] is None else (cost or 0.0) + row["cost_usd"]
        found.append(row | {"id": name, "depth": depths[name], "tokens_so_far": tokens, "cost_usd_so_far": cost})
    return found


def _depth(name: str, spans: dict[str, Raw]) -> int:
    depth, seen, parent = 0, {name}, spans[name].parent
    while parent in spans and parent not in seen and depth < _DEEPEST:
        seen.add(parent)
        depth, parent = depth + 1, spans[parent].parent
    return depth


def _kind(span: Raw) -> SpanKind:
    if span.is_record and span.name == EVALUATION_EVENT:
        return SpanKind.EVALUATION
    return SpanKind(_first(span, Column.KIND, 1) or 0)


def _row(span: Raw, kind: SpanKind, costs: Costs | None) -> dict[str, Any]:
    said = {column: _first(span, column, 1 << kind) for column in _SAID}
    status = _first(span, Column.STATUS, 1 << kind)
    status = span.status if status is None else status
    failed = status == SpanStatus.ERROR
    decision = _first(span, Column.DECISION, 1 << kind)
    error = said[Column.ERROR_TYPE] or span.exception or "error"
    names = {column.name.lower(): _name(said[column]) for column in _NAMES[:3]}
    return {
        "name": masking.text(span.name, [each for each in names.values() if each]),
        "kind": kind.name.lower(),
        "start_ns": str(span.start_ns),  # beyond what a number of JavaScript holds
        "duration_s": max(0, span.end_ns - span.start_ns) / 1e9,
        **names,
        "input_tokens": _number(said[Column.INPUT_TOKENS]),
        "output_tokens": _number(said[Column.OUTPUT_TOKENS]),
        "cost_usd": _cost(span, said, costs) if kind == SpanKind.LLM else _number(said[Column.COST]),
        "error": masking.text(str(error)) if failed else None,
        "decision": Decision(decision).name.lower() if decision else None,
        "evaluation": _name(said[Column.EVALUATION]),
        "score": _number(said[Column.SCORE]),
        "label": None if said[Column.LABEL] is None else masking.text(str(said[Column.LABEL])),
    }


def _cost(span: Raw, said: dict[Column, Any], costs: Costs | None) -> float | int | None:
    """Give the cost of a model's call in USD."""
    reported = _number(said[Column.COST])
    columns = {"input": Column.INPUT_TOKENS, "output": Column.OUTPUT_TOKENS}
    columns |= {"cache_read": Column.CACHE_READ, "cache_write": Column.CACHE_WRITE}
    tokens = {name: number for name, column in columns.items() if (number := _number(said[column])) is not None}
    if reported is not None or costs is None or not tokens or not said[Column.MODEL]:
        return reported
    model = str(said[Column.MODEL])
    for prefix in _mapping().model_prefixes:
        model = model.removeprefix(prefix) or model
    return costs.of(str(said[Column.PROVIDER] or ""), model, span.start_ns // 10**9, tokens)


def _first(span: Raw, column: Column, kind: int) -> Any:
    """Give what the first source that applies says; None: nothing does."""
    for source in _mapping().columns[column]:
        value = _value(span, source, kind, is_kind=column == Column.KIND)
        if source.values is not None:
            value = source.values.get(str(value).lower() if isinstance(value, bool) else str(value))
        elif source.constant is not None and value is not None:
            value = source.constant
        if value is not None:
            return value
    return None


def _value(span: Raw, source: Source, kind: int, *, is_kind: bool) -> Any:
    fits = is_kind or (source.kinds & kind and source.span_kinds & (1 << span.span_kind))
    if source.path or not fits or not span.scope.startswith(source.scope):
        return None
    if source.beside and source.beside[0] not in span.attributes:
        return None
    if is_kind and span.is_record:
        return span.name if source.places & LOG else None
    if source.places & SPAN and source.attribute in span.attributes:
        return span.attributes[source.attribute]
    return span.resource.get(source.attribute) if source.places & RESOURCE else None


def _name(value: Any) -> str | None:
    return None if value is None else masking.name(str(value))


def _number(value: Any) -> float | int | None:
    try:
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


@cache
def _mapping() -> Mapping:
    return Mapping.load()
