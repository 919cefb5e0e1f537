"""Expressions of several dashboards, by promtool: what they say of series that come, go and come again."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from dashboards.series import FLOW, or_zero, rise

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 'verdicts_total{action="kill"}'


promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool in PATH: install Debian's prometheus"
)


@promtool
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("_x90 1x29", 1),  # the first kill of all, half an hour ago
        ("_x90 1x9 3x19", 3),
        ("4x119", 0),  # there all the time
        ("4x29 _x60 4x29", 0),  # nobody could scrape it for an hour
        ("4x29 _x60 0x29", 0),  # begun anew
    ],
)
def test_the_first_one_counts(values: str, told: int, tmp_path: Path) -> None:
    """What comes up at 1 has risen by 1; what only was away has not risen."""
    rose = rise("verdicts_total", "1h", 'action="kill"')
    check(f"sum({rose})", {KILLS: values}, told, tmp_path)


@promtool
@pytest.mark.parametrize(
    ("series", "told"),
    [
        ({KILLS: "2x119", FLOW: "7x119"}, 2),
        ({FLOW: "7x119"}, 0),  # the flow is there, and has counted nothing
        ({}, None),  # nobody is there who could have: 0 would be good news
        ({FLOW: "7x60"}, None),
    ],
)
def test_nothing_is_zero_only_while_somebody_counts(series: dict[str, str], told: int | None, tmp_path: Path) -> None:
    """While the flow is down a board must not say that no run was killed and no budget is spent."""
    check(or_zero("sum(verdicts_total)", FLOW), series, told, tmp_path)


def check(expr: str, series: dict[str, str], told: int | None, folder: Path) -> None:
    """Hold an expression against what it must tell after two hours of these series; None: nothing."""
    expected = [] if told is None else [{"labels": "{}", "value": told}]
    test: dict[str, Any] = {"interval": "1m"}
    test["input_series"] = [{"series": name, "values": values} for name, values in series.items()]
    test["promql_expr_test"] = [{"expr": expr, "eval_time": "119m", "exp_samples": expected}]
    file = folder / "test.yaml"
    file.write_text(json.dumps({"tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
