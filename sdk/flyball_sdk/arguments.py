"""Arguments and results of tools, as digests: equal values have equal digests, and nothing can be read from one.

A value is taken as its structure: objects by class and attributes, so that two equal ones are equal. What has no
structure that can be read (cycles, keys that cannot be ordered) has no digest, and is then equal to nothing.
"""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flyball_sdk.scope import Subject

LARGEST_INPUT: Final = 65_536
"""Bytes of arguments, as JSON, that rules look at; a larger call is one that rules cannot answer for."""


class Call(NamedTuple):
    """One call's digests. `alike`: of tool and arguments, None where the arguments are not known."""

    alike: bytes | None
    action: str
    """SHA-256 (hex) of the JCS-like form of {agent, parameters, subject, tool}; binds approvals and audit entries."""
    size: int
    """Bytes of the arguments as JSON; -1: not known."""


def text_of(value: object) -> str | None:
    """Write a value as canonical text; None: it has no structure that can be read."""
    try:
        return _encode(value)
    except Exception:  # noqa: BLE001 -- also what an object's own code raises: then it has none that can be read
        return None


def call_of(tool: str, tool_input: Mapping[str, object] | None, subject: Subject) -> Call:
    """Digest one call; arguments that are None or unreadable are not known.

    The action of a call with an unreadable argument is bound to all the others, and to that one's class.
    """
    body = None if tool_input is None else text_of(tool_input)
    said = _encode(_readable(tool_input or {})) if body is None else body
    raw = said.encode("utf-8", "surrogatepass")
    action = sha256(b"%b\n%b" % (_who(tool, subject), raw)).hexdigest()
    if body is None:
        return Call(None, action, -1)
    alike = blake2b(b"%b\n%b" % (tool.encode("utf-8", "surrogatepass"), raw), digest_size=16).digest()
    return Call(alike, action, len(raw))


@lru_cache(4096)
def _who(tool: str, subject: Subject) -> bytes:
    said = _encode({"agent": subject.agent, "subject": subject._asdict(), "tool": tool})
    return said.encode("utf-8", "surrogatepass")


def _readable(tool_input: Mapping[str, object]) -> dict[str, str]:
    """Write each argument by itself; one without structure by its class."""
    return {str(name): text_of(value) or f"? {type(value).__qualname__}" for name, value in tool_input.items()}


def digest_of(value: object) -> bytes | None:
    """Digest a result or an error; None: not readable, so it counts as not recorded."""
    body = text_of(value)
    return None if body is None else blake2b(body.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _plain(value: object) -> object:
    """Give the structure of what JSON does not know; raises TypeError where there is none."""
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(map(_encode, value))]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ["bytes", bytes(value).hex()]
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict) and not callable(value):
        return [type(value).__qualname__, attributes]
    text = repr(value)
    if " at 0x" in text:  # functions, generators, locks: an address, which may be given again to another one
        msg = f"{type(value).__qualname__} has no structure"
        raise TypeError(msg)
    return [type(value).__qualname__, text]


def _encoder() -> Callable[[object], str]:
    """Make the function that writes a value; the standard encoder's C part, which it would make anew each time."""
    slow = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return slow.encode
    quick = make(None, _plain, json.encoder.encode_basestring, None, ":", ",", True, False, True)  # noqa: FBT003
    return lambda value: "".join(quick(value, 0))


_encode: Final = _encoder()
