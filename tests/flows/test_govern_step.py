"""Metrics of verdicts over restarts: a watch that begins says again what it had said of runs that are still open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from flows.govern import GovernLogic
from flows.items import ShardVerdicts
from flows.metrics import Metrics
from flows.settings import Topics
from flows.shard_state import ShardStates
from models.runaways.avoided import AVOIDED
from models.runaways.book import RunawayBook
from models.verdicts import Action, Verdict

if TYPE_CHECKING:
    from pathlib import Path

KEY, SECOND = "g0", 10**9


def verdict(number: int, action: Action, mode: str) -> Verdict:
    """Give a verdict on a run; a kill avoided two dollars."""
    evidence = {"count": 10, "limit": 10, "mode": mode, "workflow": "air"}
    evidence |= {AVOIDED: 2.0} if action is Action.KILL else {}
    return Verdict(f"{number:x}" * 32, number * SECOND, "run", "r", action, "cap.steps", "again", evidence, 1)


SAID = [verdict(1, Action.WARN, "shadow"), verdict(2, Action.WARN, "enforce"), verdict(3, Action.KILL, "enforce")]


class Life:
    """One life of the step, with metrics that begin at zero."""

    def __init__(self, folder: Path, snapshot: bytes | None = None) -> None:
        self.metrics = Metrics(None, CollectorRegistry())
        states = ShardStates(RunawayBook.load, folder, 0, (), lambda: 2000 * SECOND)
        self.step = GovernLogic(states, snapshot, lambda: 2000 * SECOND, Topics(), self.metrics, drain=False)

    def hear(self, *verdicts: Verdict) -> dict[tuple[str, str], float]:
        """Hear verdicts; give what was counted by action and mode, and what was avoided."""
        self.step.on_batch([ShardVerdicts(KEY, list(verdicts), [], ())])
        found = {}
        for metric in self.metrics.registry.collect():
            for sample in metric.samples:
                if sample.name == "flyball_verdicts_total":
                    found[sample.labels["action"], sample.labels["mode"]] = sample.value
                if sample.name == "flyball_cost_avoided_usd_total" and sample.value:
                    found["avoided", sample.labels["mode"]] = sample.value
        return found


def test_verdicts_on_open_runs_are_counted_once(tmp_path: Path) -> None:
    """What is told again, in the same life or the next, is no more verdicts, and avoids nothing again."""
    life = Life(tmp_path)
    all_of_them = {("warn", "shadow"): 1, ("warn", "enforce"): 1, ("kill", "enforce"): 1, ("avoided", "enforce"): 2}
    assert life.hear(*SAID) == life.hear(*SAID) == all_of_them
    life = Life(tmp_path, life.step.snapshot())
    assert life.hear(*SAID) == {}
    assert life.hear(verdict(4, Action.WARN, "shadow")) == {("warn", "shadow"): 1}
    life = Life(tmp_path, life.step.snapshot())
    assert life.hear(*SAID, verdict(4, Action.WARN, "shadow")) == {}
