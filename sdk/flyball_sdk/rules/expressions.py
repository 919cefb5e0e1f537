"""Regular expressions of rules. All are RE2's: their time is linear in the text, so no text can hang the agent."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.rules.problems import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MEMORY: Final = 1 << 20
_GROUP_MEMORY: Final = 8 << 20
_GROUP: Final = 32
"""Expressions that are looked for as one. More would need more memory than RE2 is given to stay quick."""


def searching(field: str, pattern: str, memory: int = _MEMORY) -> Callable[[str], bool]:
    """Compile to a test of a text; raises RuleError, also where RE2 is not installed."""
    re2 = extra("re2", field)
    options = re2.Options()
    options.max_mem, options.log_errors = memory, False
    try:
        search = re2.compile(pattern.encode(), options=options).search
    except re2.error as error:
        raise RuleError(field, f"a regular expression of RE2 ({error})", pattern) from error
    return lambda text: search(text.encode("utf-8", "replace")) is not None


def groups_of(patterns: Sequence[str]) -> list[Callable[[str], bool]] | None:
    """Compile patterns to few tests, one of which is true if any is found; None: they are too large for that."""
    cuts = (patterns[at : at + _GROUP] for at in range(0, len(patterns), _GROUP))
    try:
        return [searching("", "|".join(f"(?:{each})" for each in cut), _GROUP_MEMORY) for cut in cuts]
    except RuleError:
        return None


def extra(module: str, field: str) -> Any:
    """Import what comes with the extra `rules`; raises RuleError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RuleError(
            field, f"{module} to be installed: pip install 'flyball-sdk[rules]'", "no such module"
        ) from error
