"""The decoder: OTLP messages as bytes in, canonical columns out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.digest import SLACK, digest_of
from models.spans import json_wire
from models.spans.batch import Cohorts, DeadLetter, Decoded, Spans
from models.spans.columns import FIRST_NAME, Column
from models.spans.mapping import Mapping
from models.spans.names import Names
from models.spans.tables import compile_tables
from models.spans.wire import ERRORS, WORKSPACE
from models.spans.wire_batch import count_records, find_json, read_messages
from models.spans.wire_names import pack_names
from models.spans.wire_state import (
    NO_COHORTS,
    NO_DEAD,
    NO_NAMES,
    NO_ROWS,
    NO_SCRATCH,
    NO_TRACE_ID,
    SHORT,
    Room,
    State,
    make_columns,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FUTURE_NS = 300 * 10**9
"""How far a time may lie beyond the receipt before it is capped: clocks of agents are not those of brokers."""

_REASONS = {**ERRORS, NO_TRACE_ID: "span without trace id"}
_MODEL_BIT = 1 << (Column.MODEL - FIRST_NAME)


class Decoder:
    """Decodes batches of OTLP messages, protobuf or JSON, spans or logs, in any mixture.

    Rules for what is not as it should be, each counted in `Decoded.mended` under its name:

    - `time.missing`: a missing end is the start, a missing start the end; both missing: the time of receipt.
    - `time.reversed`: an end before the start moves the start there, as the end is the event time.
    - `time.future`: an end later than the receipt plus `future_ns` becomes the time of receipt.
    - `span_id.made`: a missing span id is made from the span's bytes, one of another length than 8 from its own bytes
      (16 hex digits are read); `parent_id.made` likewise. `trace_id.text`: a trace id sent as hex or base64 is read.
    - `number.unreadable`: a number that is none, not finite, negative or too large is not known.
    - `name.type`: a list, map, byte string or float where a name belongs is no name. `name.cut`: names end after 256
      bytes, at a character. `utf8.replaced`: a name (counted once a batch) is not UTF-8; its text gets U+FFFD, its
      digest is that of the bytes as they came.
    - `log.ignored`: a log record that is no evaluation of a trace. `evaluation.unnamed`: an evaluation without name.
    - `cohorts.left_out`: more than 16 cohort attributes on a resource.

    A message that is not valid is one dead letter and gives nothing else; a span without trace id is one by itself.
    A decoder keeps memory from batch to batch: it is for one thread.
    """

    def __init__(self, mapping: Mapping | None = None, future_ns: int = FUTURE_NS) -> None:
        self.mapping = mapping or Mapping.load()
        self.future_ns = future_ns
        self._tables = compile_tables(self.mapping)
        self._prefixes = self.mapping.model_prefixes
        self._cols = make_columns(0)
        self._room = Room(rows=0, cohorts=64, dead=16, names=1024, scratch=1024)

    def decode(self, messages: Sequence[bytes], received_ns: NDArray[np.int64] | int) -> Decoded:
        """Decode one batch; `received_ns` is when its messages arrived, one time for all or one each."""
        numbers = np.arange(len(messages))
        received = np.broadcast_to(np.asarray(received_ns, np.int64), numbers.shape).copy()
        stops = np.cumsum(np.fromiter(map(len, messages), np.int64, len(messages)))
        starts = np.concatenate((np.zeros(1, np.int64), stops[:-1])) if len(stops) else stops
        buffer = self._buffer(messages)
        json = find_json(buffer, starts, stops)
        if not json.any():
            return self._protobuf(buffer, starts, stops, numbers, received)
        other = ~json
        parts = [self._json(buffer, starts[json], stops[json], numbers[json], received[json])]
        if other.any():
            parts.append(self._protobuf(buffer, starts[other], stops[other], numbers[other], received[other]))
        return _join(parts)

    def _buffer(self, messages: Sequence[bytes]) -> NDArray[np.uint8]:
        """Put the messages behind each other, and room for names that are made behind them."""
        joined = bytearray().join((*messages, bytes(self._room.scratch + SLACK)))
        return np.frombuffer(joined, np.uint8)

    def _protobuf(
        self,
        buffer: NDArray[np.uint8],
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        numbers: NDArray[np.int64],
        received: NDArray[np.int64],
    ) -> Decoded:
        """Decode protobuf messages; what there was too little room for is doubled until it fits."""
        count = count_records(buffer, starts, stops, np.zeros(WORKSPACE, np.int64))
        room = self._room._replace(rows=max(1, int(count)))
        scratch_from = len(buffer) - SLACK - self._room.scratch
        while True:
            if self._cols.shape[1] < room.rows:
                self._cols = make_columns(room.rows)
            state = State(room, scratch_from, self.future_ns, self._cols)
            read_messages(buffer, starts, stops, numbers, received, self._tables, state.words)
            short = int(state.words[SHORT])
            if not short:
                break
            room = _more(room, short)
            buffer = np.concatenate((buffer[:scratch_from], np.zeros(room.scratch + SLACK, np.uint8)))
        self._room = room
        return self._decoded(buffer, state)

    def _json(
        self,
        buffer: NDArray[np.uint8],
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        numbers: NDArray[np.int64],
        received: NDArray[np.int64],
    ) -> Decoded:
        """Transcode JSON messages to protobuf and decode those."""
        wire, wire_starts, wire_stops, codes = json_wire.transcode(buffer, starts, stops)
        wire = np.concatenate((wire, np.zeros(self._room.scratch, np.uint8)))
        fine = codes == 0
        done = self._protobuf(wire, wire_starts[fine], wire_stops[fine], numbers[fine], received[fine])
        size = dict(zip(numbers.tolist(), (stops - starts).tolist(), strict=True))
        bad = zip(numbers[~fine].tolist(), codes[~fine].tolist(), strict=True)
        dead = [DeadLetter(number, json_wire.ERRORS[code], size[number]) for number, code in bad]
        return Decoded(done.spans, done.dead + dead, done.mended)

    def _decoded(self, buffer: NDArray[np.uint8], state: State) -> Decoded:
        """Make the result from what the kernel left."""
        cols, mended = state.used_rows(), state.mended()
        names = _texts(buffer, state)
        if replaced := names.replaced:
            mended["utf8.replaced"] = replaced
        self._strip_models(cols, names, state)
        dead = [DeadLetter(message, _REASONS[reason], size) for message, reason, size in state.used_dead()]
        return Decoded(Spans(cols, names, Cohorts(*state.used_cohorts())), dead, mended)

    def _strip_models(self, cols: NDArray[np.int64], names: Names, state: State) -> None:
        """Cut the prefixes of gateways from the names of models, in place: once a name, not once a span."""
        in_use = (state.name_digest != 0) & ((state.name_text[:, 2] & _MODEL_BIT) != 0)
        for digest in state.name_digest[in_use].tolist():
            short = self._strip(names[digest])
            if short != names[digest]:
                column = cols[Column.MODEL]
                column[column == digest] = digest_of(short)
                names.add(digest_of(short), short)

    def _strip(self, model: str) -> str:
        """Cut all prefixes, as gateways stand behind each other; a name that is only a prefix stays."""
        for prefix in self._prefixes:
            if model.startswith(prefix) and len(model) > len(prefix):
                return self._strip(model[len(prefix) :])
        return model


def _more(room: Room, short: int) -> Room:
    """Double what there was too little of."""
    return Room(
        rows=room.rows * 2 if short & NO_ROWS else room.rows,
        cohorts=room.cohorts * 2 if short & NO_COHORTS else room.cohorts,
        dead=room.dead * 2 if short & NO_DEAD else room.dead,
        names=room.names * 2 if short & NO_NAMES else room.names,
        scratch=room.scratch * 2 if short & NO_SCRATCH else room.scratch,
    )


def _texts(buffer: NDArray[np.uint8], state: State) -> Names:
    """Give the text of every name of the batch."""
    used = np.flatnonzero(state.name_digest)
    packed, ends = pack_names(buffer, state.name_text, used)
    return Names(state.name_digest[used], packed.tobytes(), ends)


def _join(parts: list[Decoded]) -> Decoded:
    """Put the parts of a mixed batch together, rows and dead letters in the order of the messages."""
    if len(parts) == 1:
        return Decoded(parts[0].spans, sorted(parts[0].dead, key=lambda d: d.message), parts[0].mended)
    cols = np.concatenate([part.spans.cols for part in parts], axis=1)
    order = np.argsort(cols[Column.MESSAGE], kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    first = np.cumsum([0, *(len(part.spans) for part in parts)])
    rows = np.concatenate([part.spans.cohorts.row + at for part, at in zip(parts, first[:-1], strict=True)])
    cohorts = Cohorts(
        place[rows],
        np.concatenate([part.spans.cohorts.name for part in parts]),
        np.concatenate([part.spans.cohorts.value for part in parts]),
    )
    names = {digest: text for part in parts for digest, text in part.spans.names.items()}
    mended: dict[str, int] = {}
    for part in parts:
        for name, count in part.mended.items():
            mended[name] = mended.get(name, 0) + count
    dead = sorted((letter for part in parts for letter in part.dead), key=lambda d: d.message)
    return Decoded(Spans(np.ascontiguousarray(cols[:, order]), names, cohorts), dead, mended)
