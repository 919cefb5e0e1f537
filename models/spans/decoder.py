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
from models.spans.wire import ERRORS
from models.spans.wire_batch import find_json
from models.spans.wire_reader import Reader
from models.spans.wire_state import NO_TRACE_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

FUTURE_NS = 300 * 10**9
"""How far a time may lie beyond the receipt before it is capped: clocks of agents are not those of brokers."""

CHUNK = 1 << 20
"""Bytes that are read at once: they stay in the second cache (measured on simulated traffic: 0.1 µs less a span than
16 MB at once, a quarter to four times as much makes no difference)."""

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
    - `number.unreadable`: a number that is none, not finite, negative or too large is not known; an attribute whose
      members are asked for, but which is no object or no valid JSON, has none.
    - `name.type`: a list, map, byte string or float where a name belongs is no name. `name.cut`: names end after 256
      bytes, at a character. `utf8.replaced`: a name (counted once a batch) is not UTF-8; its text gets U+FFFD, its
      digest is that of the bytes as they came.
    - `log.ignored`: an evaluation of no trace, answer or conversation; another log record without a trace id, or
      without a kind in the mapping; a bill without a cost. `evaluation.unnamed`: an evaluation without name.
    - `cohorts.left_out`: more than 16 cohort attributes on a resource. `outcome.unknown`: an outcome in no word that is
      known says nothing; the run's status decides.

    A message that is not valid is one dead letter and gives nothing else; a span without trace id is one by itself.
    A decoder keeps memory from batch to batch: it is for one thread.
    """

    def __init__(self, mapping: Mapping | None = None, future_ns: int = FUTURE_NS) -> None:
        self.mapping = mapping or Mapping.load()
        self.future_ns = future_ns
        self._prefixes = self.mapping.model_prefixes
        self._reader = Reader(self.mapping)

    def decode(self, messages: Sequence[bytes], received_ns: NDArray[np.int64] | int) -> Decoded:
        """Decode one batch; `received_ns` is when its messages arrived, one time for all or one each."""
        received = np.broadcast_to(np.asarray(received_ns, np.int64), (len(messages),)).copy()
        sizes = np.fromiter(map(len, messages), np.int64, len(messages))
        self._reader.begin(self.future_ns, int(sizes.sum()))
        dead: list[DeadLetter] = []
        for first, last in _chunks(sizes):
            dead += self._read(messages[first:last], sizes[first:last], first, received[first:last])
        return self._decoded(dead)

    def _read(
        self, messages: Sequence[bytes], sizes: NDArray[np.int64], first: int, received: NDArray[np.int64]
    ) -> list[DeadLetter]:
        """Read messages, the first of which has this number in the batch; give those of JSON that is none."""
        buffer = np.frombuffer(b"".join((*messages, bytes(SLACK))), np.uint8)
        stops = np.cumsum(sizes)
        starts, numbers = stops - sizes, np.arange(first, first + len(sizes))
        json = find_json(buffer, starts, stops)
        if not json.any():
            self._reader.read(buffer, starts, stops, numbers, received)
            return []
        wire, wire_starts, wire_stops, codes = json_wire.transcode(buffer, starts[json], stops[json])
        starts[json], stops[json] = wire_starts + len(buffer), wire_stops + len(buffer)
        fine = np.ones(len(sizes), np.bool_)
        fine[json] = codes == 0
        buffer = np.concatenate((buffer, wire))
        self._reader.read(buffer, starts[fine], stops[fine], numbers[fine], received[fine])
        bad = zip(numbers[~fine].tolist(), codes[codes != 0].tolist(), sizes[~fine].tolist(), strict=True)
        return [DeadLetter(number, json_wire.ERRORS[code], size) for number, code, size in bad]

    def _decoded(self, dead: list[DeadLetter]) -> Decoded:
        """Make the result from what the kernels left."""
        state, cols = self._reader.state, self._reader.rows()
        known, mended = state.used_names(), state.mended()
        names = Names(known[:, 0], state.used_text(), known[:, 1])
        if replaced := names.replaced:
            mended["utf8.replaced"] = replaced
        self._strip_models(cols, names)
        dead += [DeadLetter(message, _REASONS[reason], size) for message, reason, size in state.used_dead()]
        dead.sort(key=lambda letter: letter.message)
        return Decoded(Spans(cols, names, Cohorts(*state.used_cohorts())), dead, mended)

    def _strip_models(self, cols: NDArray[np.int64], names: Names) -> None:
        """Cut the prefixes of gateways from the names of models, in place: once a name, not once a span."""
        places = self._reader.state.name_places
        for digest in places[(places[:, 1] & _MODEL_BIT) != 0, 0].tolist():
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


def _chunks(sizes: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut a batch into stretches [first, last) of about `CHUNK` bytes, one message at least."""
    stops, first = np.cumsum(sizes), 0
    while first < len(stops):
        begin = stops[first] - sizes[first]
        last = max(first + 1, int(np.searchsorted(stops, begin + CHUNK, side="right")))
        yield first, last
        first = last
