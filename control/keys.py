"""Keys: who may do what. A key is `fbk_<id>_<secret>`; only the SHA-256 of its secret is kept.

A secret is 32 random bytes, so nobody finds it by trying, and a slow hash (scrypt) would add nothing but time to every
request; that is for passwords, which people choose. Keys lie in one file, replaced at once: a running control plane
sees a change within a second. Two keys that overlap are how one is replaced by another. A file that cannot be read, or
that is gone, takes no key away and brings none: the last good ones hold, and that is told.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import re
import secrets
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson
from flyball_sdk.keeping import write_private

from control.clocks import Clocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE: Final = "keys.json"
EVALUATE: Final = "evaluate"
VIEW, KILL, RESUME, CONFIGURE = "view", "kill", "resume", "configure"
ROLES: Final = (VIEW, KILL, RESUME, CONFIGURE)
_TOKEN: Final = re.compile(r"fbk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_LOOK_EVERY_S: Final = 1.0


class KeysError(ValueError):
    """A key cannot be made or found, or the file of keys cannot be read; the message says why."""


@dataclass(frozen=True)
class Key:
    """One key: an evaluating one has `tenant` and `agent`, an operator's has `person` and `roles`."""

    id: str
    hash: str
    made_at: str
    tenant: str | None = None
    agent: str | None = None
    person: str = ""
    roles: tuple[str, ...] = ()
    expires_ns: int | None = None
    revoked: bool = False

    @property
    def name(self) -> str:
        """Name whose it is, for the audit log."""
        return self.person or f"key:{self.id}"

    @property
    def evaluates(self) -> bool:
        """It is an agent's key."""
        return not self.roles

    def may(self, role: str) -> bool:
        """Tell whether it has a role; every operator may view."""
        return role in self.roles or (role == VIEW and bool(self.roles))

    def told(self) -> dict[str, Any]:
        """Give what may be told of it."""
        return {name: value for name, value in asdict(self).items() if name != "hash"}


class Keys:
    """The keys in a folder. Thread-safe. Making it, and changing a key, raise KeysError where the file is no good."""

    def __init__(self, folder: Path, clocks: Clocks | None = None) -> None:
        self._path = folder / FILE
        self._clocks = clocks or Clocks()
        self._lock = threading.Lock()
        self._stat: tuple[int, int] | None = None
        self._looked_s = 0.0
        self._keys: dict[str, Key] = {}
        self.trouble: str | None = None
        """Why the file could not be read when it was last looked at; None: it could."""
        self._load()

    def check(self, token: str) -> Key | None:
        """Give the key of a token; None: there is none, or it is over."""
        self.look()
        found = _TOKEN.fullmatch(token)
        key = self._keys.get(found[1]) if found else None
        if found is None or key is None or key.revoked:
            return None
        if not hmac.compare_digest(key.hash, _hash(found[2])):
            return None
        if key.expires_ns is not None and self._clocks.wall_ns() >= key.expires_ns:
            return None
        return key

    def look(self) -> None:
        """Read the file again if it has changed, at most once a second; see `trouble`."""
        now = self._clocks.steady_s()
        if now - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now
        try:
            is_there = self._load()
        except KeysError as error:
            self.trouble = str(error)
        else:
            self.trouble = f"{self._path}: found nothing, expected the keys" if self._stat and not is_there else None

    @property
    def version(self) -> object:
        """Equal as long as the keys are."""
        return self._stat

    def known(self) -> list[Key]:
        """List the keys as they were last read."""
        return list(self._keys.values())

    def all(self) -> list[Key]:
        """List the keys."""
        self._load()
        return self.known()

    def operator(self, person: str, roles: tuple[str, ...], expires_ns: int | None = None) -> str:
        """Make an operator's key; gives the token, which is kept nowhere. Raises KeysError."""
        if not person:
            msg = "found no person, expected who holds the key"
            raise KeysError(msg)
        if not roles or not set(roles) <= set(ROLES):
            msg = f"found the roles {', '.join(roles)!r}, expected some of {', '.join(ROLES)}"
            raise KeysError(msg)
        return self._make(person=person, roles=tuple(dict.fromkeys(roles)), expires_ns=expires_ns)

    def agent(self, tenant: str | None, agent: str, expires_ns: int | None = None) -> str:
        """Make an evaluating key; `tenant` None: of a deployment without tenants. Raises KeysError."""
        if not agent:
            msg = "found no agent, expected its name, or * for any agent of the tenant"
            raise KeysError(msg)
        if tenant == "":
            msg = "found an empty name of a tenant, expected its name, or no tenant at all"
            raise KeysError(msg)
        return self._make(tenant=tenant, agent=agent, expires_ns=expires_ns)

    def revoke(self, name: str) -> None:
        """End a key. Raises KeysError."""
        with self._changing():
            if name not in self._keys:
                msg = f"found no key {name}; there are {', '.join(self._keys) or 'none'}"
                raise KeysError(msg)
            self._keys[name] = replace(self._keys[name], revoked=True)

    def _make(self, **said: Any) -> str:
        name, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        with self._changing():
            self._keys[name] = Key(name, _hash(secret), self._clocks.now(), **said)
        return f"fbk_{name}_{secret}"

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._load()
            yield
            write_private(self._path, orjson.dumps([asdict(key) for key in self._keys.values()]))
            self._load()

    def _load(self) -> bool:
        """Read the file if it has changed; False where there is none. Raises KeysError, and nothing is changed then."""
        with self._lock:
            try:
                found = self._path.stat()
                stat = (found.st_mtime_ns, found.st_ino)
                if stat != self._stat:
                    self._keys = {key.id: key for key in _read(self._path.read_bytes())}
                    self._stat = stat
            except FileNotFoundError:
                return False
            except (OSError, LookupError, TypeError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
                msg = f"{self._path}: found what cannot be read as keys ({why}); `flyball control` writes this file"
                raise KeysError(msg) from error
        return True


def _read(value: bytes) -> list[Key]:
    """Read the keys of a file. Raises LookupError, TypeError, ValueError."""
    rows = orjson.loads(value)
    if not isinstance(rows, list):
        msg = "expected a list"
        raise TypeError(msg)
    keys = [Key(**{**row, "roles": tuple(row["roles"])}) for row in rows]
    for key in keys:
        ends = key.expires_ns is None or isinstance(key.expires_ns, int)
        if not (isinstance(key.id, str) and isinstance(key.hash, str) and isinstance(key.revoked, bool) and ends):
            msg = f"expected texts, and a time or null, in the key {key.id}"
            raise TypeError(msg)
    return keys


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
