"""A stand-in for PagerDuty's Events API v2 on loopback, for tests and for a person: it refuses what PagerDuty refuses.

    python tests/services/pagerduty.py [--port 9191] [--file events.jsonl]     prints every event; Ctrl-C ends it

    POST /v2/enqueue          checked against the published schema and limits, kept
    POST /v2/change/enqueue   the same for change events
    GET  /events              what it was sent and took, as JSON, in order
    GET  /incidents           what a PagerDuty service would show: state by dedup key

It can be made to misbehave: `trouble` answers in its place, see Answer.
(https://developer.pagerduty.com/docs/events-api-v2-overview, /docs/send-alert-event, /docs/send-change-event)
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
MAX_BYTES = 512_000
TOP = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"}
PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}
CHANGE_TOP = {"routing_key", "payload", "links", "images"}
CHANGE_PAYLOAD = {"summary", "timestamp", "source", "custom_details"}


class Answer(NamedTuple):
    """What to say instead of judging; status 0 hangs up without a word."""

    status: int
    headers: dict[str, str] = {}  # noqa: RUF012 -- never changed
    hold: threading.Event | None = None
    """Wait for it before answering (30 s at most)."""
    take: bool = False
    """Judge and keep the event all the same: the sender only never hears of it."""


def problems(event: Any, size: int, *, change: bool = False) -> Iterator[str]:
    """Yield what PagerDuty would refuse in an event of so many bytes."""
    if size > MAX_BYTES:
        yield f"the event has {size} bytes, more than {MAX_BYTES}"
    if not isinstance(event, dict):
        yield "the event is not an object"
        return
    yield from _unknown(event, CHANGE_TOP if change else TOP, "")
    if not isinstance(event.get("routing_key"), str) or not re.fullmatch(r"[0-9A-Za-z]{32}", event["routing_key"]):
        yield "routing_key is not 32 characters"
    action = "change" if change else event.get("event_action")
    if not change and action not in ACTIONS:
        yield f"event_action is {action!r}"
    if not change:
        yield from _dedup_key(event, action)
    if change or action == "trigger":
        yield from _payload(event.get("payload"), change=change)
    yield from _things(event, "links", ("href", "text"), "href")
    yield from _things(event, "images", ("src", "href", "alt"), "src")
    for name in ("client", "client_url"):
        yield from _text(event, name, 1_024)


def _dedup_key(event: dict[str, Any], action: Any) -> Iterator[str]:
    yield from _text(event, "dedup_key", 255)
    if action != "trigger" and not event.get("dedup_key"):
        yield f"no dedup_key to {action}"


def _payload(payload: Any, *, change: bool) -> Iterator[str]:
    if not isinstance(payload, dict):
        yield "payload is not an object"
        return
    yield from _unknown(payload, CHANGE_PAYLOAD if change else PAYLOAD, "payload.")
    for name in ("summary",) if change else ("summary", "source", "severity"):
        if not payload.get(name):
            yield f"payload.{name} is missing or empty"
    for name, limit in (("summary", 1_024), ("source", 1_024), ("component", 255), ("group", 255), ("class", 255)):
        yield from _text(payload, name, limit)
    if not change and payload.get("severity") not in SEVERITIES:
        yield f"payload.severity is {payload.get('severity')!r}"
    if "timestamp" in payload and not _is_time(payload["timestamp"]):
        yield f"payload.timestamp is {payload['timestamp']!r}"
    if not isinstance(payload.get("custom_details", {}), dict):
        yield "payload.custom_details is not an object"


def _unknown(found: dict[str, Any], known: set[str], where: str) -> Iterator[str]:
    yield from (f"{where}{name} is unknown" for name in sorted(set(found) - known))


def _text(found: dict[str, Any], name: str, limit: int) -> Iterator[str]:
    value = found.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > limit):
        yield f"{name} is not a text of at most {limit} characters"


def _things(event: dict[str, Any], name: str, fields: tuple[str, ...], needed: str) -> Iterator[str]:
    things = event.get(name, [])
    if not isinstance(things, list):
        yield f"{name} is not a list"
        return
    for thing in things:
        if not isinstance(thing, dict) or set(thing) - set(fields) or not isinstance(thing.get(needed), str):
            yield f"{name} holds {thing!r}"
        elif name == "images" and not thing["src"].startswith("https://"):
            yield f"the image {thing['src']} is not on https"


def _is_time(text: Any) -> bool:
    try:
        return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Take a connection that is reset for what it is; show anything else."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class PagerDuty:
    """The stand-in; runs while it is entered. `trouble` is asked before each event is judged, None: no trouble."""

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.refused: list[list[str]] = []
        self.requests = 0
        self.bare: list[tuple[str, str, dict[str, str], bytes]] = []
        """Every request: method, path, headers, body."""
        self.trouble: Callable[[], Answer | None] = lambda: None
        self.on_event: Callable[[dict[str, Any]], None] = lambda event: None
        self.lenient = False
        """Take anything on any path: for sinks that are not PagerDuty."""
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if context else "http"
        self.port = int(self._server.server_address[1])
        self.root = f"{scheme}://127.0.0.1:{self.port}"
        self.url = f"{self.root}/v2/enqueue"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Judge a request; gives status and answer."""
        change = path == "/v2/change/enqueue"
        if not change and path != "/v2/enqueue":
            return (202, {}) if self.lenient else (404, {"message": f"no {path}"})
        try:
            event = json.loads(body)
        except ValueError:
            event = None
        wrong = list(problems(event, len(body), change=change))
        with self._lock:
            if wrong:
                self.refused.append(wrong)
                return 400, {"status": "invalid event", "message": "Event object is invalid", "errors": wrong}
            key = event.get("dedup_key") or f"made-{len(self.events)}"
            (self.changes if change else self.events).append(event if change else event | {"dedup_key": key})
        self.on_event(event)
        return 202, {"status": "success", "message": "Event processed"} | ({} if change else {"dedup_key": key})

    def incidents(self) -> dict[str, str]:
        """Give the state of each incident by dedup key, as PagerDuty keeps it: an end of nothing is ignored."""
        states: dict[str, str] = {}
        with self._lock:
            for event in self.events:
                key, action = event["dedup_key"], event["event_action"]
                if action == "trigger":
                    states[key] = states[key] if states.get(key) == "acknowledged" else "triggered"
                elif states.get(key) in ("triggered", "acknowledged"):
                    states[key] = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]
        return states


def _handler(service: PagerDuty) -> type[BaseHTTPRequestHandler]:  # noqa: C901 -- two short methods that count as one
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # the sender died in the middle of it
                self.close_connection = True
                return None
            with service._lock:
                service.requests += 1
                service.bare.append((self.command, self.path, dict(self.headers), body))
            trouble = service.trouble()
            if trouble is None:
                return self._say(*service.take(self.path, body))
            if trouble.take:
                service.take(self.path, body)
            if trouble.hold:
                trouble.hold.wait(30)
            if not trouble.status:
                self.close_connection = True
                return None
            return self._say(trouble.status, {"message": "trouble"}, trouble.headers)

        do_PUT = do_POST  # noqa: N815 -- the server calls it so

        def do_GET(self) -> None:
            known: dict[str, Any] = {"/events": service.events, "/incidents": service.incidents()}
            self._say(200 if self.path in known else 404, known.get(self.path, {}))

        def _say(self, status: int, said: Any, headers: dict[str, str] | None = None) -> None:
            body = json.dumps(said).encode()
            try:
                self.send_response(status)
                for name, value in {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(body)),
                    **(headers or {}),
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()
            except OSError:
                self.close_connection = True

        def log_message(self, form: str, *args: object) -> None:
            pass

    return Handler


def main() -> None:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9191)
    parser.add_argument("--file", type=Path, help="append every event to this file")
    args = parser.parse_args()

    def show(event: dict[str, Any]) -> None:
        line = json.dumps(event)
        print(line, flush=True)
        if args.file:
            with args.file.open("a") as file:
                file.write(line + "\n")

    service = PagerDuty(args.port)
    service.on_event = show
    with service:
        print(f"PagerDuty's stand-in listens on {service.url}", file=sys.stderr, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
