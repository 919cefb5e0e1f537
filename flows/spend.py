"""Steps `amounts` and `spend`: pulses -> spend by scope -> records, verdicts, incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from flows.items import Progress, ShardAmounts, Watched
from flows.telling import TellingLogic, outbound
from models.runs.pulse import NO_PULSES
from models.spend.pace_rows import pace_rows
from models.spend.rows import SHARDS, parts_of, spend_rows
from models.spend.table import SpendTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.items import Outbound, Said
    from flows.shard_state import ShardState
    from models.incidents.incident import Incident

_SECOND_NS = 1_000_000_000
SPEND_SHARDS = [f"s{shard}" for shard in range(SHARDS)]


class AmountStep:
    """Callable for `flat_map_batch`: adds up all pulses of an activation, and parts them; progress follows."""

    def __call__(self, items: list[Said]) -> list[tuple[str, ShardAmounts]]:
        """Add up and part."""
        seen = [item for item in items if isinstance(item, Watched)]
        marks = tuple((item.key, item.watermark_ns) for item in items if isinstance(item, Progress))
        pulses = np.concatenate([NO_PULSES, *[item.pulses for item in seen]])
        names: dict[int, str] = {}
        for item in seen:
            names |= item.names
        parts, paces = parts_of(spend_rows(pulses)), parts_of(pace_rows(pulses))
        out = [
            (key := SPEND_SHARDS[n], ShardAmounts(key, parts.get(n), names, (), paces.get(n)))
            for n in sorted({*parts, *paces})
        ]
        return out + ([(key, ShardAmounts(key, None, {}, marks)) for key in SPEND_SHARDS] if marks else [])


class SpendLogic(TellingLogic[ShardAmounts, SpendTable]):
    """One spend shard."""

    @override
    def _take(self, table: SpendTable, item: ShardAmounts) -> None:
        if item.rows is not None:
            table.apply(item.rows, item.names)
        if item.paces is not None:
            table.pace(item.paces, item.names)

    @override
    def _look(
        self, state: ShardState[SpendTable], now_ns: int, *, is_last: bool
    ) -> tuple[Sequence[Incident], Sequence[Outbound]]:
        spent = state.table.look(now_ns // _SECOND_NS, is_last=is_last)
        verdicts = [outbound(self._topics.verdicts, verdict.id, verdict.record()) for verdict in spent.verdicts]
        records = [outbound(self._topics.spend, _scope_of(record), record) for record in spent.records]
        return spent.incidents, verdicts + records


def _scope_of(record: dict[str, Any]) -> str:
    return "\x1f".join((record["scope"]["level"], record["tenant"] or "", record["scope"]["id"]))
