"""Claude Code: a command hook, for PreToolUse, PostToolUse and PostToolUseFailure.

    {"type": "command", "command": "python -m flyball_sdk.adapters.claude_code"}

Each call of a hook is a process of its own. So the calls of a session are kept in a file, as digests, and the last
of them are read again each time: loops and caps are found as in one process. What throttles count by is in a file of
all sessions. Settings are FLYBALL_RULES (file or
folder), FLYBALL_MODE, FLYBALL_HOOK_DIR (where the files are), and those of the control plane if FLYBALL_URL is set.

Exit code 2 blocks, and is what any failure gives: with another one Claude Code would go on.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from flyball_sdk.adapters.hook_output import output_of, subject_of
from flyball_sdk.adapters.hook_throttles import HookThrottles
from flyball_sdk.arguments import call_of, digest_of
from flyball_sdk.clock import steady
from flyball_sdk.errors import FlyballError
from flyball_sdk.guard import Guard, Seen
from flyball_sdk.http import TROUBLE, ask, connection
from flyball_sdk.limits import ENFORCE
from flyball_sdk.policy import Policy
from flyball_sdk.rules import RuleBook
from flyball_sdk.settings import Settings
from flyball_sdk.signals import SignalStore, whose_key

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCK: Final = 2
_MOST_LINES: Final = 2_000
"""Calls of one session that are read again; more than any cap or loop needs."""
_PULL_S: Final = 1.0


def main(stdin: TextIO = sys.stdin, env: Mapping[str, str] = os.environ) -> int:
    """Answer one hook; gives the exit code."""
    try:
        said = json.load(stdin)
        with _journal(said, env) as journal:
            output = _answer(said, journal, env)
    except Exception as error:  # noqa: BLE001 -- whatever fails, the call is blocked
        sys.stderr.write(f"This call could not be checked, so it was not made ({type(error).__name__}).\n")
        return _BLOCK
    if output:
        sys.stdout.write(json.dumps(output))
    return 0


def _answer(said: Mapping[str, Any], journal: TextIO, env: Mapping[str, str]) -> dict[str, Any]:
    call = str(said["tool_use_id"])
    if said["hook_event_name"] != "PreToolUse":
        error = said.get("error")
        result = digest_of(said.get("tool_response") if error is None else str(error))
        _append(journal, {"end": call, "result": None if result is None else result.hex(), "failed": error is not None})
        _throttles(said, env).end()
        return {}
    guard, subject = _guard(said, env), subject_of(said)
    guard.replay(subject, _seen(_entries(journal)))
    tool, tool_input = said["tool_name"], said["tool_input"]
    alike = call_of(tool, tool_input, subject).alike
    _append(journal, {"begin": call, "tool": tool, "alike": None if alike is None else alike.hex()})
    return output_of(guard.evaluate(tool, tool_input, subject))


def _entries(journal: TextIO) -> list[dict[str, Any]]:
    """Read the session; what a hook wrote in part, when it was killed or the disk was full, is left out."""
    found = []
    for line in journal.readlines()[-_MOST_LINES:]:
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def _seen(entries: list[dict[str, Any]]) -> list[Seen]:
    """Put the ends of calls to their beginnings."""
    ends = {entry["end"]: entry for entry in entries if "end" in entry}
    seen = []
    for entry in entries:
        if "begin" in entry:
            end = ends.get(entry["begin"])
            result = None if end is None else _raw(end["result"])
            seen.append(Seen(entry["tool"], _raw(entry["alike"]), end is not None, result, bool(end and end["failed"])))
    return seen


def _raw(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _guard(said: Mapping[str, Any], env: Mapping[str, str]) -> Guard:
    rules = RuleBook(env["FLYBALL_RULES"]) if env.get("FLYBALL_RULES") else None
    policy = Policy(mode=env.get("FLYBALL_MODE", ENFORCE))
    return Guard(policy, rules=rules, signals=_signals(env), throttles=_throttles(said, env))


def _throttles(said: Mapping[str, Any], env: Mapping[str, str]) -> HookThrottles:
    return HookThrottles(_folder(env) / "throttles.json", f"{said['session_id']}/{said['tool_use_id']}", steady)


def _signals(env: Mapping[str, str]) -> SignalStore | None:
    """Ask for the state as it is now; if there is no answer the kept one is obeyed, and the tiers decide."""
    if not env.get("FLYBALL_URL"):
        return None
    settings = Settings.from_env(env)
    store = SignalStore(settings.signing_keys, settings.tenant, settings.state)
    conn = connection(settings, _PULL_S)
    try:
        store.replace(ask(conn, settings, "GET", "/v1/signals"))
        # what is asked of the key's agent and tenant is asked of every call; a session does not know them
        store.belong_to(whose_key(ask(conn, settings, "GET", "/v1/keys/own")))
    except (*TROUBLE, FlyballError) as error:
        sys.stderr.write(f"flyball: no signals: {type(error).__name__}: {error}\n")
    finally:
        conn.close()
    try:
        store.keep()
    except OSError as error:  # as from a full disk: what was heard is obeyed all the same
        sys.stderr.write(f"flyball: signals are not kept: {error}\n")
    return store


def _journal(said: Mapping[str, Any], env: Mapping[str, str]) -> TextIO:
    """Open the file of the session, locked until it is closed; only its owner can read it."""
    folder = _folder(env)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _forget_old(folder)
    name = hashlib.sha256(str(said["session_id"]).encode()).hexdigest()[:32]
    file = os.fdopen(os.open(folder / f"{name}.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.seek(0)
    return file


def _folder(env: Mapping[str, str]) -> Path:
    return Path(env.get("FLYBALL_HOOK_DIR") or Path.home() / ".cache" / "flyball")


def _append(journal: TextIO, entry: dict[str, Any]) -> None:
    """Add a line, by itself also where the one before was cut off."""
    end = journal.seek(0, os.SEEK_END)
    is_cut = False
    if end:
        journal.seek(end - 1)
        is_cut = journal.read(1) != "\n"
        journal.seek(0, os.SEEK_END)
    journal.write("\n" * is_cut + json.dumps(entry) + "\n")


def _forget_old(folder: Path) -> None:
    week = time.time() - 7 * 86_400
    for file in folder.glob("*.jsonl"):
        with suppress(FileNotFoundError):  # hooks run side by side: another one may have forgotten it just now
            if file.stat().st_mtime < week:
                file.unlink()


if __name__ == "__main__":
    sys.exit(main())
