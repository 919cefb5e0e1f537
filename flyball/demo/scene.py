"""Scene: what an act has to play with, and what comes of it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball.demo.agents import Agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flyball.demo.agents import Door
    from flyball.demo.narration import Narrator
    from flyball.demo.pager import Pager
    from flyball.demo.records import Heard, Record, Records
    from flyball.demo.stage import Stage
    from flyball.demo.traffic import Traffic

PATIENCE_S = 20.0
"""How long an act waits for what is to come."""


@dataclass(frozen=True)
class Outcome:
    """How an act ended: sentences for people, and facts by name for `--json`."""

    caught: bool
    sentences: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """The running deployment, its traffic, and where agents of an act come from."""

    stage: Stage
    records: Records
    pager: Pager
    traffic: Traffic
    door: Door
    seed: int
    narrator: Narrator
    ready_at: float
    """When the flow had begun to read and the past was sent (time.monotonic)."""

    @contextmanager
    def agent(self, name: str, workflow: str, user: str) -> Iterator[Agent]:
        """Give an agent that hears signals."""
        agent = Agent(self.door, name, workflow, user, self.seed)
        try:
            self.stage.wait(lambda: agent.is_listening, PATIENCE_S)
            yield agent
        finally:
            agent.close()

    def record(self, topic: str, matches: Callable[[Record], bool]) -> Heard | None:
        """Wait for a record; None: it did not come."""
        found: Heard | None = self.stage.wait(lambda: self.records.find(topic, matches), PATIENCE_S)
        return found
