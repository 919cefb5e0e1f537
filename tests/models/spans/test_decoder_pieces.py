"""A batch is read in pieces, and room is made on the way: where they end leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from models.digest import digest_of
from models.spans.columns import Column
from models.spans.decoder import Decoder

RECEIVED = 1_800_000_000_000_000_000


def message(first: int, spans: int, arms: int) -> bytes:
    """Make a message of `spans` spans, each with a user, a tool and `arms` cohorts of its own."""
    data = TracesData()
    scope = data.resource_spans.add().scope_spans.add()
    for number in range(first, first + spans):
        span = scope.spans.add(trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"))
        span.start_time_unix_nano = span.end_time_unix_nano = RECEIVED - number
        said = {"user.id": f"user {number}", "gen_ai.tool.name": f"tool {number % 7}"}
        said |= {f"flyball.cohort.c{arm}": f"{number}" for arm in range(arms)}
        for key, value in said.items():
            span.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


@pytest.mark.parametrize(("spans", "arms"), [(1, 0), (1, 3), (3, 1), (64, 2), (2000, 1), (40_000, 0)])
def test_every_span_is_there_once(spans: int, arms: int) -> None:
    """All rows, names and cohorts of a large batch are those of its messages, in their order, on every reading."""
    total = max(12_000, spans)
    messages = [message(first, spans, arms) for first in range(1, total + 1, spans)]
    count = spans * len(messages)
    decoder = Decoder()
    for _ in range(2):
        decoded = decoder.decode(messages, RECEIVED)
        assert decoded.dead == []
        numbers = np.arange(1, count + 1)
        assert np.array_equal(decoded.spans[Column.SPAN_ID], numbers)
        assert np.array_equal(decoded.spans[Column.TRACE_LO], numbers)
        assert np.array_equal(decoded.spans[Column.END], RECEIVED - numbers)
        assert np.array_equal(decoded.spans[Column.MESSAGE], (numbers - 1) // spans)
        users = [decoded.spans.names[digest] for digest in decoded.spans[Column.USER].tolist()]
        assert users == [f"user {number}" for number in numbers]
        cohorts = decoded.spans.cohorts
        assert np.array_equal(cohorts.row, np.repeat(numbers - 1, arms))
        assert [decoded.spans.names[digest] for digest in cohorts.value.tolist()] == [
            f"{row + 1}" for row in cohorts.row.tolist()
        ]
        assert set(cohorts.name.tolist()) == {digest_of(f"c{arm}") for arm in range(arms)}
