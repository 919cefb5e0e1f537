"""The table of decision 0009: how many failures page at 1, 10 and 100 runs an hour, by the rules that an SLO has."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from models.slos.evidence import failures_needed
from models.slos.rules import fit, from_table, table_for
from models.slos.spec import CONFIDENCE, BurnRule

PAGE = Path(__file__).resolve().parents[3] / "docs/decisions/0009-when-a-page-may-stand.md"
PERIOD_S = 30 * 86_400
ROW = re.compile(r"^\| (0\.\d+) \| (\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)
ROWS = {(target, int(runs)): words for target, runs, words in ROW.findall(PAGE.read_text(encoding="utf-8"))}


def need(rule: BurnRule, target: Fraction, runs_an_hour: int) -> tuple[int | None, int]:
    """Give how many failures of how many runs in its long window open a rule; None: not even all of them."""
    runs = max(1, rule.long_s * runs_an_hour // 3600)
    return failures_needed(runs, float(rule.factor * (1 - target)), rule.confidence), runs


def test_the_table_has_every_objective_at_every_rate() -> None:
    """Three objectives at three rates."""
    assert ROWS.keys() == {(target, runs) for target in ("0.99", "0.95", "0.9") for runs in (1, 10, 100)}


@pytest.mark.parametrize(("target", "runs"), ROWS)
def test_so_many_failures_page(target: str, runs: int) -> None:
    """The row says what the first rule needs that can open; before it, which ones have too few runs to ever open."""
    rules = fit(from_table(table_for(PERIOD_S), PERIOD_S, CONFIDENCE), Fraction(target), PERIOD_S).rules
    said = []
    for rule, name in zip(rules, ("fast page", "slow page", "fast ticket"), strict=False):
        bad, of = need(rule, Fraction(target), runs)
        said.append(f"{name}: {f'none of {of}' if bad is None else f'{bad} of {of}'}")
        if bad is not None:
            break
    assert ROWS[target, runs] == "; ".join(said)
