"""ShardLogic: what the engine asks of a shard, for shards whose state is a ShardState."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from bytewax.operators import StatefulBatchLogic
from typing_extensions import override

if TYPE_CHECKING:
    from flows.shard_state import ShardState

Item = TypeVar("Item")
Out = TypeVar("Out")


class ShardLogic(StatefulBatchLogic[Item, Out, bytes]):
    """One shard of a step: open, with a state, from the first item or the snapshot on."""

    _state: ShardState[Any] | None

    @property
    def is_open(self) -> bool:
        """Whether it has a state."""
        return self._state is not None

    @override
    def snapshot(self) -> bytes:
        return self._state.snapshot() if self._state else b""
