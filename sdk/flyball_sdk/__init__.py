"""The guard in an AI agent's own process: it decides each tool call before the tool runs.

Names are loaded when they are first used, so that importing this package costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers take it; `typing` would load 20 modules
if TYPE_CHECKING:
    from flyball_sdk.adapters.plain import StoppedError, guarded, tool
    from flyball_sdk.connecting import connect
    from flyball_sdk.context import carried, running
    from flyball_sdk.decision import Decision
    from flyball_sdk.guard import Guard
    from flyball_sdk.limits import Limits, Repeats
    from flyball_sdk.policy import Policy
    from flyball_sdk.rules import RuleBook
    from flyball_sdk.scope import Scope, Subject
    from flyball_sdk.settings import Settings
    from flyball_sdk.tiers import Ladder, Tiers

_WHERE = {
    "Decision": "decision",
    "Guard": "guard",
    "Ladder": "tiers",
    "Limits": "limits",
    "Policy": "policy",
    "Repeats": "limits",
    "Scope": "scope",
    "Settings": "settings",
    "StoppedError": "adapters.plain",
    "Subject": "scope",
    "Tiers": "tiers",
    "carried": "context",
    "connect": "connecting",
    "RuleBook": "rules",
    "guarded": "adapters.plain",
    "running": "context",
    "tool": "adapters.plain",
}
__all__ = [
    "Decision",
    "Guard",
    "Ladder",
    "Limits",
    "Policy",
    "Repeats",
    "RuleBook",
    "Scope",
    "Settings",
    "StoppedError",
    "Subject",
    "Tiers",
    "carried",
    "connect",
    "guarded",
    "running",
    "tool",
]


def __getattr__(name: str) -> object:
    """Load a name at its first use."""
    if name not in _WHERE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # noqa: PLC0415 -- lazily, as all here

    found: object = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found
