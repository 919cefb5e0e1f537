"""Watch: which streams a shard opens, how they count, and how an alarm of one is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from models.drift.bank import Bank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.bank import Stream
    from models.drift.detector import Detector
    from models.drift.minute import Minute
    from models.drift.shard import Shard


class Contrast(NamedTuple):
    """What is held against what."""

    dimension: str
    """`time` for its own past, `objective`, or a dimension of the group."""
    from_: str
    to: str


class Effect(NamedTuple):
    """How it differs."""

    contrast: Contrast
    direction: str
    """`up` or `down` of what is counted, or `mixed`."""
    is_worse: bool
    numbers: dict[str, Any]
    words: str


class Watch(Protocol):
    """One way to look at series."""

    @property
    def name(self) -> str:
        """Names the bank in the stored state: it never changes."""
        ...

    @property
    def detector(self) -> Detector:
        """What tests the streams."""
        ...

    @property
    def minutes(self) -> int:
        """Minutes between two looks."""
        ...

    def ready(self, shard: Shard, streams: list[Stream], at: int) -> tuple[list[Stream], State] | None:
        """Open what can be opened at Unix minute `at` beside those there are; None: nothing."""
        ...

    def tightened(self, shard: Shard, streams: list[Stream], state: State) -> tuple[NDArray[np.int64], State] | None:
        """Give places of streams whose null is too wide, as it has turned out by now, and a state that is as it should.

        Asked each minute, before `ready`; None: nothing.
        """
        ...

    def holds(self, shard: Shard, streams: list[Stream], state: State) -> NDArray[np.bool_]:
        """Say, after a restart, which streams are still about what the configuration says."""
        ...

    def bank(self) -> Bank:
        """Give a bank for its streams."""
        ...

    def look(self, shard: Shard, minute: Minute, bank: Bank) -> None:
        """Let the streams of its bank see a minute."""
        ...

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give the counts [column, stream] of streams."""
        ...

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain a stream, by its state alone ([..., 1]) and its counts [column] since it changed."""
        ...


class Standing:
    """Base of watches that no configuration changes: what their streams are about stands."""

    def bank(self: Watch) -> Bank:
        """Give one that is empty."""
        return Bank(self.detector, self.minutes)

    def look(self: Watch, shard: Shard, minute: Minute, bank: Bank) -> None:
        """Count."""
        bank.take(self.counts(shard, minute, bank.series, bank.against), minute.at)

    def tightened(self, shard: Shard, streams: list[Stream], state: State) -> tuple[NDArray[np.int64], State] | None:
        """Give nothing."""
        return None

    def holds(self, shard: Shard, streams: list[Stream], state: State) -> NDArray[np.bool_]:
        """Say that all are."""
        return np.ones(len(streams), np.bool_)
