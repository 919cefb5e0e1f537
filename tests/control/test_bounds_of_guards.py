"""Bounds of what the control plane remembers of guards: who is busy or connected stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from control import clients, guards
from control.clients import Clients

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CALL = {"subject": {"workflow": "air"}, "tool": {"name": "look"}, "tool_input": {"x": 1}}


def test_a_tenant_that_asks_keeps_its_counters(planes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the one that was idle longest begins anew: a loop of a busy one is found all the same."""
    monkeypatch.setattr(guards, "_MOST_TENANTS", 3)
    with planes.Served(tmp_path) as served:
        keys = {name: served.plane.keys.agent(name, "a1") for name in ("busy", "b", "c", "d", "e")}
        call = CALL | {"trace": {"run_id": planes.RUN}}

        def ask(tenant: str) -> str:
            return str(served.ask("POST", "/v1/guard/evaluate", call, keys[tenant])[1]["decision"])

        said = [ask("busy")]
        for other in ("b", "c", "d", "e", "b", "c", "d", "e"):
            ask(other)
            said.append(ask("busy"))
        assert said[-1] != "allow", said


def test_all_that_are_connected_can_have_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more guards of one key than are remembered of those that come and go, "applied by all" is still reached."""
    monkeypatch.setattr(clients, "_MOST", 3)
    book = Clients()
    for _ in range(5):
        book.opened("k", "t")
    for number in range(5):
        book.heard("k", f"c{number}", "t", (1, 7), 0.0)
    assert book._count((1, 7), "t", 100.0, everybody=False) == (5, 5)
    for _ in range(5):
        book.closed("k", "t")
    for number in range(9):
        book.heard("k", f"d{number}", "t", (1, 7), 0.0)
    assert len(book._clients["k"]) <= 5
