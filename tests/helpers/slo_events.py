"""Builders of SLOs, and of events as a counter would make them, from plain rows."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.digest import digest_of
from models.slos.dimensions import DIMENSIONS, EVERYTHING
from models.slos.events import ROWS, Events
from models.slos.spec import BurnRule, Indicator, Rolling, Slo

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY, HOUR = 86_400, 3600
SECOND_NS = 10**9


class Row(NamedTuple):
    """One run that an SLO counts: how it ended when, and what it was of. `sign` -1 takes it back."""

    slo: str
    second: int
    bad: bool = False
    value: str = ""
    """What the SLO is split by."""
    run: int = 0
    version: str = ""
    sign: int = 1
    tenant: str = ""


def slo(name: str = "s", target: str = "0.99", window: Any = None, **more: Any) -> Slo:
    """Give an SLO over 30 rolling days."""
    indicator = more.pop("indicator", Indicator("task_success"))
    return Slo(name, "shop", indicator, Fraction(target), window or Rolling(30 * DAY), **more)


def rule(factor: str, long_s: int, short_s: int | None, **more: Any) -> BurnRule:
    """Give a rule that pages and asks for no evidence."""
    said = {"name": f"{factor}x", "page": True, "confidence": 0.0} | more
    return BurnRule(factor=Fraction(factor), long_s=long_s, short_s=short_s, **said)


def events(rows: Iterable[Row], shard: int = 0) -> Events:
    """Give the events of some rows: counts by 10 s, slices by 600 s, a run told of for each bad row."""
    names: dict[int, str] = {}

    def digest(text: str) -> int:
        if text:
            names[digest_of(text)] = text
        return digest_of(text) if text else 0

    counts, slices, runs = [], [], []  # type: list[list[int]], list[list[int]], list[list[int]]
    for row in rows:
        head = [digest(row.slo), digest(row.value), shard]
        amounts = [row.sign, row.sign * row.bad]
        counts.append([*head, row.second // 10 * 10, *amounts])
        values = [0] * len(DIMENSIONS)
        values[DIMENSIONS.index("version")] = digest(row.version)
        values[DIMENSIONS.index("tenant")] = digest(row.tenant)
        slices.append([*head, row.second // 600 * 600, EVERYTHING, 0, *amounts, row.second])
        slices += [
            [*head, row.second // 600 * 600, at, value, *amounts, row.second]
            for at, value in enumerate(values)
            if value
        ]
        if row.bad:
            ended = row.second, row.second * SECOND_NS + row.run
            runs.append([*head, *ended, 0, row.run, row.sign, *values])
    runs.sort(key=lambda run: run[7])  # those taken back first
    arrays = (
        np.array([[*line, 0] for line in table], np.int64).reshape(-1, width).T.copy()
        for table, width in zip((counts, slices, runs), ROWS, strict=True)
    )
    return Events(*arrays, names)
