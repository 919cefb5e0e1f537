"""Random OTLP messages: valid ones that meet every rule of the decoder, and damaged ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

if TYPE_CHECKING:
    from random import Random

RECEIVED = 1_764_684_300_000_000_000
_TEXTS = [
    *("", "chat", "execute_tool", "invoke_agent", "AGENT", "tool", "EVALUATOR", "unknown", "<not specified>", "null"),
    *("airline", "gpt-4o", "(merged tools)", "task_success", "pass", "success", "transfer_to_human_agents", "true"),
    *("12", " 12.5 ", "-3", "1e3", "0.000123", "1e-30", "9" * 30, "1.5e400", "nan", "inf", "x", ".", "-", "1e", "+7."),
    *("é" * 130, "a" * 255 + "é", "a" * 300, "{}"),
    *(
        "99981f6a-abd1-4d09-9fba-00e2ab172193",
        "99981F6AABD14D099FBA00E2AB172193",
        "99981f6a-abd1-4d09-9fba-00e2ab17219",
    ),
    *("-32602", "99981f6a-abd1-4d09-9fba-00e2ab172193x", "0998-f6a-abd1-4d09-9fba-00e2ab172193", "ERROR"),
]
_NAMES = [
    *(
        "gen_ai.evaluation.result",
        "gen_ai.evaluation.result",
        "gen_ai.choice",
        "claude_code.api_request",
        "api_request",
    ),
    *("claude_code.tool_decision", "tool_decision", ""),
]
_JSON = [
    *(
        "120",
        "0",
        "-3",
        "1.5e2",
        "0.000123",
        "1E400",
        "9" * 30,
        "-0",
        '"12"',
        '"1\\u0032"',
        '""',
        '"é"',
        "true",
        "false",
    ),
    *("null", "[1, [2]]", "[]", "{}", '{"a": {"b": [null, "]}"]}}', '{"input": 5}', "[" * 100 + "]" * 100, "01", "1."),
    *(
        "[" * 99 + "]" * 99,
        ".5",
        "+1",
        "NaN",
        "tru",
        "nulll",
        '"\\x"',
        '"\\ud800"',
        "[1,]",
        '{"a":1,}',
        "{1:2}",
        "",
        "1 2",
    ),
]
_SCOPES = ["", "pydantic-ai", "openinference.instrumentation.beeai", "com.anthropic.claude_code.tracing", "other"]


class Writer:
    """Writes messages from one source of chance.

    `keys` are attributes of the mapping and texts they may have, `paths` those that hold objects and where to look.
    """

    def __init__(
        self, random: Random, keys: list[tuple[str, list[str]]], paths: list[tuple[str, tuple[str, ...]]] | None = None
    ) -> None:
        self.random, self.keys, self.paths = random, keys, paths or []

    def traces(self) -> bytes:
        """Write a TracesData."""
        data, chance = TracesData(), self.random
        for _ in range(chance.choice([0, 1, 1, 2])):
            part = data.resource_spans.add(schema_url="x")
            self.attributes(part.resource.attributes, 4)
            for _ in range(chance.choice([1, 1, 2])):
                scoped = part.scope_spans.add()
                scoped.scope.name = chance.choice(_SCOPES)
                self.attributes(scoped.scope.attributes, 1)
                for _ in range(chance.randrange(4)):
                    self.span(scoped.spans.add())
        return data.SerializeToString()

    def logs(self) -> bytes:
        """Write a LogsData."""
        data, chance = LogsData(), self.random
        part = data.resource_logs.add()
        self.attributes(part.resource.attributes, 2)
        scoped = part.scope_logs.add()
        for _ in range(chance.randrange(1, 4)):
            record = scoped.log_records.add(severity_number=9, severity_text="info", flags=1)
            record.trace_id, record.span_id = self.trace_id(), self.span_id()
            record.time_unix_nano, record.observed_time_unix_nano = self.time(), self.time()
            if chance.random() < 0.6:
                record.event_name = chance.choice(_NAMES)
            if chance.random() < 0.4:
                pair = record.attributes.add(key="event.name")
                pair.value.string_value = chance.choice(_NAMES)
            self.value(record.body, 2)
            self.evaluation(record.attributes)
            self.attributes(record.attributes, 6)
            for key in ("cost_usd", "input_tokens", "cache_read_tokens", "decision"):
                if chance.random() < 0.4:
                    self.value(record.attributes.add(key=key).value, 0)
            for key in ("gen_ai.response.id", "session.id"):
                if chance.random() < 0.3:
                    self.value(record.attributes.add(key=key).value, 1)
        return data.SerializeToString()

    def span(self, span: Any) -> None:
        """Write a Span."""
        chance = self.random
        span.trace_id, span.span_id, span.parent_span_id = self.trace_id(), self.span_id(), self.span_id()
        span.name, span.flags, span.trace_state = "name", 1, "a=b"
        span.kind = chance.choice([0, 1, 2, 2, 2, 3, 4, 5, 6, -1])
        if chance.random() < 0.2:
            span.attributes.add(key="mcp.method.name").value.string_value = "tools/call"
        span.start_time_unix_nano, span.end_time_unix_nano = self.time(), self.time()
        span.status.code = chance.choice([0, 1, 2])
        self.attributes(span.attributes, 12)
        for _ in range(chance.choice([0, 0, 0, 1, 2])):
            event = span.events.add(time_unix_nano=self.time())
            event.name = chance.choice(["gen_ai.evaluation.result", "exception", "gen_ai.choice"])
            self.attributes(event.attributes, 2)
            self.evaluation(event.attributes)
            event.attributes.add(key="exception.type").value.string_value = "ValueError"
        for _ in range(chance.choice([0, 0, 1, 1, 2])):
            link = span.links.add(trace_id=self.trace_id(), span_id=self.span_id())
            self.attributes(link.attributes, 1)

    def evaluation(self, attributes: Any) -> None:
        """Write the attributes of an evaluation."""
        for key in ("name", "score.label", "score.value"):
            if self.random.random() < 0.8:
                self.value(attributes.add(key=f"gen_ai.evaluation.{key}").value, 0)

    def attributes(self, attributes: Any, most: int) -> None:
        """Write up to `most` attributes."""
        chance = self.random
        for _ in range(chance.randrange(most + 1)):
            key, texts = chance.choice(self.keys)
            if chance.random() < 0.2:
                key, texts = chance.choice(["", "other", "flyball.cohort.", "flyball.cohort.a", "flyball.cohort.b"]), []
            if self.paths and chance.random() < 0.2:
                key, _ = chance.choice(self.paths)
                self.object(attributes.add(key=key).value, [path for name, path in self.paths if name == key])
                continue
            pair = attributes.add(key=key)
            if texts and chance.random() < 0.7:
                pair.value.string_value = chance.choice(texts)
            elif texts and chance.random() < 0.3:
                pair.value.array_value.values.add().string_value = chance.choice(texts)
                self.value(pair.value.array_value.values.add(), 1)
            elif chance.random() < 0.97:
                self.value(pair.value, 2)

    def value(self, value: Any, depth: int) -> None:
        """Write an AnyValue."""
        chance = self.random
        kind = chance.choice("sssssssiifdbyna" if depth else "sssssifdb")
        if kind == "s":
            value.string_value = chance.choice(_TEXTS)
        elif kind == "i":
            value.int_value = chance.choice([0, 1, -5, 77, 2**63 - 1, -(2**63), 10**16])
        elif kind in "fd":
            value.double_value = chance.choice(
                [0.0, 1.5, -2.25, 1e-10, 1e300, float("nan"), float("inf"), 0.1, 12345.678]
            )
        elif kind == "b":
            value.bool_value = chance.random() < 0.5
        elif kind == "y":
            value.bytes_value = chance.choice([b"", b"raw"])
        elif kind == "n":
            value.array_value.SetInParent()
            for _ in range(chance.randrange(3)):
                self.value(value.array_value.values.add(), depth - 1)
        else:
            value.kvlist_value.SetInParent()
            self.attributes(value.kvlist_value.values, 2 if depth > 1 else 0)

    def object(self, value: Any, paths: list[tuple[str, ...]]) -> None:
        """Write an object with some of these members, as a kvlist or as JSON, which may be damaged."""
        chance = self.random
        chosen = chance.sample(paths, chance.randrange(len(paths) + 1))
        if chance.random() < 0.4:
            value.kvlist_value.SetInParent()
            for path in chosen:
                pairs = value.kvlist_value.values
                for name in path[:-1]:
                    pairs = pairs.add(key=name).value.kvlist_value.values
                self.value(pairs.add(key=path[-1]).value, 1)
            return
        text = self.json(chosen)
        if chance.random() < 0.3:
            at = chance.randrange(len(text))
            text = chance.choice(
                [text[:at], text[:at] + chance.choice('{}[]",:x1-\\u \t\x01é') + text[at:], text + "1"]
            )
        value.string_value = text

    def json(self, paths: list[tuple[str, ...]]) -> str:
        """Write an object of JSON, with members that nobody looks for, in any spelling."""
        chance, members = self.random, []
        for path in paths:
            inside = self.json([path[1:]]) if len(path) > 1 and chance.random() < 0.9 else chance.choice(_JSON)
            members.append((path[0], inside))
        members += [
            (chance.choice(["x", "é", "in\\\\put", ""]), chance.choice(_JSON)) for _ in range(chance.randrange(2))
        ]
        space = [chance.choice(["", "", " ", "\n\t"]) for _ in range(5)]
        joined = f"{space[0]},{space[1]}".join(f'"{key}"{space[2]}:{space[3]}{text}' for key, text in members)
        return f"{space[0]}{{{space[4]}{joined}{space[1]}}}{space[2]}"

    def trace_id(self) -> bytes:
        """Write a trace id, good ones mostly."""
        good = bytes(15) + bytes([self.random.randrange(1, 4)])
        odd = [b"", bytes(16), b"short", b"0" * 31 + b"7", b"AAAAAAAAAAAAAAAAAAAABw==", b"x" * 32, b" " * 32, b"z" * 24]
        return self.random.choice(odd) if self.random.random() < 0.2 else good

    def span_id(self) -> bytes:
        """Write a span id, good ones mostly."""
        good = self.random.randbytes(8)
        odd = [b"", bytes(8), b"1", b"00000000000000fF", b"not hexadecimal."]
        return self.random.choice(odd) if self.random.random() < 0.2 else good

    def time(self) -> int:
        """Write a time, good ones mostly."""
        good = RECEIVED - self.random.randrange(10**12)
        odd = [0, 1, 2**63, 2**64 - 1, RECEIVED + 299 * 10**9, RECEIVED + 301 * 10**9]
        return self.random.choice(odd) if self.random.random() < 0.2 else good

    def damage(self, message: bytes) -> bytes:
        """Damage a message at one to three places: flipped bits, bytes put in or taken out, the end cut off."""
        raw, chance = bytearray(message), self.random
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(raw) + 1)
            how = chance.randrange(5)
            if how == 0 and raw:
                raw[at % len(raw)] ^= 1 << chance.randrange(8)
            elif how == 1:
                raw[at:at] = chance.randbytes(chance.randrange(1, 4))
            elif how == 2:
                del raw[at : at + chance.randrange(1, 4)]
            elif how == 3:
                del raw[at:]
            else:  # an unknown field, a group, an overlong varint
                raw[at:at] = chance.choice(
                    [b"\xfa\x07\x01a", b"\xfb\x07\xfc\x07", b"\x80" * 9 + b"\x01", b"\xf8\x07\xff\x01"]
                )
        return bytes(raw)
