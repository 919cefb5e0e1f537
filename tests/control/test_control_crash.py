"""`flyball control`, killed at random points under verdicts and commands: nothing is un-killed, lost, or applied twice.

FLYBALL_CRASHES=N sets how often (200 unless told); FLYBALL_CRASH_SEED=N repeats a run. Nine of ten starts are forked
from a process that has the imports (tests/helpers/forked.py).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from flyball_sdk.errors import FlyballError
from flyball_sdk.scope import Subject
from flyball_sdk.signals import SignalStore
from flyball_sdk.signing import KeyRing, SigningKey

from control import audit
from control.keys import ROLES, Keys
from control.store import FILE, Store
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CRASHES = int(os.environ.get("FLYBALL_CRASHES", "200"))
SEED = int(os.environ.get("FLYBALL_CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
TOPIC = "flyball.verdicts"
USERS = 8
REAL = 0.1
"""Share of the starts that are Python's own."""


class Crashes:
    """A control plane that dies again and again, what it was told, and a guard that hears it through all lives."""

    def __init__(self, folder: Path, planes: Any, live: Any, nursery: Any) -> None:
        self.chance = random.Random(SEED)  # noqa: S311 -- repeatable, no secret
        self.folder, self.planes, self.command_of, self.nursery = folder, planes, live.Command, nursery
        self.plane = folder / "data" / "control"
        (folder / "config").mkdir()
        (folder / "config" / "flyball.yaml").write_text("control: {port: 0}\n")
        self.key = Keys(self.plane).operator("ann", ROLES)
        self.agent = Keys(self.plane).agent(None, "a")
        log = EmbeddedLog(folder / "data" / "log")
        log.ensure(TOPIC, 4)
        self.writer = log.writer()
        self.told: list[dict[str, Any]] = []
        self.killed: dict[str, set[str]] = {f"c{number}": set() for number in range(USERS)}
        """Users under people's command, and who is certainly killed by an answer that came."""
        self.unsure: set[str] = set()
        self.guard: Any = None
        self.heard: list[tuple[int, int]] = []
        self.generation = 0
        self.answered = 0
        self.command: Any = None
        self.process: Any = None
        self.port = 0

    def spawn(self) -> bool:
        """Start it; gives whether it is Python's own start, which takes longer."""
        (self.plane / "address").unlink(missing_ok=True)
        is_real = self.chance.random() < REAL
        arguments = ("control", "--config", str(self.folder / "config"), "--data", str(self.folder / "data"))
        fork = None if is_real else self.nursery.fork
        self.command = self.command_of(self.folder, *arguments, fork=fork)
        self.process = self.command.process
        return is_real

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.spawn()
        address = self.plane / "address"
        self.planes.until(lambda: address.exists() and address.read_text().endswith("\n"), self.said, 60)
        self.port = int(address.read_text().rsplit(":", 1)[1])
        if self.guard is None:
            signing = SigningKey.from_text((self.plane / "signing.key").read_text())
            self.guard = SignalStore(KeyRing([signing.public()]))

    def said(self) -> str:
        """Give what the process printed."""
        return str(self.command.said)

    def listen(self) -> threading.Thread:
        """Hear the stream until it breaks, as a guard does."""

        def hear() -> None:
            broken = (OSError, http.client.HTTPException, AssertionError, ValueError)
            with contextlib.suppress(*broken), contextlib.ExitStack() as stack:
                self.take(self.ask("GET", "/v1/signals", None, self.agent))
                stream = self.planes.Stream(self.port, self.agent, "/v1/signals/stream")
                stack.callback(stream.close)
                begun = False
                for event, data in stream:
                    begun = begun or event == "heartbeat"  # before it comes the view, which is of all ages
                    self.heard += [(data["epoch"], data["seq"])] if begun else []
                    with contextlib.suppress(FlyballError):
                        (self.guard.take if event == "signal" else self.guard.beat)(data)

        thread = threading.Thread(target=hear, daemon=True)
        thread.start()
        return thread

    def take(self, snapshot: Any) -> None:
        """Take a snapshot."""
        self.guard.replace(snapshot)

    def ask(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """Ask, and give the body of a 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            raw = response.read()
            assert response.status == 200, raw
            return orjson.loads(raw)
        finally:
            connection.close()

    def tell(self) -> None:
        """Put verdicts into the log: new ones, and some again."""
        self.generation += 1
        scope = {"level": "user", "id": f"v{self.chance.randrange(USERS)}"}
        action = self.chance.choice(["kill", "warn", "block", "clear"])
        told = self.planes.verdict(action, generation=self.generation) | {"scope": scope}
        self.told.append(told)
        again = [self.chance.choice(self.told)] if self.chance.random() < 0.3 else []
        self.writer.append(TOPIC, [(None, orjson.dumps(each)) for each in (told, *again)])

    def order(self) -> None:
        """Kill or resume a user by hand; what has no answer may or may not have been done."""
        user = f"c{self.chance.randrange(USERS)}"
        name = self.chance.choice(["kill", "kill", "resume"])
        self.unsure.add(user)
        self.ask("POST", f"/v1/{name}", {"scope": {"level": "user", "id": user}, "reason": "crash"})
        self.unsure.discard(user)
        self.killed[user] = {name}

    def live(self, number: int) -> None:
        """Live through one life: load, then SIGKILL at a random moment of it; some are killed as they start."""
        if self.chance.random() < 0.2:
            time.sleep(self.chance.uniform(0.0, 1.0 if self.spawn() else 0.4))
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(30)
            return
        self.answered += 1
        self.start()
        self.check()
        listening = self.listen()
        timer = threading.Timer(self.chance.random() * 0.25, self.process.send_signal, [signal.SIGKILL])
        timer.start()
        with contextlib.suppress(OSError, http.client.HTTPException):
            while self.process.poll() is None:
                for _ in range(self.chance.randrange(4)):
                    self.tell()
                self.writer.flush()
                self.order()
        timer.join()
        assert self.process.wait(30) == -signal.SIGKILL, self.said()
        listening.join(20)

    def check(self) -> None:
        """Hold what is asked now against every command that was answered."""
        asked = {row["scope"]["id"]: row["state"]["kill"] for row in self.ask("GET", "/v1/status")["scopes"]}
        for user, last in self.killed.items():
            if user not in self.unsure and last:
                assert (user, asked.get(user, False)) == (user, last == {"kill"})
        for user in self.unsure:
            self.killed[user] = {"kill"} if asked.get(user, False) else {"resume"}
        self.unsure.clear()

    def end(self) -> None:
        """Let the last life take all, and stop it well."""
        self.start()
        self.check()
        expected = {f"v{n}" for n in range(USERS)} & {t["scope"]["id"] for t in self.told if t["action"] == "kill"}

        def taken() -> bool:
            rows = self.ask("GET", "/v1/status")["scopes"]
            return expected <= {row["scope"]["id"] for row in rows if row["state"]["kill"]} and not self.missing()

        self.planes.until(taken, "verdicts were lost", 60)
        self.take(self.ask("GET", "/v1/signals", None, self.agent))
        assert all(self.guard.state_of(Subject(user=user)).kill for user in expected)
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.said()
        self.writer.close()

    def missing(self) -> set[str]:
        """Give the verdicts that the audit log does not have."""
        noted = self.noted()
        return {each["id"] for each in self.told} - noted.keys()

    def noted(self) -> Counter[str]:
        """Count the entries of each verdict."""
        store = Store(self.plane / FILE)
        bodies = [orjson.loads(each.body) for each in store.entries()]
        store.close()
        return Counter(each["what"]["id"] for each in bodies if each["kind"] == "verdict")


@pytest.fixture
def nursery(forked: Any, tmp_path: Path) -> Iterator[Any]:
    """Give what forks commands."""
    with forked.Nursery(tmp_path) as nursery:
        yield nursery


@pytest.mark.slow
def test_killed_at_random_points(nursery: Any, live: Any, planes: Any, tmp_path: Path) -> None:
    """No kill is lost, no position goes back, the audit log verifies and has each verdict just once."""
    print(f"FLYBALL_CRASH_SEED={SEED}")  # noqa: T201 -- shown when it fails
    begun = time.monotonic()
    crashes = Crashes(tmp_path, planes, live, nursery)
    for number in range(CRASHES):
        crashes.live(number)
    crashes.end()
    print(f"{CRASHES} lives, {len(crashes.told)} verdicts, {time.monotonic() - begun:.0f} s")  # noqa: T201
    assert crashes.heard == sorted(crashes.heard)
    assert set(crashes.noted().values()) == {1}
    store = Store(crashes.plane / FILE)
    epochs = {epoch for epoch, _ in crashes.heard}
    assert 0 < len(epochs) <= CRASHES + 1
    assert crashes.answered > 0
    assert max(epochs) <= int(store.meta()["epoch"])
    keys = KeyRing([SigningKey.from_text((crashes.plane / "signing.key").read_text()).public()])
    report = audit.verify(store.entries(), store.checkpoints(), keys)
    assert (report.problems, report.unsigned) == ([], 0)
    store.close()
