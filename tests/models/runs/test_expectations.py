"""Names of what is evaluated may be made up: those that were told of last are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.runs.expectations import Expectations

if TYPE_CHECKING:
    import pytest

MOST = 50


def test_made_up_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is told of again and again keeps its first time; the oldest of the others go, also over a restart."""
    monkeypatch.setattr("models.runs.expectations.MOST_TOLD", MOST)
    known, again, real = Expectations(), Expectations(), 7
    for at in range(3 * MOST):
        known.tell({10_000 + at: at} | ({real: 100 + at} if at % 10 == 0 else {}))
        if at == MOST:
            again.restore(*(dict(table) for table in known.tables()))
            known = again
    assert len(known.told) == len(known.names) == MOST
    assert known.told[real] == 100
    assert 10_000 + 3 * MOST - 1 in known.told
    assert dict(zip(known.names.tolist(), known.times.tolist(), strict=True)) == known.told
