"""The authority: what is sent was written, only rises, and goes on where the disk does not."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import Any

import orjson
import pytest
from flyball_sdk.scope import Scope, Subject
from flyball_sdk.signals import SignalStore
from flyball_sdk.signing import KeyRing, SigningKey
from hypothesis import given, settings
from hypothesis import strategies as st

from control import audit
from control.authority import Authority, NewerKillError
from control.contributions import Place, Rules
from control.plane import Plane, PlaneSettings
from control.store import Store, StoreError

KEY = SigningKey.generate()
KEYS = KeyRing([KEY.public()])
U = [Scope("user", f"u{number}") for number in range(3)]


class Life:
    """One life of an authority over a file, and a guard that hears it."""

    def __init__(self, path: Any, planes: Any, said: list[str] | None = None) -> None:
        self.turned = planes.Turned()
        self.said = said if said is not None else []
        self.store = Store(path)
        self.authority = Authority(self.store, KEY, Rules(frozenset({"lifts"})), self.turned.clocks, self.said.append)
        self.sent: list[Any] = []
        self.authority.tellers.append(self.sent.extend)


def test_positions_only_rise_over_lives(tmp_path: Any, planes: Any) -> None:
    """(epoch, seq) of all that is sent rises, also after lives that ended without a word."""
    sent = []
    for life in range(4):
        one = Life(tmp_path / "db", planes)
        for user in U:
            one.authority.kill(user, None, "ann", "")
            one.authority.resume(user, None, "ann", "")
        one.turned.wall -= life * 3600 * 10**9  # the clock steps back
        sent += [each.at for each in one.sent]
        one.store.close()  # as a SIGKILL: nothing is said or written at the end
    assert sent == sorted(set(sent))


def test_heartbeats_never_go_back_in_time(tmp_path: Any, planes: Any) -> None:
    """A clock that steps back an hour gives heartbeats that still rise, so a guard stays fresh."""
    one = Life(tmp_path / "db", planes)
    guard = SignalStore(KEYS, now=lambda: one.turned.steady)
    assert guard.replace(json.loads(json.dumps(one.authority.snapshot("t1").to_json())))
    for step in (1, -3600, 1, 7200, 1):
        one.turned.wall += step * 10**9
        one.turned.steady += 1
        assert guard.beat(one.authority.heartbeat("t1").to_json())
    assert guard.age_s() == 0


def test_runs_expire_by_uptime_and_not_by_the_clock(tmp_path: Any, planes: Any) -> None:
    """A clock that steps by a year un-kills nothing; 48 h of being up do, for runs only, and guards hear it."""
    one = Life(tmp_path / "db", planes)
    told = planes.verdict()
    one.authority.take("v", 0, [(0, orjson.dumps(told))])
    one.authority.take("v", 0, [(1, orjson.dumps(planes.verdict(scope=("user", "u0"))))])
    one.turned.wall += 366 * 86_400 * 10**9
    one.authority.keep_house()
    assert len(one.authority.shown.signals) == 2
    one.turned.pass_s(48 * 3600 + 1)
    one.authority.keep_house()
    assert [place.scope.level for place in one.authority.shown.signals] == ["user"]
    assert [each.state.kill for each in one.sent] == [True, True, False]


def test_a_verdict_is_applied_and_noted_once(tmp_path: Any, planes: Any) -> None:
    """Told again, in the same batch, later, or in the next life: one entry in the audit log, one signal."""
    told = orjson.dumps(planes.verdict())
    one = Life(tmp_path / "db", planes)
    one.authority.take("v", 0, [(0, told), (1, told)])
    one.authority.take("v", 0, [(1, told), (2, b"{"), (3, orjson.dumps({"kind": "verdict", "action": "kill"}))])
    one.store.close()
    two = Life(tmp_path / "db", planes)
    assert two.store.offsets("v") == {0: 4}
    two.authority.take("v", 0, [(0, told)])
    kinds = [orjson.loads(each.body)["kind"] for each in two.store.entries()]
    assert (kinds.count("verdict"), kinds.count("unreadable")) == (1, 2)
    assert len(one.sent) + len(two.sent) == 1


@pytest.mark.parametrize(
    "broken",
    [
        b"\xff\xfe", b"[]", b"null", b"{}", b'{"kind":"verdict"}', b"[" * 100_000, b'"' + b"x" * 70_000 + b'"',
        b'{"kind":"verdict","id":"1","scope":{"level":"run","id":"nope"},"action":"kill","rule":"r","generation":1}',
        b'{"kind":"verdict","id":"1","scope":{"level":"user","id":"u"},"action":"kill","rule":"operator","generation":1}',
        b'{"kind":"verdict","id":"1","scope":{"level":"user","id":"u"},"action":"kill","rule":"r","generation":-1}',
        b'{"kind":"verdict","id":"1","scope":{"level":"user","id":"u"},"action":"kill","rule":"r","generation":NaN}',
    ],
)  # fmt: skip
def test_hostile_records_are_noted_and_passed(broken: bytes, tmp_path: Any, planes: Any) -> None:
    """Whatever lies in the log, nothing is asked by it, an entry says so, and what follows is taken."""
    one = Life(tmp_path / "db", planes)
    one.authority.take("v", 0, [(0, broken), (1, orjson.dumps(planes.verdict()))])
    assert len(one.sent) == 1
    assert [orjson.loads(each.body)["kind"] for each in one.store.entries()].count("unreadable") == 1


def test_bad_evidence_never_loses_a_stop(tmp_path: Any, planes: Any) -> None:
    """A block without a readable tool is static; a bound with unreadable tools still bounds; a kill kills."""
    for action, evidence in (("block", {"tool": 5}), ("bound", {"tools": "a"}), ("kill", {"tenant": 7}), ("kill", [])):
        one = Life(tmp_path / f"{action}{evidence!r}.db".replace("/", ""), planes)
        one.authority.take("v", 0, [(0, orjson.dumps(planes.verdict(action, evidence=evidence)))])
        state = one.sent[0].state
        assert (state.kill, state.level) == {"block": (False, "static"), "bound": (False, "bounded")}.get(
            action, (True, "full")
        )


def test_a_full_disk_stops_no_kill(tmp_path: Any, planes: Any) -> None:
    """With no room for a byte: a kill holds in memory, is said loudly, and is written once there is room."""
    one = Life(tmp_path / "db", planes)
    one.authority.kill(U[0], None, "ann", "")
    one.store.limit(one.store.pages())
    number = 0
    while one.authority.problem is None:
        number += 1
        one.authority.take("v", 0, [(number, orjson.dumps(planes.verdict("warn", reason="x" * 300)))])
        assert number < 500
    assert "full" in one.authority.problem
    one.authority.kill(U[1], None, "ann", "now")
    one.authority.resume(U[0], None, "ann", "")
    assert one.authority.shown.of(Subject(user="u1"), None)[0].state.kill
    assert one.authority.shown.of(Subject(user="u0"), None) == []
    assert len([line for line in one.said if "NOT WRITTEN" in line]) == 1
    assert dict(one.store.signals()).keys() == {Place(U[0], None)}
    one.store.limit(10**6)
    one.authority.tick()
    assert one.authority.problem is None
    assert dict(one.store.signals()).keys() == {Place(U[1], None)}
    assert one.store.offsets("v") == {0: number + 1}
    one.authority.close()
    assert audit.verify(one.store.entries(), one.store.checkpoints(), KEYS).problems == []


def test_a_copy_that_is_put_back_begins_after_all_that_was(tmp_path: Any, planes: Any) -> None:
    """Guards that heard later lives believe the one that begins from an older copy of the file."""
    turned, guard = planes.Turned(), SignalStore(KEYS)

    def live(name: str, *, kill: bool = False) -> None:
        turned.pass_s(60)
        with closing(Store(tmp_path / name)) as store:
            authority = Authority(store, KEY, clocks=turned.clocks)
            if kill:
                authority.kill(U[0], None, "ann", "")
            assert guard.replace(authority.snapshot(None).to_json())
            authority.close()

    live("db")
    shutil.copy(tmp_path / "db", tmp_path / "copy")
    for _ in range(5):
        live("db")
    live("copy", kill=True)
    assert guard.state_of(Subject(user=U[0].id)).kill
    turned.wall -= 10**6 * 10**9  # a clock that goes back takes nothing back
    live("copy")
    assert guard.state_of(Subject(user=U[0].id)).kill


def test_without_a_new_epoch_nothing_is_sent(tmp_path: Any, planes: Any) -> None:
    """Where the epoch cannot be written, the authority does not start."""
    Life(tmp_path / "db", planes).authority.close()
    store = Store(tmp_path / "db")
    store._db.execute("PRAGMA query_only=1")
    with pytest.raises(StoreError, match="cannot raise the epoch"):
        Authority(store, KEY)
    store._db.execute("PRAGMA query_only=0")
    assert store.meta()["epoch"] == "1"


def test_a_read_only_file_degrades_and_answers(tmp_path: Any, planes: Any) -> None:
    """Read-only in mid-life: commands still hold, the file is as it was."""
    one = Life(tmp_path / "db", planes)
    one.store._db.execute("PRAGMA query_only=1")
    one.authority.kill(U[0], None, "ann", "")
    assert one.authority.problem is not None
    assert one.sent[0].state.kill
    with pytest.raises(sqlite3.OperationalError):
        one.store._db.execute("DELETE FROM meta")


def test_a_resume_never_ends_a_kill_it_did_not_know(tmp_path: Any, planes: Any) -> None:
    """A kill that came after the two people had looked is not ended by them."""
    one = Life(tmp_path / "db", planes)
    seen = one.authority.kill(U[0], None, "ann", "").at
    one.authority.resume(U[0], None, "ann", "", upto=seen)
    newer = one.authority.kill(U[0], None, "bob", "").at
    with pytest.raises(NewerKillError):
        one.authority.resume(U[0], None, "ann", "", upto=seen)
    assert [each.at for each in one.authority.killed(U[0], None)] == [newer]


def test_two_authorities_never_share_a_folder(tmp_path: Any) -> None:
    """The second one is refused, with the reason."""
    plane = Plane(PlaneSettings(tmp_path), say=lambda _: None)
    with pytest.raises(StoreError, match="in use by another flyball control"):
        Plane(PlaneSettings(tmp_path), say=lambda _: None)
    plane.stop()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["kill", "resume", "verdict", "clear", "die", "tick"]), st.integers(0, 2)),
        max_size=15,
    )
)
def test_whatever_happens_file_memory_and_guard_agree(planes: Any, tmp_path_factory: Any, steps: list[Any]) -> None:
    """After any commands, verdicts and deaths: the model, the file, and a guard that heard all of it say the same."""
    path = tmp_path_factory.mktemp("agree") / "db"
    one, killed = Life(path, planes), set()
    guard = SignalStore(KEYS)
    for number, (step, user) in enumerate(steps):
        if step == "kill":
            one.authority.kill(U[user], None, "ann", "")
            killed.add(("operator", user))
        elif step == "resume":
            one.authority.resume(U[user], None, "ann", "")
            killed -= {("operator", user), ("lifts", user)}
        elif step in ("verdict", "clear"):
            action = "kill" if step == "verdict" else "clear"
            told = planes.verdict(action, rule="lifts", generation=number + 1, scope=("user", f"u{user}"))
            one.authority.take("v", 0, [(number, orjson.dumps(told))])
            (killed.add if step == "verdict" else killed.discard)(("lifts", user))
        elif step == "die":
            one.store.close()
            one = Life(path, planes)
        else:
            one.authority.tick()
        if not guard.beat(one.authority.heartbeat(None).to_json()):
            guard.replace(json.loads(json.dumps(one.authority.snapshot(None).to_json())))
        expected = {number for _, number in killed}
        assert {n for n in range(3) if guard.state_of(Subject(user=f"u{n}")).kill} == expected
        assert {place.scope for place in dict(one.store.signals())} == {U[n] for n in expected}
    one.authority.close()
    assert audit.verify(one.store.entries(), one.store.checkpoints(), KEYS).problems == []


def test_reasons_name_long_tools_and_users(tmp_path: Any, planes: Any) -> None:
    """What the audit log keeps of a verdict and of an order says which tool and whom; a key is masked."""
    tool, user = "mcp__google_calendar__find_available_time_slots", "9f" * 32
    one = Life(tmp_path / "db", planes)
    said = f"{tool} was called 5 times with the same arguments"
    evidence = {"count": 5, "limit": 5, "tool": tool}
    one.authority.take("v", 0, [(0, orjson.dumps(planes.verdict("block", reason=said, evidence=evidence)))])
    ordered = f"{user} asked for it; token={'k' * 12}"
    one.authority.kill(planes.scope("user", user), None, "ann", ordered)
    kept = [orjson.loads(each.body)["what"] for each in one.store.entries()]
    assert [each["reason"] for each in kept if "reason" in each] == [said, f"{user} asked for it; [masked]"]
