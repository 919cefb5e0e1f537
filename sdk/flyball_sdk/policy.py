"""Policy: how a guard decides. Frozen; another policy is another guard."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from flyball_sdk.limits import ENFORCE, MODES, Limits
from flyball_sdk.scope import NOBODY, Subject
from flyball_sdk.tiers import Ladder, Tiers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Policy:
    """How a guard decides. Everything has a default that stops loops and holds caps."""

    limits: Limits = field(default_factory=Limits)
    tiers: Tiers = field(default_factory=Tiers)
    ladder: Ladder = field(default_factory=Ladder)
    tools: Mapping[str, Sequence[str]] | None = None
    """The only tools of an agent, by its name, as globs; under "*" those of all agents that are not named."""
    env: str | None = None
    """Where the program runs (prod, test), for rules that say so; None: not known, then those of any hold."""
    mode: str = ENFORCE
    """audit: everything is judged and told, and nothing is stopped but by a kill signal."""
    tell_allowed: bool = True
    """Whether each tool call that was simply allowed becomes a span too, inside one that is recorded: by these it is
    known which calls no guard was asked about (the SLI `guard_coverage`)."""
    subject: Subject = NOBODY
    """Whose calls these are as far as neither the call nor `running` says it: the agent's name, the tenant."""

    def __post_init__(self) -> None:
        """Check the mode."""
        if self.mode not in MODES:
            msg = f"policy: expected the mode audit or enforce, found {self.mode!r}"
            raise ValueError(msg)

    def may_use(self, agent: str | None, tool: str) -> bool:
        """Tell whether a tool is one of an agent's."""
        if self.tools is None:
            return True
        allowed = self.tools.get(agent or "", self.tools.get("*"))
        return allowed is None or any(fnmatchcase(tool, glob) for glob in allowed)
