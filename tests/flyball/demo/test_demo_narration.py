"""Narration of the demo: calm lines with their time."""

from __future__ import annotations

import io
import re
import socket
from itertools import count

import pytest
from rich.console import Console

from flyball.demo import budgets
from flyball.demo.budgets import Budget, read, table
from flyball.demo.narration import Narrator, span, usd
from flyball.errors import CommandError


def narrated(*, terminal: bool = False) -> tuple[Narrator, io.StringIO]:
    """Give a narrator, whose clock goes on by a second at each look, and what it wrote."""
    written, clock = io.StringIO(), count()
    console = Console(file=written, force_terminal=terminal, width=40, highlight=False, no_color=True)
    return Narrator(console, lambda: float(next(clock))), written


def test_each_line_has_its_time_and_more_of_it_none() -> None:
    """Where no terminal is, lines are whole however long they are."""
    narrator, written = narrated()
    narrator.say("begins")
    narrator.title("1. An act")
    narrator.ending(["it was caught " + "very " * 30 + "soon", "saved: all"], caught=True)
    assert written.getvalue().splitlines() == [
        "    1.0 s  begins",
        "",
        "1. An act",
        "    2.0 s  ✔ it was caught " + "very " * 30 + "soon",
        "             saved: all",
    ]


def test_a_terminal_folds_lines_under_their_beginning() -> None:
    """Texts stay in their column."""
    narrator, written = narrated(terminal=True)
    narrator.ending(["not stopped after one hundred calls of it"], caught=False)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue()).splitlines()
    assert len(lines) == 2
    assert "✘ not stopped" in lines[0]
    assert lines[1].startswith(" " * 13)
    assert lines[1][13] != " "


def test_time_can_begin_anew() -> None:
    """After kernels were compiled."""
    narrator, written = narrated()
    narrator.say("compiles")
    narrator.begin_anew()
    narrator.say("goes")
    assert [line[:9].strip() for line in written.getvalue().splitlines()] == ["1.0 s", "1.0 s"]


@pytest.mark.parametrize(("amount", "text"), [(0.0291, "$0.029"), (2.7508, "$2.75"), (1234.5, "$1,234.50")])
def test_money_is_written_as_people_do(amount: float, text: str) -> None:
    """Below ten cents with tenths of a cent."""
    assert usd(amount) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0194, "19 ms"), (1.0, "1.0 s"), (13.26, "13.3 s")])
def test_short_times_are_written_as_people_do(seconds: float, text: str) -> None:
    """Below a second in milliseconds."""
    assert span(seconds) == text


METRICS = """
# TYPE flyball_slo_objective_ratio gauge
flyball_slo_objective_ratio{slo="a",workflow="w"} 0.985
flyball_slo_objective_ratio{slo="empty",workflow="w"} 0.9
# TYPE flyball_slo_period_events gauge
flyball_slo_period_events{slo="a",workflow="w"} 1833
# TYPE flyball_slo_period_bad_events gauge
flyball_slo_period_bad_events{slo="a",workflow="w"} 310
# TYPE flyball_slo_error_budget_remaining_ratio gauge
flyball_slo_error_budget_remaining_ratio{slo="a",workflow="w"} -10.27
# TYPE flyball_slo_burn_rate_ratio gauge
flyball_slo_burn_rate_ratio{slo="a",window="5m",workflow="w"} 3
flyball_slo_burn_rate_ratio{slo="a",window="1h",workflow="w"} 27.7
"""


def test_budgets_are_read_from_the_metrics() -> None:
    """An SLO without events is neither good nor bad."""
    found = read(METRICS)
    assert found == [Budget("a", 0.985, 1833, 310, -10.27, 27.7)]
    head, line = table(found)
    assert head.split() == ["SLO", "target", "good", "runs", "budget", "left", "burn", "1h"]
    assert line.split() == ["a", "98.5%", "83.1%", "1,833", "-1027%", "27.7x"]


def test_metrics_that_do_not_answer_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow that is busy gets a minute; "timed out" alone would not say what did."""
    assert budgets._ANSWERED_S == 60
    monkeypatch.setattr(budgets, "_ANSWERED_S", 0.05)
    said = pytest.raises(CommandError, match=r"the flow's metrics did not answer within .* busy")
    with socket.create_server(("127.0.0.1", 0)) as mute, said:
        budgets.budgets(mute.getsockname()[1])
