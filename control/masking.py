"""What may be written of arguments and texts: digests, allow-listed fields, and texts with their secrets masked.

Digests are HMAC-SHA256 by a key of each tenant, so that nobody who reads the log can guess short arguments by trying.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.arguments import text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

MASK: Final = "[masked]"
_LONGEST: Final = 300
# What a secret is named by: these words, or a longer name that ends in one, as DB_PASSWORD or clientSecret.
_NAMED: Final = (
    r"(?:password|passwd|passphrase|secret|token|(?<=[_;-])pwd"
    r"|(?:api|access|secret|private|signing|encryption|account|auth|shared)[_-]?key)\d*"
)
# Quotes may be escaped, where the text is JSON inside of JSON.
_VALUE: Final = r"""(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\\*["']?[^\s"',;]+)"""
_MARKED: Final = rf"""-----BEGIN[^-]{{1,40}}PRIVATE\ KEY-----[\s\S]*      # PEM
    |\beyJ[\w-]{{8,}}\.[\w-]{{8,}}(?:\.[\w-]*)?                 # JWT
    |\b(?:sk|pk|rk|fbk|ghp|gho|ghs|github_pat|glpat|xox[abprs])[-_][\w-]{{8,}}
    |\bAKIA[0-9A-Z]{{12,}}
    |\bAIza[\w-]{{20,}}
    |(?i:\b(?:proxy-)?authorization\\*["']?\s*[:=]\s*\\*["']?(?:(?:basic|bearer|digest|token|apikey|negotiate)\s+)?)
        [^\s"',;]+
    |(?i:\bbearer\s+)[\w.~+/=-]{{8,}}
    |(?i:\bbasic\s+)[\w+/-]{{8,}}={{1,2}}                       # without its padding it may be a word
    |(?i:{_NAMED}\\*["']?\s*[:=]{{1,2}}>?\s*){_VALUE}
    |://[^/\s:@]*:[^/\s]+@                                   # user:password in an address
    """
_IN_NAMES: Final = re.compile(_MARKED, re.VERBOSE)
_LONG: Final = 40
_IN_TEXTS: Final = re.compile(
    rf"{_MARKED}|\b[\w+/-]{{{_LONG},}}={{0,2}}  # long and without a space: a key, or as good as one", re.VERBOSE
)
_NAMING: Final = frozenset(
    ("id", "workflow", "agent", "tenant", "user", "version", "tool", "sequence", "value", "from", "to")
)
"""Members of records that hold names: of a scope, a tool, a slice, a side of a contrast."""
_NAME: Final = re.compile(rf"(?i:{_NAMED})$")


def text(said: str, names: Collection[str] = ()) -> str:
    """Give a text without what looks like a secret, cut. What is long stays where it is in one of `names`."""

    def hidden(found: re.Match[str]) -> str:
        is_named = any(found[0] in each for each in names) and is_name(found[0])
        return found[0] if is_named else MASK

    return _IN_TEXTS.sub(hidden, said[: 4 * _LONGEST])[:_LONGEST]


def name(said: str) -> str:
    """Give the name of a tool or of a user the same way; a long one is no secret by that alone."""
    return _IN_NAMES.sub(MASK, said[: 4 * _LONGEST])[:_LONGEST]


def reason(said: str, about: object) -> str:
    """Give a reason to be written, as `text` does; names of what it is about stay in it."""
    return text(said, frozenset(_names(about)))


def is_name(said: str) -> bool:
    """Tell whether a name is not a secret, for all that it may be long: a digest of a user, a commit as version."""
    return not _IN_NAMES.search(said)


def shown(said: Any) -> Any:
    """Give a record's part with its texts masked, whatever is inside what; names that it has stay in them."""
    return _shown(said, frozenset(_names(said)))


def _shown(said: object, names: Collection[str]) -> object:
    if isinstance(said, str):
        return text(said, names)
    if isinstance(said, dict):
        return {str(key): _named(str(key), value, names) for key, value in said.items()}
    return [_shown(each, names) for each in said] if isinstance(said, list) else said


def _named(key: str, value: object, names: Collection[str]) -> object:
    return MASK if isinstance(value, str) and value and _NAME.search(key) else _shown(value, names)


def _names(said: object, key: str = "") -> Iterator[str]:
    """Yield the names that a record has and that are long enough to be taken for a key."""
    if isinstance(said, str):
        if key in _NAMING and len(said) >= _LONG:
            yield said
    elif isinstance(said, dict):
        for member, value in said.items():
            yield from _names(value, str(member))
    elif isinstance(said, list):
        for each in said:
            yield from _names(each, key)


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
