"""MCP: for whoever stands between client and server and sees their JSON-RPC messages, a proxy or a gateway.

    proxy = McpProxy(guard)
    message = proxy.request(message)     # give it to the server, or if it is an answer, back to the client
    message = proxy.response(message)    # what the server said, on its way to the client

A call that may not be made is answered by a JSON-RPC error, code -32001, with HTTP status 200 where messages travel by
HTTP. All other messages pass as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.adapters.pending import Pending

if TYPE_CHECKING:
    from flyball_sdk.guard import Guard
    from flyball_sdk.scope import Subject

STOPPED: Final = -32001
"""Of the range -32000 to -32019 that the specification leaves to implementations."""
_CALL: Final = "tools/call"
_CANCELLED: Final = "notifications/cancelled"
_ID: Final = (str, int)


class McpProxy:
    """Asks the guard about tools/call. One for each session with a server; `server` stands before the tools' names.

    `subject` is whose session it is, from what the transport has verified, never from a message. Sessions of which it
    says neither run nor user are counted together: the same call of five of them, one after another, is a loop.
    """

    def __init__(self, guard: Guard, subject: Subject | None = None, server: str = "") -> None:
        self._guard = guard
        self._subject = subject
        self._prefix = f"{server}." if server else ""
        self._pending = Pending()

    def request(self, message: dict[str, Any]) -> dict[str, Any]:
        """Give the message for the server, with other arguments where rules change them; or an answer for the client.

        An answer has the member `error`, which no request has. What is no single message, as a batch of the protocol's
        version of March 2025, is answered by an error: give its messages one by one.
        """
        if not isinstance(message, dict):
            return _error(None, -32600, "expected one JSON-RPC message, an object", {})
        if message.get("method") == _CANCELLED:
            self._end(message.get("params"))
        if message.get("method") != _CALL:
            return message
        name, params = message.get("id"), message.get("params")
        tool = params.get("name") if isinstance(params, dict) else None
        if not isinstance(params, dict) or not isinstance(tool, str):
            return _error(name, -32602, "tools/call needs the name of a tool", {})
        arguments = params.get("arguments")
        known = arguments if isinstance(arguments, dict) else {} if arguments is None else None
        decision = self._guard.evaluate(self._prefix + tool, known, self._subject)
        if not decision.allowed:
            said = {
                k: v
                for k, v in decision.to_json().items()
                if k in ("decision", "reason_code", "decision_id", "throttle")
            }
            return _error(name, STOPPED, decision.message, said)
        if isinstance(name, _ID):
            self._pending.put(name, decision)
        if decision.modified_input is None:
            return message
        return {**message, "params": {**params, "arguments": decision.modified_input}}

    def response(self, message: dict[str, Any]) -> dict[str, Any]:
        """Record what came of a call; the message is given back as it is."""
        if not isinstance(message, dict) or "method" in message or not ("result" in message or "error" in message):
            return message
        name = message.get("id")
        decision = self._pending.take(name) if isinstance(name, _ID) else None
        if decision is not None:
            result = message.get("result")
            failed = "error" in message or (isinstance(result, dict) and result.get("isError") is True)
            said = message.get("error", result)
            self._guard.result(decision, said, error=str(said) if failed else None)
        return message

    def _end(self, params: Any) -> None:
        """End a call that the client has cancelled: the server need not answer it any more."""
        name = params.get("requestId") if isinstance(params, dict) else None
        decision = self._pending.take(name) if isinstance(name, _ID) else None
        if decision is not None:
            self._guard.result(decision, error="cancelled")


def _error(name: object, code: int, text: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": name, "error": {"code": code, "message": text, "data": data}}
