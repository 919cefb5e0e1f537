"""Arguments that say the same are one call, whatever the order of their keys; nothing else is."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.digest import SLACK, digest_of
from models.spans.columns import Column
from models.spans.decoder import Decoder
from models.spans.wire import WORKSPACE
from models.spans.wire_alike import DEEPEST, digest_alike
from tests.helpers.alike_oracle import alike_digest

NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=6)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
BETWEEN = [(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n ")]


def digest(raw: str | bytes) -> int:
    """Digest by the kernel, in the middle of other bytes."""
    raw = raw.encode() if isinstance(raw, str) else raw
    buffer = np.frombuffer(b'{"' + raw + b'"}' + bytes(SLACK), np.uint8)
    return int(digest_alike(buffer, 2, len(raw), np.zeros(WORKSPACE, np.int64)))


def shuffled(value: Any, chance: random.Random) -> Any:
    """Put the keys of all objects in another order."""
    if isinstance(value, list):
        return [shuffled(each, chance) for each in value]
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    return value


@settings(deadline=None)
@given(JSON, st.integers(0, 2**32), st.sampled_from(BETWEEN))
def test_order_and_spaces_change_nothing(value: Any, seed: int, between: tuple[str, str]) -> None:
    """Keys in any order, spaces anywhere between: one digest, that of the oracle."""
    text = json.dumps(value)
    other = json.dumps(shuffled(value, random.Random(seed)), separators=between)  # noqa: S311 -- an order, no secret
    if isinstance(value, (dict, list)):
        assert digest(text) == digest(other)
    assert digest(text) == alike_digest(text.encode())
    assert digest(other) == alike_digest(other.encode())


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@settings(deadline=None)
@given(JSON, JSON)
def test_what_differs_is_not_alike(one: Any, other: Any) -> None:
    """As written: 1, 1.0 and true differ, and so do lists in another order."""
    assert (digest(_canonical(one)) == digest(_canonical(other))) == (_canonical(one) == _canonical(other))


@settings(deadline=None)
@given(st.binary(max_size=40) | st.text('{}[]":,\\ 1etrufalsn', max_size=24).map(str.encode))
def test_anything_has_the_digest_of_the_oracle(raw: bytes) -> None:
    """What is no JSON is taken by its bytes."""
    assert digest(raw) == alike_digest(raw) != 0


def test_by_hand() -> None:
    """What a person would call the same call, and what not."""
    same = ['{"id":7,"why":"late"}', '{"why": "late", "id": 7}', ' {\n "id" : 7 , "why":"late" } ']
    others = ['{"id":"7","why":"late"}', '{"id":7,"why":"late","x":null}', '{"id":7}', '{"why":7,"id":"late"}', "[]"]
    others += ['{"id":7,"why":"late"', '[{"id":7,"why":"late"}]', "{}", '{"id":7,"why":"late "}', '{"a":[1,2]}']
    others += ['{"a":[2,1]}', '{"a":{"1":2}}', '{"a":[]}', '{"a":{}}', "7", '"{}"', ""]
    assert len({digest(each) for each in same}) == 1
    assert len({digest(each) for each in [same[0], *others]}) == 1 + len(others)
    assert digest("plain") == digest_of("plain")


def test_what_is_nested_too_deep_is_taken_by_its_bytes() -> None:
    """At 64 levels the order of keys does not count, at 65 it does; the same bytes are always alike."""
    for levels, alike in ((DEEPEST, True), (DEEPEST + 1, False), (101, False)):
        one, other = ("[" * (levels - 1) + inner + "]" * (levels - 1) for inner in ('{"a":1,"b":2}', '{"b":2,"a":1}'))
        assert (digest(one) == digest(other)) == alike
        assert digest(one) == alike_digest(one.encode())


def test_calls_of_one_batch() -> None:
    """Through the decoder: the column of arguments has one digest for both, the results are taken by their bytes."""
    texts = ['{"id":7,"why":"late"}', '{"why": "late", "id": 7}']
    spans = [
        {
            "traceId": f"{1:032x}",
            "spanId": f"{number + 1:016x}",
            "startTimeUnixNano": "1795000000000000000",
            "endTimeUnixNano": "1795000000000000001",
            "attributes": [
                {"key": key, "value": {"stringValue": value}}
                for key, value in (
                    ("gen_ai.operation.name", "execute_tool"),
                    ("gen_ai.tool.name", "refund"),
                    ("gen_ai.tool.call.arguments", text),
                    ("gen_ai.tool.call.result", text),
                )
            ],
        }
        for number, text in enumerate(texts)
    ]
    message = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    cols = Decoder().decode([message], 1_795_000_001 * 10**9).spans.cols
    assert cols[Column.ARGUMENTS, 0] == cols[Column.ARGUMENTS, 1] == alike_digest(texts[0].encode())
    assert cols[Column.RESULT].tolist() == [digest_of(text) for text in texts]
