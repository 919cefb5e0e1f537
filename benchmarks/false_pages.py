"""False pages: a year of runs that just keep their objective, without any change: how often does each rule open?

Runs come evenly and fail independently at exactly the allowed rate (burn rate 1), the hardest case that is still fine.
Each failure is a chance to open, so the rule is looked at there; openings within one long window count as one. Beside
it: how many failures it takes in the long window of the fast page.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]

from report import Figure, arguments, tell

from models.slos.evidence import exceeds, failures_needed
from models.slos.rules import fit, from_table, table_for
from models.slos.spec import CONFIDENCE, BurnRule

HOUR, PERIOD = 3600, 30 * 86_400
RATES = (1, 10, 100)
TARGETS = (Fraction("0.99"), Fraction("0.95"), Fraction("0.9"))


def openings(rule: BurnRule, target: Fraction, runs_an_hour: int, years: float, seed: int) -> float:
    """Give how often a year the rule opens."""
    chance = np.random.default_rng(seed)
    n = int(years * 365 * 24 * runs_an_hour)
    bad = (chance.random(n) < float(1 - target)).astype(np.int64)
    at = np.flatnonzero(bad)
    sums = np.concatenate([[0], np.cumsum(bad)])
    over = np.ones(len(at), np.bool_)
    limit = float(rule.factor * (1 - target))
    for seconds in (rule.long_s, rule.short_s or rule.long_s):
        size = max(1, seconds * runs_an_hour // HOUR)
        total = np.minimum(at + 1, size)
        seen = sums[at + 1] - sums[at + 1 - total]
        over &= seen > limit * total
        if seconds == rule.long_s:
            rows = np.full(len(at), 1.0)
            over &= exceeds(seen, total, rows * limit, rows * rule.confidence)
    opened = at[over]
    apart = np.diff(opened, prepend=-(10**9)) > rule.long_s * runs_an_hour // HOUR
    return float(apart.sum()) / years


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    figures = []
    for target in TARGETS:
        rules = fit(from_table(table_for(PERIOD), PERIOD, CONFIDENCE), target, PERIOD).rules
        for runs_an_hour in RATES:
            years = (20 if runs_an_hour < RATES[-1] else 4) * (1 if args.quick else 5)
            pages = sum(openings(rule, target, runs_an_hour, years, 1) for rule in rules if rule.page)
            tickets = sum(openings(rule, target, runs_an_hour, years, 2) for rule in rules if not rule.page)
            fast = next(rule for rule in rules if rule.page)
            size = max(1, fast.long_s * runs_an_hour // HOUR)
            need = failures_needed(size, float(fast.factor * (1 - target)), fast.confidence)
            note = f"target {float(target):g}, {runs_an_hour} runs/h; fast page at {need or 'more than all'} of {size}"
            figures += [
                Figure(f"false_pages_{float(target):g}_{runs_an_hour}", pages, "pages/year", note, "<= 0.5"),
                Figure(
                    f"false_tickets_{float(target):g}_{runs_an_hour}", tickets, "tickets/year", f"over {years} years"
                ),
            ]
    tell("false_pages", figures, as_json=args.json)


if __name__ == "__main__":
    main()
