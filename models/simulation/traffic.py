"""Traffic: the rows of a scenario in the order in which an exporter that flushes every few seconds sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.simulation.book import Book, Cast, cast_of, tool_table, write_users
from models.simulation.effects import outages_of
from models.simulation.plans import Planner
from models.simulation.rows import Row
from models.simulation.steps import World
from models.simulation.walk import ROWS_A_ROUND, SPANS_BESIDE_ROUNDS, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from models.simulation.scenario import Scenario

SECOND = 1_000_000_000
_ROWS_AT_ONCE = 40_000
"""Rows aimed at in a slice of time: enough to spread fixed costs, few enough for the processor's cache."""
_SLICE_MOST_S = 600.0
_NEVER = 2**63 - 1
_ROWS_A_RUN = 20
"""For sizing only."""


class Slice(NamedTuple):
    """What is exported in a slice of time."""

    rows: NDArray[np.int64]
    """[Row, n], sorted by flush, spans before log records, then event time."""
    flush_ns: NDArray[np.int64]
    """When each row is exported."""
    is_log: NDArray[np.bool_]
    runs: NDArray[np.void]
    """RUN records of the runs that began in the slice, with what came of them."""


class Pending:
    """Rows that wait to be exported: chunks sorted by event time, so that what is due is the head of each."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._chunks: list[NDArray[np.int64]] = []

    def add(self, rows: NDArray[np.int64]) -> None:
        """Let rows [Row, n] wait."""
        self._chunks.append(rows[:, np.argsort(rows[Row.END], kind="stable")])

    def until(self, time_ns: int) -> NDArray[np.int64]:
        """Give the rows with an event time up to this one."""
        cuts = [int(np.searchsorted(chunk[Row.END], time_ns, side="right")) for chunk in self._chunks]
        due = [chunk[:, :cut] for chunk, cut in zip(self._chunks, cuts, strict=True)]
        rest = [chunk[:, cut:] for chunk, cut in zip(self._chunks, cuts, strict=True)]
        self._chunks = [chunk for chunk in rest if chunk.shape[1]]
        return np.concatenate([np.zeros((len(Row), 0), np.int64), *due], axis=1)


class Actor:
    """One workflow at work: plans runs and walks them."""

    def __init__(self, scenario: Scenario, number: int, book: Book) -> None:
        """Write what the workflow and its incidents need into the book."""
        self.cast: Cast = cast_of(book, scenario.workflows[number])
        self._planner = Planner(scenario, number, self.cast, book)
        self.incidents = self._planner.incidents
        strangers = {when.tool for when in self.incidents if when.incident.kind == "hallucinated_tool"}
        self._tools = tool_table(book, self.cast, strangers)
        self._outages = outages_of(self.incidents)

    def until(self, time_ns: int) -> tuple[NDArray[np.int64], NDArray[np.void]]:
        """Give the rows and records of the runs that start before this time, without those given before."""
        runs = self._planner.until(time_ns)
        parts, done = [np.zeros((len(Row), 0), np.int64)], 0
        while done < len(runs):
            most = self.cast.workflow.max_rounds * ROWS_A_ROUND + SPANS_BESIDE_ROUNDS
            room = np.empty((len(Row), most + (len(runs) - done) * _ROWS_A_RUN * 2), np.int64)
            cast = self.cast
            world = World(room, cast.lines, cast.prices, cast.settings, self._tools, self._outages)
            done, used = walk(world, runs, done)
            parts.append(room[:, :used])
        return np.concatenate(parts, axis=1), runs


class Traffic:
    """The scenario, slice by slice; `book` and `actors` tell what the numbers in the rows mean."""

    def __init__(self, scenario: Scenario) -> None:
        """Write all shapes, users and resources into the book."""
        self.scenario = scenario
        self.book = Book()
        write_users(self.book, scenario)
        self.actors = [Actor(scenario, number, self.book) for number in range(len(scenario.workflows))]
        self._log_shape = np.array([shape.event for shape in self.book.shapes])

    def slices(self) -> Iterator[Slice]:
        """Give all rows; without end where the scenario has none."""
        flush = round(self.scenario.flush_s * SECOND)
        step = min(_ROWS_AT_ONCE / (self.scenario.rate * _ROWS_A_RUN), _SLICE_MOST_S)
        step_ns = max(int(step * SECOND) // flush, 1) * flush
        pending = Pending()
        time = self.scenario.start_ns
        stop = None if self.scenario.duration_s is None else time + round(self.scenario.duration_s * SECOND)
        while stop is None or time < stop:
            time += step_ns
            given = [actor.until(time) for actor in self.actors]
            for rows, _ in given:
                pending.add(rows)
            # no run that starts later can send anything before `time`
            due = pending.until(_NEVER if stop is not None and time >= stop else time)
            yield self._sorted(due, np.concatenate([runs for _, runs in given]))

    def _flush_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        flush = round(self.scenario.flush_s * SECOND)
        flushes: NDArray[np.int64] = -((self.scenario.start_ns - rows[Row.END]) // flush)
        return self.scenario.start_ns + flushes * flush

    def _sorted(self, rows: NDArray[np.int64], runs: NDArray[np.void]) -> Slice:
        flush_ns, is_log = self._flush_of(rows), self._log_shape[rows[Row.TEMPLATE]]
        order = np.lexsort((rows[Row.SPAN_ID], rows[Row.END], is_log, flush_ns))
        return Slice(rows[:, order], flush_ns[order], is_log[order], runs)
