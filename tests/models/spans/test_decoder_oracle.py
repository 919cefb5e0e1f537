# ruff: noqa: S311 - chance with a seed, for tests
"""The decoder against its oracle: the protobuf library and the same rules in plain Python."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from models.digest import SLACK
from models.spans.columns import Column
from models.spans.decoder import FUTURE_NS, Decoder
from models.spans.mapping import Mapping
from models.spans.pointers import pointer_to
from models.spans.wire import WORKSPACE
from models.spans.wire_batch import holds_logs

# with sources by path for columns of all sorts, which the built-in table has for numbers only
EXTRA = {
    "columns": {
        "TENANT": [{"attribute": "meta", "path": "tenant"}, {"attribute": "meta", "path": ["org", "id"]}],
        "RESULT": [{"attribute": "meta", "path": "org"}],
        "OUTCOME": [
            {"attribute": "meta", "path": "ok", "values": {"true": "success", "0": "failure", "120": "success"}}
        ],
        "SCORE": [{"attribute": "meta", "path": ["org", "score"]}],
        "AGENT": [{"attribute": "meta", "path": ["org", "unit", "agent"], "kinds": ["run", "other", "approval"]}],
    }
}
MAPPING = replace(Mapping.load(EXTRA), model_prefixes=())
KEYS = [
    (source.attribute.replace(".N.", ".1."), list(source.values or ()))
    for sources in MAPPING.columns.values()
    for source in sources
] + [("llm.cost.completion", [])]
PATHS = sorted(
    {
        (name[0], name[1:])
        for sources in MAPPING.columns.values()
        for source in sources
        for name in (source.name, source.within, *source.plus)
        if isinstance(name, tuple) and len(name) > 1
    }
)
DECODER = Decoder(MAPPING)


@njit
def _sniff(array: Any, end: int, workspace: Any) -> bool:
    return holds_logs(pointer_to(array), 0, end, pointer_to(workspace))


def sniff(message: bytes) -> bool:
    """Tell whether the decoder takes a message for logs."""
    buffer = np.frombuffer(bytearray(message + bytes(SLACK)), np.uint8)
    return bool(_sniff(buffer, len(message), np.zeros(WORKSPACE, np.int64)))


@pytest.fixture(scope="module")
def oracle(decode_oracle: Any) -> Any:
    """Give an oracle with the built-in mapping."""
    return decode_oracle.Oracle(MAPPING, FUTURE_NS)


def agree(oracle: Any, message: bytes, received: int) -> None:
    """Assert that decoder and oracle say the same of a message."""
    oracle.decode(message, received, sniff(message))
    decoded = DECODER.decode([message], received)
    assert [d.size if d.reason == "span without trace id" else None for d in decoded.dead] == oracle.dead
    expected = [[row[column] for column in Column] for row in oracle.rows]
    assert decoded.spans.cols.T.tolist() == expected
    mended = {rule: n for rule, n in decoded.mended.items() if rule != "utf8.replaced"}
    assert mended == {rule: n for rule, n in oracle.mended.items() if n}
    cohorts = decoded.spans.cohorts
    found = list(zip(cohorts.row.tolist(), cohorts.name.tolist(), cohorts.value.tolist(), strict=True))
    assert found == oracle.cohorts


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_valid_messages_decode_as_the_oracle_says(oracle: Any, decode_messages: Any, seed: int) -> None:
    """A valid message of spans or logs gives the rows, dead letters, repairs and cohorts that the rules say."""
    writer = decode_messages.Writer(Random(seed), KEYS, PATHS)
    agree(oracle, writer.traces() if seed % 4 else writer.logs(), decode_messages.RECEIVED)


@settings(max_examples=1000, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damaged_messages_decode_as_the_oracle_says(oracle: Any, decode_messages: Any, seed: int) -> None:
    """A damaged message is a dead letter exactly where the library refuses it, and else gives what is left of it."""
    writer = decode_messages.Writer(Random(seed), KEYS, PATHS)
    agree(oracle, writer.damage(writer.traces() if seed % 4 else writer.logs()), decode_messages.RECEIVED)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_lies_behind_a_message_is_never_read(decode_messages: Any, seed: int) -> None:
    """A damaged message gives the same, whatever message lies behind it."""
    writer = decode_messages.Writer(Random(seed), KEYS, PATHS)
    message = writer.damage(writer.traces())
    alone = DECODER.decode([message], decode_messages.RECEIVED)
    for poison in (b"\x00" * 64, b"\xff" * 64, b"\x0a\x01" * 32):
        among = DECODER.decode([message, poison], decode_messages.RECEIVED)
        assert [d for d in among.dead if d.message == 0] == alone.dead
        rows = among.spans[Column.MESSAGE] == 0
        assert np.array_equal(among.spans.cols[:, rows], alone.spans.cols)


def test_logs_are_told_from_traces(decode_messages: Any) -> None:
    """Spans and log records are told apart by the wire types of their fields; an empty message counts as traces."""
    for seed in range(50):
        writer = decode_messages.Writer(Random(seed), KEYS, PATHS)
        assert not sniff(writer.traces())
        assert sniff(writer.logs())
    assert not sniff(b"")
