"""New and existing users of a workflow whose runs say their type of task, as runs: through cells and panes to looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.digest import digest_of
from models.drift.table import DriftTable
from models.runs.changes import CALL, Changes
from models.runs.record import RUN
from models.slis.cells import MINUTE_NS, cells_of
from models.slis.panes import PaneTable
from models.slis.settings import SliSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from models.drift.found import Found
    from models.drift.settings import DriftSettings
    from models.slis.closing import Closed

DAY = 1440
START = 29_000_160
"""Unix minute of the first run; the beginning of a day."""
DAYS = 2
"""For how long a user is new."""
FIRST = (DAYS + 1) * DAY
"""From this minute on users have ages."""
SLIS = SliSettings(new_user_days=DAYS, waits=(0, 0))
_USERS = 40
"""That are there from the first day on, and that come new each day."""
_SECONDS = {"ask": 20.0, "book": 120.0, "": 60.0}
"""Median of what a run of this type takes; lognormal with sigma 0.5."""


class Side(NamedTuple):
    """What users of one age do in a minute."""

    runs: float
    asks: float
    """Share of `ask`; the others `book`."""
    bad: Mapping[str, float]
    """Rates by type."""
    untyped: float = 0.0
    """Share of runs that do not say their type."""


Both = tuple[Side, Side]
"""What existing and what new users do."""


@dataclass
class Ages:
    """Makes runs, and the closed panes of them."""

    seed: int = 1
    is_typed: bool = True
    """False: no run says its type."""
    chance: np.random.Generator = field(init=False)
    panes: PaneTable = field(init=False)

    def __post_init__(self) -> None:
        self.chance, self.panes = np.random.default_rng(self.seed), PaneTable(SLIS)
        met = np.zeros(_USERS, RUN)
        users = [f"old-{n}" for n in range(_USERS)]
        met["workflow"], met["user"], met["task"] = digest_of("desk"), list(map(digest_of, users)), 1
        met["started_at"] = met["ended_at"] = START * MINUTE_NS
        self.take(_changes(met, users))

    def take(self, changes: Changes) -> None:
        """Count."""
        for part in cells_of([changes], by_user=True).split().values():
            self.panes.apply(part)

    def changes(self, at: int, both: Both) -> Changes:
        """Draw the runs of the minute START + `at`."""
        sides = [self._side(at, side, f"new-{at // DAY}" if is_new else "old") for is_new, side in enumerate(both)]
        return _changes(np.concatenate([runs for runs, _ in sides]), [each for _, texts in sides for each in texts])

    def closed(self, at: int, both: Both) -> Closed:
        """Give the panes of the minute START + `at`."""
        self.take(self.changes(at, both))
        closed = self.panes.closed((START + at + 1) * MINUTE_NS)
        assert closed is not None
        return closed

    def _side(self, at: int, side: Side, who: str) -> tuple[np.ndarray, list[str]]:  # type: ignore[type-arg]
        size = int(self.chance.poisson(side.runs))
        asks, says = self.chance.random(size) < side.asks, self.chance.random(size) >= side.untyped
        tasks, users = np.where(asks, "ask", "book"), self.chance.integers(0, _USERS, size)
        rows, texts = np.zeros(size, RUN), [f"{who}-{n}" for n in range(_USERS)]
        medians = np.array([_SECONDS[task] for task in tasks.tolist()])
        took = (medians * self.chance.lognormal(0.0, 0.5, size) * 1e9).astype(np.int64)
        rows["workflow"], rows["user"] = digest_of("desk"), np.array(list(map(digest_of, texts)))[users]
        rows["ended_at"] = (START + at) * MINUTE_NS + 5
        rows["started_at"] = rows["ended_at"] - took
        bad = self.chance.random(size) < np.array([side.bad[task] for task in tasks.tolist()])
        rows["task"] = np.where(bad, 2, 1)
        if self.is_typed:
            rows["cohort_name"][says, 1] = digest_of("task")
            rows["cohort_value"][says, 1] = np.where(asks, digest_of("ask"), digest_of("book"))[says]
        return rows, texts


def _changes(runs: np.ndarray, texts: list[str]) -> Changes:  # type: ignore[type-arg]
    names = {digest_of(text): text for text in ("desk", "task", "ask", "book", *texts)}
    return Changes(runs, np.ones(len(runs), np.int64), np.zeros(0, CALL), runs[:0], names)


def alarms(
    settings: DriftSettings, made: Ages, both: Callable[[int], Both], since: int, until: int, every: int = 1
) -> dict[str, Found]:
    """Give what is told first of streams about ages in alarm, by the words of their keys: minutes from FIRST on."""
    table, found = DriftTable(settings), dict[str, "Found"]()
    for at in range(since, until, every):
        looked = table.look(made.closed(at, both(at)))
        told = {each.key.replace("\x1f", " "): each for each in looked.found if each.alarm}
        found = {key: each for key, each in told.items() if "user_age" in key} | found
    return found
