"""Endpoints, who may call them, and the one door that all requests come through.

Plain ASGI, without a framework's routing: the check of keys stands in one place, before any handler, and an evaluation
costs little more than its parsing. No cookies are read and no CORS header is ever sent: a browser page of another
origin can neither read an answer nor have a key sent along. Tokens and arguments are never written anywhere.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import orjson

from control.keys import EVALUATE, VIEW

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from control.keys import Key
    from control.plane import Plane

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

PUBLIC: Final = "anyone"
VIEW_OR_EVALUATE: Final = "view or evaluate"
MAX_BODY: Final = 256 * 1024
BODY_S: Final = 10.0
"""A body must be there this long after its head."""
JSON: Final = b"application/json"


class Refused(Exception):  # noqa: N818 -- an answer, not a fault
    """The request is answered with this instead."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


@dataclass(frozen=True)
class Answer:
    """A response: an object to write as JSON (None: no body), or bytes as they are."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    """Content type."""


@dataclass
class Request:
    """One request after the door: `key` None where anyone may call."""

    plane: Plane
    key: Key | None
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes
    name: str
    """The last part of the path, where the endpoint has one."""
    receive: Receive
    send: Send

    @property
    def who(self) -> Key:
        """The key; only of endpoints that need one."""
        assert self.key is not None  # noqa: S101 -- the door saw to it
        return self.key

    async def until_gone(self) -> None:
        """Wait until the client goes."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    def json(self) -> dict[str, Any]:
        """Read the body as a JSON object. Raises Refused."""
        try:
            said = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Refused(400, "not_json", f"the body is no JSON: {error}") from None
        if not isinstance(said, dict):
            raise Refused(400, "not_an_object", "the body is JSON, but no object")
        return said


@dataclass(frozen=True)
class Endpoint:
    """One route. `path` may end with `{name}`. `handle` gives None where it has answered by itself."""

    method: str
    path: str
    needs: str
    """PUBLIC, `evaluate`, VIEW_OR_EVALUATE, or an operator's role."""
    handle: Callable[[Request], Awaitable[Answer | None]]
    about: str
    ofrep: bool = False


class Door:
    """The ASGI application."""

    def __init__(self, plane: Plane, endpoints: tuple[Endpoint, ...]) -> None:
        self._plane = plane
        self.endpoints = endpoints
        self._by_path: dict[str, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            self._by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive, send)
        except Refused as refused:
            self._plane.metrics.refused(refused.status)
            said = {"error": {"code": refused.code, "message": refused.message}}
            answer = Answer(said, refused.status, refused.headers)
        if answer is not None:
            await respond(send, answer)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> Answer | None:
        endpoint, name = self._find(scope["method"], scope["path"])
        headers = dict(scope["headers"])
        key = self._admit(endpoint, headers)
        body = b""
        if endpoint.method == "POST":
            if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != JSON:
                raise Refused(415, "not_json", "expected the content type application/json")
            body = await _read(receive, headers)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        return await endpoint.handle(Request(self._plane, key, query, headers, body, name, receive, send))

    def _find(self, method: str, path: str) -> tuple[Endpoint, str]:
        methods, name = self._by_path.get(path), ""
        if methods is None or "{" in path:
            folder, _, name = path.rpartition("/")
            methods = self._by_path.get(f"{folder}/{{key}}")
            if methods is None or not name:
                raise Refused(404, "not_found", "there is no such route; GET /openapi.json lists them")
        endpoint = methods.get(method)
        if endpoint is None:
            raise Refused(
                405, "method_not_allowed", "another method is expected", {"Allow": ", ".join(sorted(methods))}
            )
        return endpoint, name

    def _admit(self, endpoint: Endpoint, headers: Mapping[bytes, bytes]) -> Key | None:
        """Give the key of a request that may come in. Raises Refused."""
        if endpoint.needs == PUBLIC:
            return None
        token = _token(headers)
        key = self._plane.keys.check(token) if token else None
        if key is None:
            raise Refused(401, "unauthorized", "a valid key is needed", {"WWW-Authenticate": "Bearer"})
        if not _may(key, endpoint.needs):
            raise Refused(403, "forbidden", f"this key may not: {endpoint.needs} is needed")
        if key.evaluates:
            keep_pace(self._plane, key)
        return key


def keep_pace(plane: Plane, key: Key, count: int = 1) -> None:
    """Count requests of a tenant. Raises Refused while there are too many."""
    wait = plane.pace.wait_s(key.tenant or "", count)
    if wait > 0:
        said = {"Retry-After": str(math.ceil(wait))}
        raise Refused(429, "too_many_requests", "this tenant asks more often than it may", said)


def _may(key: Key, needs: str) -> bool:
    if needs == EVALUATE:
        return key.evaluates
    if needs == VIEW_OR_EVALUATE:
        return key.evaluates or key.may(VIEW)
    return key.may(needs)


def _token(headers: Mapping[bytes, bytes]) -> str:
    said = headers.get(b"authorization", b"")
    word, _, token = said.partition(b" ")
    if word.lower() != b"bearer":
        token = headers.get(b"x-api-key", b"")
    return token.strip().decode("latin-1")


async def _read(receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
    """Read a body, no more and for no longer than allowed. Raises Refused."""
    try:
        async with asyncio.timeout(BODY_S):
            return await _read_all(receive, headers)
    except TimeoutError:
        said = {"Connection": "close"}
        raise Refused(408, "too_slow", f"the body did not come within {BODY_S:.0f} s", said) from None


async def _read_all(receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
    too_large = Refused(413, "too_large", f"the body is beyond {MAX_BODY} bytes", {"Connection": "close"})
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > MAX_BODY:
        raise too_large
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "gone", "the sender left")
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise too_large
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


async def respond(send: Send, answer: Answer) -> None:
    """Send a response."""
    raw = isinstance(answer.body, bytes)
    body = b"" if answer.body is None else answer.body if raw else orjson.dumps(answer.body)
    assert isinstance(body, bytes)  # noqa: S101 -- either way
    kind = answer.kind.encode()
    said = {"cache-control": "no-store"} | {name.lower(): value for name, value in answer.headers.items()}
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    headers += [(name.encode(), value.encode("latin-1")) for name, value in said.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
