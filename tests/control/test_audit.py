"""The audit log: what was altered, deleted, reordered or cut off is found; secrets are masked before writing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from flyball_sdk.signing import KeyRing, SigningKey
from hypothesis import given, settings
from hypothesis import strategies as st

from control.audit import Chain, Entry, Report, sign_checkpoint, verify
from control.masking import MASK, Masker, text

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
