"""One outage is told of once: a few good runs in a row are no recovery, and a recovery is told of all the same."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from models.slos.keeping import KeptSloTable
from models.slos.rules import fit, from_table, tables
from models.slos.spec import Rolling
from tests.helpers.slo_events import DAY, HOUR, Row, events, slo

if TYPE_CHECKING:
    from models.slos.spec import Slo

START = 20_500 * DAY
OUTAGE_S = DAY
STEP_S = 60


def objective(target: str) -> Slo:
    """Give an SLO with the rules that it has when nothing is said."""
    rules = fit(from_table(tables()["google-30d"], 30 * DAY, 0.999), Fraction(target), 30 * DAY).rules
    return slo("s", target, Rolling(30 * DAY), rules=rules)


def outage(rate: float, failing: float, seed: int) -> list[Row]:
    """Give three days of `rate` runs an hour, of which in the second one a share of `failing` fails."""
    chance = random.Random(seed)  # noqa: S311 - test data
    rows: list[Row] = []
    at = 0.0
    while (at := at + chance.expovariate(rate / HOUR)) < 3 * DAY:
        is_out = DAY <= at < DAY + OUTAGE_S
        rows.append(Row("s", START + int(at), chance.random() < (failing if is_out else 0.01), run=len(rows) + 1))
    return rows


def told(rows: list[Row], target: str, cut_s: int = 0) -> list[tuple[str, str, str]]:
    """Give what pages (key, status, when it was resolved), minute by minute; restored every `cut_s` seconds."""
    slos = [objective(target)]
    table, found, at = KeptSloTable(slos), [], 0
    for minute, second in enumerate(range(START, START + 2 * DAY + 4 * HOUR, STEP_S)):
        news = at
        while news < len(rows) and rows[news].second <= second:
            news += 1
        table.apply(events(rows[at:news]))
        at = news
        heard = table.look(second).incidents
        found += [(each.key, each.status, each.resolved_at or "") for each in heard if each.class_ == "slo.burn"]
        if cut_s and minute % (cut_s // STEP_S) == 0:
            table = KeptSloTable.load(slos, table.dump(), [], minute + 1)
    return found


@pytest.mark.parametrize(("rate", "failing", "seed"), [(30, 0.6, 1), (100, 0.55, 2)])
def test_a_steady_outage_pages_seldom(rate: float, failing: float, seed: int) -> None:
    """A day at 60 % of 30 runs an hour fails: that opened and resolved eleven times, the other nine times."""
    found = told(outage(rate, failing, seed), "0.9")
    keys = {key for key, *_ in found}
    assert 1 <= len(keys) <= 3
    assert {key for key, status, _ in found if status == "resolved"} == keys  # in the good day


def test_what_lasts_is_kept() -> None:
    """Restored every twenty minutes, a flow tells the same."""
    rows = outage(30, 0.6, 1)
    assert set(told(rows, "0.9", cut_s=20 * 60)) == set(told(rows, "0.9"))
