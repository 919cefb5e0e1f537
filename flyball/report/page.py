"""The page: title, tables, and the sentences that say what the numbers stand on."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from flyball.report import tables
from flyball.report.console import plain_console
from flyball.report.stopped import runaways
from flyball.report.text import count, dollars, period, runs_of
from models.figures import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from flyball.report.collected import Collected

MAX_REASONS = 3
MAX_SPENT = 2
PLAIN_WIDTH = 110
"""Columns when the output is no terminal and COLUMNS does not say."""
LEAST_WIDTH = 100
"""Columns below which digits would be cut off: a narrower terminal wraps the few lines that are longer than it."""

_TABLES = (tables.outcomes, tables.spreads, tables.tools, tables.versions, tables.worst, runaways)


def page(collected: Collected, files: Sequence[str] = ()) -> RenderableType:
    """Lay out the report, at most 40 lines."""
    parts: list[RenderableType] = [_title(collected, files)]
    for table in _TABLES:
        found = table(collected)
        parts += [Text(), found] if found else []
    sentences = (_outcomes(collected), _cost(collected), _budgets(collected), _dead(collected), _read(collected))
    return Group(*parts, Text(), *(sentence for sentence in sentences if sentence))


def print_page(collected: Collected, files: Sequence[str] = (), console: Console | None = None) -> None:
    """Print the report on stdout."""
    out = console or plain_console()
    if console is None and not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = PLAIN_WIDTH
    out.width = max(out.width, LEAST_WIDTH)
    out.print(page(collected, files))


def _title(collected: Collected, files: Sequence[str]) -> Text:
    summary = collected.summary
    when = period(summary.get("first_at"), summary.get("last_at"))
    what = files[0] if len(files) == 1 else f"{len(files)} files"
    return Text.assemble((runs_of(len(collected.runs)), "bold"), f" in {what}: {when}")


def _outcomes(collected: Collected) -> Text | None:
    stands = Counter(run.outcome_from for run in collected.runs.values() if run.known)
    unknown = sum(not run.known for run in collected.runs.values())
    if not collected.runs:
        return None
    sources = {"attribute": "attribute", "evaluation": "evaluation", "status": "status alone"}
    said = [f"{count(stands[name])} by {words}" for name, words in sources.items() if stands[name]]
    parts = [", ".join(said)] if said else []
    counts = "in no rate" if collected.unknown == "exclude" else f"which count as {collected.unknown}"
    parts += [f"{count(unknown)} unknown, {counts}"] if unknown else []
    return _sentence("Outcomes", "; ".join(parts))


def _cost(collected: Collected) -> Text | None:
    runs = collected.runs.values()
    priced = [run.cost_usd for run in runs if run.cost_usd is not None]
    unpriced, partly = len(runs) - len(priced), sum(run.priced == "partial" for run in runs)
    if not runs:
        return None
    lacking = [f"{runs_of(unpriced)} without a price"] if unpriced else []
    lacking += [f"{count(partly)} priced in part"] if partly else []
    total = f"{dollars(sum(priced))} for {runs_of(len(priced))}" if priced else "not known"
    return _sentence("Cost", total + (f"; {' and '.join(lacking)}: the truth is higher" if lacking else ""))


def _budgets(collected: Collected) -> Text | None:
    """Say which error budgets are spent, and what people would have heard."""
    if not collected.budgets:
        return None
    spent = sorted(((used, name) for name, used in collected.budgets.items() if used >= 1), reverse=True)
    shown = [f"{name} {percent(used, 0)}%" for used, name in spent[:MAX_SPENT]]
    more = f" and {len(spent) - MAX_SPENT} more" if len(spent) > MAX_SPENT else ""
    said = f"{len(spent)} of {count(len(collected.budgets))} error budgets spent"
    names = f"; spent: {', '.join(shown)}{more}" if shown else ""  # last, as the end of a long line is cut
    by_severity = Counter(collected.incidents.values())
    told = ", ".join(f"{count(n)} {severity}" for severity, n in sorted(by_severity.items()))
    return _sentence("SLOs", f"{said}; incidents: {told or 'none'}{names}")


def _dead(collected: Collected) -> Text | None:
    if not collected.dead:
        return None
    reasons = [f"{count(n)} x {reason}" for reason, n in collected.dead.most_common(MAX_REASONS)]
    rest = len(collected.dead) - MAX_REASONS
    more = f", and {rest} more reasons" if rest > 0 else ""
    return _sentence("Dead letters", f"{count(collected.dead.total())}: {', '.join(reasons)}{more}", "red")


def _read(collected: Collected) -> Text:
    s = collected.summary
    parts = [f"{count(s.get('spans', 0))} spans"]
    parts += [f"{count(s[name])} {word}" for name, word in (("duplicates", "twice"), ("late", "late")) if s.get(name)]
    return _sentence("Read", f"{', '.join(parts)}, at {count(s.get('spans_per_s', 0))} spans/s")


def _sentence(name: str, text: str, style: str = "dim") -> Text:
    return Text.assemble((f"{name:<13}", style), text, no_wrap=True, overflow="ellipsis")
