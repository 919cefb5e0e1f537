"""Rules on what tools are called with: YAML with examples that must hold, compiled once, asked for each call.

`RuleBook(path)` is what a guard is given. A rule pack would be a folder of such files, and the facts it needs one more
entry in `conditions.KINDS`.
"""

from __future__ import annotations

from flyball_sdk.rules.book import RuleBook
from flyball_sdk.rules.problems import RuleError, RuleSetError
from flyball_sdk.rules.ruleset import RuleSet

__all__ = ["RuleBook", "RuleError", "RuleSet", "RuleSetError"]
