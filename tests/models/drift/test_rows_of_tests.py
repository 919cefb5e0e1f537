"""Tests of few streams are taken as one row: bit by bit what they are one by one, whatever the layout of the state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.drift import band
from models.drift.past import Past


def taken(at_once: int, layout: str, monkeypatch: pytest.MonkeyPatch, streams: int) -> tuple[Any, Any]:
    """Give M of the last of some looks, and the state, where so many tests are taken at once."""
    monkeypatch.setattr(band, "_AT_ONCE", at_once)
    chance, past = np.random.default_rng(5), Past.none(3, streams)
    for _ in range(300):
        events = chance.integers(0, 40, streams)
        past = past.with_look(chance.binomial(events, 0.2, (3, streams)), events)
    state = band.start(past)
    state["by_mean"] = chance.random((3, streams)) < 0.3
    state["m"] = np.array(state["m"], order=layout)  # type: ignore[call-overload]
    for _ in range(50):
        events = chance.integers(0, 40, streams)
        found = band.rows(state, chance.binomial(events, 0.3, (3, streams)), events)
    return found, state["m"]


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("streams", [1, 7, 200])
def test_one_row_and_many(streams: int, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """M and the state are the same to the last bit."""
    (as_one, state), (one_by_one, other) = (
        taken(at_once, layout, monkeypatch, streams) for at_once in (band._AT_ONCE, 0)
    )
    assert np.array_equal(as_one, one_by_one)
    assert np.array_equal(state, other)
    assert as_one.max() > 1
