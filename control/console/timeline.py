"""Timeline: spans of one run as rows to show, in order, with depth, tokens and cost so far; names and numbers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from control import masking
from control.console.sources import Said, kind_of
from models.spans.columns import Column, Decision, SpanKind, SpanStatus
from models.spans.mapping import EVALUATION_EVENT, Mapping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from control.console.costs import Costs
    from control.console.otlp import Raw
    from control.console.sources import Number

_NAMES: Final = (Column.AGENT, Column.MODEL, Column.TOOL)
_TOKENS: Final = {
    "input": Column.INPUT_TOKENS,
    "output": Column.OUTPUT_TOKENS,
    "cache_read": Column.CACHE_READ,
    "cache_write": Column.CACHE_WRITE,
}
_DEEPEST: Final = 32


def rows(spans: Iterable[Raw], costs: Costs | None = None, mapping: Mapping | None = None) -> list[dict[str, Any]]:
    """Give the rows: one a span id, by start; a parent comes before its children where they start together.

    Costs are as reported; with `costs`, else computed. `mapping` is the flow's table; without one, the built-in. What
    is there so far after the last row is what the record of the run says.
    """
    mapping = mapping or Mapping.load()
    named: dict[str, Raw] = {}
    for number, each in enumerate(spans):
        named.setdefault(each.span_id or f"?{number}", each)  # of one that comes twice the first counts
    kinds = {name: _kind(each, mapping) for name, each in named.items()}
    # of log records only those to which the table gives a kind: what else is logged says nothing here
    kept = {name: each for name, each in named.items() if not each.is_record or kinds[name] != SpanKind.OTHER}
    billed = {kept[name].parent for name in kept if kinds[name] == SpanKind.BILL}
    if any(kinds.get(name) != SpanKind.LLM for name in billed):
        costs = None  # a bill says what its call cost, so that is not computed too: here nobody knows which call it is
    depths = {name: _depth(name, kept) for name in kept}
    ordered = sorted(kept, key=lambda name: (kept[name].start_ns, depths[name], -kept[name].end_ns, name))
    called = SpanKind.LLM if SpanKind.LLM in kinds.values() else SpanKind.RUN  # whose costs are computed
    found = []
    for name in ordered:
        prices = costs if kinds[name] == called and name not in billed else None
        found.append(_row(kept[name], Said(kept[name], kinds[name], mapping), kinds[name], prices, mapping))
    _add_up(found)
    return [row | {"id": name, "depth": depths[name]} for name, row in zip(ordered, found, strict=True)]


def _add_up(rows: list[dict[str, Any]]) -> None:
    """Write tokens and cost so far into the rows: those of calls and bills; with none of them, of the first agent."""
    kinds = [row["kind"] for row in rows]
    agent = {kinds.index("run")} if "run" in kinds else set()
    counted = {at for at, kind in enumerate(kinds) if kind == "llm"} or agent
    paid = {at for at, kind in enumerate(kinds) if kind in {"llm", "bill"}} or agent
    tokens, cost = 0, None
    for at, row in enumerate(rows):
        if at in counted:
            tokens += (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
        if at in paid:
            cost = cost if row["cost_usd"] is None else (cost or 0.0) + row["cost_usd"]
        row |= {"tokens_so_far": tokens, "cost_usd_so_far": cost}


def _depth(name: str, spans: dict[str, Raw]) -> int:
    depth, seen, parent = 0, {name}, spans[name].parent
    while parent in spans and parent not in seen and depth < _DEEPEST:
        seen.add(parent)
        depth, parent = depth + 1, spans[parent].parent
    return depth


def _kind(span: Raw, mapping: Mapping) -> SpanKind:
    if span.is_record and span.name == EVALUATION_EVENT:
        return SpanKind.EVALUATION
    return kind_of(span, mapping)


def _row(span: Raw, said: Said, kind: SpanKind, costs: Costs | None, mapping: Mapping) -> dict[str, Any]:
    status = said.of(Column.STATUS)
    status = span.status if status is None else status
    failed = status == SpanStatus.ERROR
    decision = said.of(Column.DECISION)
    error = said.of(Column.ERROR_TYPE) or span.exception or "error"
    names = {column.name.lower(): _name(said.of(column)) for column in _NAMES}
    label, amounts = said.of(Column.LABEL), said.amounts()
    return {
        "name": masking.text(span.name, [each for each in names.values() if each]),
        "kind": kind.name.lower(),
        "start_ns": str(span.start_ns),  # beyond what a number of JavaScript holds
        "duration_s": max(0, span.end_ns - span.start_ns) / 1e9,
        **names,
        "input_tokens": amounts[Column.INPUT_TOKENS],
        "output_tokens": amounts[Column.OUTPUT_TOKENS],
        "cost_usd": _cost(span, said, amounts, costs, mapping),
        "error": masking.text(str(error)) if failed else None,
        "decision": Decision(decision).name.lower() if decision else None,
        "evaluation": _name(said.of(Column.EVALUATION)),
        "score": said.number(Column.SCORE),
        "label": None if label is None else masking.text(str(label)),
    }


def _cost(
    span: Raw, said: Said, amounts: dict[Column, Number | None], costs: Costs | None, mapping: Mapping
) -> Number | None:
    """Give the cost of a model's call, or of an agent that tells its own, in USD."""
    reported = amounts[Column.COST]
    tokens = {name: value for name, column in _TOKENS.items() if (value := amounts[column]) is not None}
    model = str(said.of(Column.MODEL) or "")
    if reported is not None or costs is None or not tokens or not model:
        return reported
    for prefix in mapping.model_prefixes:
        model = model.removeprefix(prefix) or model
    return costs.of(str(said.of(Column.PROVIDER) or ""), model, span.start_ns // 10**9, tokens)


def _name(value: Any) -> str | None:
    return None if value is None else masking.name(str(value))
