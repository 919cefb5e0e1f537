"""`running` entered in one context and left in another, as web frameworks do with what they set up for a request."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import threading
import time
from typing import Any

from flyball_sdk import Guard, running
from flyball_sdk.context import current
from flyball_sdk.scope import NOBODY


def test_it_is_left_in_another_context() -> None:
    """Nothing is raised at the end of a request, and nobody's calls are counted to it afterwards."""
    block = running(user="u1")
    inside = contextvars.copy_context()
    inside.run(block.__enter__)
    assert inside.run(current).user == "u1"
    assert not block.__exit__(None, None, None)
    assert current() == NOBODY


def test_it_is_left_in_another_thread() -> None:
    """So it is with threads, and what was raised inside goes on."""
    block = running(user="u1")
    thread = threading.Thread(target=block.__enter__)
    thread.start()
    thread.join()
    assert current().user == "u1"  # the only one under way
    error = KeyError("theirs")
    assert not block.__exit__(KeyError, error, None)
    assert current() == NOBODY


def test_a_claude_hook_leaves_the_loop_free() -> None:
    """While a budget is asked about, other tasks go on."""
    adapter = importlib.import_module("flyball_sdk.adapters.claude_agent")
    reserving = importlib.import_module("flyball_sdk.reserving")

    class Slow:
        def reserve(self, request: Any) -> Any:
            time.sleep(0.3)
            return reserving.Reserved()

        def settle(self, token: str, cost_usd: float | None) -> None: ...

    hook = adapter.hooks(Guard(reserver=Slow(), on_event=lambda event: None))["PreToolUse"][0].hooks[0]
    said = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "1", "session_id": "s"}

    async def both() -> int:
        asked, turns = asyncio.ensure_future(hook(said, "1", {"signal": None})), 0
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert await asked == {}
        return turns

    assert asyncio.run(both()) > 5
