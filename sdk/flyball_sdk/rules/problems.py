"""What can be wrong with rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball_sdk.checks import shown
from flyball_sdk.errors import FlyballError

if TYPE_CHECKING:
    from collections.abc import Sequence


class RuleError(FlyballError):
    """One thing that is wrong with one rule: file, rule, field, what is expected and what was found."""

    def __init__(self, field: str, expected: str, found: object, *, rule: str = "", file: str = "") -> None:
        self._found = found
        self.field, self.expected, self.found, self.rule, self.file = field, expected, shown(found), rule, file
        said = [file, f"rule {rule}" if rule else "", field, f"expected {expected}, found {self.found}"]
        super().__init__(": ".join(part for part in said if part))

    def of(self, rule: str, file: str) -> RuleError:
        """Give the same error with the rule and file named."""
        return RuleError(self.field, self.expected, self._found, rule=rule, file=file)


class RuleSetError(FlyballError):
    """A set of rules is refused as a whole; `problems` lists all that is wrong."""

    def __init__(self, problems: Sequence[RuleError]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, problems)))
