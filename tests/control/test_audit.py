"""The audit log: what was altered, deleted, reordered or cut off is found; secrets are masked before writing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from flyball_sdk.errors import MalformedError
from flyball_sdk.scope import Scope
from flyball_sdk.signing import KeyRing, SigningKey, sign_object
from hypothesis import given, settings
from hypothesis import strategies as st

from control.audit import MOST_UNSIGNED, Chain, Entry, Report, sign_checkpoint, verify
from control.clocks import stamp
from control.exported import read
from control.masking import MASK, Masker, text
from control.plane import Plane, PlaneSettings
from control.store import FILE, Store

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400
KEY = SigningKey.generate("k1")
KEYS = KeyRing([KEY.public()])


def log(count: int, signed_at: int) -> tuple[list[Entry], list[bytes]]:
    """Make a log with one checkpoint."""
    chain = Chain()
    for number in range(count):
        chain.add("2026-01-01T00:00:00.000Z", "command", "ann", {"number": number})
        if chain.n == signed_at:
            chain.check("2026-01-01T00:00:00.000Z", 0, KEY, force=True)
    return chain.entries, [each.signed for each in chain.checkpoints]


def check(entries: list[Entry], checkpoints: list[bytes]) -> Report:
    """Verify by the key."""
    return verify(entries, checkpoints, KEYS)


def test_a_log_that_nobody_touched_verifies() -> None:
    """It has no problems, and says how much is not signed yet."""
    assert check(*log(10, 7)) == Report(10, 1, 3, [])
    assert check([], []) == Report(0, 0, 0, [])


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 12), st.data())
def test_every_single_change_is_found(count: int, data: st.DataObject) -> None:
    """Alter, delete, swap, or cut off before the checkpoint, anywhere, also with hashes worked out anew."""
    signed_at = data.draw(st.integers(1, count))
    entries, checkpoints = log(count, signed_at)
    at = data.draw(st.integers(0, signed_at - 1))
    how = data.draw(st.sampled_from(["alter", "delete", "swap", "cut", "rehash"]))
    changed = list(entries)
    if how in ("alter", "rehash"):
        body = entries[at].body.replace(b"ann", b"eve")
        changed[at] = entries[at]._replace(body=body)
    elif how == "delete":
        del changed[at]
    elif how == "swap":
        other = data.draw(st.integers(0, count - 1).filter(lambda number: number != at))
        changed[at], changed[other] = changed[other], changed[at]
    else:
        del changed[at:]
    if how == "rehash":
        again = Chain()
        for each in changed:
            said = orjson.loads(each.body)
            again.add(said["at"], said["kind"], said["actor"], said["what"])
        changed = again.entries
    assert check(changed, checkpoints).problems != []


def test_a_checkpoint_by_another_key_does_not_hold() -> None:
    """Who has not the key cannot sign another chain."""
    entries, _ = log(3, 3)
    forged = sign_checkpoint(3, entries[-1].hash, "2026-01-01T00:00:00.000Z", SigningKey.generate("k1"))
    assert "does not hold" in check(entries, [forged]).problems[0]


def test_a_log_that_was_replaced_is_found_by_an_export() -> None:
    """A whole other log, signed with the real key, is not the one that was exported."""
    _, exported = log(5, 5)
    chain = Chain()
    for _ in range(6):
        chain.add("2026-01-01T00:00:00.000Z", "command", "ann", {"other": True})
    chain.check("2026-01-01T00:00:00.000Z", 0, KEY, force=True)
    signed = [each.signed for each in chain.checkpoints]
    assert verify(chain.entries, signed, KEYS).problems == []
    assert verify(chain.entries, signed, KEYS, exported).problems == ["the checkpoint of entry 5 signs another chain"]


def test_a_tail_that_was_replaced_is_found_by_an_export() -> None:
    """What no checkpoint has signed yet was exported all the same: altered, rewritten or cut off, it is another log."""
    entries, checkpoints = log(6, 4)
    lines = [b'{"entry":%b,"hash":"%b"}' % (each.body, each.hash.hex().encode()) for each in entries]
    exported = read(lines).hashes
    forged, _ = log(5, 0)
    chain = Chain(5, forged[4].hash)
    chain.add("2026-01-01T00:00:00.000Z", "command", "mallory", {})
    assert verify(entries, checkpoints, KEYS, [], exported).problems == []
    assert verify([*entries[:5], *chain.entries], checkpoints, KEYS).problems == []
    assert verify([*entries[:5], *chain.entries], checkpoints, KEYS, [], exported).problems == [
        "entry 6 was exported as another one: it was altered, or one before it"
    ]
    assert verify(entries[:5], checkpoints, KEYS, [], exported).problems == [
        "entry 6 was exported and is not there: the end was cut off"
    ]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b""],
        [b"{"],
        [b"5"],
        [b"[]"],
        [b"\xff"],
        [b'{"entry":{}}'],
        [b'{"checkpoint":5}'],
        [b'{"entry":5,"hash":1}'],
    ],
)
def test_what_is_no_export_proves_nothing(lines: list[bytes]) -> None:
    """An empty file, or another one, is no word on the log."""
    with pytest.raises(MalformedError):
        read(lines)


@pytest.mark.parametrize("said", [[], None, 5, {}, {"v": 1, "view": "x"}, {"n": 0, "hash": "x"}, {"n": 1, "hash": 5}])
def test_what_is_no_checkpoint_is_a_problem(said: Any) -> None:
    """The key signs heartbeats and signals too; whatever stands in the place of a checkpoint is told, not raised."""
    signed = orjson.dumps(sign_object(said, KEY) if isinstance(said, dict) else said)
    report = check(log(3, 0)[0], [signed])
    assert [each.split(":")[0] for each in report.problems] == ["a checkpoint does not hold"]
    assert report.unsigned == 3


@pytest.mark.parametrize("change", ["UPDATE audit SET body = ? WHERE n = 2", "UPDATE audit SET hash = ? WHERE n = 2"])
@pytest.mark.parametrize("value", ["text", 5, 1.5, b""])
def test_a_value_of_another_kind_in_the_file_is_an_altered_entry(tmp_path: Path, change: str, value: object) -> None:
    """SQLite takes a text or a number where bytes belong; the report names the entry, and only it."""
    plane = Plane(PlaneSettings(folder=tmp_path), say=lambda _: None)
    plane.stop()
    with closing(sqlite3.connect(tmp_path / FILE)) as file:
        file.execute(change, (value,))
        file.commit()
    with closing(Store(tmp_path / FILE)) as store:
        keys = KeyRing([plane.signing.public()])
        assert [each[:22] for each in verify(store.entries(), store.checkpoints(), keys).problems] in (
            ["entry 2 was altered, o"],
            ["expected entry 2, foun"],
        )


def test_checkpoints_come_by_number_and_by_time() -> None:
    """After 1,000 entries, or 60 s after the last; never of nothing new."""
    chain = Chain()
    chain.check("t", 0, KEY)
    for _ in range(999):
        chain.add("t", "k", "a", {})
    chain.check("t", 1, KEY)
    assert chain.checkpoints == []
    chain.add("t", "k", "a", {})
    chain.check("t", 2, KEY)
    chain.add("t", "k", "a", {})
    chain.check("t", 61, KEY)
    assert [each.n for each in chain.checkpoints] == [1_000]
    chain.check("t", 62, KEY)
    assert [each.n for each in chain.checkpoints] == [1_000, 1_001]


def test_no_more_than_the_interval_waits_for_a_signature() -> None:
    """However many entries come between two looks, each thousandth is signed as it comes."""
    chain = Chain()
    chain.check("t", 0, KEY)
    for _ in range(2_500):
        chain.add("2026-01-01T00:00:00.000Z", "k", "a", {})
    assert [each.n for each in chain.checkpoints] == [1_000, 2_000]
    assert check(chain.entries, [each.signed for each in chain.checkpoints]) == Report(2_500, 2, 500, [])


def unsigned(*said: tuple[str, int]) -> list[str]:
    """Verify a log of (kind, seconds) after a checkpoint, and give the problems."""
    chain = Chain()
    chain.add("2026-01-01T00:00:00.000Z", "start", "authority", {})
    chain.check("2026-01-01T00:00:00.000Z", 0, KEY, force=True)
    for kind, at_s in said:
        chain.add(stamp((DAY_S + at_s) * 10**9), kind, "ann", {})
    return check(chain.entries, [each.signed for each in chain.checkpoints[:1]]).problems


def test_a_log_that_lost_its_checkpoints_is_found() -> None:
    """Who rewrites the log without the key must delete checkpoints: more is unsigned then than a crash leaves."""
    entries, _ = log(MOST_UNSIGNED, 0)
    assert check(entries, []).problems == []
    entries, _ = log(MOST_UNSIGNED + 1, 0)
    assert check(entries, []).problems == [
        "2001 entries after the last checkpoint, more than 2000 never wait for one: checkpoints were deleted"
    ]
    assert unsigned(*(("command", at_s) for at_s in range(0, 122, 10))) == []
    assert unsigned(*(("command", at_s) for at_s in range(0, 132, 10))) == [
        "130 s in one life after the last checkpoint, more than 120 s never pass without one: checkpoints were deleted"
    ]


def test_what_crashes_leave_unsigned_is_no_problem() -> None:
    """A minute before it was killed, days of being down, and lives too short to sign anything."""
    assert unsigned(("command", 0), ("command", 60)) == []
    crashes = [("start", number * DAY_S) for number in range(1, 50)]
    assert unsigned(("command", 0), ("command", 60), *crashes, ("command", 49 * DAY_S + 60)) == []


def test_an_entry_without_a_time_is_told() -> None:
    """No time can be measured by it."""
    chain = Chain()
    chain.add("soon", "command", "ann", {})
    assert check(chain.entries, []).problems == ["entry 1 has no time"]


def test_a_log_of_which_all_checkpoints_were_deleted_is_found(tmp_path: Path) -> None:
    """Two and a half thousand entries of a real control plane, rewritten with hashes that fit, without the key."""
    plane = Plane(PlaneSettings(folder=tmp_path), say=lambda _: None)
    for number in range(2_500):
        plane.authority.note("decision", "key:x", {"number": number})
    plane.authority.kill(Scope("user", "victim"), None, "mallory", "")
    plane.tick()
    keys = KeyRing([plane.signing.public()])
    assert verify(plane.store.entries(), plane.store.checkpoints(), keys).problems == []
    kept = [orjson.loads(each.body) for each in plane.store.entries() if b"mallory" not in each.body]
    plane.stop()
    forged = Chain()
    for said in kept:
        forged.add(said["at"], said["kind"], said["actor"], said["what"])
    assert len(verify(forged.entries, [], keys).problems) == 1


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop",
        "ghp_0123456789abcdefghij",
        "AKIAIOSFODNN7EXAMPLE",
        "Bearer abcdefghijklmnop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh",
        "postgres://user:hunter2@db",
        "password=hunter2",
        '"api_key": "hunter2"',
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2",
        "0123456789abcdef0123456789abcdef0123456789abcdef",
        "fbk_0123456789ab_abcdefghijklmnopqrstuvwxyz",
    ],
)
def test_secrets_are_masked(secret: str) -> None:
    """What looks like a secret is not written."""
    said = text(f"see {secret} there")
    assert MASK in said
    assert "hunter2" not in said
    assert secret not in said


def test_arguments_are_digests_of_each_tenant_and_named_fields() -> None:
    """The same arguments have another digest for another tenant; only named fields are words, masked."""
    masker = Masker(b"k" * 32, ("amount", "note"))
    said: dict[str, Any] = {"amount": 5, "note": "token: abc", "iban": "DE02"}
    one, other = masker.arguments("t1", said), masker.arguments("t2", said)
    assert one["digest"] != other["digest"]
    assert one == masker.arguments("t1", dict(reversed(said.items())))
    assert one["fields"] == {"amount": 5, "note": MASK}
    assert "DE02" not in repr(one)
    assert masker.arguments("t1", None)["digest"] is None
