"""Attributes that hold objects, and Langfuse, which holds its numbers in such."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.spans.columns import UNKNOWN, Column, Outcome, SpanStatus
from models.spans.decoder import Decoder
from models.spans.mapping import Mapping
from tests.helpers.alike_oracle import alike_digest
from tests.helpers.decode_by_hand import Traces, one, row

USAGE, COST = "langfuse.observation.usage_details", "langfuse.observation.cost_details"
COLUMNS = ("INPUT_TOKENS", "OUTPUT_TOKENS", "CACHE_READ", "CACHE_WRITE")
SAID = {"input": 120, "output": 30, "total": 150, "input_cached_tokens": 20}


def usage(attributes: dict[str, Any]) -> list[int]:
    """Give the tokens of a span."""
    span = one(attributes)
    return [span[column] for column in COLUMNS]


@pytest.mark.parametrize("value", [json.dumps(SAID), json.dumps(SAID, indent=2), SAID])
def test_langfuse_usage_is_read_from_json_and_from_kvlists(value: Any) -> None:
    """Usage as JSON text, in any layout, and as a kvlistValue gives the same numbers."""
    assert usage({USAGE: value}) == [120, 30, 20, UNKNOWN]


def test_langfuse_costs_are_read() -> None:
    """The total is the cost; without one, the parts for input and output are added up."""
    assert one({COST: '{"input": 0.001, "output": 0.002, "total": 0.003}'})["COST"] == 3_000_000
    assert one({COST: {"input": 0.001, "output": 0.002, "total": "0.003"}})["COST"] == 3_000_000
    assert one({COST: '{"input": 1e-3, "output": 0.002}'})["COST"] == 3_000_000
    assert one({COST: '{"input": 0.001}'})["COST"] == 1_000_000


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # all of them apart, as Langfuse's own SDKs write: the parts add up to the total
        (
            {"input": 2140, "input_cached_tokens": 1024, "output": 96, "output_reasoning_tokens": 310, "total": 3570},
            [3164, 406, 1024, UNKNOWN],
        ),
        (
            {"input": 7, "input_cache_creation": 20, "input_cache_read": 100, "output": 5, "total": 132},
            [127, 5, 100, 20],
        ),
        # cached and reasoning tokens as parts of the others
        ({"input": 120, "input_cached_tokens": 20, "output": 30, "output_reasoning_tokens": 9, "total": 150},
         [120, 30, 20, UNKNOWN]),
        # no total, no evidence
        ({"input": 120, "input_cached_tokens": 20, "output": 30}, [120, 30, 20, UNKNOWN]),
        # as OpenAI and Anthropic say it
        (
            {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}},
            [9, 3, 4, UNKNOWN],
        ),
        ({"input_tokens": 9, "output_tokens": 3, "cache_creation_input_tokens": 4}, [9, 3, UNKNOWN, 4]),
    ],
)  # fmt: skip
def test_cached_tokens_are_part_of_the_input(said: dict[str, Any], expected: list[int]) -> None:
    """Cached tokens are added to the input, reasoning to the output, where the total shows that they are not in it."""
    assert usage({USAGE: json.dumps(said)}) == expected
    assert usage({USAGE: said}) == expected


def test_langfuse_comes_before_the_conventions() -> None:
    """What Langfuse says wins over gen_ai.*, and that over OpenInference; what it does not say comes from them."""
    others = {"llm.token_count.prompt": 1, "gen_ai.usage.input_tokens": 2, "gen_ai.usage.output_tokens": 3}
    assert usage(others | {USAGE: '{"input": 120}'})[:2] == [120, 3]
    assert usage(others)[:2] == [2, 3]
    assert one({"gen_ai.usage.cost": 1.0, COST: '{"total": 0.5}'})["COST"] == 500_000_000


@pytest.mark.parametrize(
    "text", ['{"input": 120, "outp', "[120]", "120", '{"input": 0120}', "{'input': 120}", '{"a":1} x']
)
def test_what_is_no_object_gives_nothing_and_is_counted(text: str) -> None:
    """Truncated or otherwise bad JSON is skipped as a whole and counted; the next source is asked."""
    traces = Traces()
    traces.span({USAGE: text, "gen_ai.usage.input_tokens": 7})
    decoded = traces.decode()
    assert decoded.spans[Column.INPUT_TOKENS].tolist() == [7]
    assert decoded.mended == {"number.unreadable": 1}


def test_members_that_are_no_numbers() -> None:
    """Null is nothing; a text that is no number, an escaped text and an object are unreadable numbers."""
    traces = Traces()
    traces.span({USAGE: '{"input": null, "output": "many", "total": 3}', "gen_ai.usage.input_tokens": 7})
    traces.span({USAGE: r'{"input": "1\u0032", "output": {"a": 1}}'})
    decoded = traces.decode()
    assert decoded.spans[Column.INPUT_TOKENS].tolist() == [7, UNKNOWN]
    assert decoded.spans[Column.OUTPUT_TOKENS].tolist() == [UNKNOWN, UNKNOWN]
    assert decoded.mended == {"number.unreadable": 3}


def test_users_can_read_members_of_their_own() -> None:
    """A path leads to names, contents and choices too, through objects, on spans, resources and by kind."""
    table = {
        "TENANT": [{"attribute": "meta", "path": ["org", "tenant"]}],
        "USER": [{"attribute": "meta", "path": "user", "kinds": ["llm"]}],
        "ARGUMENTS": [{"attribute": "meta", "path": "org"}],
        "OUTCOME": [{"attribute": "meta", "path": "ok", "values": {"true": "success", "no": "failure"}}],
    }
    decoder = Decoder(Mapping.load({"columns": table}))
    text = r'{"x": [{"ok": 1}, "\"}"], "org": {"tenant": "acme", "ok": "no"}, "user": 5, "ok": true}'
    traces = Traces({"meta": '{"org": {"tenant": "wide"}}'})
    traces.span({"meta": text, "gen_ai.operation.name": "chat"})
    traces.span({"meta": {"org": {"tenant": "acme"}, "user": 5}})
    traces.span()
    first, second, third = (row(traces.decode(decoder).spans, i) for i in range(3))
    assert (first["TENANT"], first["USER"], first["OUTCOME"]) == ("acme", "5", Outcome.SUCCESS)
    assert first["ARGUMENTS"] == alike_digest(b'{"ok":"no","tenant":"acme"}')
    assert (second["TENANT"], second["USER"], third["TENANT"]) == ("acme", None, "wide")


def test_langfuse_levels() -> None:
    """Level ERROR makes the span an error, of type _OTHER where none is said; other levels and messages say nothing."""
    error = one({"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "it broke"})
    assert (error["STATUS"], error["ERROR_TYPE"]) == (SpanStatus.ERROR, "_OTHER")
    typed = one({"langfuse.observation.level": "ERROR", "error.type": "timeout"}, status={"code": 1})
    assert (typed["STATUS"], typed["ERROR_TYPE"]) == (SpanStatus.ERROR, "timeout")
    for level in ("DEFAULT", "DEBUG", "WARNING"):
        fine = one(
            {"langfuse.observation.level": level, "langfuse.observation.status_message": "slow"}, status={"code": 1}
        )
        assert (fine["STATUS"], fine["ERROR_TYPE"]) == (SpanStatus.OK, None)
    assert one({"langfuse.observation.level": "WARNING"}, status={"code": 2})["STATUS"] == SpanStatus.ERROR
