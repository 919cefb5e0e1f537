"""Follower: one thread with readers of its own that keeps the console's index; the control plane never waits for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from control.console.board import Board
from control.console.costs import Costs
from control.console.runs import MOST, Runs
from streams.port import LostOffsetError, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.port import Log, Message, Reader

_IDLE_S, _BREATH_S, _RETRY_S, _LOOK_S = 0.2, 0.002, 2.0, 30.0
_FIRST_LOOKS_S: Final = 2.0
"""Between two looks for topics while one of them is not there yet."""
_MOST_MESSAGES: Final = 200
_MOST_BYTES: Final = 1 << 20
_BACK: Final = {"run": MOST, "slo": 50_000, "incident": 20_000, "verdict": 50_000, "drift": 20_000}
"""Messages before the end of a topic, in all its partitions, where reading begins."""


@dataclass(frozen=True)
class Topics:
    """Names of the topics that the console reads."""

    runs: str = "flyball.runs"
    slos: str = "flyball.slos"
    incidents: str = "flyball.incidents"
    verdicts: str = "flyball.verdicts"
    drift: str = "flyball.drift"
    spans: str = "otlp_spans"
    logs: str = "otlp_logs"

    def kinds(self) -> dict[str, str]:
        """Give the kind of record in each topic that is followed."""
        return {
            self.runs: "run",
            self.slos: "slo",
            self.incidents: "incident",
            self.verdicts: "verdict",
            self.drift: "drift",
        }


class Follower:
    """Follows the topics until stopped. What it cannot read is counted; a log that does not answer is asked again."""

    def __init__(
        self,
        log: Log | None,
        topics: Topics,
        say: Callable[[str], None] = print,
        costs: Costs | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self.log, self.topics, self._say = log, topics, say
        self.board, self.runs, self.costs = Board(), Runs(), costs or Costs()
        self.attributes = attributes
        """The user's own source attributes: what a look at a run reads its spans by."""
        self.problem: str | None = None
        """Why nothing is read now; None: all is well."""
        self.caught_up = log is None
        self.closing = False
        self._stopped = threading.Event()
        self._readers: dict[tuple[str, int], Reader] = {}
        self._kinds = topics.kinds()
        self._thread = threading.Thread(target=self._follow, name="console", daemon=True)

    @property
    def is_current(self) -> bool:
        """Say whether what is shown is of now: the log is read to its end, and answers."""
        return self.caught_up and self.problem is None

    def start(self) -> None:
        """Begin to read."""
        if self.log is not None:
            self._thread.start()

    def stop(self) -> None:
        """End."""
        self.closing = True
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(10)
        self.runs.close()

    def find(self) -> bool:
        """Open readers of partitions that have none; True: all topics are there. Raises LogError."""
        assert self.log is not None  # noqa: S101 -- the thread runs only where there is one
        complete = True
        for topic, kind in self._kinds.items():
            count = self.log.partitions(topic)
            complete &= count > 0
            for partition in range(count):
                if (topic, partition) not in self._readers:
                    self._readers[topic, partition] = self._open(topic, partition, _BACK[kind] // count)
        return complete

    def step(self) -> bool:
        """Take what is there now; False: nothing had come. Raises LogError."""
        came = False
        for place, reader in list(self._readers.items()):
            try:
                messages = reader.poll(_MOST_MESSAGES, _MOST_BYTES)
            except LostOffsetError:  # a gap in what is shown; what must not be lost is not read here
                self._readers.pop(place).close()
                self._readers[place] = self._open(*place, 0)
                continue
            if messages:
                came = True
                self._take(self._kinds[place[0]], messages)
                self._stopped.wait(_BREATH_S)  # evaluations come first: they need the interpreter too
        return came

    def _open(self, topic: str, partition: int, back: int) -> Reader:
        """Open a reader so many messages before the end; 0: at the oldest."""
        assert self.log is not None  # noqa: S101 -- as above
        first = max(0, self.log.end(topic, partition) - back) if back else None
        try:
            return self.log.reader(topic, partition, first)
        except LostOffsetError:  # retention was there before us
            return self.log.reader(topic, partition, None)

    def _take(self, kind: str, messages: Sequence[Message]) -> None:
        records: list[dict[str, Any]] = []
        for message in messages:
            try:
                said = orjson.loads(message.value)
            except orjson.JSONDecodeError:
                said = None
            if isinstance(said, dict) and said.get("kind") == kind:
                records.append(said)
        bad = self.runs.put(records) if kind == "run" else self.board.put(kind, records)
        self.board.malformed += bad + len(messages) - len(records)
        self.board.changes[kind] += len(records)

    def _follow(self) -> None:
        wait = 0.0
        while not self._stopped.is_set():
            try:
                if wait <= 0:
                    wait = _LOOK_S if self.find() else _FIRST_LOOKS_S
                came = self.step()
                self.problem = None
                if not came:
                    if not self.caught_up:
                        self.costs.prepare()  # so that the first look at a run need not wait for it
                    self.caught_up = True
                    wait -= _IDLE_S
                    self._stopped.wait(_IDLE_S)
            except Exception as error:  # noqa: BLE001 -- the page says it; the control plane's work goes on
                if self.problem is None:
                    self._say(f"console: {told(error)}; trying again")
                self.problem, wait = told(error), 0.0
                self._stopped.wait(_RETRY_S)
        for reader in self._readers.values():
            reader.close()
