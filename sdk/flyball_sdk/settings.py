"""Settings of the connection to the control plane. Keys come from the environment or from files, never from code."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flyball_sdk.errors import FlyballError
from flyball_sdk.signals import ADOPT
from flyball_sdk.signing import KeyRing

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsError(FlyballError):
    """A setting is missing or wrong; the message names it and never shows a key."""


@dataclass(frozen=True)
class Settings:
    """Where the control plane is, and how to know that it is the one."""

    url: str
    """http or https, host and port: http://127.0.0.1:8088."""
    key: str = field(repr=False)
    """The evaluating key; tenant and agent come from it."""
    signing_keys: KeyRing = field(repr=False)
    """The public keys whose signals are obeyed."""
    tenant: str | None = ADOPT
    state: Path | None = None
    """File in which the last known signals are kept."""
    socket: Path | None = None
    """Unix socket of the control plane, for evaluating; None: over `url`."""
    client: str = ""
    """How this process is called in acknowledgements; empty: host and process id."""
    watchdog_s: float = 5.0
    """A stream without a heartbeat for so long is cut and opened anew."""
    poll_s: float = 2.0
    """While there is no stream, the whole state is asked for this often."""

    def __post_init__(self) -> None:
        """Check what can be."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            msg = f"FLYBALL_URL: expected http(s)://host:port, found {self.url!r}"
            raise SettingsError(msg)
        if not self.key or not self.key.isascii() or any(char.isspace() for char in self.key):
            raise SettingsError("FLYBALL_KEY: expected a key, one word in ASCII")
        if not len(self.signing_keys):
            raise SettingsError("FLYBALL_SIGNING_KEYS: expected at least one public key")

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read FLYBALL_URL, FLYBALL_KEY, FLYBALL_SIGNING_KEYS, and optionally FLYBALL_TENANT, _STATE, _SOCKET, _CLIENT.

        With _FILE behind its name a key is read from a file. Raises SettingsError, or MalformedError for a public key.
        """
        return cls(
            url=_needed(env, "FLYBALL_URL"),
            key=_secret(env, "FLYBALL_KEY").strip(),
            signing_keys=KeyRing.from_text(_secret(env, "FLYBALL_SIGNING_KEYS").replace(",", "\n")),
            tenant=env.get("FLYBALL_TENANT", ADOPT),
            state=_path(env, "FLYBALL_STATE"),
            socket=_path(env, "FLYBALL_SOCKET"),
            client=env.get("FLYBALL_CLIENT", ""),
        )


def _needed(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        msg = f"{name} is not set"
        raise SettingsError(msg)
    return value


def _secret(env: Mapping[str, str], name: str) -> str:
    file = env.get(f"{name}_FILE")
    if not file:
        return _needed(env, name)
    try:
        return Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{name}_FILE: {file} cannot be read: {type(error).__name__}"
        raise SettingsError(msg) from error


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]) if env.get(name) else None
