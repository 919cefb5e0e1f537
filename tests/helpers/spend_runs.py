"""Runs that cost something, as pulses of a spend table, and the table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from models.runs.pulse import NEW_RUN, Pulse
from models.spend.budget import Budget, Calendar
from models.spend.rows import parts_of, spend_rows
from models.spend.table import SpendTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

NANO = 1_000_000_000
UTC_ZONE = Calendar(ZoneInfo("UTC"))
NAMES = {1: "air", 2: "rail", 11: "acme", 12: "bolt", 21: "ann", 22: "bob", 31: "free"}
DAY = int(datetime(2026, 3, 10, tzinfo=UTC).timestamp())


def pulse(before: dict[str, int] | None, now: dict[str, int]) -> NDArray[np.int64]:
    """Give the pulse of a run that stood as `before` (None: it is new) and stands as `now`."""
    row = np.zeros(len(Pulse), np.int64)
    row[Pulse.BEFORE_BEGAN] = NEW_RUN
    for prefix, said in (("BEFORE_", before or {}), ("", now)):
        for name, value in said.items():
            if name != "TIER" or not prefix:
                row[Pulse[prefix + name]] = value
    return row


def run(cost: int, at_s: int = DAY, **names: int) -> dict[str, int]:
    """Give how a run stands."""
    said = {"WORKFLOW": 1, "TENANT": 11, "USER": 21, "TOKENS": cost // 1000, "COST": cost, "BEGAN": at_s * NANO}
    return said | {name.upper(): value for name, value in names.items()}


def table(*budgets: Budget, calendar: Calendar = UTC_ZONE) -> SpendTable:
    """Give an empty table."""
    return SpendTable(budgets, calendar)


def feed(into: SpendTable, *pulses: NDArray[np.int64]) -> None:
    """Apply pulses as one batch, all shards to one table."""
    for part in parts_of(spend_rows(np.array(pulses))).values():
        into.apply(part, NAMES)
