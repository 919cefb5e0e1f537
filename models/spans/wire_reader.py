"""The reader: hands messages to the kernels, and makes room where that is short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.spans.tables import compile_tables
from models.spans.wire_batch import read_messages
from models.spans.wire_names import place_names
from models.spans.wire_state import (
    NO_COHORTS,
    NO_DEAD,
    NO_NAMES,
    NO_ROWS,
    NO_TEXT,
    ROWS,
    SHORT,
    State,
    make_rows,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.spans.mapping import Mapping

_SPARE = 1.25
"""Room for rows, in those that the batch before had for as many bytes; what is never written takes no memory."""


class Reader:
    """Reads one batch after another, each in as many pieces as one likes."""

    def __init__(self, mapping: Mapping) -> None:
        self.state = State()
        self._tables = compile_tables(mapping)
        self._row_bytes = 256.0
        self._bytes = 0

    def begin(self, skew_ns: int, size: int) -> None:
        """Begin a batch of so many bytes; `skew_ns` is how far in the future a time may lie."""
        self._bytes = size
        self.state.begin(skew_ns, int(_SPARE * size / self._row_bytes))

    def read(
        self,
        buffer: NDArray[np.uint8],
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        numbers: NDArray[np.int64],
        received: NDArray[np.int64],
    ) -> None:
        """Read the messages at [starts[i], stops[i]) of the buffer, which goes on for `SLACK` bytes behind them."""
        words, first = self.state.words, 0
        buffer = buffer.view()
        buffer.flags.writeable = False  # so that the kernel is compiled once, not once more for writable buffers
        while True:
            first = int(read_messages(buffer, starts, stops, numbers, received, first, self._tables, words))
            if first == len(starts):
                return
            self._make_room(int(words[SHORT]))

    def rows(self) -> NDArray[np.int64]:
        """Give the rows of the batch, [column, row], F-contiguous: a row lies together."""
        rows = self.state.take_rows()
        if rows.shape[1]:
            self._row_bytes = self._bytes / rows.shape[1]
        return rows

    def _make_room(self, short: int) -> None:
        """Double what is too little; what is in it stays."""
        state = self.state
        if short & NO_ROWS:
            more = make_rows(2 * len(state.cols))
            more[: state.words[ROWS]] = state.cols[: state.words[ROWS]]
            state.cols = more
        if short & NO_COHORTS:
            state.cohorts = np.concatenate((state.cohorts, np.empty_like(state.cohorts)), axis=1)
        if short & NO_DEAD:
            state.dead = np.concatenate((state.dead, np.empty_like(state.dead)))
        if short & NO_NAMES:
            places = np.zeros((2 * len(state.name_places), 2), np.int64)
            place_names(state.name_places, places)
            state.name_places = places
            state.name_list = np.concatenate((state.name_list, np.empty_like(state.name_list)))
        if short & NO_TEXT:
            state.text = np.concatenate((state.text, np.empty_like(state.text)))
        state.tell()
