"""The page of `flyball compare`: what differs, what does not, and what cannot be told yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from flyball.report.text import runs_of
from models.drift.comparing import ALPHA, MOST_NEEDED, OF_GOOD, say_types, strata_of
from models.figures import about, percent
from models.plain import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from models.drift.classifier import Explained
    from models.drift.comparing import Compared, Run

_TOOL = "tool:"
_MOST_NAMED = 10


def print_comparison(
    console: Console,
    names: tuple[str, str],
    sizes: tuple[int, int],
    rows: Sequence[Compared],
    told: Explained | None,
    within: str = "",
) -> None:
    """Print the table, a line of advice, and what sets the runs apart; `within`: what is said of types of task."""
    console.print(f"A  {names[0]}: {runs_of(sizes[0])}\nB  {names[1]}: {runs_of(sizes[1])}\n")
    table = Table(box=None, pad_edge=False)
    for title in ("SLI", "A", "B", "odds ratio", "p", "verdict"):
        table.add_column(title, justify="left" if title in ("SLI", "verdict") else "right")
    for row in rows:
        ratio = "" if row.odds_ratio is None or row.interval is None else _ratio(row)
        name = f"runs that use {row.sli.removeprefix(_TOOL)}" if row.sli.startswith(_TOOL) else row.sli
        table.add_row(plain(name), _value(row, row.before), _value(row, row.after), ratio, f"{row.p:.2g}", verdict(row))
    console.print(table)
    if within:
        console.print(f"\n{plain(within)}")
    console.print(f"\n{plain(advice(rows))}")
    if told is not None:
        console.print(plain(apart(told)))


def within_types(a: Sequence[Run], b: Sequence[Run]) -> str:
    """Say within which types of task runs are compared, and what is left out; empty: they say no types."""
    if not say_types(a, b):
        return _few_types(a, b)
    strata = strata_of(a, b)
    if "" in strata:
        return "A and B have no type of task in common: compared over all, what was asked for is not told apart."
    types, left = (
        list(strata),
        [len(side) - sum(len(of[at]) for of in strata.values()) for at, side in enumerate((a, b))],
    )
    named = ", ".join(types[:_MOST_NAMED]) + (f" and {len(types) - _MOST_NAMED} more" if types[_MOST_NAMED:] else "")
    text = f"Compared within the types of task that both were asked for: {named}."
    text += (
        f" Left out: {runs_of(left[0])} of A and {runs_of(left[1])} of B of other types or none." if any(left) else ""
    )
    return f"{text} A is told as it would be with the tasks of B."


def _few_types(a: Sequence[Run], b: Sequence[Run]) -> str:
    """Say that too few runs say their type; empty: none does."""
    if not any(run.task for run in (*a, *b)):
        return ""
    of_a, of_b = (f"{sum(bool(run.task) for run in side):,} of {runs_of(len(side))}" for side in (a, b))
    text = (
        f"Compared over all: {of_a} of A and {of_b} of B say their type of task, and nine in ten of both would have to;"
    )
    return f"{text} what was asked for is not told apart."


def verdict(row: Compared) -> str:
    """Say what is known of one SLI."""
    if row.differs:
        return "differs"
    if row.is_same:
        return "same"
    if not row.still_needed:
        return "not enough evidence yet"
    beyond = "more than " if row.still_needed >= MOST_NEEDED else ""
    return f"not enough evidence yet: {beyond}{row.still_needed:,} more a side"


def advice(rows: Sequence[Compared]) -> str:
    """Say in a sentence or two what B is; that it uses other tools is neither better nor worse."""
    tools = [row.sli.removeprefix(_TOOL) for row in rows if row.differs and row.sli.startswith(_TOOL)]
    own = [row for row in rows if row.differs and not row.sli.startswith(_TOOL)]
    if not own and not tools:
        return "Nothing is shown to differ."
    said = [_better_or_worse(own)] if own else []
    said += [f"B differs in its use of {', '.join(tools)}."] if tools else []
    return " ".join(said)


def _better_or_worse(differ: Sequence[Compared]) -> str:
    worse, better = ([row.sli for row in differ if is_worse(row) is told] for told in (True, False))
    if worse and better:
        return f"B is better in {', '.join(better)} and worse in {', '.join(worse)}."
    if worse:
        return f"B is worse in {', '.join(worse)}."
    return f"B is better in {', '.join(better)}; in nothing is it shown to be worse."


def apart(told: Explained) -> str:
    """Say whether unseen runs can be told apart, and by what; a model that could have guessed has told nothing."""
    of_type = " of the same type of task" if told.is_within_types else ""
    if told.p > ALPHA:
        auc = f"AUC {told.auc:.2f}, as chance may give (0.5)."
        return f"A model does not tell unseen runs of B from those of A{of_type}: {auc}"
    by = ", ".join(f"{name} ({loss:.2f})" for name, loss in told.importances[:5]) or "no feature by itself"
    auc = f"AUC {told.auc:.2f} (0.5: not at all), by {by}."
    return f"A model tells unseen runs of B from those of A{of_type} with {auc}"


def is_worse(row: Compared) -> bool:
    """Say whether B has more of what nobody wants more of, or less of what is good; tools used are neither."""
    return not row.sli.startswith(_TOOL) and row.direction == ("down" if row.sli in OF_GOOD else "up")


def record(names: tuple[str, str], row: Compared) -> dict[str, Any]:
    """Give one SLI as JSON."""
    own = {name: value for name, value in row._asdict().items() if name != "within" or value}
    return {
        **own,
        "kind": "compared",
        "a": names[0],
        "b": names[1],
        "interval": list(row.interval) if row.interval else None,
        "verdict": verdict(row),
    }


def _ratio(row: Compared) -> str:
    low, high = row.interval or (0.0, 0.0)
    return f"{row.odds_ratio:.2g} [{low:.2g}, {high:.2g}]"


def _value(row: Compared, value: float | None) -> str:
    if value is None:
        return ""
    return f"{percent(value)}%" if row.kind == "rate" else about(value, 4)
