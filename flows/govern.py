"""Steps `verdicts` and `govern`: what was said of runaways -> verdict records, and incidents by workflow."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from typing_extensions import override

from flows.items import Progress, ShardVerdicts, Watched
from flows.telling import TellingLogic, outbound
from models.digest import digest_of
from models.runaways.avoided import AVOIDED
from models.runaways.book import RunawayBook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flows.items import Outbound, Said
    from flows.metrics import Metrics
    from flows.settings import Topics
    from flows.shard_state import ShardState, ShardStates
    from models.incidents.incident import Incident
    from models.runaways.book import Defied
    from models.verdicts import Verdict

_SECOND_NS = 1_000_000_000
GOVERN_SHARDS = [f"g{shard}" for shard in range(8)]


class VerdictStep:
    """Callable for `flat_map_batch`: the verdicts, as records on their way out."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def __call__(self, items: list[Said]) -> list[tuple[str, list[Outbound]]]:
        """Give the verdicts of each shard, in order."""
        told = [item for item in items if isinstance(item, Watched) and item.verdicts]
        return [(item.key, [outbound(self._topic, v.scope, v.record()) for v in item.verdicts]) for item in told]


class GovernStep:
    """Callable for `flat_map_batch`: parts what was said by workflow; progress follows what it is of."""

    def __call__(self, items: list[Said]) -> list[tuple[str, ShardVerdicts]]:
        """Part."""
        parts: dict[str, tuple[list[Verdict], list[Defied]]] = defaultdict(lambda: ([], []))
        for item in items:
            if isinstance(item, Watched):
                for verdict in item.verdicts:
                    parts[_shard(verdict.evidence.get("workflow"))][0].append(verdict)
                for call in item.defied:
                    parts[_shard(call.ident.scope)][1].append(call)
        out = [(key, ShardVerdicts(key, verdicts, defied, ())) for key, (verdicts, defied) in parts.items()]
        marks = tuple((item.key, item.watermark_ns) for item in items if isinstance(item, Progress))
        return out + ([(key, ShardVerdicts(key, [], [], marks)) for key in GOVERN_SHARDS] if marks else [])


class GovernLogic(TellingLogic[ShardVerdicts, RunawayBook]):
    """One shard of workflows; it counts what it had not heard in an earlier life."""

    def __init__(
        self,
        states: ShardStates[RunawayBook],
        snapshot: bytes | None,
        clock: Callable[[], int] | None,
        topics: Topics,
        metrics: Metrics,
        *,
        drain: bool,
    ) -> None:
        self._metrics = metrics
        super().__init__(states, snapshot, clock, topics, drain=drain)

    @override
    def _take(self, table: RunawayBook, item: ShardVerdicts) -> None:
        now_s = self._clock() // _SECOND_NS if self._clock else 0
        for verdict in table.hear(item.verdicts, item.defied, now_s):
            said = verdict.evidence
            labels = said.get("workflow") or "unknown", verdict.rule, str(verdict.action), said["mode"]
            self._metrics.verdicts.labels(*labels).inc()
            # from the first verdict on, else Prometheus would not see the first sum as an increase
            self._metrics.avoided.labels(labels[0], verdict.rule, said["mode"]).inc(said.get(AVOIDED, 0.0))

    @override
    def _look(
        self, state: ShardState[RunawayBook], now_ns: int, *, is_last: bool
    ) -> tuple[Sequence[Incident], Sequence[Outbound]]:
        now_s = now_ns // _SECOND_NS
        if self._clock:
            state.table.set_back(now_s)
        return state.table.look(now_s), []


def _shard(workflow: str | None) -> str:
    return GOVERN_SHARDS[digest_of(workflow or "") % len(GOVERN_SHARDS)]
