"""What may be written of arguments and texts: digests, allow-listed fields, and texts with their secrets masked.

Digests are HMAC-SHA256 by a key of each tenant, so that nobody who reads the log can guess short arguments by trying.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from flyball_sdk.arguments import text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MASK: Final = "[masked]"
_LONGEST: Final = 300
_SECRETS: Final = re.compile(
    r"""-----BEGIN[^-]{1,40}PRIVATE\ KEY-----[\s\S]*        # PEM
    |\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?                 # JWT
    |\b(?:sk|pk|rk|fbk|ghp|gho|ghs|github_pat|glpat|xox[abprs])[-_][\w-]{8,}
    |\bAKIA[0-9A-Z]{12,}
    |\bAIza[\w-]{20,}
    |(?i:\bbearer\s+)[\w.~+/=-]{8,}
    |(?i:\b(?:password|passwd|secret|token|api[_-]?key)\b["']?\s*[:=]\s*)["']?[^\s"',;]+
    |://[^/\s:@]+:[^/\s:@]+@                                # user:password in an address
    |\b[\w+/-]{40,}={0,2}                                   # long and without a space: a key, or as good as one
    """,
    re.VERBOSE,
)


def text(said: str) -> str:
    """Give a text without what looks like a secret, cut."""
    return _SECRETS.sub(MASK, said[: 4 * _LONGEST])[:_LONGEST]


def shown(said: object) -> object:
    """Give a record's part with its texts masked, whatever is inside what."""
    if isinstance(said, str):
        return text(said)
    if isinstance(said, dict):
        return {str(name): shown(value) for name, value in said.items()}
    return [shown(each) for each in said] if isinstance(said, list) else said


class Masker:
    """Makes what the audit log may hold of a call's arguments."""

    def __init__(self, secret: bytes, fields: Collection[str] = ()) -> None:
        self._secret = secret
        self._fields = frozenset(fields)

    def arguments(self, tenant: str | None, said: Mapping[str, object] | None) -> dict[str, object]:
        """Give the digest, and the fields that may be read, as texts with their secrets masked."""
        if said is None:
            return {"digest": None, "fields": {}}
        key = hmac.digest(self._secret, (tenant or "").encode(), hashlib.sha256)
        body = (text_of(said) or "").encode("utf-8", "surrogatepass")
        readable = {name: _readable(value) for name, value in said.items() if name in self._fields}
        return {"digest": hmac.digest(key, body, hashlib.sha256).hex(), "fields": readable}


def _readable(value: object) -> object:
    if value is None or isinstance(value, (bool, int)):
        return value if value is None or abs(value) < 2**53 else MASK
    return text(str(value))
