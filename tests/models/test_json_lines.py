"""Lines of JSON written by a kernel, against Python's own writing of the same values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.json_lines import UNKNOWN, Kind, Template, cut, write_lines

TEMPLATE = Template(
    [b'{"id":"', b'","name":', b',"count":', b',"usd":', b',"at":"', b'"}'],
    [Kind.HEX, Kind.TEXT, Kind.WHOLE, Kind.BILLIONTHS, Kind.TIME],
)
WORD = st.integers(-(2**63), 2**63 - 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.integers(-(2**61), 2**63 - 1)
"""From 1896 to 2262."""

ROWS = st.lists(
    st.tuples(WORD, WORD, st.text(max_size=9), st.integers(-(2**63) + 1, 2**63 - 1), WORD, TIMES),
    min_size=1,
    max_size=9,
)


@settings(deadline=None)
@given(ROWS)
def test_lines_are_what_python_writes(rows: list[tuple[int, int, str, int, int, int]]) -> None:
    """Each value is told as it is: ids, texts, whole numbers, billionths and times, whatever they are."""
    texts = [json.dumps(row[2]).encode() for row in rows]
    stops = np.cumsum([len(text) for text in texts])
    columns = np.array(
        [
            (high, low, stop - len(text), stop, count, usd, at)
            for (high, low, _, count, usd, at), text, stop in zip(rows, texts, stops.tolist(), strict=True)
        ],
        np.int64,
    ).T
    lines = cut(*write_lines(TEMPLATE, columns, np.frombuffer(b"".join(texts), np.uint8)))
    for line, (high, low, name, count, usd, at) in zip(lines, rows, strict=True):
        told = json.loads(line)
        assert told["id"] == f"{high % 2**64:016x}{low % 2**64:016x}"
        assert (told["name"], told["count"]) == (name, count)
        assert told["usd"] == (None if usd == UNKNOWN else pytest.approx(usd / 1e9, rel=1e-15))
        when = EPOCH + timedelta(microseconds=at // 1000)
        assert told["at"] == when.strftime(f"{when.year:04d}-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize(
    ("billionths", "text"),
    [
        (0, b"0.0"),
        (1, b"0.000000001"),
        (-1_500_000_000, b"-1.5"),
        (20_000_000_000, b"20.0"),
        (100_000_001, b"0.100000001"),
        (UNKNOWN, b"null"),
    ],
)
def test_billionths_as_a_person_writes_them(billionths: int, text: bytes) -> None:
    """No noughts at the end, but one behind the point."""
    line, _ = write_lines(
        Template([b"", b""], [Kind.BILLIONTHS]), np.array([[billionths]], np.int64), np.empty(0, np.uint8)
    )
    assert line == text


def test_what_does_not_fit_is_said() -> None:
    """Pieces that do not stand around the values, and columns that are not those of the template."""
    with pytest.raises(ValueError, match="2 pieces for 2 values, expected 3"):
        Template([b"", b""], [Kind.WHOLE, Kind.WHOLE])
    with pytest.raises(ValueError, match="1 words a line, the template takes 7"):
        write_lines(TEMPLATE, np.zeros((1, 1), np.int64), np.empty(0, np.uint8))
