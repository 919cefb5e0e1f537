"""The tables of the report. Each takes what was collected and gives None when it has nothing to say."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from rich.table import Table
from rich.text import Text

from flyball.report.figures import quantiles, wilson
from flyball.report.text import NOTHING, count, dollars, percent, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flyball.report.collected import Collected, Run

MAX_WORKFLOWS, MAX_TOOLS, MAX_VERSIONS, MAX_WORST = 5, 5, 4, 3
"""Rows a table shows at most (beside the sum of all), so that the report is one page of 40 lines."""

_ALL = "all"
Row = TypeVar("Row")


def outcomes(collected: Collected) -> Table | None:
    """Runs per workflow: how many did their task, handed it over, called tools, and what they cost."""
    table = _table("workflow", "runs", "success", "failed", "unknown", "escalated", "tool calls", "tool errors", "cost")
    for name, runs in _by_workflow(collected):
        known = sum(run.known for run in runs)
        calls = sum(run.tool_calls for run in runs)
        table.add_row(
            _name(name),
            count(len(runs)),
            percent(*collected.judged(runs)),
            _alarm(known - sum(run.succeeded for run in runs)),
            _doubt(len(runs) - known),
            count(sum(run.escalated for run in runs)),
            count(calls),
            _alarm(sum(run.tool_errors for run in runs)),
            _cost(runs),
        )
    return _or_none(table)


def spreads(collected: Collected) -> Table | None:
    """Steps, duration and cost of a run, per workflow, as percentiles."""
    measures: dict[str, tuple[Callable[[Run], float | None], Callable[[float], str]]] = {
        "steps": (lambda run: run.steps, count),
        "duration": (lambda run: run.duration_s, span),
        "cost": (lambda run: run.cost_usd, dollars),
    }
    table = _table("per run", *(f"{m} {p}".strip() for m in measures for p in ("p50", "p95", "p99")))
    for column in (2, 3, 5, 6, 8, 9):
        table.columns[column].header = Text(("p95", "p99")[column % 3 == 0])
    for name, runs in _by_workflow(collected):
        cells: list[str] = []
        for measure, show in measures.values():
            found = quantiles(value for run in runs if (value := measure(run)) is not None)
            cells += [show(value) for value in found] if found else [NOTHING] * 3
        table.add_row(_name(name), *cells)
    return _or_none(table)


def tools(collected: Collected) -> Table | None:
    """Tools with the most errors."""
    found = collected.tools()
    table = _table("tool", "workflow", "calls", "errors", "error rate", "timeouts", text=2)
    shown, rest = _split(found, MAX_TOOLS)
    for tool in shown:
        cells = (count(tool.calls), _alarm(tool.errors), percent(tool.errors, tool.calls), _alarm(tool.timeouts))
        table.add_row(_name(tool.name), tool.workflow, *cells)
    if rest:
        calls, errors = sum(tool.calls for tool in rest), sum(tool.errors for tool in rest)
        cells = (count(calls), _alarm(errors), percent(errors, calls), _alarm(sum(tool.timeouts for tool in rest)))
        table.add_row(Text(f"{len(rest)} more", "dim"), "", *cells)
    return _or_none(table)


def versions(collected: Collected) -> Table | None:
    """Versions of the workflows that ran in more than one: success with its 95 % interval, steps, cost."""
    table = _table("version", "workflow", "runs", "success", "95 % interval", "steps p50", "cost p50", text=2)
    rows = [
        (workflow, version, runs)
        for workflow, all_runs in _grouped(collected.runs.values(), lambda run: run.workflow)
        if len(grouped := _grouped(all_runs, lambda run: run.version or NOTHING)) > 1
        for version, runs in sorted(grouped)
    ]
    shown, rest = _split(rows, MAX_VERSIONS)
    for workflow, version, runs in shown:
        good, total = collected.judged(runs)
        low, high = wilson(good, total)
        steps = quantiles(run.steps for run in runs)
        cost = quantiles(run.cost_usd for run in runs if run.cost_usd is not None)
        table.add_row(
            _name(version),
            workflow,
            count(len(runs)),
            percent(good, total),
            f"{100 * low:.0f} to {100 * high:.0f} %" if total else NOTHING,
            count(steps.p50 if steps else None),
            dollars(cost.p50 if cost else None),
        )
    if rest:
        table.add_row(Text(f"{len(rest)} more", "dim"))
    return _or_none(table)


def worst(collected: Collected) -> Table | None:
    """Runs that failed, those with the most tool errors first, then the longest."""
    failed = [run for run in collected.runs.values() if run.known and not run.succeeded]
    failed.sort(key=lambda run: (-run.tool_errors, -run.steps, -(run.cost_usd or 0), run.run_id))
    table = _table("worst runs", "workflow", "tool errors", "steps", "duration", "cost", text=2)
    for run in failed[:MAX_WORST]:
        cells = (_alarm(run.tool_errors), count(run.steps), span(run.duration_s), dollars(run.cost_usd))
        table.add_row(run.run_id, run.workflow, *cells)
    return _or_none(table)


def _by_workflow(collected: Collected) -> list[tuple[str, list[Run]]]:
    """Group the runs by workflow, the largest first; what is beyond the page goes together, and all come last."""
    groups = _grouped(collected.runs.values(), lambda run: run.workflow)
    shown, rest = _split(groups, MAX_WORKFLOWS)
    if rest:
        shown.append((f"{len(rest)} more", [run for _, runs in rest for run in runs]))
    return [*shown, (_ALL, list(collected.runs.values()))] if len(shown) > 1 else shown


def _split(rows: list[Row], most: int) -> tuple[list[Row], list[Row]]:
    """Split what is shown from what goes together in a last row."""
    cut = len(rows) if len(rows) <= most else most - 1
    return rows[:cut], rows[cut:]


def _grouped(runs: Iterable[Run], name: Callable[[Run], str]) -> list[tuple[str, list[Run]]]:
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[name(run)].append(run)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def _cost(runs: Sequence[Run]) -> str:
    priced = [run.cost_usd for run in runs if run.cost_usd is not None]
    if not priced:
        return NOTHING
    lacking = len(priced) < len(runs) or any(run.priced == "partial" for run in runs)
    return ("≥ " if lacking else "") + dollars(sum(priced))


def _name(text: str) -> Text:
    return Text(text, "bold" if text != _ALL else "dim")


def _alarm(number: int) -> Text:
    return Text(count(number), "red" if number else "dim")


def _doubt(number: int) -> Text:
    return Text(count(number), "yellow" if number else "dim")


def _table(*columns: str, text: int = 1) -> Table:
    """Make a table without lines; the first `text` columns are words, the others numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, column in enumerate(columns):
        if index < text:
            table.add_column(column, no_wrap=True, overflow="ellipsis", max_width=32)
        else:
            table.add_column(column, justify="right", no_wrap=True)
    return table


def _or_none(table: Table) -> Table | None:
    return table if table.row_count else None
