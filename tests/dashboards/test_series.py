"""Expressions of several dashboards, by promtool: what they say of series that come, go and come again."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from dashboards.series import rise

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 'verdicts_total{action="kill"}'


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool in PATH: install Debian's prometheus")
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
    expected = [{"labels": "{}", "value": told}]
    rose = rise("verdicts_total", "1h", 'action="kill"')
    asked = {"expr": f"sum({rose})", "eval_time": "119m"}
    test: dict[str, Any] = {"interval": "1m", "input_series": [{"series": KILLS, "values": values}]}
    test["promql_expr_test"] = [asked | {"exp_samples": expected}]
    file = tmp_path / "test.yaml"
    file.write_text(json.dumps({"tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
