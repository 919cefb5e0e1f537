"""Regular expressions of rules. All are RE2's, so their time is linear in the text and no text can hang the agent.

Most calls match none of them. So they stand in groups of 32 that are first asked together, as one expression, and what
a group has answered to a text is remembered until the next text.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.rules.problems import RuleError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEMORY: Final = 1 << 20
_GROUP_MEMORY: Final = 8 << 20
_GROUP: Final = 32


class Expression:
    """One regular expression. `group` is set when the whole set of rules is known."""

    __slots__ = ("_search", "group", "pattern")

    def __init__(self, field: str, pattern: str) -> None:
        """Compile it; raises RuleError."""
        self.pattern = pattern
        self.group: Group | None = None
        self._search = compiled(field, pattern, _MEMORY).search

    def found(self, text: str) -> bool:
        """Tell whether it matches anywhere in a text."""
        group = self.group
        if group is not None and group.none_in(text):
            return False
        return self._search(_bytes(text)) is not None


class Group:
    """Expressions that are asked together."""

    __slots__ = ("_last", "_search")

    def __init__(self, expressions: Sequence[Expression]) -> None:
        self._last: tuple[str, bool] = ("", False)
        together = "|".join(f"(?:{each.pattern})" for each in expressions)
        self._search = compiled("", together, _GROUP_MEMORY).search

    def none_in(self, text: str) -> bool:
        """Tell whether none of them matches; another thread may have asked of another text meanwhile."""
        last = self._last
        if last[0] is text:
            return last[1]
        none = self._search(_bytes(text)) is None
        self._last = (text, none)
        return none


def grouped(expressions: Sequence[Expression]) -> None:
    """Put expressions into groups, neighbours together; those that are too large together stay alone."""
    for at in range(0, len(expressions), _GROUP):
        some = expressions[at : at + _GROUP]
        if len(some) == 1:
            continue
        try:
            group = Group(some)
        except RuleError:
            continue
        for each in some:
            each.group = group


def compiled(field: str, pattern: str, memory: int) -> Any:
    """Compile a pattern, for text in UTF-8; raises RuleError, also where RE2 is not installed."""
    re2 = extra("re2", field)
    options = re2.Options()
    options.max_mem, options.log_errors = memory, False
    try:
        return re2.compile(pattern.encode(), options=options)
    except re2.error as error:
        raise RuleError(field, f"a regular expression of RE2 ({error})", pattern) from error


def extra(module: str, field: str) -> Any:
    """Import what comes with the extra `rules`; raises RuleError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RuleError(
            field, f"{module} to be installed: pip install 'flyball-sdk[rules]'", "no such module"
        ) from error


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
