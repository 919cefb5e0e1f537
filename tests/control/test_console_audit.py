"""The console's page of the audit log: who did what to whom is found, however long ago."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

PEOPLE = ("ann", 'Bob "the ops"')


@pytest.fixture
def filled(served: Any) -> Any:
    """Give a control plane that two people have ordered around: kills of users, and 500 more of runs."""
    authority = served.plane.authority
    with authority.changing():
        for number, person in enumerate(PEOPLE):
            what = {"command": "kill", "scope": {"level": "user", "id": f"u-{number}"}, "reason": 'says "no"'}
            authority.note("command", person, what, "acme")
        for number in range(500):
            what = {"decision": "block", "tool": "pay", "reason_code": "kill", "arguments": {"fields": {}}}
            authority.note("decision", "agent", what | {"run": f"{number:032x}"})
    return served


def ask(served: Any, **said: object) -> dict[str, Any]:
    """Ask for entries."""
    status, told, _ = served.ask("GET", "/v1/console/audit?" + urlencode(said), key=served.admin)
    assert status == 200
    return dict(told)


def test_it_is_read_back_to_its_begin(filled: Any) -> None:
    """Page by page, no entry twice and none left out."""
    numbers: list[int] = []
    told = ask(filled, before=0)
    height = told["height"]  # of the first page: checkpoints may be written while it is read
    while True:
        numbers += [each["n"] for each in told["entries"]]
        if not told["next"]:
            break
        told = ask(filled, before=told["next"])
    assert numbers == list(range(height, 0, -1))


@pytest.mark.parametrize(
    ("said", "users"),
    [
        ({"who": "AN"}, ["u-0"]),
        ({"who": 'bob "the'}, ["u-1"]),
        ({"about": "user:u-1"}, ["u-1"]),
        ({"about": "USER:"}, ["u-1", "u-0"]),
        ({"about": "acme"}, ["u-1", "u-0"]),
        ({"about": 'says "NO"', "who": "ann"}, ["u-0"]),
        ({"kind": "command", "about": "u-2"}, []),
        ({"about": "%"}, []),
    ],
)
def test_who_did_it_and_to_whom(filled: Any, said: dict[str, str], users: list[str]) -> None:
    """By part of a name, a scope as the page writes it, a tenant or a reason; what it says in JSON is no matter."""
    told = ask(filled, **said)
    found = [each["what"]["scope"]["id"] for each in told["entries"] if each["kind"] == "command"]
    assert found == users
    assert [each for each in told["entries"] if each["kind"] != "command" and "who" not in said] == []


def test_every_kind_is_found(filled: Any) -> None:
    """Begin and end of the control plane too; decisions a page at a time."""
    assert [each["kind"] for each in ask(filled, kind="start")["entries"]] == ["start"]
    assert ask(filled, kind="start")["next"] == 0
    told = ask(filled, kind="decision")
    assert (len(told["entries"]), told["next"]) == (200, told["entries"][-1]["n"])
    assert "arguments" not in told["entries"][0]["what"]


@pytest.mark.parametrize("query", ["before=-1", "before=x", "before=1e3", "about=" + "x" * 600])
def test_what_is_no_search_is_refused(served: Any, query: str) -> None:
    """With the status that says so."""
    assert served.ask("GET", "/v1/console/audit?" + query, key=served.admin)[0] == 400
