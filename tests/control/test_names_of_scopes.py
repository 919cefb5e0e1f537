"""Names that no scope can hold, with a line end or very long: who calls himself so is under budgets and kills."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
import pytest
from flyball_sdk import Guard, running
from flyball_sdk.reserving import Denied, Reserved
from flyball_sdk.reserving import Request as Asked
from flyball_sdk.scope import Scope, Subject

from control import verdicts
from control.usage import SpendBook, read

NAME, HELD = "evil\nuser", "evil user"
LONG = "ä" * 127 + "x" + "ä" * 100
CUT = "ä" * 127 + "x"
"""As the flow has it: of 256 bytes the last would be half a character."""


def test_what_the_flow_says_of_one_is_taken(planes: Any) -> None:
    """Verdicts and spend are of the name with a blank instead."""
    said = orjson.dumps(planes.verdict(scope=("user", NAME)))
    assert verdicts.read(said).scope == Scope("user", HELD)
    spend = {
        "kind": "spend", "scope": {"level": "user", "id": NAME}, "tenant": "t1", "period": "day",
        "start": "2026-01-01", "cost_usd": 5.0, "limit_usd": 5.0, "revision": 1,
    }  # fmt: skip
    assert SpendBook([orjson.dumps(spend)]).usage("user", HELD, "t1")[0]["used_ratio"] == 1.0
    assert read(orjson.dumps(spend)).key[1] == HELD


@pytest.mark.parametrize(("name", "told", "held"), [(NAME, NAME, HELD), (LONG, CUT, CUT)])
def test_a_verdict_stops_one(name: str, told: str, held: str, served: Any, planes: Any) -> None:
    """Over the log and HTTP: the call of whoever is named so is answered as killed, and the guard in process obeys."""
    served.tell(planes.verdict(scope=("user", told)))
    obeyed(served, planes, name, held)


@pytest.mark.parametrize(("name", "held"), [(NAME, HELD), (LONG, CUT)])
def test_a_person_stops_one(name: str, held: str, served: Any, planes: Any) -> None:
    """By the name as it is, too; and lets it go on."""
    order = {"scope": {"level": "user", "id": name}}
    assert served.ask("POST", "/v1/kill", order, served.admin)[0] == 200
    obeyed(served, planes, name, held)
    assert served.ask("GET", f"/v1/usage?level=user&id={quote(name)}", None, served.admin)[1]["id"] == held
    assert served.ask("POST", "/v1/resume", order, served.admin)[1]["places"] != []


def obeyed(served: Any, planes: Any, name: str, held: str) -> None:
    """Fail unless calls of a user of that name are stopped everywhere."""
    body = {"schema": "1", "tool": {"name": "t"}, "tool_input": {}, "trace": {}, "subject": {"user": name}}

    def killed() -> bool:
        return bool(served.ask("POST", "/v1/guard/evaluate", body, served.agent)[1]["killed"])

    planes.until(killed)
    flags = served.ask("POST", "/ofrep/v1/evaluate/flags/agent.enabled", context(name), served.agent)[1]
    assert flags["value"] is False
    store = served.store()
    stream = served.stream()
    stream.feed(store, lambda: store.of(Subject(user=held)))
    stream.close()
    with running(user=name):
        assert Guard(signals=store, on_event=lambda event: None).evaluate("t", {}).killed


def context(user: str) -> dict[str, Any]:
    """Make what an OpenFeature client sends."""
    return {"context": {"targetingKey": "r", "user": user}}


@pytest.mark.parametrize("name", [NAME, "evil\n\nuser", "\n", HELD, "plain", CUT, LONG])
def test_the_guard_asks_for_budgets_by_that_name(name: str) -> None:
    """What is reserved is reserved of it."""
    asked: list[Subject] = []

    class Reserver:
        def reserve(self, request: Asked) -> Reserved | Denied:
            asked.append(request.subject)
            return Reserved()

        def settle(self, token: str, cost_usd: float | None) -> None: ...

    guard = Guard(reserver=Reserver(), on_event=lambda event: None)
    guard.evaluate("t", {}, Subject(user=name, agent=name, workflow=name, tenant=name))
    plain = CUT if name == LONG else name.replace("\n", " ")
    assert asked == [Subject(None, plain, plain, plain, plain)]


def test_a_name_that_is_no_text_is_left_alone() -> None:
    """A number for a user is nobody's mistake to fail by."""
    assert Guard(on_event=lambda event: None).evaluate("t", {}, Subject(user=7)).allowed  # type: ignore[arg-type]
