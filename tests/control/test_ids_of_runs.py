"""A run is the same run however its id was copied: as a UUID, in upper case, with blanks around."""

from __future__ import annotations

from typing import Any

import pytest
from flyball_sdk import Guard, Subject, running
from flyball_sdk.scope import as_run

from flyball.control import scope_of

RUN = "ab" * 16
WRITTEN = [
    RUN,
    RUN.upper(),
    "abababab-abab-abab-abab-abababababab",
    f" {RUN}\n",
    "ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB",
]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_person_kills_and_resumes_it(served: Any, written: str) -> None:
    """In a hurry nobody rewrites an id; the command line and HTTP take what was pasted."""
    assert scope_of(f"run:{written}") == {"level": "run", "id": RUN}
    scope = {"scope": {"level": "run", "id": written}}
    assert served.ask("POST", "/v1/kill", scope, served.admin)[1]["signal"]["scope"]["id"] == RUN
    assert served.ask("POST", "/v1/resume", scope, served.admin)[1]["places"][0]["scope"]["id"] == RUN


@pytest.mark.parametrize("written", WRITTEN)
def test_its_calls_are_stopped(served: Any, written: str) -> None:
    """Whoever asks, in the process or by HTTP."""
    served.ask("POST", "/v1/kill", {"scope": {"level": "run", "id": RUN}}, served.admin)
    call = {"tool": {"name": "read"}, "trace": {"run_id": written}}
    assert served.ask("POST", "/v1/guard/evaluate", call, served.agent)[1]["killed"]
    store = served.store()
    store.replace(served.ask("GET", "/v1/signals", key=served.agent)[1])
    guard = Guard(signals=store, on_event=lambda event: None)
    assert guard.evaluate("read", {}, Subject(run=written)).killed
    with running(run=written):
        assert guard.evaluate("read", {}).killed


@pytest.mark.parametrize("text", ["", "order-42", "ab" * 15, "ab" * 17, "zz" * 16, "-", "user\n"])
def test_what_is_no_id_stays_as_it_is(text: str) -> None:
    """Runs may have names of their own."""
    assert as_run(text) == text
    assert Subject(run=text).as_named() == Subject(run=text)
