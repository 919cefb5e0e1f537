"""Changes: what a batch of spans changed in the published facts, as rows with a weight.

A run that is published for the first time is one row of weight +1. A correction is two rows: the run as it was
counted (-1) and as it is (+1). Whoever adds up `weight` over all rows ever emitted has the truth, whatever the order,
batching or number of workers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models.runs.record import RUN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CALL = np.dtype(
    [
        ("run", np.int64),  # row in `Changes.runs` that gives groups: that of weight -1 or +1 it belongs to
        ("tool", np.int64),  # name digest; 0 where a tool call has no tool name
        ("minute", np.int64),  # event time of the calls, Unix minutes
        ("error", np.int64),  # name digest of their error type; 0: they did not fail, or it is not known
        ("before", np.int64),  # name digest of the tool called before, `calls.START` of the first call; 0: not known
        ("calls", np.int64),  # signed: already times the weight
        ("errors", np.int64),
        ("timeouts", np.int64),
    ]
)

_NO_RUNS, _NO_WEIGHT, _NO_CALLS = np.empty(0, RUN), np.empty(0, np.int64), np.empty(0, CALL)


def rows_of(words: NDArray[np.int64]) -> NDArray[np.void]:
    """View int64 [row, word] as RUN rows. Making those directly takes 3 us: it has many fields."""
    return np.ndarray(len(words), RUN, words)


def joined(parts: Sequence[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Concatenate as bytes: numpy copies structured arrays field by field, which is 20 times slower.

    One part is given as it is.
    """
    if len(parts) == 1:
        return parts[0]
    return np.frombuffer(bytearray().join(part.tobytes() for part in parts), dtype)


@dataclass(frozen=True)
class Changes:
    """`runs` are RUN rows, `weight` +1 or -1. Calls are told with their run, and again when a late span corrects it."""

    runs: NDArray[np.void]
    weight: NDArray[np.int64]
    calls: NDArray[np.void]
    records: NDArray[np.void]
    """RUN rows to be told as run records, `revision` set."""
    names: dict[int, str]
    """Text of every name digest in the rows."""
    tools: NDArray[np.void] = field(default_factory=lambda: _NO_CALLS)
    """CALL rows of `records`: all calls of each run by tool, minute and error type, `run` its row there."""

    @staticmethod
    def none() -> Changes:
        """Nothing changed."""
        return Changes(_NO_RUNS, _NO_WEIGHT, _NO_CALLS, _NO_RUNS, {})


def as_one(parts: Sequence[Changes]) -> Changes:
    """Give several changes as one, in order."""
    if len(parts) == 1:
        return parts[0]
    names: dict[int, str] = {}
    for part in parts:
        names |= part.names
    return Changes(
        joined([part.runs for part in parts], RUN),
        np.concatenate([_NO_WEIGHT, *[part.weight for part in parts]]),
        _shifted([part.calls for part in parts], [len(part.runs) for part in parts]),
        joined([part.records for part in parts], RUN),
        names,
        _shifted([part.tools for part in parts], [len(part.records) for part in parts]),
    )


def _shifted(calls: Sequence[NDArray[np.void]], rows: Sequence[int]) -> NDArray[np.void]:
    """Join CALL rows; each part's `run` is a row of its own part, of which there are so many."""
    out = joined(calls, CALL)
    out["run"] += np.repeat(np.cumsum([0, *rows], dtype=np.int64)[:-1], [len(part) for part in calls])
    return out
