"""The store of signals against a model of the authority: whatever the network does, never back and never un-killed."""

from __future__ import annotations

import json
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from flyball_sdk.envelope import Envelope, Heartbeat, Snapshot, view_digest
from flyball_sdk.errors import FlyballError, ForeignError
from flyball_sdk.scope import THE_PRODUCT, Scope, Subject
from flyball_sdk.signals import SignalStore
from flyball_sdk.signing import KeyRing, SigningKey
from flyball_sdk.state import NEUTRAL, State, merged
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

KEY = SigningKey.generate("k1")
RING = KeyRing([KEY.public()])
KILL = State(kill=True)
SCOPES = [THE_PRODUCT, Scope("user", "u"), Scope("agent", "a")]
SUBJECT = Subject(user="u", agent="a", tenant="t1")


class Authority:
    """What the control plane does, in ten lines: absolute states, rising positions, signed words."""

    def __init__(self) -> None:
        self.epoch, self.seq, self.ticks = 1, 0, 0
        self.now: dict[tuple[str | None, Scope], Envelope] = {}

    def restart(self) -> None:
        """Begin a new epoch."""
        self.epoch, self.seq = self.epoch + 1, 0

    def say(self, scope: Scope, state: State, tenant: str | None = None) -> Any:
        """Set a state; gives the envelope as JSON."""
        self.seq += 1
        made = Envelope("s", self.epoch, self.seq, self._time(), tenant, scope, state, "why", "rule").signed(KEY)
        self.now[tenant, scope] = made
        return made.to_json()

    def heartbeat(self, tenant: str | None = "t1") -> Any:
        """Give the heartbeat of a tenant."""
        self.ticks += 1
        view = view_digest(self.view(tenant))
        return Heartbeat("s", self.epoch, self.seq, self._time(), tenant, view).signed(KEY).to_json()

    def snapshot(self, tenant: str | None = "t1") -> Any:
        """Give the whole view of a tenant."""
        beat = Heartbeat.parse(self.heartbeat(tenant))
        return Snapshot(beat, tuple(self.view(tenant))).to_json()

    def view(self, tenant: str | None) -> list[Envelope]:
        """List what a tenant sees."""
        return [e for (of, _), e in self.now.items() if of in (None, tenant) and e.state != NEUTRAL]

    def state_of(self, subject: Subject) -> State:
        """Merge what is asked of a subject."""
        return merged(e.state for e in self.view(subject.tenant) if e.scope in subject.scopes())

    def _time(self) -> str:
        return f"2026-01-01T00:00:{self.ticks // 1000:02}.{self.ticks % 1000:03}Z"


class Clock:
    """A clock that is told to go on."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.at


class Streams(RuleBasedStateMachine):
    """An authority that speaks, a network that loses, repeats and turns around, and a guard that is restarted."""

    @initialize()
    def begin(self) -> None:
        """Start all three."""
        self.authority = Authority()
        self.sent: list[tuple[str, Any]] = []
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "signals.json"
        self.clock = Clock()
        self.store = self.open()
        self.heard: dict[tuple[str | None, Scope], tuple[int, int]] = {}
        self.beats: list[Any] = []

    def open(self) -> SignalStore:
        """Start the guard's store, from its file if there is one."""
        return SignalStore(RING, tenant="t1", path=self.path, now=self.clock)

    def teardown(self) -> None:
        """Remove the file."""
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(
        scope=st.sampled_from(SCOPES),
        state=st.sampled_from([KILL, NEUTRAL, State(level="human")]),
        tenant=st.sampled_from([None, "t1"]),
    )
    def say(self, scope: Scope, state: State, tenant: str | None) -> None:
        """The authority sets a state."""
        self.sent.append(("take", self.authority.say(scope, state, tenant)))

    @rule()
    def beat(self) -> None:
        """The authority sends a heartbeat."""
        self.sent.append(("beat", self.authority.heartbeat()))

    @rule()
    def offer_snapshot(self) -> None:
        """The authority answers a pull, and the answer is on its way."""
        self.sent.append(("replace", self.authority.snapshot()))

    @rule()
    def restart_authority(self) -> None:
        """The authority begins a new epoch."""
        self.authority.restart()

    @rule(at=st.integers(0, 10**6))
    def deliver(self, at: int) -> None:
        """Any word that was ever sent arrives, perhaps again, perhaps very late."""
        if self.sent:
            kind, value = self.sent[at % len(self.sent)]
            self.arrive(kind, value)

    @rule()
    def deliver_newest(self) -> None:
        """The newest word arrives, as it mostly does."""
        if self.sent:
            self.arrive(*self.sent[-1])

    @rule()
    def pull(self) -> None:
        """The guard pulls the whole state: then it knows what the authority knows, and it is fresh."""
        self.arrive("replace", self.authority.snapshot())
        assert self.store.state_of(SUBJECT) == self.authority.state_of(SUBJECT)
        assert self.store.age_s() == 0
        assert not self.store.wants_snapshot

    @rule()
    def restart_guard(self) -> None:
        """The guard is restarted from its file and obeys what it obeyed."""
        self.store.keep()
        before = self.store.state_of(SUBJECT)
        self.store = self.open()
        assert self.store.trouble == []
        assert self.store.state_of(SUBJECT) == before
        assert self.store.wants_snapshot
        assert self.store.age_s() == float("inf")

    def arrive(self, kind: str, value: Any) -> None:
        """Let the store take a word; a new heartbeat that agrees says that nothing is missing."""
        self.clock.at += 1
        fresh = getattr(self.store, kind)(value)
        if kind == "beat" and fresh:
            assert value not in self.beats, "a heartbeat is fresh once"
            self.beats.append(value)
            assert self.store.view() == value["view"]

    @invariant()
    def never_back(self) -> None:
        """Of each scope the position held never falls, and what is not held any more is below the floor."""
        if not hasattr(self, "store"):
            return
        for (tenant, level, name), entry in self.store._entries.items():
            key = (tenant, Scope(level, name))
            assert entry.at >= self.heard.get(key, (0, 0))
            self.heard[key] = entry.at
        for (tenant, scope), at in self.heard.items():
            assert (tenant, *scope) in self.store._entries or at <= self.store._floor

    @invariant()
    def never_unkilled(self) -> None:
        """A kill that was heard holds until the authority itself has lifted it, at a later position."""
        if not hasattr(self, "store"):
            return
        for (tenant, scope), at in self.heard.items():
            truth = self.authority.now[tenant, scope]
            if truth.at == at and truth.state.kill:
                assert self.store.state_of(Subject(**{scope.level: scope.id} if scope != THE_PRODUCT else {})).kill

    @invariant()
    def shown_is_held(self) -> None:
        """What readers see is what the entries say."""
        if hasattr(self, "store"):
            entries = [e.state for e in self.store._entries.values()]
            assert self.store.state_of(SUBJECT) == merged(entries)


TestStreams = Streams.TestCase
TestStreams.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_a_kill_survives_a_replayed_past() -> None:
    """Every older word again, in any kind, leaves a kill where it is."""
    authority, store = Authority(), SignalStore(RING, "t1")
    past = [("take", authority.say(THE_PRODUCT, NEUTRAL)), ("beat", authority.heartbeat())]
    past.append(("replace", authority.snapshot()))
    assert store.take(authority.say(THE_PRODUCT, KILL))
    for kind, word in past:
        getattr(store, kind)(word)
    assert store.state_of(Subject()).kill


def test_a_gap_is_found_by_the_heartbeat_and_healed_by_a_pull() -> None:
    """A signal that was lost shows in the next heartbeat, which makes nothing fresh until the whole state is there."""
    authority, clock = Authority(), Clock()
    store = SignalStore(RING, "t1", now=clock)
    assert store.beat(authority.heartbeat())
    assert not store.wants_snapshot
    authority.say(THE_PRODUCT, KILL)
    clock.at += 1
    assert not store.beat(authority.heartbeat())
    assert store.wants_snapshot
    assert store.applied is None
    assert store.age_s() == 1
    assert store.replace(authority.snapshot())
    assert store.state_of(Subject()).kill
    assert (store.wants_snapshot, store.age_s(), store.applied) == (False, 0, (1, 1))


def test_a_replayed_heartbeat_makes_nothing_fresh() -> None:
    """Who cuts the stream and repeats its last heartbeat does not keep the guard from knowing it."""
    authority, clock = Authority(), Clock()
    store = SignalStore(RING, "t1", now=clock)
    beat = authority.heartbeat()
    assert store.beat(beat)
    clock.at += 61
    assert not store.beat(beat)
    assert store.age_s() == 61


def test_an_older_snapshot_makes_no_old_heartbeat_new(tmp_path: Path) -> None:
    """A snapshot that comes late, at the same position, does not let the last heartbeat count again after a restart."""
    authority, path = Authority(), tmp_path / "signals.json"
    store = SignalStore(RING, "t1", path=path)
    late, beat = authority.snapshot(), authority.heartbeat()
    assert store.beat(beat)
    store.replace(late)
    store.keep()
    again = SignalStore(RING, "t1", path=path)
    assert not again.beat(beat)
    assert again.age_s() == float("inf")


def test_signals_of_the_tenant_and_of_everybody_are_both_obeyed() -> None:
    """One scope may be asked two things; lifting one leaves the other."""
    authority, store = Authority(), SignalStore(RING, "t1")
    user = Scope("user", "u")
    store.take(authority.say(user, State(level="human")))
    store.take(authority.say(user, State(deny=frozenset({"pay"})), "t1"))
    assert store.state_of(SUBJECT) == State(level="human", deny=frozenset({"pay"}))
    store.take(authority.say(user, NEUTRAL))
    assert store.state_of(SUBJECT) == State(deny=frozenset({"pay"}))
    assert store.beat(authority.heartbeat())


def test_another_tenant_and_another_stream_are_refused() -> None:
    """Words of a stranger are refused though the signature holds; the first word settles who is none."""
    authority = Authority()
    store = SignalStore(RING)
    store.take(authority.say(THE_PRODUCT, KILL))
    store.beat(authority.heartbeat("t1"))
    assert store.tenant == "t1"
    with pytest.raises(ForeignError, match="t2"):
        store.take(authority.say(THE_PRODUCT, NEUTRAL, "t2"))
    with pytest.raises(ForeignError, match="t2"):
        store.replace(authority.snapshot("t2"))
    foreign = Envelope("x", 9, 9, "2026-01-01T00:00:00.000Z", None, THE_PRODUCT, NEUTRAL, "", "").signed(KEY)
    with pytest.raises(ForeignError, match="stream"):
        store.take(foreign.to_json())
    assert store.state_of(Subject()).kill


def test_two_states_at_one_position_give_the_stricter_and_are_told() -> None:
    """A conflict at the same position never loosens anything, in either order."""
    one, other = Authority(), Authority()
    loose, strict = one.say(THE_PRODUCT, NEUTRAL), other.say(THE_PRODUCT, KILL)
    for words in ((loose, strict), (strict, loose)):
        store = SignalStore(RING, "t1")
        for word in words:
            store.take(word)
        assert store.state_of(Subject()).kill
        assert store.trouble == ["two states of product:* at (1, 1)"]


def test_the_file_is_private_and_verified_again(tmp_path: Path) -> None:
    """The file has mode 0600; a signal in it that was touched is left out, and told."""
    authority, path = Authority(), tmp_path / "deep" / "signals.json"
    store = SignalStore(RING, "t1", path=path)
    store.take(authority.say(THE_PRODUCT, KILL))
    store.take(authority.say(Scope("user", "u"), KILL))
    store.keep()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    said = json.loads(path.read_text())
    said["signals"][0]["state"] = NEUTRAL.to_json()
    path.write_text(json.dumps(said))
    again = SignalStore(RING, "t1", path=path)
    assert not again.state_of(Subject()).kill
    assert again.state_of(Subject(user="u")).kill
    assert len(again.trouble) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"v": 2}', b"[" * 100_000])
def test_a_broken_file_is_told_and_stops_nothing(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be read leaves the store empty and not fresh, which the tiers take care of."""
    path = tmp_path / "signals.json"
    path.write_bytes(content)
    store = SignalStore(RING, "t1", path=path)
    assert len(store.trouble) == 1
    assert store.age_s() == float("inf")
    store.take(Authority().say(THE_PRODUCT, KILL))
    store.keep()
    assert SignalStore(RING, "t1", path=path).state_of(Subject()).kill


def test_a_disk_that_refuses_leaves_signals_obeyed(tmp_path: Path) -> None:
    """Where the file cannot be written, the signal is obeyed all the same, and writing is tried again."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    store = SignalStore(RING, "t1", path=blocker / "signals.json")
    store.take(Authority().say(THE_PRODUCT, KILL))
    for _ in range(2):
        with pytest.raises(OSError, match=r"directory|exists"):
            store.keep()
    assert store.state_of(Subject()).kill


@pytest.mark.parametrize("value", [None, [], {}, {"v": 1}, "x", {"heartbeat": {}, "signals": []}])
def test_nonsense_is_an_error_of_ours(value: object) -> None:
    """Whatever comes over the wire, the store raises its own error and changes nothing."""
    store = SignalStore(RING, "t1")
    for take in (store.take, store.beat, store.replace):
        with pytest.raises(FlyballError):
            take(value)
    assert store.position == (0, 0)
