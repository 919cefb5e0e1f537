"""Threads and processes of the program's own: whose calls they make, and what their decisions are called."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flyball_sdk import Guard, Subject, carried, running
from flyball_sdk.context import current
from flyball_sdk.decision import new_id
from flyball_sdk.scope import NOBODY, Scope
from flyball_sdk.signals import Held
from flyball_sdk.state import State


def seen_by_threads(function: Any) -> list[Subject]:
    """Give whom a function sees in a thread of one's own, and in a pool that was there before."""
    seen: list[Subject] = []
    thread = threading.Thread(target=lambda: seen.append(function()))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        seen.append(pool.submit(function).result())
    return seen


def test_threads_belong_to_the_run_that_is_under_way() -> None:
    """The only one there is; of several the one that was handed over, and else nobody's."""
    assert seen_by_threads(current) == [NOBODY, NOBODY]
    with running(user="u1") as outer, running(agent="helper") as inner:
        assert inner.run == outer.run
        assert seen_by_threads(current) == [inner, inner]
        own = carried(current)
        other: list[Subject] = []

        def run_beside() -> None:
            with running(user="u2") as another:
                other.append(another)
                other.extend(seen_by_threads(current))
                other.extend(seen_by_threads(own))

        thread = threading.Thread(target=run_beside)
        thread.start()
        thread.join()
        assert other[0].user == "u2"
        assert other[1:] == [NOBODY, NOBODY, inner, inner]
    assert seen_by_threads(current) == [NOBODY, NOBODY]


def test_a_kill_holds_in_threads_too() -> None:
    """A tool that runs in a thread of the program's own is stopped as well."""
    state = State(kill=True)

    class OfUser:
        position, subject = (1, 1), NOBODY

        def of(self, subject: Subject) -> list[Held]:
            return [Held(Scope("user", "u1"), state, "why", "rule")] if subject.user == "u1" else []

        def age_s(self) -> float:
            return 0.0

    guard = Guard(signals=OfUser(), on_event=lambda event: None)
    with running(user="u1"):
        assert seen_by_threads(lambda: guard.evaluate("read", {}).killed) == [True, True]


def test_ids_of_decisions_differ_in_a_child() -> None:
    """A server that forks its workers gives no id twice."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    own, theirs = new_id(), os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)
    assert own[: len("dec_") + 12] != theirs[: len("dec_") + 12]
