"""What rules on runaways stopped, or would have: runs, the calls and money saved, and runs that succeeded anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from flyball.report.text import NOTHING, count, dollars

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType

    from flyball.report.collected import Collected, Run

MAX_RULES = 5
"""Rows of the table in the report."""


class Told(NamedTuple):
    """What is kept of a verdict about a run."""

    run_id: str
    rule: str
    action: str
    mode: str
    at: str
    calls: int
    cost_usd: float | None

    @staticmethod
    def of(record: Mapping[str, object]) -> Told | None:
        """Read a verdict record; None where it is not about a run."""
        scope, evidence = record["scope"], record["evidence"]
        if not isinstance(scope, dict) or not isinstance(evidence, dict) or scope["level"] != "run":
            return None
        so_far = evidence.get("calls_so_far", 0), evidence.get("cost_usd_so_far")
        said = str(record["rule"]), str(record["action"]), evidence.get("mode", "enforce"), str(record["at"])
        return Told(scope["id"], *said, *so_far)


class Stopped(NamedTuple):
    """What came of one rule, or of all that are in force."""

    warned: int
    blocked: int
    killed: int
    calls_saved: int
    """Tool calls that the killed runs made after their kill."""
    cost_saved: float | None
    """USD; None: nothing of it is priced."""
    succeeded_anyway: int
    """Killed runs that went on to do their task."""


def stopped(verdicts: Iterable[Told], runs: Mapping[str, Run]) -> Stopped:
    """Add up; of several kills of one run the first counts."""
    by_action: dict[str, set[str]] = {"warn": set(), "block": set(), "kill": set()}
    first: dict[str, Told] = {}
    for told in verdicts:
        by_action.setdefault(told.action, set()).add(told.run_id)
        if told.action == "kill" and (told.run_id not in first or told.at < first[told.run_id].at):
            first[told.run_id] = told
    known = [(told, runs[run_id]) for run_id, told in first.items() if run_id in runs]
    saved = [run.cost_usd - (told.cost_usd or 0) for told, run in known if run.cost_usd is not None]
    return Stopped(
        warned=len(by_action["warn"]),
        blocked=len(by_action["block"]),
        killed=len(by_action["kill"]),
        calls_saved=sum(max(0, run.tool_calls - told.calls) for told, run in known),
        cost_saved=sum(saved) if saved else None,
        succeeded_anyway=sum(run.succeeded for _, run in known),
    )


def in_force(collected: Collected) -> Stopped:
    """Add up what the rules in mode `enforce` did."""
    return stopped([told for told in collected.verdicts.values() if told.mode == "enforce"], collected.runs)


def by_rule(collected: Collected) -> list[tuple[str, str, Stopped]]:
    """Give (rule, mode, what came of it), most kills first."""
    rules: dict[tuple[str, str], list[Told]] = {}
    for told in collected.verdicts.values():
        rules.setdefault((told.rule, told.mode), []).append(told)
    found = [(*name, stopped(verdicts, collected.runs)) for name, verdicts in rules.items()]
    return sorted(found, key=lambda row: (row[1] != "enforce", -row[2].killed, -row[2].blocked, row[0]))


def runaways(collected: Collected) -> Table | None:
    """Rules that blocked or killed, those in force first."""
    rows = [row for row in by_rule(collected) if row[2].killed or row[2].blocked]
    if not rows:
        return None
    table = _table("runaways: rule", "mode")
    for rule, mode, found in rows[:MAX_RULES]:
        table.add_row(rule, mode, *_cells(found))
    if len(rows) > MAX_RULES:
        table.add_row(Text(f"{len(rows) - MAX_RULES} more", "dim"))
    return table


def comparison(sets: Sequence[tuple[str, Collected]]) -> RenderableType:
    """Lay out what each set of rules did to the same runs: all in force, then rule by rule."""
    table = _table("rules in force")
    for name, collected in sets:
        table.add_row(name, *_cells(in_force(collected)))
    detail = _table("rule", "mode", "rules")
    rows = [(rule, mode, name, found) for name, collected in sets for rule, mode, found in by_rule(collected)]
    for rule, mode, name, found in sorted(rows, key=lambda row: row[0]):
        detail.add_row(rule, mode, name, *_cells(found))
    return Group(table, Text(), detail) if rows else Group(table)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for name in ("warned", "blocked", "stopped", "calls saved", "cost saved", "succeeded anyway"):
        table.add_column(name, justify="right")
    return table


def _cells(found: Stopped) -> list[str]:
    anyway = str(found.succeeded_anyway) if found.killed else NOTHING
    numbers = [count(number) for number in (found.warned, found.blocked, found.killed, found.calls_saved)]
    return [*numbers, dollars(found.cost_saved), anyway]
