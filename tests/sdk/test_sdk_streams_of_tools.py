"""Tools that are generators: the decorator is not seen by whoever reads them, and what is not read holds nothing."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk import Guard, tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def guard() -> Guard:
    """Give a guard that tells nobody."""
    return Guard(on_event=lambda event: None)


def test_an_async_generator_is_driven_as_it_is(guard: Guard) -> None:
    """What is sent and thrown in reaches it, and it is closed when its reader closes."""
    seen: list[object] = []

    @tool(guard)
    async def parts() -> Any:
        try:
            while True:
                try:
                    seen.append((yield len(seen)))
                except KeyError as error:
                    seen.append(error.args[0])
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    async def drive() -> None:
        made = parts()
        assert await anext(made) == 0
        assert await made.asend("sent") == 1
        assert await made.athrow(KeyError("thrown")) == 2
        await made.aclose()
        assert seen == ["sent", "thrown", "closed"]

    asyncio.run(drive())
    assert guard._pending == {}


def test_an_async_generator_that_ends_or_fails(guard: Guard) -> None:
    """Its parts come in order; what it raises goes on, and is its error."""

    @tool(guard)
    async def parts(count: int, fails: bool) -> AsyncIterator[int]:  # noqa: FBT001 -- arguments of a tool
        for number in range(count):
            yield number
        if fails:
            raise LookupError("gone")

    async def read(count: int, *, fails: bool) -> list[int]:
        return [part async for part in parts(count, fails)]

    assert asyncio.run(read(3, fails=False)) == [0, 1, 2]
    assert asyncio.run(read(0, fails=False)) == []
    with pytest.raises(LookupError):
        asyncio.run(read(2, fails=True))
    assert guard._pending == {}


def test_a_stream_that_nobody_begins_to_read_holds_nothing(guard: Guard) -> None:
    """It is over when it is thrown away, not after ten minutes."""

    @tool(guard)
    def parts() -> Iterator[int]:
        yield 1

    @tool(guard)
    async def later() -> AsyncIterator[int]:
        yield 1

    for made in (parts, later):
        stream: Any = made()
        assert len(guard._pending) == 1
        del stream
        gc.collect()
        assert guard._pending == {}
