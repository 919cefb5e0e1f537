"""Durations and sizes are read exactly, refused without a unit, and shown as they are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.config.units import duration, show_duration, show_size, size


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0s", 0),
        ("1ns", 1),
        ("250ms", 250_000_000),
        ("15m", 900_000_000_000),
        ("24h", 86_400_000_000_000),
        ("1d", 86_400_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("1.5h", 5_400_000_000_000),
        ("0.1s", 100_000_000),
        ("2us", 2_000),
    ],
)
def test_durations_are_nanoseconds(text: str, ns: int) -> None:
    """A duration is the exact number of nanoseconds."""
    assert duration(text) == ns


@pytest.mark.parametrize("text", ["", "15", "m", "15 m", "-1s", "1e3s", "15mins", "0.5ns", "1h 30m", "s1", "٣s"])
def test_other_durations_are_refused(text: str) -> None:
    """Without a unit, with another, or in fractions of a nanosecond there is no duration."""
    with pytest.raises(ValueError, match=f"^{text}$"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("0B", 0), ("16MB", 16_000_000), ("16 MB", 16_000_000), ("1.5kB", 1500), ("1KB", 1000), ("1GiB", 1 << 30)],
)
def test_sizes_are_bytes(text: str, count: int) -> None:
    """A size is a number of bytes; units with an i are powers of 1024."""
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "16", "MB", "16mb", "16M", "-1B", "0.5B", "1kiB", "1iB", "1PB"])
def test_other_sizes_are_refused(text: str) -> None:
    """Without a unit, with another, or in fractions of a byte there is no size."""
    with pytest.raises(ValueError, match=f"^{text}$"):
        size(text)


@given(st.integers(0, 10**20))
def test_what_is_shown_is_read_back(number: int) -> None:
    """Any duration and any size is read back from how it is shown."""
    assert duration(show_duration(number)) == number
    assert size(show_size(number)) == number


def test_round_numbers_are_shown_short() -> None:
    """Defaults look as the documents write them."""
    shown = [show_duration(duration(text)) for text in ("24h", "15m", "250ms", "1h30m", "0s")]
    assert shown == ["24h", "15m", "250ms", "1h30m", "0s"]
    assert [show_size(size(text)) for text in ("16MB", "1GiB", "1500B", "0B")] == ["16MB", "1GiB", "1500B", "0B"]
