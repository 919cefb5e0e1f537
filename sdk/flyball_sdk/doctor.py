"""Doctor: is this agent guarded? A call that must be blocked, the rules, the keys, the clock, the stream."""

from __future__ import annotations

import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from flyball_sdk.context import running
from flyball_sdk.envelope import Heartbeat
from flyball_sdk.errors import FlyballError
from flyball_sdk.guard import Guard
from flyball_sdk.http import TROUBLE, KeyRefusedError, ask, check, connection, headers
from flyball_sdk.keeping import write_private
from flyball_sdk.policy import Policy
from flyball_sdk.rules import RuleBook
from flyball_sdk.settings import Settings
from flyball_sdk.signals import SignalStore
from flyball_sdk.sse import Lines, frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OK: Final = "ok"
SKIPPED: Final = "skipped"
FAILED: Final = "FAILED"

CANARY: Final = "flyball.canary"
"""The tool of the call that must be blocked."""
_WAIT_S: Final = 5.0
_MOST_SKEW_S: Final = 5.0
_MOST_FRAMES: Final = 100_000


class Finding(NamedTuple):
    """What one look has shown."""

    state: str
    what: str
    text: str


def examine(env: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Look at everything, one after the other."""
    yield canary()
    yield _rules(env)
    if not env.get("FLYBALL_URL"):
        yield Finding(SKIPPED, "control plane", "FLYBALL_URL is not set: this agent hears no signals")
        return
    try:
        settings = Settings.from_env(env)
    except FlyballError as error:
        yield Finding(FAILED, "keys", str(error))
        return
    kids = ", ".join(sorted(key.kid for key in settings.signing_keys))
    yield Finding(OK, "keys", f"an evaluating key, and {len(settings.signing_keys)} pinned to verify by ({kids})")
    yield _state(settings)
    yield _snapshot(settings)
    yield from _stream(settings)


def canary(guard: Guard | None = None) -> Finding:
    """Make the same call five times, as a run of its own: the fifth must be blocked. Of a guard of yours, if given."""
    asked = guard or Guard(Policy(), on_event=lambda event: None)
    with running(run=os.urandom(16).hex()) as subject:
        answers = [asked.evaluate(CANARY, {"call": "the same"}) for _ in range(5)]
        asked.forget(subject.run or "")
    last = answers[-1]
    if last.decision == "allow":
        state = "it is in audit mode" if last.mode == "audit" else "loops are not stopped"
        return Finding(FAILED, "canary", f"a call that must be blocked was let through: {state}")
    return Finding(OK, "canary", f"blocked by {last.reason_code} in {last.eval_us} us")


def _rules(env: Mapping[str, str]) -> Finding:
    path = env.get("FLYBALL_RULES")
    if not path:
        return Finding(SKIPPED, "rules", "FLYBALL_RULES is not set: no rules on arguments")
    try:
        rules = RuleBook(path).current
    except FlyballError as error:
        return Finding(FAILED, "rules", str(error))
    audit = sum(not rule.fired.finding.enforced for rule in rules.rules)
    return Finding(
        OK, "rules", f"{len(rules)} with specimens that hold, {audit} of them in audit ({rules.digest[:12]})"
    )


def _state(settings: Settings) -> Finding:
    if settings.state is None:
        return Finding(SKIPPED, "state file", "FLYBALL_STATE is not set: a restart forgets the signals")
    try:
        with tempfile.TemporaryDirectory(dir=_existing(settings.state.parent)) as folder:
            write_private(Path(folder) / "probe", b"x")
    except OSError as error:
        return Finding(FAILED, "state file", f"{settings.state} cannot be written: {error.strerror}")
    return Finding(OK, "state file", str(settings.state))


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _snapshot(settings: Settings) -> Finding:
    store = SignalStore(settings.signing_keys, settings.tenant)
    conn = connection(settings, _WAIT_S)
    try:
        store.replace(ask(conn, settings, "GET", "/v1/signals"))
    except (*TROUBLE, FlyballError) as error:
        return Finding(FAILED, "signals", f"{settings.url}: {error or type(error).__name__}")
    finally:
        conn.close()
    return Finding(OK, "signals", f"verified, of tenant {store.tenant!r}, up to {store.position}")


def _stream(settings: Settings) -> Iterator[Finding]:
    """Wait for a heartbeat, which also tells the time."""
    begun = time.perf_counter()
    conn = connection(settings, _WAIT_S)
    try:
        conn.request("GET", "/v1/signals/stream", headers=headers(settings, "text/event-stream"))
        response = conn.getresponse()
        check(response.status, "GET /v1/signals/stream")
        beat = _heartbeat(settings, response)
    except (*TROUBLE, FlyballError) as error:
        hint = " (a person must see to the key)" if isinstance(error, KeyRefusedError) else ""
        yield Finding(FAILED, "stream", f"{settings.url}: {error or type(error).__name__}{hint}")
        return
    finally:
        conn.close()
    yield Finding(OK, "stream", f"a heartbeat after {(time.perf_counter() - begun) * 1000:.0f} ms")
    skew = abs((datetime.now(UTC) - datetime.fromisoformat(beat.sent_at)).total_seconds())
    state = OK if skew <= _MOST_SKEW_S else FAILED
    yield Finding(state, "clock", f"{skew:.1f} s from the control plane's")


def _heartbeat(settings: Settings, response: Lines) -> Heartbeat:
    for number, frame in enumerate(frames(response)):
        if frame.event == "heartbeat":
            return Heartbeat.verified(json.loads(frame.data), settings.signing_keys)
        if number > _MOST_FRAMES:
            break
    raise ValueError("the stream ended without a heartbeat")
