"""Spans: one batch of decoded spans and events, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from models.spans.columns import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Cohorts:
    """Cohort attributes (`flyball.cohort.<name>`), sparse: row i of these says that span `row[i]` has `value[i]`."""

    row: NDArray[np.int64]
    name: NDArray[np.int64]
    value: NDArray[np.int64]

    @staticmethod
    def none() -> Cohorts:
        """No cohort said anything."""
        empty = np.empty(0, np.int64)
        return Cohorts(empty, empty, empty)


@dataclass(frozen=True)
class Spans:
    """`cols` is int64 [len(Column), n], F-contiguous; `names` maps each name digest in it to its text.

    A row lies together in memory: kernels, which take the transpose, touch 6 cache lines a span instead of 41. Columns
    in another order are copied.
    """

    cols: NDArray[np.int64]
    names: Mapping[int, str]
    cohorts: Cohorts = field(default_factory=Cohorts.none)

    def __post_init__(self) -> None:
        if not self.cols.flags.f_contiguous:
            object.__setattr__(self, "cols", np.asfortranarray(self.cols))

    def __len__(self) -> int:
        """Count the rows."""
        return int(self.cols.shape[1])

    def __getitem__(self, column: Column) -> NDArray[np.int64]:
        """Give one column, a view."""
        values: NDArray[np.int64] = self.cols[column]
        return values

    @staticmethod
    def empty() -> Spans:
        """Give a batch of no rows."""
        return Spans(np.empty((len(Column), 0), np.int64), {})

    def frame(self) -> pl.DataFrame:
        """Give the columns as a Polars frame of int64 columns named as in `Column`, lower case."""
        return pl.DataFrame({column.name.lower(): self.cols[column] for column in Column})


@dataclass(frozen=True)
class DeadLetter:
    """One message or record that could not be read: which message of the batch, and why."""

    message: int
    reason: str
    size: int


@dataclass(frozen=True)
class Decoded:
    """What a batch of messages gave."""

    spans: Spans
    dead: list[DeadLetter]
    mended: dict[str, int]
    """Repairs by stated rule, counted per rule."""
