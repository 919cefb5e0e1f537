"""The HTTP API: the guard's decisions, acknowledgements, OFREP, usage, and every answer against the description."""

from __future__ import annotations

import itertools
import re
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from flyball_sdk import Guard, Policy, Subject, Tiers, running
from flyball_sdk.client import Client
from flyball_sdk.remote import RemoteReserver
from flyball_sdk.reserving import Denied, Request, Reserved
from flyball_sdk.settings import Settings
from flyball_sdk.signals import SignalStore
from flyball_sdk.signing import KeyRing

from control.clocks import Clocks

SCOPE = {"level": "user", "id": "u1"}


@pytest.fixture
def api(planes: Any, tmp_path: Any) -> Any:
    """Give a served plane that knows some tools and what a call costs."""
    policy = Policy(tiers=Tiers({"read": 0, "pay": 2}))
    with planes.Served(tmp_path, policy=policy, costs={"pay": 0.6}, audit_fields=("amount",)) as served:
        yield served


def evaluate(api: Any, tool: str = "read", **said: Any) -> Any:
    """Ask for a decision that must come."""
    status, answer, _ = api.ask(
        "POST", "/v1/guard/evaluate", {"schema": "1", "tool": {"name": tool}, **said}, api.agent
    )
    assert status == 200, answer
    return answer


def test_decisions_follow_signals(api: Any) -> None:
    """Allowed, then blocked by a person's kill from the very next call on, with words that a model may see."""
    call = {"tool_input": {"amount": 5, "iban": "DE02"}, "subject": {"user": "u1"}, "trace": {"run_id": "ab" * 16}}
    answer = evaluate(api, **call)
    epoch = api.plane.authority.shown.epoch
    assert (answer["decision"], answer["signal"]) == ("allow", {"epoch": epoch, "seq": 0, "age_ms": 0})
    api.ask("POST", "/v1/kill", {"scope": SCOPE, "reason": "internal words"}, api.admin)
    answer = evaluate(api, **call)
    assert (answer["decision"], answer["killed"], answer["message"]) == ("block", True, "Stopped by an operator.")
    assert "internal words" not in orjson.dumps(answer).decode()
    assert evaluate(api, subject={"user": "u2"})["decision"] == "allow"
    api.plane.tick()
    entries = api.ask("GET", "/v1/audit?after=0", key=api.admin)[1]["entries"]
    (noted,) = [each["what"] for each in entries if each["kind"] == "decision"]
    assert (noted["tool"], noted["arguments"]["fields"], noted["decision"]) == ("read", {"amount": 5}, "block")
    assert "DE02" not in orjson.dumps(entries).decode()


def test_names_of_a_decision_are_masked(api: Any) -> None:
    """A secret in the name of a tool or a user is not written; a long name without one is, and decides as before."""
    api.ask("POST", "/v1/kill", {"scope": {"level": "product", "id": "*"}}, api.admin)
    long = "mcp__google_calendar__find_available_time_slots"
    for tool, user in (("curl -H 'Authorization: Bearer hunter2'", "sk-abcdefgh12345678"), (long, "ann")):
        assert evaluate(api, tool, subject={"user": user})["decision"] == "block"
    api.plane.tick()
    entries = api.ask("GET", "/v1/audit?after=0", key=api.admin)[1]["entries"]
    noted = [each["what"] for each in entries if each["kind"] == "decision"]
    assert [each["tool"] for each in noted] == ["curl -H '[masked]'", long]
    assert [each["subject"] for each in noted] == [
        {"agent": "a1", "tenant": "t1", "user": user} for user in ("[masked]", "ann")
    ]


def test_loops_are_counted_here_for_agents_without_a_guard(api: Any) -> None:
    """The fifth identical call in a row is blocked, over both sockets; results that change make it no loop."""
    call = {"tool": {"name": "read"}, "tool_input": {"a": 1}, "trace": {"traceparent": f"00-{'cd' * 16}-{'ef' * 8}-01"}}
    answers = [api.ask("POST", "/v1/guard/evaluate", call, api.agent, unix=n % 2 == 0)[1] for n in range(5)]
    assert [each["decision"] for each in answers] == ["allow"] * 4 + ["block"]
    assert answers[-1]["reason_code"] == "repeat.identical"
    polling = call | {"trace": {"run_id": "ef" * 16}}
    for number in range(8):
        answer = api.ask("POST", "/v1/guard/evaluate", polling, api.agent)[1]
        assert answer["decision"] == "allow"
        said = {"decision_id": answer["decision_id"], "result": {"n": number}}
        assert api.ask("POST", "/v1/guard/result", said, api.agent)[0] == 200


def test_a_batch_is_decided_in_order_or_refused_as_a_whole(api: Any) -> None:
    """64 calls at most; one that cannot be read refuses all, and none is counted."""
    call = {"tool": {"name": "read"}, "tool_input": {}, "trace": {"run_id": "ab" * 16}}
    status, said, _ = api.ask("POST", "/v1/guard/batch", {"calls": [call] * 5}, api.agent)
    assert (status, [each["decision"] for each in said["decisions"]]) == (200, ["allow"] * 4 + ["block"])
    for calls in ([], [call] * 65, [call, {"tool": {}}], [call, 5], None):
        assert api.ask("POST", "/v1/guard/batch", {"calls": calls}, api.agent)[0] == 400


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"tool": {}}, 400),
        ({"tool_input": []}, 400),
        ({"trace": {"run_id": "x"}}, 400),
        ({"trace": 5}, 400),
        ({"deadline_ms": -1}, 400),
        ({"deadline_ms": 0}, 504),
        ({"min_epoch": 2**40}, 503),
        ({"subject": {"user": ""}}, 400),
        ({"subject": {"run": "ab" * 16}}, 400),
        ({"tool": {"name": "read", "arguments": {"n": 1}}}, 400),
        ({"arguments": {"n": 1}}, 400),
        ({"trace": {"trace_id": "ab" * 16}}, 400),
        ({"trace": {"session_id": "s", "step": 3}, "subject": {"env": "prod"}}, 200),
    ],
)
def test_what_cannot_be_decided_is_no_decision(api: Any, change: Any, status: int) -> None:
    """Never a 200 without a decision, nor of less than was said: the caller's tier says what to do then."""
    body = {"tool": {"name": "read"}, "tool_input": {}} | change
    assert api.ask("POST", "/v1/guard/evaluate", body, api.agent)[0] == status
    assert api.ask("POST", "/v1/guard/evaluate", b"{", api.agent)[0] == 400


def test_the_page_says_how_to_ask_from_any_language(api: Any) -> None:
    """Its very call is decided, as one of the run that it names."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "guard.md").read_text()
    (call,) = re.findall(r"/v1/guard/evaluate\".*?-d '(.*?)'", page, re.DOTALL)
    run = orjson.loads(call)["trace"]["run_id"]
    status, said, _ = api.ask("POST", "/v1/guard/evaluate", call.encode(), api.agent)
    assert (status, said["decision"]) == (200, "allow")
    told = {"decision_id": said["decision_id"], "result": {"state": "refunded"}}
    assert api.ask("POST", "/v1/guard/result", told, api.agent)[0] == 200
    assert api.ask("POST", "/v1/kill", {"scope": {"level": "run", "id": run}, "reason": "r"}, api.admin)[0] == 200
    assert api.ask("POST", "/v1/guard/evaluate", call.encode(), api.agent)[1]["killed"]


def test_people_see_who_has_applied_a_kill(api: Any, planes: Any) -> None:
    """Applied by n of m rises as guards acknowledge; the moment when all had is kept."""
    other = api.plane.keys.agent("t2", "a")
    for key, client in ((api.agent, "c1"), (api.agent, "c2"), (other, "c3")):
        api.ask("POST", "/v1/signals/ack", {"client": client, "epoch": 0, "seq": 0}, key)
    said = api.ask("POST", "/v1/kill", {"scope": SCOPE, "tenant": "t1"}, api.admin)[1]
    applied = {"epoch": said["epoch"], "seq": said["seq"]}

    def row() -> Any:
        return api.ask("GET", "/v1/status", key=api.admin)[1]["scopes"][0]

    assert (row()["applied"]["text"], row()["acknowledged_at"]) == ("applied by 0 of 2", None)
    answer = api.ask("POST", "/v1/signals/ack", {"client": "c1", **applied}, api.agent)[1]
    assert answer["text"] == "applied by 1 of 2"
    api.ask("POST", "/v1/signals/ack", {"client": "c2", **applied}, api.agent)
    api.ask("POST", "/v1/signals/ack", {"client": "c2", "epoch": 0, "seq": 0}, api.agent)  # late: it takes nothing back
    assert row()["applied"]["text"] == "applied by 2 of 2"
    assert row()["acknowledged_at"] is not None


def test_who_only_reads_flags_is_no_guard(api: Any, planes: Any) -> None:
    """An OFREP stream applies nothing and acknowledges nothing: a kill does not wait for it."""
    guard, flags = api.stream(), api.stream(path="/ofrep/v1/events")
    planes.until(lambda: len(api.plane.hub.subscribers) == 2)
    said = api.ask("POST", "/v1/kill", {"scope": SCOPE, "tenant": "t1"}, api.admin)[1]
    assert api.plane.clients.waiting_kills(api.plane.authority.shown, api.plane.clocks.steady_s()) == 1
    ack = {"client": "c1", "epoch": said["epoch"], "seq": said["seq"]}
    assert api.ask("POST", "/v1/signals/ack", ack, api.agent)[1]["text"] == "applied by 1 of 1"
    status = api.ask("GET", "/v1/status", key=api.admin)[1]
    assert (status["clients"], status["scopes"][0]["applied"]["text"]) == (1, "applied by 1 of 1")
    assert status["scopes"][0]["acknowledged_at"] is not None
    assert api.plane.clients.waiting_kills(api.plane.authority.shown, api.plane.clocks.steady_s()) == 0
    guard.close()
    flags.close()


def test_calls_of_models_are_decided_too(api: Any) -> None:
    """A kill holds for them, levels of tools do not; null stands for what is not known."""
    said = {"tool": {"name": "gpt", "kind": "llm"}, "trace": {"run_id": None}, "subject": {"user": "u1", "agent": None}}
    assert api.ask("POST", "/v1/guard/evaluate", said, api.agent)[1]["decision"] == "allow"
    api.ask("POST", "/v1/kill", {"scope": SCOPE}, api.admin)
    assert api.ask("POST", "/v1/guard/evaluate", said, api.agent)[1]["killed"]
    assert api.ask("POST", "/v1/guard/evaluate", {"tool": {"name": "x", "kind": "y"}}, api.agent)[0] == 400


def test_the_sdk_obeys_this_control_plane(api: Any, planes: Any) -> None:
    """The real SDK over the real HTTP: it hears a kill, blocks by it, acknowledges, and asks for budgets."""
    settings = Settings(f"http://127.0.0.1:{api.port}", api.agent, KeyRing([api.plane.signing.public()]), client="sdk")
    client = Client(settings).start()
    guard = Guard(signals=client.store)
    planes.until(lambda: client.store.age_s() < 5, "it is never fresh")
    subject = Subject(user="u1")
    assert guard.evaluate("pay", {"n": 1}, subject).allowed
    said = api.ask("POST", "/v1/kill", {"scope": SCOPE}, api.admin)[1]
    planes.until(lambda: guard.evaluate("pay", {"n": 2}, subject).killed, "the kill is not obeyed")

    def row() -> Any:
        return api.ask("GET", "/v1/status", key=api.admin)[1]["scopes"][0]

    planes.until(lambda: row()["acknowledged_at"], lambda: f"{row()} {said} {client.trouble}")
    assert row()["applied"]["text"] == "applied by 1 of 1"
    reserver = RemoteReserver(settings, deadline_s=2.0)
    request = Request("tool", "read", {"a": 1}, Subject(user="u2"), "digest")
    answer = reserver.reserve(request)
    assert isinstance(answer, Reserved)
    reserver.settle(answer.token, 0.01)
    assert isinstance(reserver.reserve(request._replace(subject=subject)), Denied)
    reserver.close()
    assert client.trouble == {}
    client.close()


def test_a_state_is_set_by_who_may_configure(api: Any) -> None:
    """`set` is absolute, never kills, and is what guards obey."""
    state = {"kill": False, "level": "static", "tools": None, "deny": [], "throttle": None}
    body = {"scope": SCOPE, "state": state}
    assert api.ask("POST", "/v1/set", body, api.admin)[0] == 200
    assert evaluate(api, "pay", subject={"user": "u1"})["decision"] == "block"
    assert evaluate(api, "read", subject={"user": "u1"})["decision"] == "allow"
    assert api.ask("POST", "/v1/set", body | {"state": state | {"kill": True}}, api.admin)[0] == 400
    assert api.ask("POST", "/v1/set", body | {"state": {"kill": False}}, api.admin)[0] == 400
    assert api.ask("POST", "/v1/set", body | {"state": state | {"level": "full"}}, api.admin)[1]["signal"] is None


def test_drift_is_accepted_by_who_may_configure(api: Any) -> None:
    """From now on or from a time; it is audited with the person, and asks nothing of guards."""
    body = {"workflow": "air", "sli": "task_success", "at": "2026-03-02T09:00:30Z", "reason": "new prices"}
    status, said, _ = api.ask("POST", "/v1/drift/accept", body, api.admin)
    assert (status, said["at"], said["signal"], said["written"]) == (200, "2026-03-02T09:00:30.000000Z", None, True)
    assert api.ask("POST", "/v1/drift/accept", {"workflow": "air"}, api.admin)[0] == 200
    for wrong in (
        {},
        {"workflow": ""},
        body | {"at": "yesterday"},
        body | {"at": "2026-03-02T09:00:00"},
        body | {"at": 7},
        body | {"sli": "task_succes"},
    ):
        assert api.ask("POST", "/v1/drift/accept", wrong, api.admin)[0] == 400
    killer = api.plane.keys.operator("bob", ("kill", "resume"))
    for key, refused in ((api.agent, 403), (killer, 403), (None, 401)):
        assert api.ask("POST", "/v1/drift/accept", body, key)[0] == refused
    entries = api.ask("GET", "/v1/audit", key=api.admin)[1]["entries"]
    told = [each["what"] for each in entries if each["kind"] == "command" and each["what"]["command"] == "drift.accept"]
    assert [(each["workflow"], each["sli"]) for each in told] == [("air", "task_success"), ("air", None)]


def test_ofrep_gives_what_is_asked_of_a_run(api: Any, planes: Any) -> None:
    """Single and bulk flags, 304 while nothing changed, the errors of the protocol."""
    path, context = "/ofrep/v1/evaluate/flags", {"context": {"targetingKey": planes.RUN, "user": "u1"}}
    status, said, headers = api.ask("POST", path, context, api.agent)
    assert (status, [each["value"] for each in said["flags"]]) == (200, [True, "full", {}])
    assert said["eventStreams"][0] == {
        "type": "sse", "endpoint": {"requestUri": "/ofrep/v1/events"}, "inactivityDelaySec": 30,
    }  # fmt: skip
    assert api.ask("POST", path, context, api.agent, If_None_Match=headers["etag"])[:2] == (304, None)
    api.tell(planes.verdict("throttle", scope=("user", "u1"), evidence={"calls_per_minute": 3, "concurrency": 1}))
    planes.until(lambda: api.plane.authority.shown.signals)
    status, said, _ = api.ask("POST", path, context, api.agent, If_None_Match=headers["etag"])
    assert (status, said["flags"][2]["value"]) == (200, {"calls_per_minute": 3, "concurrency": 1})
    status, said, _ = api.ask("POST", f"{path}/agent.enabled", context, api.agent)
    assert (status, said["value"], said["reason"], said["variant"]) == (200, True, "TARGETING_MATCH", "running")
    assert api.ask("POST", f"{path}/nope", context, api.agent)[1]["errorCode"] == "FLAG_NOT_FOUND"
    for body, code in ((b"{", "PARSE_ERROR"), ({}, "INVALID_CONTEXT"), ({"context": {}}, "TARGETING_KEY_MISSING")):
        status, said, _ = api.ask("POST", path, body, api.agent)
        assert (status, said["errorCode"]) == (400, code)


@pytest.mark.parametrize("run", ["ab" * 16, "AB" * 16, "abababab-abab-ABAB-abab-abababababab"])
def test_ofrep_knows_a_run_however_its_id_is_written(api: Any, planes: Any, run: str) -> None:
    """An OpenFeature client may have it as a UUID, or in upper case: a killed one is not enabled."""
    api.ask("POST", "/v1/kill", {"scope": {"level": "run", "id": planes.RUN}}, api.admin)
    context = {"context": {"targetingKey": run}}
    said = api.ask("POST", "/ofrep/v1/evaluate/flags/agent.enabled", context, api.agent)[1]
    assert (said["value"], said["variant"]) == (False, "killed")


def test_ofrep_events_say_when_to_fetch_again(api: Any) -> None:
    """After a change a refetchEvaluation comes at once."""
    stream = api.stream(path="/ofrep/v1/events")
    api.ask("POST", "/v1/kill", {"scope": SCOPE}, api.admin)
    event, data = next(iter(stream))
    assert (event, data["type"]) == ("message", "refetchEvaluation")
    stream.close()


@pytest.mark.parametrize("path", ["/v1/signals/stream", "/ofrep/v1/events"])
@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_stream_ends_with_its_key(planes: Any, tmp_path: Any, how: str, path: str) -> None:
    """A key that is revoked or over hears nothing more: its open stream ends, and those of other keys go on."""
    day_ns, ahead_ns = 24 * 3600 * 10**9, [0]
    with planes.Served(tmp_path, Clocks(lambda: time.time_ns() + ahead_ns[0])) as served:
        key = served.plane.keys.agent("t1", "a1", expires_ns=time.time_ns() + day_ns)
        stream, other = served.stream(key, path), served.stream(path=path)
        planes.until(lambda: len(served.plane.hub.subscribers) == 2)
        if how == "revoked":
            served.plane.keys.revoke(key.split("_")[1])
        else:
            ahead_ns[0] = 2 * day_ns
        body = {"scope": {"level": "user", "id": "secret-customer"}, "tenant": "t1"}
        assert served.ask("POST", "/v1/kill", body, served.admin)[0] == 200
        heard = rest(stream)
        assert ("secret-customer" in heard, "refetchEvaluation" in heard) == (False, False)
        assert next(event for event, _ in other if event in ("signal", "message"))
        planes.until(lambda: len(served.plane.hub.subscribers) == 1)
        stream.close()
        other.close()


def rest(stream: Any) -> str:
    """Give what comes until the stream ends, which must be soon."""
    found, end = b"", time.monotonic() + 10
    while line := stream.response.readline():
        found += line
        assert time.monotonic() < end, "it goes on"
    return str(found, "utf-8")


def test_heartbeats_come_each_second(api: Any) -> None:
    """A quiet stream beats, and its view is the snapshot's."""
    store, stream = api.store(), api.stream()
    begun = time.monotonic()
    beats = []
    stream.feed(store, lambda: beats.append(store.age_s()) or len(beats) == 3)
    assert 1.0 <= time.monotonic() - begun <= 4
    stream.close()


def spend(cost: float, limit: float | None = 10.0, revision: int = 1, **said: Any) -> dict[str, Any]:
    """Make a spend record of user u1."""
    return {
        "kind": "spend", "at": "2026-01-01T00:00:00Z", "scope": SCOPE, "tenant": "t1", "period": "day",
        "start": "2026-01-01", "cost_usd": cost, "tokens": 10, "runs": 1, "limit_usd": limit, "used": 0.1,
        "revision": revision,
    } | said  # fmt: skip


def test_usage_is_the_newest_revision(api: Any, planes: Any) -> None:
    """Replayed and reordered records change nothing; a tenant's key sees its own users only; it outlives a restart."""
    api.tell(spend(2.5, revision=2), spend(1.0), {"kind": "spend"}, spend(2.5, revision=2), topic=planes.SPEND)
    api.tell(spend(30.0, None, period="month"), topic=planes.SPEND)
    path = "/v1/usage?level=user&id=u1"
    rows = planes.until(lambda: len(found := api.ask("GET", path, key=api.agent)[1]["usage"]) == 2 and found)
    by_period = {row["period"]: row for row in rows}
    assert by_period["day"] == {
        "period": "day", "start": "2026-01-01", "cost_usd": 2.5, "tokens": 10, "runs": 1, "limit_usd": 10.0,
        "used_ratio": 0.25,
    }  # fmt: skip
    assert by_period["month"]["used_ratio"] is None
    other = api.plane.keys.agent("t2", "a")
    assert api.ask("GET", path, key=other)[1]["usage"] == []
    assert api.ask("GET", f"{path}&tenant=t1", key=api.admin)[1]["usage"] == rows
    planes.until(lambda: [orjson.loads(row[2])["cost_usd"] for row in api.plane.store.spend()] == [2.5, 30.0])


def test_a_budget_is_reserved_before_a_call(api: Any, planes: Any) -> None:
    """With 1.50 left and 0.60 a call, the third call under way is blocked; a cheap result makes room."""
    today = datetime.now(UTC).date().isoformat()
    api.tell({**spend(8.5), "start": today}, topic=planes.SPEND)
    planes.until(lambda: api.plane.spend.usage("user", "u1", "t1"))
    answers = [evaluate(api, "pay", tool_input={"n": n}, subject={"user": "u1"}) for n in range(3)]
    assert [each["decision"] for each in answers] == ["allow", "allow", "block"]
    assert answers[2]["reason_code"] == "spend.reserved"
    assert evaluate(api, "pay", subject={"user": "u2"})["decision"] == "allow"
    api.ask("POST", "/v1/guard/result", {"decision_id": answers[0]["decision_id"], "cost_usd": 0.1}, api.agent)
    assert evaluate(api, "pay", tool_input={"n": 4}, subject={"user": "u1"})["decision"] == "allow"


def test_what_is_asked_of_a_key_is_obeyed_in_process(api: Any, planes: Any, tmp_path: Path) -> None:
    """Kills of the agent and of the tenant that the key names stop calls of a program that says neither."""
    key, free = api.plane.keys.agent("t1", "bot"), api.plane.keys.agent("t1", "*")
    assert api.ask("GET", "/v1/keys/own", key=key)[1] == {"tenant": "t1", "agent": "bot"}
    assert api.ask("GET", "/v1/keys/own", key=free)[1] == {"tenant": "t1", "agent": None}
    signing, state = KeyRing([api.plane.signing.public()]), tmp_path / "signals"
    settings = Settings(f"http://127.0.0.1:{api.port}", key, signing, state=state)
    with closing(Client(settings).start()) as client:
        guard = Guard(signals=client.store, on_event=lambda event: None)
        planes.until(lambda: client.live and client.store.subject.agent)
        calls = itertools.count()

        def is_allowed() -> bool:
            with running(user="u1", agent="helper"):  # an agent that this one has called
                return bool(guard.evaluate("read", {"n": next(calls)}).allowed)

        for scope in ({"level": "agent", "id": "bot"}, {"level": "tenant", "id": "t1"}):
            assert planes.until(is_allowed)
            api.ask("POST", "/v1/kill", {"scope": scope}, api.admin)
            planes.until(lambda: not is_allowed())
            api.ask("POST", "/v1/resume", {"scope": scope}, api.admin)
    assert SignalStore(signing, path=state).subject == Subject(agent="bot", tenant="t1")


def test_a_kill_is_kept_as_it_comes(api: Any, planes: Any, tmp_path: Path) -> None:
    """An agent that dies a moment after it was killed, and starts while nobody answers, stays killed."""
    signing, state = KeyRing([api.plane.signing.public()]), tmp_path / "signals"
    settings = Settings(f"http://127.0.0.1:{api.port}", api.agent, signing, state=state)
    with closing(Client(settings).start()) as client:
        planes.until(lambda: client.live and state.exists())
        api.ask("POST", "/v1/kill", {"scope": SCOPE}, api.admin)
        planes.until(lambda: client.store.state_of(Subject(user="u1")).kill)
        planes.until(lambda: SignalStore(signing, path=state).state_of(Subject(user="u1")).kill, seconds=2)


def test_what_is_answered_as_late_reserves_nothing(api: Any, planes: Any) -> None:
    """It was not let through: its estimate is free at once, and so are those of a batch that is not answered for it."""
    api.tell({**spend(9.0), "start": datetime.now(UTC).date().isoformat()}, topic=planes.SPEND)
    planes.until(lambda: api.plane.spend.usage("user", "u1", "t1"))
    user, call = planes.scope("user", "u1"), {"tool": {"name": "pay"}, "subject": {"user": "u1"}}
    for number in range(5):
        late = {**call, "tool_input": {"n": number}, "deadline_ms": 0}
        assert api.ask("POST", "/v1/guard/evaluate", late, api.agent)[0] == 504
        assert api.ask("POST", "/v1/guard/batch", {"calls": [call, late]}, api.agent)[0] == 504
        assert api.plane.reservations.reserved(user, "t1") == 0
    answer = evaluate(api, "pay", tool_input={"n": 9}, subject={"user": "u1"})
    assert answer["decision"] == "allow"
    assert api.plane.reservations.reserved(user, "t1") == 600_000_000
