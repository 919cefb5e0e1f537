# ruff: noqa: C901, FBT001, PLR0917 - an oracle keeps the rules together, however many they are
"""The decoder's oracle: the same rules in plain Python, over what the protobuf library parsed.

The library refuses strings that are not UTF-8 where the decoder mends them; so the oracle parses with copies of OTLP's
descriptors in which strings are bytes. A second set leaves spans, lists and maps as the bytes they came in, as the
decoder digests those.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter, defaultdict
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from models.digest import digest_of, mix64
from models.spans.columns import NO_SCORE, UNKNOWN, Column, SpanKind
from models.spans.mapping import (
    ALL_KINDS,
    ANNOTATIONS,
    CONTENTS,
    EVALUATIONS,
    EVENT,
    EXCEPTION,
    MEANINGS,
    RESOURCE,
    SPAN,
    Mapping,
)

MASK = 2**64 - 1
MAX = 2**63 - 1
NAMED = range(Column.WORKFLOW, Column.ERROR_TYPE + 1)
COUNTED = range(Column.INPUT_TOKENS, Column.COST + 1)
_STRING, _MESSAGE, _BYTES = 9, 11, 12
_RAW = {"ArrayValue", "KeyValueList", "Span"}
NUMBER = re.compile(rb" *([+-]?)(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *")


def _classes(raw: bool) -> Any:
    """Give a function from the name of an OTLP message to its class, with strings (and spans, lists) as bytes."""
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, logs_pb2):
        proto = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(proto)
        for message in proto.message_type:
            for holder in (message, *message.nested_type):
                for field in holder.field:
                    if field.type == _STRING or (raw and field.type == _MESSAGE and _is_raw(holder.name, field)):
                        field.type = _BYTES
                        field.ClearField("type_name")
        pool.Add(proto)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"opentelemetry.proto.{name}"))


def _is_raw(holder: str, field: Any) -> bool:
    return field.type_name.rsplit(".", 1)[-1] in _RAW and holder in {"AnyValue", "ScopeSpans"}


FULL, SHALLOW = _classes(raw=False), _classes(raw=True)


class Said:
    """What was said for each slot: (rank, how it was said, value)."""

    def __init__(self) -> None:
        self.best: dict[Any, tuple[int, Any, Any]] = {}

    def take(self, slot: Any, rank: int, source: Any, value: Any) -> None:
        """Keep the value of the lower rank; the first of equals."""
        if slot not in self.best or rank < self.best[slot][0]:
            self.best[slot] = (rank, source, value)


class Oracle:
    """Decodes like `models.spans.decoder.Decoder`, slowly."""

    def __init__(self, mapping: Mapping, future_ns: int) -> None:
        self.mapping, self.future_ns = mapping, future_ns
        self.sources: defaultdict[bytes, list[tuple[Any, int, Any]]] = defaultdict(list)
        for column, sources in mapping.columns.items():
            for i, source in enumerate(sources):
                names = [source.attribute]
                if column in EVALUATIONS and ".N." in source.attribute:
                    names = [source.attribute.replace(".N.", f".{n}.") for n in range(ANNOTATIONS)]
                for n, name in enumerate(names):
                    slot = (n, column) if len(names) > 1 else column
                    self.sources[name.encode()].append((slot, 2 * i, source))
                for more in source.plus:
                    if isinstance(more, str):
                        self.sources[more.encode()].append((more, 0, source))

    def decode(self, message: bytes, received: int, logs: bool) -> None:
        """Decode one message: leaves `rows`, `dead` (reasons; None: the whole message), `mended`, `cohorts`."""
        self.rows: list[dict[Column, int]] = []
        self.dead: list[int | None] = []
        self.cohorts: list[tuple[int, int, int]] = []
        self.mended: Counter[str] = Counter()
        self.received = received
        name = "logs.v1.LogsData" if logs else "trace.v1.TracesData"
        try:
            FULL(name)().MergeFromString(message)
        except DecodeError:
            self.dead.append(None)
            return
        data = SHALLOW(name)()
        data.MergeFromString(message)
        for part in data.resource_logs if logs else data.resource_spans:
            self._resource(part.resource)
            for scoped in part.scope_logs if logs else part.scope_spans:
                self.scope = scoped.scope.name
                for record in scoped.log_records if logs else scoped.spans:
                    self._record(record) if logs else self._span(record)

    def _resource(self, resource: Any) -> None:
        said = Said()
        self.inherited: list[tuple[int, int]] = []
        self.scope = b""
        for pair in resource.attributes:
            if pair.key in self.sources:
                self._offer(said, pair, RESOURCE, [])
            elif cohort := self._cohort(pair):
                if len(self.inherited) < 16:
                    self.inherited.append(cohort)
                else:
                    self.mended["cohorts.left_out"] += 1
        self.base = {}
        for column in NAMED:
            if column in said.best and (digest := self._name(said.best[column])):
                self.base[column] = (said.best[column][0], None, digest)
        for column in (Column.OUTCOME, Column.DECISION, Column.HANDOFF):
            if column in said.best:
                self.base[column] = (said.best[column][0], None, said.best[column][2])

    def _span(self, raw: bytes) -> None:
        span = SHALLOW("trace.v1.Span")()
        span.MergeFromString(raw)
        said, later, cohorts = Said(), [], []
        said.best = dict(self.base)
        exceptions = self._attributes(span, said, later, cohorts)
        trace = self._trace_id(span.trace_id)
        if not trace:
            self.dead.append(len(raw))
            return
        start, end = self._times(span.start_time_unix_nano, span.end_time_unix_nano)
        kind = said.best[Column.KIND][2] if Column.KIND in said.best else SpanKind.OTHER
        for slot, rank, source, value in later + exceptions:
            if source.kinds >> kind & 1:
                said.take(slot, rank, source, value)
        evaluator = kind == SpanKind.EVALUATION
        groups = [EVALUATIONS, *([(n, c) for c in EVALUATIONS] for n in range(ANNOTATIONS))]
        groups = [slots for slots in groups if any(slot in said.best for slot in slots)]
        if (evaluator or (groups and kind == SpanKind.OTHER)) and len(span.links) == 1:
            linked = self._trace_id(span.links[0].trace_id)
            if linked:
                scored = self._span_id(span.links[0].span_id, "parent_id.made")
                self.mended["evaluation.unnamed"] += not groups
                for slots in groups:
                    self._evaluation(said, slots, linked, scored, end)
                return
        span_id = self._span_id(span.span_id, "span_id.made")
        if span_id == 0:
            span_id = digest_of(raw)
            self.mended["span_id.made"] += 1
        parent = self._span_id(span.parent_span_id, "parent_id.made")
        if evaluator and groups and not parent and not span.links and (conversation := self._conversation(said)):
            for slots in groups:
                self._evaluation(said, slots, (0, 0), 0, end, conversation=conversation)
            return
        self._row(said, trace, span_id, parent, start, end, SpanKind.OTHER if evaluator else kind, span.status.code)
        mine = [*cohorts, *(c for c in self.inherited if c[0] not in {name for name, _ in cohorts})]
        self.cohorts += [(len(self.rows) - 1, name, value) for name, value in mine]
        for slots in groups:
            self._evaluation(said, slots, trace, parent if evaluator else span_id, end)
        for event in span.events:
            if event.name == b"gen_ai.evaluation.result":
                time = self._capped(event.time_unix_nano or end)
                self._event(event.attributes, trace, span_id, time)

    def _attributes(self, span: Any, said: Said, later: list[Any], cohorts: list[Any]) -> list[Any]:
        """Take what the span's attributes say: `later` and what is returned wait for the kind."""
        for pair in span.attributes:
            if pair.key in self.sources:
                self._offer(said, pair, SPAN, later)
            elif cohort := self._cohort(pair):
                cohorts.append(cohort)
        exceptions: list[Any] = []
        for event in span.events:
            if event.name == b"exception":
                for pair in event.attributes:
                    self._offer(said, pair, EXCEPTION, exceptions)
        return exceptions

    def _record(self, record: Any) -> None:
        name = record.event_name
        for pair in record.attributes:
            if pair.key == b"event.name" and not name and pair.value.WhichOneof("value") == "string_value":
                name = pair.value.string_value
        said, trace, response, conversation = Said(), None, 0, 0
        for pair in record.attributes:
            self._offer(said, pair, EVENT, [])
        if name == b"gen_ai.evaluation.result":
            trace = self._trace_id(record.trace_id)
            if Column.RESPONSE_ID in said.best:
                response = _content(*said.best[Column.RESPONSE_ID][2])
            if not trace and not response:
                conversation = self._conversation(said)
        if not (trace or response or conversation):
            self.mended["log.ignored"] += 1
            return
        time = record.time_unix_nano or record.observed_time_unix_nano
        self.mended["time.missing"] += not time
        time = self._capped(time or self.received)
        scored = self._span_id(record.span_id, "parent_id.made")
        self._evaluation(said, EVALUATIONS, trace or (0, 0), scored, time, response, conversation)

    def _conversation(self, said: Said) -> int:
        best = said.best.get(Column.CONVERSATION)
        base: int = self.base.get(Column.CONVERSATION, (0, None, 0))[2]
        return base if best is None or best[1] is None else (self._name(best) or base)

    def _event(self, attributes: Any, trace: Any, scored: int, time: int) -> None:
        said = Said()
        for pair in attributes:
            self._offer(said, pair, EVENT, [])
        self._evaluation(said, EVALUATIONS, trace, scored, time)

    def _offer(self, said: Said, pair: Any, place: int, later: list[Any]) -> None:
        choice = pair.value.WhichOneof("value")
        value = getattr(pair.value, choice) if choice else None
        if choice is None or value == b"":
            return
        for slot, rank, source in self.sources.get(pair.key, ()):
            wanted = SPAN if isinstance(slot, str | tuple) else source.places
            if not wanted & place or not self.scope.startswith(source.scope.encode()):
                continue
            meaning: Any = (choice, value)
            text = {True: b"true", False: b"false"}[value] if choice == "bool_value" else value
            text = text if choice in {"string_value", "bool_value"} else None
            if slot in MEANINGS:
                texts = {t.encode(): m for t, m in (source.values or {}).items()}
                meaning = source.constant if source.values is None else texts.get(text)
                if meaning is None:
                    continue
            elif text is not None and text.decode(errors="replace") in self._absent(slot):
                continue
            if source.kinds != ALL_KINDS and not isinstance(slot, str):
                later.append((slot, rank, source, meaning))
            else:
                said.take(slot, rank + (place in {RESOURCE, EXCEPTION}), source, meaning)

    def _absent(self, slot: Any) -> Any:
        column = slot[1] if isinstance(slot, tuple) else slot
        return self.mapping.absent.get(column, ()) if isinstance(column, Column) else ()

    def _row(
        self, said: Said, trace: Any, span_id: int, parent: int, start: int, end: int, kind: int, code: int
    ) -> None:
        row = dict.fromkeys(Column, 0)
        row |= {Column.TRACE_HI: trace[0], Column.TRACE_LO: trace[1], Column.SPAN_ID: span_id, Column.PARENT_ID: parent}
        row |= {Column.START: start, Column.END: end, Column.KIND: int(kind), Column.SCORE: NO_SCORE}
        row[Column.STATUS] = code if 0 <= code <= 2 else 0
        for column in NAMED:
            if column in said.best:
                best = said.best[column]
                base = self.base.get(column, (0, None, 0))[2]
                row[column] = best[2] if best[1] is None else (self._name(best) or base)
        for column in CONTENTS:
            if column in said.best:
                row[Column(column)] = _content(*said.best[column][2])
        for column in COUNTED:
            row[Column(column)] = self._number(said.best[column], column) if column in said.best else UNKNOWN
        for column in COUNTED:
            for more in said.best[column][1].plus if column in said.best and row[Column(column)] >= 0 else ():
                if more in said.best:
                    added = row[more] if isinstance(more, Column) else self._number(said.best[more], Column.COST)
                    if added > 0 and row[Column(column)] <= MAX - added:
                        row[Column(column)] += added
        for column in (Column.OUTCOME, Column.DECISION, Column.HANDOFF):
            row[column] = said.best[column][2] if column in said.best else 0
        self.rows.append(row)

    def _evaluation(
        self, said: Said, slots: Any, trace: Any, scored: int, time: int, response: int = 0, conversation: int = 0
    ) -> None:
        name, label, score = (said.best.get(slot) for slot in slots)
        named = self._name(name) if name else 0
        if not named:
            self.mended["evaluation.unnamed"] += 1
            return
        labelled = self._name(label) if label else 0
        scored_as = self._number(score, Column.SCORE) if score else NO_SCORE
        row = dict.fromkeys(Column, 0) | dict.fromkeys(map(Column, COUNTED), UNKNOWN)
        row |= {Column.TRACE_HI: trace[0], Column.TRACE_LO: trace[1], Column.PARENT_ID: scored}
        row |= {Column.START: time, Column.END: time, Column.KIND: int(SpanKind.EVALUATION)}
        row |= {Column.EVALUATION: named, Column.LABEL: labelled, Column.SCORE: scored_as}
        row |= {c: self.base[c][2] for c in (Column.WORKFLOW, Column.SERVICE) if c in self.base}
        row |= {Column.RESPONSE_ID: response, Column.CONVERSATION: conversation}
        digest = 0
        for word in (scored, named, time, scored_as, labelled, *((response, conversation) if trace == (0, 0) else ())):
            digest = int(mix64(np.uint64((digest * 0x9E3779B97F4A7C15 & MASK) ^ (word & MASK))))
        row[Column.SPAN_ID] = _signed(digest)
        self.rows.append(row)

    def _name(self, best: Any) -> int:
        _, source, (choice, value) = best
        if source.digest:
            return digest_of(f"{_content(choice, value) & MASK:016x}")
        return self._text(choice, value)

    def _text(self, choice: str, value: Any) -> int:
        if choice in {"int_value", "bool_value"}:
            value = str(value).lower().encode()
        elif choice != "string_value":
            self.mended["name.type"] += 1
            return 0
        if len(value) > 256:
            self.mended["name.cut"] += 1
            end = 256
            while end > 253 and value[end] & 0xC0 == 0x80:
                end -= 1
            value = value[:end]
        return digest_of(value)

    def _number(self, best: Any, column: int) -> int:
        choice, value = best[2]
        scale = {Column.COST: 9, Column.SCORE: 6}.get(Column(column), 0)
        signed = column == Column.SCORE
        number = _scaled(choice, value, scale, signed)
        if number is None or (number < 0 and not signed):
            self.mended["number.unreadable"] += 1
            return NO_SCORE if signed else UNKNOWN
        return number

    def _cohort(self, pair: Any) -> tuple[int, int] | None:
        name = pair.key.removeprefix(b"flyball.cohort.")
        choice = pair.value.WhichOneof("value")
        if name == pair.key or not name or choice is None or getattr(pair.value, choice) == b"":
            return None
        value = self._text(choice, getattr(pair.value, choice))
        return (self._text("string_value", name), value) if value else None

    def _times(self, start: int, end: int) -> tuple[int, int]:
        start, end = min(start, MAX), min(end, MAX)
        if not start or not end:
            self.mended["time.missing"] += 1
            start, end = start or end or self.received, end or start or self.received
        if end < start:
            self.mended["time.reversed"] += 1
            start = end
        return min(start, capped := self._capped(end)), capped

    def _capped(self, time: int) -> int:
        if time > self.received + self.future_ns:
            self.mended["time.future"] += 1
            return self.received
        return time

    def _trace_id(self, raw: bytes) -> tuple[int, int] | None:
        if len(raw) in {24, 32}:
            try:
                text = raw.decode("ascii")
                read = bytes.fromhex(text) if len(raw) == 32 else base64.b64decode(text, validate=True)
            except (ValueError, binascii.Error):
                return None
            if len(read) != 16 or any(c.isspace() for c in text):
                return None
            self.mended["trace_id.text"] += 1
            raw = read
        if len(raw) != 16 or not any(raw):
            return None
        return _word(raw[:8]), _word(raw[8:])

    def _span_id(self, raw: bytes, rule: str) -> int:
        if len(raw) in {0, 8}:
            return _word(raw) if raw else 0
        self.mended[rule] += 1
        if re.fullmatch(rb"[0-9a-fA-F]{16}", raw):
            return _word(bytes.fromhex(raw.decode()))
        return digest_of(raw)


def _content(choice: str, value: Any) -> int:
    if isinstance(value, bytes):
        return digest_of(value)
    kind = {"bool_value": 2, "int_value": 3, "double_value": 4, "string_value_strindex": 8}[choice]
    bits = int(np.float64(value).view(np.uint64)) if choice == "double_value" else int(value) & MASK
    inner = int(mix64(np.uint64(kind)))
    return _signed(int(mix64(np.uint64(bits ^ inner)))) or 1


def _scaled(choice: str, value: Any, scale: int, signed: bool) -> int | None:
    if choice == "double_value":
        size = abs(value) * 10.0**scale
        if not size < 9e18:
            return None
        whole = math.floor(size + 0.5)
        return -whole if value < 0 else whole
    if choice == "int_value" or (choice == "bool_value" and signed):
        value = str(int(value)).encode()
    elif choice != "string_value":
        return None
    match = NUMBER.fullmatch(value)
    if not match:
        return None
    whole, _, fraction = match[2].partition(b".")
    exponent = max(-9999, min(9999, int(match[3][1:]))) if match[3] else 0
    exponent += scale - len(fraction)
    digits = int(whole + fraction)
    size = digits * 10**exponent if exponent >= 0 else (2 * digits + 10**-exponent) // (2 * 10**-exponent)
    if size > 9 * 10**18:
        return None
    return -size if match[1] == b"-" else size


def _word(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word or 1
