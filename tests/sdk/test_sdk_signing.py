"""Signatures: what is signed is verified, what was touched is refused, and keys survive being written down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flyball_sdk.envelope import Envelope, Heartbeat, Snapshot, view_digest
from flyball_sdk.errors import FlyballError, MalformedError, UntrustedError
from flyball_sdk.scope import THE_PRODUCT, Scope
from flyball_sdk.signing import KeyRing, PublicKey, SigningKey, canonical
from flyball_sdk.state import NEUTRAL, State
from hypothesis import given
from hypothesis import strategies as st

KEY = SigningKey.generate("k1")
RING = KeyRing([KEY.public()])
AT = "2026-01-01T00:00:00.000Z"

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=12,
)


def envelope(**changes: Any) -> Envelope:
    """Make a signed envelope."""
    made = Envelope("s", 1, 1, AT, None, Scope("user", "ü"), State(kill=True), "over budget", "spend.user")
    return made._replace(**changes).signed(KEY)


def heartbeat(*signals: Envelope, **changes: Any) -> Heartbeat:
    """Make a signed heartbeat over signals."""
    return Heartbeat("s", 1, 5, AT, None, view_digest(signals))._replace(**changes).signed(KEY)


@given(json_values)
def test_canonical_bytes_read_back_and_do_not_depend_on_order(value: Any) -> None:
    """Canonical JSON is JSON of the same value, and the same bytes whatever the order of the members."""

    def turned(it: Any) -> Any:
        if isinstance(it, dict):
            return {name: turned(it[name]) for name in reversed(it)}
        return [turned(each) for each in it] if isinstance(it, list) else it

    assert json.loads(canonical(value)) == value
    assert canonical(turned(value)) == canonical(value)


def test_canonical_bytes_are_those_of_rfc_8785() -> None:
    """The escapes of RFC 8785, section 3.2.2.2: short ones where JSON has them, lower-case hex, all else as it is."""
    value = {"peach": '\u20ac$\u000f\nA\'B"\\\\"/', "a": [1, True, None], "": "\x7f\b"}
    expected = r'{"":"' + "\x7f" + r'\b","a":[1,true,null],"peach":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
    assert canonical(value).decode() == expected


@pytest.mark.parametrize("value", [1.0, 2**53, float("nan"), "\ud800", {"ü": 1}, {1: 2}, (1,), b"x"], ids=repr)
def test_what_could_be_written_in_two_ways_is_refused(value: Any) -> None:
    """Floats, huge integers, keys beyond ASCII and lone surrogates have no canonical form here."""
    with pytest.raises(MalformedError):
        canonical({"it": value})


def test_deep_nesting_is_refused_before_it_overflows_the_stack() -> None:
    """A value nested 100,000 deep is an error like any other."""
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(MalformedError, match="levels"):
        canonical(value)


def test_keys_survive_being_written() -> None:
    """A key's text gives the same key back; neither repr nor an error shows a secret."""
    again = SigningKey.from_text(KEY.to_text())
    assert again.public() == KEY.public() == PublicKey.from_text(KEY.public().to_text())
    secret = KEY.to_text().rpartition(":")[2]
    assert secret not in repr(KEY)
    with pytest.raises(MalformedError) as raised:
        SigningKey.from_text(KEY.to_text() + "!")
    assert secret[:10] not in str(raised.value)
    assert KeyRing.from_text(f"# pinned\n\n{RING.to_text()}").to_text() == RING.to_text()
    with pytest.raises(MalformedError, match="k1"):
        KeyRing([KEY.public(), SigningKey.generate("k1").public()])


def test_an_envelope_is_read_as_it_was_signed() -> None:
    """Signed, sent as JSON, verified: the same envelope, and so a heartbeat."""
    assert Envelope.verified(json.loads(json.dumps(envelope().to_json())), RING) == envelope()
    assert Heartbeat.verified(json.loads(json.dumps(heartbeat().to_json())), RING) == heartbeat()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("stream", "other"),
        ("epoch", 2),
        ("seq", 2),
        ("issued_at", "2026-01-01T00:00:00.001Z"),
        ("tenant", "t1"),
        ("scope", {"level": "user", "id": "other"}),
        ("state", NEUTRAL.to_json()),
        ("reason", "fine"),
        ("rule", ""),
        ("kid", "k2"),
        pytest.param("sig", envelope(seq=9).sig, id="sig-of another"),
        ("sig", "AAAA"),
        ("sig", "no base64!"),
        ("v", 2),
        ("more", 1),
    ],
)
def test_an_envelope_that_was_touched_is_refused(member: str, value: object) -> None:
    """Whatever member is changed or added, the envelope is refused."""
    with pytest.raises(FlyballError):
        Envelope.verified(envelope().to_json() | {member: value}, RING)


def test_a_key_that_nobody_pinned_is_not_trusted() -> None:
    """An envelope signed by a stranger is refused, also under the kid of a pinned key."""
    made = envelope()
    for kid in ("k1", "k9"):
        with pytest.raises(UntrustedError):
            Envelope.verified(made.signed(SigningKey.generate(kid)).to_json(), RING)


def test_keys_are_rotated_by_overlap() -> None:
    """With two keys pinned, what either signed is taken."""
    new = SigningKey.generate()
    ring = KeyRing([*RING, new.public()])
    for key in (KEY, new):
        assert Envelope.verified(envelope().signed(key).to_json(), ring).kid == key.kid


def test_a_snapshot_that_misses_a_signal_is_refused() -> None:
    """Who takes a kill out of a snapshot, or puts an old one in, is found by the heartbeat's view."""
    kill, other = envelope(), envelope(scope=THE_PRODUCT, seq=2)
    whole = Snapshot(heartbeat(kill, other), (kill, other))
    assert Snapshot.verified(whole.to_json(), RING) == whole
    for signals in ((kill,), (), (kill, other._replace(seq=3).signed(KEY))):
        with pytest.raises(MalformedError, match="view"):
            Snapshot.verified(whole._replace(signals=signals).to_json(), RING)


def test_a_view_is_digested_as_the_contract_says() -> None:
    """SHA-256 of the sorted lines `level:id:epoch:seq`, neutral states left out."""
    import hashlib  # noqa: PLC0415

    signals = [
        envelope(),
        envelope(scope=THE_PRODUCT, epoch=2, seq=7),
        envelope(scope=Scope("user", "b"), state=NEUTRAL),
    ]
    assert view_digest(signals) == hashlib.sha256("product:*:2:7\nuser:ü:1:1\n".encode()).hexdigest()
