"""Memory of a flow process: the collector and the allocator."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from flows.memory import settle_memory

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Knot:
    """An object that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def _collector_as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.usefixtures("_collector_as_it_was")
def test_what_is_there_is_left_out_and_new_cycles_still_go() -> None:
    """What was there before is not looked at again; a cycle made afterwards goes once enough others have come."""
    settle_memory()
    assert gc.get_freeze_count() > 1000
    knot = weakref.ref(_Knot())
    kept = [[] for _ in range(gc.get_threshold()[0] + 1000)]
    assert knot() is None
    assert kept
