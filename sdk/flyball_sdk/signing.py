"""Ed25519 signatures over canonical JSON (JCS, RFC 8785, for the values that occur here), and keys as text.

A secret key is written `ed25519-secret:<kid>:<base64 of 32 bytes>`, a public one `ed25519:<kid>:<base64 of 32 bytes>`.
`cryptography` is imported when the first key is made, not before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import TYPE_CHECKING, Final

from flyball_sdk.checks import LARGEST_INT, shown, wrong
from flyball_sdk.errors import MalformedError, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_SECRET: Final = "ed25519-secret"  # noqa: S105 -- the word before a key, no key
_PUBLIC: Final = "ed25519"
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_KID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DEEPEST: Final = 16
"""Levels of nesting; the contract's objects have 3."""


def canonical(value: object) -> bytes:
    """Give the one byte form of a JSON value: sorted keys, no spaces, UTF-8.

    Raises MalformedError for what the contract does not use, so that no two programs can write it differently: floats,
    integers beyond 2^53 - 1, keys that are not ASCII, lone surrogates, deep nesting.
    """
    _check(value, 0)
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        msg = f"canonical JSON: expected Unicode text, found a lone surrogate at character {error.start}"
        raise MalformedError(msg) from error


class PublicKey:
    """Checks signatures. Two are equal if id and key are."""

    def __init__(self, kid: str, raw: bytes) -> None:
        self.kid = _kid(kid)
        self.raw = raw
        self._key = _public(raw)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise UntrustedError unless this key made the signature of the message."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 -- lazily

        try:
            self._key.verify(signature, message)
        except InvalidSignature as error:
            msg = f"the signature was not made by key {self.kid} over this message"
            raise UntrustedError(msg) from error

    def to_text(self) -> str:
        """Write the key as text."""
        return f"{_PUBLIC}:{self.kid}:{base64.b64encode(self.raw).decode()}"

    @classmethod
    def from_text(cls, text: str) -> PublicKey:
        """Read a key written by `to_text`; raises MalformedError."""
        return cls(*_split(text, _PUBLIC))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and (self.kid, self.raw) == (other.kid, other.raw)

    def __hash__(self) -> int:
        return hash((self.kid, self.raw))

    def __repr__(self) -> str:
        return f"PublicKey({self.to_text()!r})"


class SigningKey:
    """Makes signatures. Never shows its secret but by `to_text`."""

    def __init__(self, kid: str, secret: bytes) -> None:
        self.kid = _kid(kid)
        self._secret = secret
        self._key = _private(secret)

    @classmethod
    def generate(cls, kid: str | None = None) -> SigningKey:
        """Make a new key; without a kid it is called by the first 16 hex digits of its public key's SHA-256."""
        import secrets  # noqa: PLC0415 -- lazily

        secret = secrets.token_bytes(_KEY_BYTES)
        return cls(kid or hashlib.sha256(_private(secret).public_key().public_bytes_raw()).hexdigest()[:16], secret)

    def sign(self, message: bytes) -> bytes:
        """Sign: 64 bytes, the same for the same message."""
        return self._key.sign(message)

    def public(self) -> PublicKey:
        """Give the key that checks what this one signs."""
        return PublicKey(self.kid, self._key.public_key().public_bytes_raw())

    def to_text(self) -> str:
        """Write the secret as text, to be kept where nobody else reads it."""
        return f"{_SECRET}:{self.kid}:{base64.b64encode(self._secret).decode()}"

    @classmethod
    def from_text(cls, text: str) -> SigningKey:
        """Read a key written by `to_text`; raises MalformedError, which never shows the key."""
        return cls(*_split(text, _SECRET))

    def __repr__(self) -> str:
        return f"SigningKey({self.kid!r})"


class KeyRing:
    """The public keys that somebody pinned, by kid. Overlap of two keys is how they are rotated."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys: dict[str, PublicKey] = {}
        for key in keys:
            if self._keys.setdefault(key.kid, key) != key:
                raise wrong("keys", "each kid once", key.kid)

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Read public keys, one a line; empty lines and those that begin with # are left out."""
        lines = (line.strip() for line in text.splitlines())
        return cls(PublicKey.from_text(line) for line in lines if line and not line.startswith("#"))

    def to_text(self) -> str:
        """Write all keys, one a line."""
        return "".join(f"{key.to_text()}\n" for key in self._keys.values())

    def verify(self, kid: str, message: bytes, signature: bytes) -> None:
        """Raise UntrustedError unless the pinned key `kid` made the signature."""
        key = self._keys.get(kid)
        if key is None:
            msg = f"key {shown(kid)} is not pinned; pinned are {', '.join(sorted(self._keys)) or 'none'}"
            raise UntrustedError(msg)
        key.verify(message, signature)

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)


def sign_object(said: Mapping[str, object], key: SigningKey) -> dict[str, object]:
    """Give the object with `kid` and `sig` set."""
    unsigned = {**said, "kid": key.kid}
    unsigned.pop("sig", None)
    return {**unsigned, "sig": base64.b64encode(key.sign(canonical(unsigned))).decode()}


def verify_object(said: Mapping[str, object], keys: KeyRing) -> None:
    """Check `sig` by the pinned key `kid` over all other members; raises UntrustedError or MalformedError."""
    kid, sig = said.get("kid"), said.get("sig")
    if not isinstance(kid, str) or not isinstance(sig, str):
        raise wrong("signed object", "the texts kid and sig", {"kid": kid, "sig": sig})
    keys.verify(kid, canonical({name: value for name, value in said.items() if name != "sig"}), _signature(sig))


def _check(value: object, depth: int) -> None:
    if depth > _DEEPEST:
        raise wrong("canonical JSON", f"at most {_DEEPEST} levels", "more")
    if value is None or type(value) in (bool, str):
        return
    if type(value) is int:
        if abs(value) > LARGEST_INT:
            raise wrong("canonical JSON", "an integer within ±(2^53 - 1)", value)
    elif type(value) is list:
        for item in value:
            _check(item, depth + 1)
    elif type(value) is dict:
        for name, item in value.items():
            if type(name) is not str or not name.isascii():
                raise wrong("canonical JSON", "a key in ASCII", name)
            _check(item, depth + 1)
    else:
        raise wrong("canonical JSON", "text, integer, true, false, null, list or object", value)


def _kid(kid: str) -> str:
    if not _KID.fullmatch(kid):
        raise wrong("kid", "1 to 64 of A-Z a-z 0-9 . _ -", kid)
    return kid


def _split(text: str, word: str) -> tuple[str, bytes]:
    """Take a key's text apart; what is wrong is told without the text, which may be a secret."""
    parts = text.strip().split(":")
    if len(parts) != 3 or parts[0] != word:  # noqa: PLR2004 -- word, kid, key
        msg = f"key: expected {word}:<kid>:<base64>, found something else"
        raise MalformedError(msg)
    try:
        raw = base64.b64decode(parts[2], validate=True)
    except binascii.Error as error:
        raise MalformedError("key: expected base64 after the kid, found something else") from error
    if len(raw) != _KEY_BYTES:
        msg = f"key: expected {_KEY_BYTES} bytes, found {len(raw)}"
        raise MalformedError(msg)
    return parts[1], raw


def _signature(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise wrong("sig", "base64", text) from error
    if len(raw) != _SIGNATURE_BYTES:
        raise wrong("sig", f"{_SIGNATURE_BYTES} bytes", len(raw))
    return raw


def _private(raw: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 -- lazily

    return Ed25519PrivateKey.from_private_bytes(raw)


def _public(raw: bytes) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 -- lazily

    return Ed25519PublicKey.from_public_bytes(raw)
