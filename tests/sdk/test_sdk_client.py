"""The connection to the control plane, over real HTTP: cuts, stalls, gaps, restarts, refused keys, forks."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk import Guard, Policy, Subject, Tiers
from flyball_sdk.client import Client
from flyball_sdk.connecting import connect
from flyball_sdk.remote import RemoteReserver
from flyball_sdk.scope import THE_PRODUCT, Scope
from flyball_sdk.settings import Settings, SettingsError
from flyball_sdk.signing import KeyRing, SigningKey
from flyball_sdk.sse import LARGEST_LINE, Frame, frames
from flyball_sdk.state import NEUTRAL, State
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILL = State(kill=True)


@pytest.fixture
def make(plane: Any) -> Iterator[Any]:
    """Give a function that starts clients of the plane, which are closed in the end."""
    made = []

    def start(**changes: Any) -> Client:
        made.append(Client(plane.settings(**changes)).start())
        return made[-1]

    yield start
    for client in made:
        client.close()


@pytest.fixture
def remote(plane: Any) -> Iterator[Any]:
    """Give a function that makes reservers of the plane, which are closed in the end."""
    made = []

    def start(deadline_s: float = 2.0, **changes: Any) -> RemoteReserver:
        made.append(RemoteReserver(plane.settings(**changes), deadline_s))
        return made[-1]

    yield start
    for reserver in made:
        reserver.close()


def killed(client: Client) -> bool:
    """Tell whether everything is killed."""
    return client.store.state_of(Subject()).kill


def test_a_kill_arrives_is_obeyed_and_acknowledged(plane: Any, make: Any, until: Any) -> None:
    """From the authority's word to a blocked call and an acknowledgement; then the resume."""
    client = make()
    guard = Guard(signals=client.store, on_event=lambda event: None)
    until(lambda: client.live and client.store.age_s() < 1)
    assert guard.evaluate("pay", {"n": 1}).allowed
    plane.say(THE_PRODUCT, KILL)
    until(lambda: not guard.evaluate("pay", {"n": 2}).allowed)
    answer = guard.evaluate("pay", {"n": 3})
    assert (answer.killed, answer.message, answer.reason_code) == (True, "stopped by a test", "rule")
    until(lambda: plane.acks and plane.acks[-1][1] == {"client": "test", "epoch": 1, "seq": 1})
    plane.say(THE_PRODUCT, NEUTRAL)
    until(lambda: guard.evaluate("pay", {"n": 4}).allowed)
    assert client.trouble == {}


def test_acknowledgements_come_at_most_once_a_second(plane: Any, make: Any, until: Any) -> None:
    """Many signals in a moment are acknowledged by the last one."""
    client = make()
    until(lambda: client.live)
    for at in range(200):
        plane.say(Scope("user", str(at)), KILL)
    until(lambda: plane.acks and plane.acks[-1][1]["seq"] == 200)
    times = [at for at, _ in plane.acks]
    assert all(later - earlier > 0.9 for earlier, later in pairwise(times))


def test_a_stream_that_is_cut_comes_back(plane: Any, make: Any, until: Any) -> None:
    """After each cut the stream is opened again and brings what was missed, within a second or so."""
    client = make()
    for at in range(3):
        until(lambda: client.live)
        plane.cut()
        begun = time.monotonic()
        plane.say(Scope("user", str(at)), KILL)
        until(lambda at=at: client.store.state_of(Subject(user=str(at))).kill)
        assert time.monotonic() - begun < 2.5


def test_polling_is_beside_the_stream_and_retires(plane: Any, make: Any, until: Any) -> None:
    """While streams are cut at once the state is polled and kills arrive; once one speaks, polling stops."""
    plane.mode = "cut"
    client = make()
    until(lambda: client.store.age_s() < 1)
    plane.say(THE_PRODUCT, KILL)
    until(lambda: killed(client))
    assert not client.live
    plane.mode = "ok"
    until(lambda: client.live and not client.store.wants_snapshot)
    time.sleep(0.3)
    polls = plane.asked.count("GET /v1/signals")
    time.sleep(1.0)
    assert plane.asked.count("GET /v1/signals") == polls
    assert client.live


def test_a_stream_without_heartbeats_is_cut_by_the_watchdog(plane: Any, make: Any, until: Any) -> None:
    """A stream that hangs, open and silent, is opened anew, and meanwhile the state is polled."""
    plane.mode = "silent"
    client = make()
    plane.say(THE_PRODUCT, KILL)
    until(lambda: killed(client))
    until(lambda: plane.asked.count("GET /v1/signals/stream") >= 3)
    plane.mode = "ok"
    until(lambda: client.live)


def test_a_stream_that_stalls_later_is_cut_too(plane: Any, make: Any, until: Any) -> None:
    """Heartbeats that stop after a good start are noticed; what was live is so no more."""
    client = make()
    until(lambda: client.live)
    plane.mode = "silent"
    until(lambda: not client.live)
    plane.mode = "ok"
    until(lambda: client.live)


def test_a_lost_signal_is_found_and_pulled(plane: Any, make: Any, until: Any) -> None:
    """A signal that the stream never brought shows in the heartbeat, and the whole state is pulled at once."""
    client = make()
    until(lambda: client.live and not client.store.wants_snapshot)
    plane.lose(THE_PRODUCT, KILL)
    until(lambda: killed(client))
    until(lambda: not client.store.wants_snapshot)


def test_a_partition_leaves_the_last_known_good(plane: Any, make: Any, until: Any) -> None:
    """With nobody listening the kill stays, calls are decided, and after a restart in a new epoch all is well again."""
    client = make()
    until(lambda: client.live)
    plane.say(Scope("user", "u"), KILL)
    until(lambda: client.store.state_of(Subject(user="u")).kill)
    plane.stop()
    until(lambda: not client.live and "pull" in client.trouble)
    assert client.store.state_of(Subject(user="u")).kill
    assert not killed(client)
    plane.restart()
    plane.say(THE_PRODUCT, KILL)
    until(lambda: killed(client) and client.live)
    assert client.store.position[0] == 2
    until(lambda: client.trouble == {})


def test_a_refused_key_is_no_outage(plane: Any, make: Any, until: Any, caplog: Any) -> None:
    """401 is said as an error, once, and not tried again fast."""
    with caplog.at_level(logging.INFO, "flyball_sdk"):
        client = make(key="wrong")
        until(lambda: "key" in client.trouble)
        time.sleep(1.0)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "FLYBALL_KEY" in errors[0].getMessage()
    assert "wrong" not in caplog.text
    assert plane.asked.count("GET /v1/signals/stream") == 1
    assert plane.asked.count("GET /v1/signals") <= 2


def test_a_server_that_fails_is_an_outage(plane: Any, make: Any, until: Any) -> None:
    """503 is retried for ever, and over once the server answers."""
    plane.mode = "down"
    client = make()
    until(lambda: {"stream", "pull"} <= set(client.trouble))
    plane.mode = "ok"
    until(lambda: client.live)
    until(lambda: client.trouble == {})


def test_words_of_a_stranger_are_left_out_and_told(plane: Any, make: Any, until: Any) -> None:
    """A plane that signs with another key changes nothing at the agent, and it shows."""
    client = make()
    until(lambda: client.live)
    plane.signing = SigningKey.generate("k1")
    plane.say(THE_PRODUCT, KILL)
    until(lambda: "signal" in client.trouble)
    assert not killed(client)


def test_the_kill_is_there_after_a_restart_without_a_network(plane: Any, make: Any, until: Any, tmp_path: Path) -> None:
    """What was killed stays killed for an agent that starts while the control plane is away."""
    client = make(state=tmp_path / "signals.json")
    until(lambda: client.live)
    plane.say(THE_PRODUCT, KILL)
    until(lambda: killed(client))
    client.close()
    plane.stop()
    again = make(state=tmp_path / "signals.json")
    assert killed(again)
    assert not Guard(signals=again.store, on_event=lambda event: None).evaluate("read", {}).allowed


def test_a_forked_child_listens_by_itself(plane: Any, make: Any, until: Any) -> None:
    """After os.fork, as servers with workers do it, the child hears of a kill."""
    client = make()
    until(lambda: client.live)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        end = time.monotonic() + 15
        while not killed(client) and time.monotonic() < end:
            time.sleep(0.01)
        os.write(write, b"k" if killed(client) else b"n")
        os._exit(0)
    time.sleep(0.2)
    plane.say(THE_PRODUCT, KILL)
    assert os.read(read, 1) == b"k"
    os.waitpid(child, 0)
    os.close(read)
    os.close(write)


def test_many_clients_hear_in_time(plane: Any, make: Any, until: Any) -> None:
    """Twenty clients, thirty flips of a kill each: all hear each one; none is ever left behind."""
    clients = [make() for _ in range(20)]
    until(lambda: all(client.live for client in clients))
    for at in range(30):
        plane.say(THE_PRODUCT, NEUTRAL if at % 2 else KILL)
        until(lambda at=at: all(killed(client) != bool(at % 2) for client in clients))


def test_budgets_are_asked_of_the_control_plane(plane: Any, remote: Any, until: Any) -> None:
    """A call is asked about within the deadline, its cost is told after it; block, kill and escalate are obeyed."""
    reserver = remote()
    guard = Guard(Policy(tiers=Tiers({"read": 0, "pay": 2})), reserver=reserver, on_event=lambda event: None)
    answer = guard.evaluate("pay", {"n": 1}, Subject(user="u", tenant="t1"))
    guard.result(answer, "ok", cost_usd=0.25)
    until(lambda: len(plane.decisions) == 2)
    (path, said), settled = plane.decisions
    assert path == "/v1/guard/evaluate"
    assert (said["tool_input"], said["subject"]["user"], said["deadline_ms"]) == ({"n": 1}, "u", 2000)
    assert settled == ("/v1/guard/result", {"decision_id": "d1", "cost_usd": 0.25})
    plane.answer = {"decision": "block", "reason_code": "spend.user", "message": "Used up.", "killed": True}
    answer = guard.evaluate("read", {})
    assert (answer.decision, answer.reason_code, answer.message, answer.killed) == (
        "block",
        "spend.user",
        "Used up.",
        True,
    )
    plane.answer = {"decision": "escalate"}
    assert guard.evaluate("read", {"n": 2}).decision == "escalate"


@pytest.mark.parametrize("answer", [b"", b"{", {}, {"decision": None}, {"decision": "ALLOW"}, [], b"null"], ids=repr)
def test_an_answer_that_is_no_decision_is_no_allow(plane: Any, remote: Any, answer: Any) -> None:
    """Empty, broken and unknown answers leave it to the tier: tier 2 is closed."""
    plane.answer = answer
    reserver = remote()
    guard = Guard(Policy(tiers=Tiers({"read": 0})), reserver=reserver, on_event=lambda event: None)
    assert not guard.evaluate("pay", {}).allowed
    assert guard.evaluate("read", {}).degraded == "partial"


def test_a_late_answer_is_none(plane: Any, remote: Any) -> None:
    """Beyond the deadline the tier decides, and the agent does not wait; 401 and a dead port are no allow either."""
    plane.slow_s = 3.0
    guard = Guard(reserver=remote(0.05), on_event=lambda event: None)
    begun = time.monotonic()
    assert guard.evaluate("pay", {}).reason_code == "guard.unanswered"
    assert time.monotonic() - begun < 1.5
    refused = Guard(reserver=remote(key="x"), on_event=lambda event: None)
    assert not refused.evaluate("pay", {}).allowed


def test_evaluating_goes_over_the_unix_socket(plane: Any, remote: Any, tmp_path: Path) -> None:
    """With a socket set, evaluating does not touch the network."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            conn, _ = listener.accept()
            with conn:
                conn.recv(65536)
                body = b'{"decision": "allow"}'
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                conn.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        guard = Guard(reserver=remote(socket=path), on_event=lambda event: None)
        assert guard.evaluate("pay", {}).allowed
    assert plane.asked == []


def test_connect_takes_all_from_the_environment(
    plane: Any, until: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One call gives a guard that listens; keys may stand in files."""
    (tmp_path / "key").write_text("evaluate-me\n")
    monkeypatch.setenv("FLYBALL_URL", f"http://127.0.0.1:{plane.port}")
    monkeypatch.setenv("FLYBALL_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("FLYBALL_SIGNING_KEYS", plane.signing.public().to_text())
    guard, client = connect()
    assert not guard.evaluate("pay", {"n": 0}).allowed or client.live
    until(lambda: guard.evaluate("pay", {"n": time.monotonic()}).allowed)
    assert client.store.tenant == "t1"
    client.close()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"FLYBALL_URL": ""}, "FLYBALL_URL"),
        ({"FLYBALL_URL": "ftp://x"}, "FLYBALL_URL"),
        ({"FLYBALL_KEY": ""}, "FLYBALL_KEY"),
        ({"FLYBALL_KEY": "secret\nX-Evil: 1"}, "FLYBALL_KEY"),
        ({"FLYBALL_KEY_FILE": "/not/there"}, "FLYBALL_KEY_FILE"),
        ({"FLYBALL_SIGNING_KEYS": "# none"}, "FLYBALL_SIGNING_KEYS"),
    ],
)
def test_wrong_settings_are_named_without_secrets(changes: dict[str, str], named: str) -> None:
    """What is missing or wrong is named; a key is never shown, in an error or in a repr."""
    env = {"FLYBALL_URL": "http://h:1", "FLYBALL_KEY": "secret"}
    env["FLYBALL_SIGNING_KEYS"] = SigningKey.generate().public().to_text()
    assert "secret" not in repr(Settings.from_env(env))
    with pytest.raises(SettingsError, match=named) as raised:
        Settings.from_env(env | changes)
    assert "secret" not in str(raised.value)


class Bytes:
    """Lines of bytes that come in pieces."""

    def __init__(self, content: bytes) -> None:
        self.lines = content.splitlines(keepends=True)

    def readline(self, limit: int, /) -> bytes:
        """Read one line."""
        return self.lines.pop(0)[:limit] if self.lines else b""


@given(
    st.lists(st.tuples(st.sampled_from(["signal", "heartbeat"]), st.text(st.characters(exclude_categories=["C", "Z"]))))
)
def test_events_are_read_as_they_were_written(events: list[tuple[str, str]]) -> None:
    """Any events, with comments and blank lines between them, are read back; a part at the end is dropped."""
    written = "".join(f": hi\nid: 1\nevent: {name}\ndata: {data}\n\n\n" for name, data in events)
    read = list(frames(Bytes(written.encode() + b"event: signal\ndata: cut")))
    assert read == [Frame(*event) for event in events]


def test_an_endless_line_is_refused() -> None:
    """A stream cannot fill the memory, by a line or by an event."""
    for content in (b"data: " + b"x" * (2 * LARGEST_LINE), b"data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" * 150_000):
        with pytest.raises(ValueError, match="too long"):
            list(frames(Bytes(content)))


def test_keys_are_pinned_not_fetched(plane: Any, make: Any, until: Any) -> None:
    """A client asks for no key: it knows whom to believe before it connects."""
    client = make()
    until(lambda: client.live)
    assert not any("keys" in what for what in plane.asked)
    assert len(KeyRing([plane.signing.public()])) == 1
