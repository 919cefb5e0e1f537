"""Speed of the decoder: spans a second on one core, from protobuf and from JSON, beside the protobuf library's parse.

The peer parses the same messages with the library and does nothing with them: no column is filled. CPU time of this
process, the best of several rounds that alternate, so that a busy machine disturbs both alike; each round runs a task
three times in a row, so that neither pays for what the other left in the caches.

    uv run python benchmarks/decode.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from models.spans.decoder import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable

RECEIVED = 1_764_684_300_000_000_000
RUNS_A_MESSAGE = 8


def write(attributes: Any, values: dict[str, str | int | float]) -> None:
    """Write attributes."""
    for key, value in values.items():
        target = attributes.add(key=key).value
        setattr(target, {str: "string_value", int: "int_value", float: "double_value"}[type(value)], value)


def llm(chance: random.Random) -> dict[str, str | int | float]:
    """Give the attributes of an LLM call."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-11-20",
        "gen_ai.usage.input_tokens": chance.randrange(10_000),
        "gen_ai.usage.output_tokens": chance.randrange(1_000),
        "gen_ai.usage.cost": chance.random() / 100,
        "server.address": "api.openai.com",
    }


def tool(chance: random.Random) -> dict[str, str | int | float]:
    """Give the attributes of a tool call."""
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": chance.choice(["get_user_details", "book_reservation", "cancel_reservation"]),
        "gen_ai.tool.call.id": f"call_{chance.randrange(1 << 64):x}",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.arguments": f'{{"user_id": "mei_brown_{chance.randrange(10_000)}"}}',
        "gen_ai.tool.call.result": f'{{"ok": true, "seats": {chance.randrange(1_000)}}}',
    }


def message(spans: int, seed: int) -> TracesData:
    """Write a message as a collector sends it: one resource, several runs, LLM and tool calls in turn."""
    chance = random.Random(seed)  # noqa: S311 - chance with a seed
    data = TracesData()
    part = data.resource_spans.add()
    resource = {"service.name": "airline-agent", "service.version": "7", "deployment.environment.name": "prod"}
    write(part.resource.attributes, {**resource, "telemetry.sdk.language": "python"})
    scoped = part.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "opentelemetry.instrumentation.agents", "1.2.3"
    runs = [
        (chance.randbytes(16), f"7ad146cf-324c-46e5-{chance.randrange(1 << 48):012x}", f"user-{chance.randrange(1000)}")
        for _ in range(RUNS_A_MESSAGE)
    ]
    for i in range(spans):
        trace, conversation, user = chance.choice(runs)
        span = scoped.spans.add(trace_id=trace, span_id=chance.randbytes(8), parent_span_id=chance.randbytes(8))
        span.name, span.kind = ("execute_tool get_user_details" if i % 2 else "chat gpt-4o-2024-11-20"), 3
        span.start_time_unix_nano, span.end_time_unix_nano = RECEIVED - 2 * 10**9, RECEIVED - 10**9 + i
        span.status.code = 1
        write(span.attributes, tool(chance) if i % 2 else llm(chance))
        write(span.attributes, {"gen_ai.conversation.id": conversation, "user.id": user})
    return data


def to_json(data: TracesData) -> bytes:
    """Write a message as OTLP/JSON: ids in hex, enumerations as numbers."""
    content = MessageToDict(data, use_integers_for_enums=True)
    for written, span in zip(content["resourceSpans"][0]["scopeSpans"][0]["spans"], spans_of(data), strict=True):
        written |= {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
        written["parentSpanId"] = span.parent_span_id.hex()
    return json.dumps(content, separators=(",", ":")).encode()


def spans_of(data: TracesData) -> Any:
    """Give the spans of a message of one resource and scope."""
    return data.resource_spans[0].scope_spans[0].spans


def measure(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Give the least CPU seconds of each task over alternating rounds."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, task in tasks.items():
            for _ in range(3):
                start = time.process_time()
                task()
                best[name] = min(best.get(name, float("inf")), time.process_time() - start)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under 45 s")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    messages, spans = (64, 64) if options.quick else (256, 64)
    data = [message(spans, seed) for seed in range(messages)]
    wire, text = [d.SerializeToString() for d in data], [to_json(d) for d in data]
    decoder = Decoder()
    assert len(decoder.decode(wire, RECEIVED).spans) == len(decoder.decode(text, RECEIVED).spans) == messages * spans
    times = measure(
        {
            "decode": lambda: decoder.decode(wire, RECEIVED),
            "json": lambda: decoder.decode(text, RECEIVED),
            "parse": lambda: [TracesData().MergeFromString(raw) for raw in wire],
        },
        rounds=5 if options.quick else 20,
    )
    total = messages * spans
    figures: dict[str, float] = {
        "decode_spans_per_s_core": round(total / times["decode"]),
        "json_decode_spans_per_s_core": round(total / times["json"]),
        "protobuf_parse_spans_per_s_core": round(total / times["parse"]),
        "ratio_to_protobuf_parse": round(times["parse"] / times["decode"], 3),
        "bytes_per_span": round(sum(map(len, wire)) / total, 1),
        "json_bytes_per_span": round(sum(map(len, text)) / total, 1),
    }
    if options.json:
        print(json.dumps({"benchmark": "decode", "spans_per_message": spans} | figures))
    else:
        for name, figure in figures.items():
            print(f"{name:34} {figure:>14,.3f}" if figure < 1000 else f"{name:34} {figure:>14,.0f}")


if __name__ == "__main__":
    main()
