"""Secrets: `${ENV:NAME}` and `${FILE:path}` in a text stand for what the environment or a file says."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from pathlib import Path

Secret = NewType("Secret", str)
"""A text that may only be said by reference."""

_REFERENCE = re.compile(r"\$(\$)?\{([^}]*)\}?")


class SecretError(Exception):
    """A reference names what is not there. It never holds a secret."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found = found
        self.expected = expected


def has_reference(text: str) -> bool:
    """Tell whether there is anything to put in."""
    return "${" in text


def resolve(text: str, folder: Path) -> str:
    """Put in what the references name; `$${` is a plain `${`. Raises SecretError.

    A relative file lies in `folder`; the line end that closes the file is not part of the secret.
    """
    return _REFERENCE.sub(lambda found: _value(found, folder), text)


def _value(found: re.Match[str], folder: Path) -> str:
    if found[1]:
        return found[0][1:]
    kind, _, name = found[2].partition(":")
    if not found[0].endswith("}") or not name or kind not in ("ENV", "FILE"):
        msg = f"the reference {found[0]}"
        raise SecretError(msg, "${ENV:NAME} or ${FILE:path}, or $${ for a plain ${")
    return _environment(name) if kind == "ENV" else _file(folder / name)


def _environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        msg = f"no environment variable {name}"
        raise SecretError(msg, "it to be set")
    return value


def _file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        msg = f"the file {path} unreadable ({reason})"
        raise SecretError(msg, "the secret in it") from error
