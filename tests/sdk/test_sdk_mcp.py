"""The MCP proxy by its messages: what was cancelled has ended, and a malformed id stops nothing."""

from __future__ import annotations

from typing import Any

from flyball_sdk import Guard
from flyball_sdk.adapters.mcp_proxy import McpProxy
from flyball_sdk.scope import Subject


def call(name: Any, number: int) -> dict[str, Any]:
    """Make a call."""
    params = {"name": "search", "arguments": {"n": number}}
    return {"jsonrpc": "2.0", "id": name, "method": "tools/call", "params": params}


def cancelled(name: Any) -> dict[str, Any]:
    """Make the notification that a call is cancelled."""
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": name}}


def test_a_cancelled_call_has_ended() -> None:
    """It holds nothing, the message goes on to the server, and an answer that comes nevertheless changes nothing."""
    guard = Guard(on_event=lambda event: None)
    proxy = McpProxy(guard, Subject(run="ab" * 16))
    assert proxy.request(call(7, 1)) == call(7, 1)
    assert len(guard._pending) == 1
    assert proxy.request(cancelled(7)) == cancelled(7)
    assert not guard._pending
    answer = {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}
    assert proxy.response(answer) == answer


def test_what_is_malformed_passes_or_is_judged() -> None:
    """Ids that are none, and cancellations of nothing."""
    proxy = McpProxy(Guard(on_event=lambda event: None), Subject(run="ab" * 16))
    for name in ([1], {"a": 1}, None, 1.5):
        assert proxy.request(call(name, 1)) == call(name, 1)
        assert proxy.request(cancelled(name)) == cancelled(name)
    for said in ({**cancelled(1), "params": None}, {**cancelled(1), "params": []}):
        assert proxy.request(said) == said


def test_a_batch_is_refused_not_let_through_or_raised_at() -> None:
    """The protocol of March 2025 had batches: what is in one is not judged, so none of it goes on."""
    proxy = McpProxy(Guard(on_event=lambda event: None))
    said: Any
    for said in ([call(1, 1), call(2, 1)], [], "tools/call", None, 5):
        assert proxy.request(said)["error"]["code"] == -32600
    for said in ([{"jsonrpc": "2.0", "id": 1, "result": {}}], None, "x"):
        assert proxy.response(said) == said
