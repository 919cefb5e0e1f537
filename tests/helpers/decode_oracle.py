# ruff: noqa: C901, FBT001, PLR0917 - an oracle keeps the rules together, however many they are
"""The decoder's oracle: the same rules in plain Python, over what the protobuf library parsed."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter, defaultdict
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from models.digest import digest_of, mix64
from models.spans.columns import NO_SCORE, UNKNOWN, Column, SpanKind, SpanStatus
from models.spans.mapping import (
    ANNOTATIONS,
    CONTENTS,
    EVALUATIONS,
    EVENT,
    EXCEPTION,
    LOG,
    MEANINGS,
    NAMES,
    RESOURCE,
    SPAN,
    Mapping,
)
from tests.helpers.alike_oracle import alike_digest
from tests.helpers.decode_values import members_of, scaled
from tests.helpers.otlp_classes import FULL, SHALLOW

MASK = 2**64 - 1
MAX = 2**63 - 1
NAMED = range(Column.WORKFLOW, Column.ERROR_TYPE + 1)
COUNTED = range(Column.INPUT_TOKENS, Column.COST + 1)
UUID = re.compile(rb"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


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
        self.sources: defaultdict[tuple[bytes, ...], list[tuple[Any, int, Any]]] = defaultdict(list)
        for column, sources in mapping.columns.items():
            for i, source in enumerate(sources):
                names = [source.attribute]
                if column in EVALUATIONS and ".N." in source.attribute:
                    names = [source.attribute.replace(".N.", f".{n}.") for n in range(ANNOTATIONS)]
                for n, name in enumerate(names):
                    slot = (n, column) if len(names) > 1 else column
                    self.sources[_path(name, *source.path)].append((slot, 2 * i, source))
                for more in (*source.plus, source.within, source.beside):
                    if isinstance(more, tuple) and more:
                        how = "beside" if more == source.beside else "number"
                        self.sources[_path(*more)].append(((how, more), 0, source))
        self.opened = {name[:n] for name in self.sources for n in range(1, len(name))}
        self.known = {name[0] for name in self.sources} | {b"event.name"}

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
            if pair.key in self.known:
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
        self._settle(said, later + exceptions, kind, span.kind if span.kind in range(6) else 0)
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

    def _settle(self, said: Said, later: list[Any], kind: int, role: int) -> None:
        for slot, rank, source, value in later:
            fits = source.kinds >> kind & source.span_kinds >> role & 1
            if fits and (not source.beside or ("beside", source.beside) in said.best):
                said.take(slot, rank, source, value)

    def _attributes(self, span: Any, said: Said, later: list[Any], cohorts: list[Any]) -> list[Any]:
        """Take what the span's attributes say: `later` and what is returned wait for the kind."""
        for pair in span.attributes:
            if pair.key in self.known:
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
        said, later, kind = Said(), [], None
        if name == b"gen_ai.evaluation.result":
            kind = SpanKind.EVALUATION
        elif name:
            said.best = dict(self.base)
            self._say(said, (b"event.name",), ("string_value", name), LOG, later)
            kind = said.best[Column.KIND][2] if Column.KIND in said.best else None
        trace = self._trace_id(record.trace_id) if kind is not None else None
        response = conversation = 0
        if kind == SpanKind.EVALUATION:
            for pair in record.attributes:
                self._offer(said, pair, EVENT, [])
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
        parent = self._span_id(record.span_id, "parent_id.made")
        if kind == SpanKind.EVALUATION:
            self._evaluation(said, EVALUATIONS, trace or (0, 0), parent, time, response, conversation)
        else:
            self._log_row(record, name, said, later, kind, trace, parent, time)

    def _log_row(
        self, record: Any, name: bytes, said: Said, later: list[Any], kind: Any, trace: Any, parent: int, time: int
    ) -> None:
        for pair in record.attributes:
            self._offer(said, pair, LOG, later)
        self._settle(said, later, kind, 0)
        if kind == SpanKind.BILL and Column.COST not in said.best:
            self.mended["log.ignored"] += 1
            return
        digest = _folded(0, parent, time)
        for pair in record.attributes:
            choice = pair.value.WhichOneof("value")
            digest = _folded(
                digest, digest_of(pair.key), _content(choice, getattr(pair.value, choice) if choice else 0)
            )
        span_id = _signed(digest)
        self._row(said, trace, span_id, parent or span_id, time, time, kind, 0)
        self.cohorts += [(len(self.rows) - 1, cohort, value) for cohort, value in self.inherited]
        paid = self.rows[-1]
        paid[Column.EVALUATION] = self._text("string_value", name)
        if kind == SpanKind.BILL:
            bought = _signed(_folded(span_id & MASK, int(SpanKind.BILL)))
            self.rows.append(paid | {Column.SPAN_ID: bought, Column.COST: UNKNOWN})
            for column in (Column.INPUT_TOKENS, Column.OUTPUT_TOKENS, Column.CACHE_READ, Column.CACHE_WRITE):
                paid[column] = UNKNOWN

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
        name, value = (pair.key,), getattr(pair.value, choice) if choice else None
        self._say(said, name, (choice, value), place, later)
        if name not in self.opened or choice is None or value == b"":
            return
        members = members_of(choice, value, _pairs)
        if members is None:
            self.mended["number.unreadable"] += 1
            return
        self._offer_members(said, name, members, place, later)

    def _offer_members(self, said: Said, name: Any, members: list[Any], place: int, later: list[Any]) -> None:
        for key, meaning, inside in members:
            self._say(said, (*name, key), meaning, place, later)
            if inside is not None and (*name, key) in self.opened:
                self._offer_members(said, (*name, key), inside(), place, later)

    def _say(self, said: Said, name: Any, said_so: Any, place: int, later: list[Any]) -> None:
        choice, value = said_so
        if choice is None or value == b"":
            return
        for slot, rank, source in self.sources.get(name, ()):
            column = slot[1] if isinstance(slot, tuple) and isinstance(slot[0], int) else slot
            wanted = source.places | (LOG if source.places & SPAN and column != Column.KIND else 0)
            if isinstance(slot, tuple):
                wanted = SPAN if isinstance(slot[0], int) else SPAN | LOG
            if not wanted & place or not self.scope.startswith(source.scope.encode()):
                continue
            meaning: Any = said_so
            text = _text_of(*(_first(value) if slot in MEANINGS and choice == "array_value" else said_so))
            if slot in MEANINGS:
                texts = {t.encode(): m for t, m in (source.values or {}).items()}
                meaning = source.constant if source.values is None else texts.get(text)
                if meaning is None:
                    self.mended["outcome.unknown"] += slot == Column.OUTCOME and choice == "string_value"
                    continue
            elif self._is_absent(column, source, said_so, text):
                continue
            hidden = isinstance(slot, tuple) and isinstance(slot[0], str)
            if source.waits and not hidden and place != EVENT:
                later.append((slot, rank, source, meaning))
            else:
                said.take(slot, rank + (place in {RESOURCE, EXCEPTION}), source, meaning)

    def _is_absent(self, column: Any, source: Any, said_so: Any, text: bytes | None) -> bool:
        if not isinstance(column, Column) or text is None:
            return False
        named = column in self.mapping.unnamed and column in NAMES and not source.digest
        if named and said_so[0] == "string_value" and UUID.fullmatch(text):
            return True
        return text.decode(errors="replace") in self.mapping.absent.get(column, ())

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
        if Column.STATUS in said.best:
            row[Column.STATUS] = said.best[Column.STATUS][2]
            none = digest_of("_OTHER") if row[Column.STATUS] == SpanStatus.ERROR else 0
            row[Column.ERROR_TYPE] = (row[Column.ERROR_TYPE] or none) if none else 0
        for column in CONTENTS:
            if column in said.best:
                choice, value = said.best[column][2]
                alike = column == Column.ARGUMENTS and isinstance(value, bytes)
                row[Column(column)] = alike_digest(value) if alike else _content(choice, value)
        for column in COUNTED:
            row[Column(column)] = self._number(said.best[column], column) if column in said.best else UNKNOWN
        for column in COUNTED:
            source = said.best[column][1] if column in said.best and row[Column(column)] >= 0 else None
            room = MAX
            if source and source.within:
                tokens = Column.OUTPUT_TOKENS if column == Column.INPUT_TOKENS else Column.INPUT_TOKENS
                room = self._addend(said, row, source.within, column) - max(row[tokens], 0)
            for more in source.plus if source else ():
                added = self._addend(said, row, more, column)
                if added > 0 and row[Column(column)] <= room - added:
                    row[Column(column)] += added
        for column in (Column.OUTCOME, Column.DECISION, Column.HANDOFF, Column.STOP):
            row[column] = said.best[column][2] if column in said.best else 0
        self.rows.append(row)

    def _addend(self, said: Said, row: Any, name: Any, column: int) -> int:
        if isinstance(name, Column):
            return row[name] if name in said.best else UNKNOWN
        return self._number(said.best["number", name], column) if ("number", name) in said.best else UNKNOWN

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
        by = (response, conversation) if trace == (0, 0) else ()
        row[Column.SPAN_ID] = _signed(_folded(0, scored, named, time, scored_as, labelled, *by))
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
        number = scaled(choice, value, scale, signed=signed)
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


def _path(*names: str) -> tuple[bytes, ...]:
    return tuple(name.encode() for name in names)


def _text_of(choice: str | None, value: Any) -> bytes | None:
    """Give what is looked up in sets of texts; None: nothing is."""
    if choice == "bool_value":
        return b"true" if value else b"false"
    if choice == "int_value":
        return str(value).encode()
    return bytes(value) if choice == "string_value" else None


def _first(raw: bytes) -> tuple[str | None, Any]:
    """Give the first element of a list, as an attribute has its value."""
    if raw[:1] == b"[":  # a list in a text of JSON
        return None, None
    values = SHALLOW("common.v1.ArrayValue")()
    values.MergeFromString(raw)
    choice = values.values[0].WhichOneof("value") if values.values else None
    return choice, getattr(values.values[0], choice) if choice else None


def _pairs(raw: bytes) -> Any:
    pairs = SHALLOW("common.v1.KeyValueList")()
    pairs.MergeFromString(raw)
    return pairs.values


def _folded(digest: int, *words: int) -> int:
    for word in words:
        digest = int(mix64(np.uint64((digest * 0x9E3779B97F4A7C15 & MASK) ^ (word & MASK))))
    return digest


def _content(choice: str | None, value: Any) -> int:
    if isinstance(value, bytes):
        return digest_of(value)
    kind = {None: 0, "bool_value": 2, "int_value": 3, "double_value": 4, "string_value_strindex": 8}[choice]
    bits = int(np.float64(value).view(np.uint64)) if choice == "double_value" else int(value) & MASK
    inner = int(mix64(np.uint64(kind)))
    return _signed(int(mix64(np.uint64(bits ^ inner)))) or 1


def _word(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word or 1
