"""RunawayPolicy: which rules hold for which workflow, from which counts on, and whether they are obeyed."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.runaways import RULES
from models.runaways.base import Ladder, Mode, Rule, cap
from models.runaways.sifting import suspected
from models.spend.paces import PACE_RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.runaways.base import PaceRule
    from models.verdicts import Action


@dataclass(frozen=True)
class RuleSetting:
    """What a policy says of one rule; None: as it is without it. `limit` is short for a warning at 75 % and a kill."""

    mode: Mode | None = None
    limit: float | None = None
    warn: float | None = None
    throttle: float | None = None
    bound: float | None = None
    block: float | None = None
    kill: float | None = None

    def ladder(self, base: Ladder) -> Ladder:
        """Give the ladder; a count of 0 takes a step away."""
        start = cap(self.limit) if self.limit is not None else base
        said = {each.name: getattr(self, each.name) for each in fields(Ladder)}
        steps = {name: getattr(start, name) if value is None else value or None for name, value in said.items()}
        return Ladder(**steps)


@dataclass(frozen=True)
class RunawayPolicy:
    """`rules` by rule id; `workflows` gives the same for one workflow, which comes first; `tools` are its known tools.

    Raises ValueError for a rule that is not known.
    """

    rules: Mapping[str, RuleSetting] = field(default_factory=dict)
    workflows: Mapping[str, Mapping[str, RuleSetting]] = field(default_factory=dict)
    tools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: tuple[Rule | PaceRule, ...] = (*RULES, *PACE_RULES)
    _steps: dict[tuple[str, str | None], tuple[Mode, list[tuple[float, Action]]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What `steps_of` has found."""

    def __post_init__(self) -> None:
        """Refuse rules that are not there."""
        ids = {rule.id for rule in self.known}
        for said in (self.rules, *self.workflows.values()):
            for name in said:
                if name not in ids:
                    msg = f"runaway policy: found rule {name!r}, expected one of {', '.join(sorted(ids))}"
                    raise ValueError(msg)

    def setting(self, rule: Rule | PaceRule, workflow: str | None) -> tuple[Mode, Ladder]:
        """Give the mode and ladder of a rule for a workflow."""
        mode, ladder = rule.mode, rule.ladder
        for said in (self.rules.get(rule.id), self.workflows.get(workflow or "", {}).get(rule.id)):
            if said is not None:
                mode, ladder = said.mode or mode, said.ladder(ladder)
        return mode, ladder

    def steps_of(self, rule: Rule | PaceRule, workflow: str | None) -> tuple[Mode, list[tuple[float, Action]]]:
        """Give the mode and the steps of a rule for a workflow; none where it is off."""
        key = rule.id, workflow if workflow in self.workflows else None  # the others are all alike
        found = self._steps.get(key)
        if found is None:
            mode, ladder = self.setting(rule, workflow)
            found = self._steps[key] = mode, [] if mode == "off" else ladder.steps()
        return found


class Firsts:
    """From where on the rules look, in columns."""

    def __init__(self, policy: RunawayPolicy) -> None:
        self.rules = [rule for rule in policy.known if isinstance(rule, Rule) and _is_on(policy, rule)]
        workflows = sorted(policy.workflows, key=digest_of)
        firsts = [[_first(policy, rule, workflow) for rule in self.rules] for workflow in (None, *workflows)]
        self._columns = np.array([rule.suspects.columns() for rule in self.rules], np.int64).reshape(-1, 3)
        self._firsts = np.array(firsts, np.float64)
        self._workflows = np.array([digest_of(workflow) for workflow in workflows], np.int64)

    def suspects(self, live: NDArray[np.int64]) -> list[tuple[int, Rule]]:
        """Give the rows of pulses with `Seen` in which a rule may have come to its first step, ascending."""
        found: list[list[int]] = suspected(live, self._columns, self._firsts, self._workflows).tolist()
        return [(row, self.rules[rule]) for row, rule in found]


def _first(policy: RunawayPolicy, rule: Rule, workflow: str | None) -> float:
    """Give the first bound, in units of pulses; infinite where the rule is off."""
    _, steps = policy.steps_of(rule, workflow)
    return rule.suspects.at(steps[0][0] * rule.unit) if steps else float("inf")


def _is_on(policy: RunawayPolicy, rule: Rule) -> bool:
    return any(_first(policy, rule, workflow) < float("inf") for workflow in (None, *policy.workflows))
