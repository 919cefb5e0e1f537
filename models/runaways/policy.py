"""RunawayPolicy: which rules hold for which workflow, from which counts on, and whether they are obeyed."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.runaways import RULES
from models.runaways.base import Ladder, Mode, Rule, cap
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
    """From which count on the rules look, for whole columns of workflows."""

    def __init__(self, policy: RunawayPolicy) -> None:
        self.rules = [rule for rule in policy.known if isinstance(rule, Rule) and _is_on(policy, rule)]
        self._usual = {rule.id: _first(policy, rule, None) for rule in self.rules}
        self._for_all = {name: np.array([first]) for name, first in self._usual.items()}
        self._others = {
            rule.id: [
                (digest_of(workflow), _first(policy, rule, workflow))
                for workflow, said in policy.workflows.items()
                if rule.id in said
            ]
            for rule in self.rules
        }

    def of(self, rule: Rule, workflows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the first count, in units of pulses, by row or one for all; infinite where the rule is off."""
        if not self._others[rule.id]:
            return self._for_all[rule.id]
        firsts = np.full(len(workflows), self._usual[rule.id], np.float64)
        for digest, first in self._others[rule.id]:
            firsts[workflows == digest] = first
        return firsts


def _first(policy: RunawayPolicy, rule: Rule, workflow: str | None) -> float:
    _, steps = policy.steps_of(rule, workflow)
    return steps[0][0] * rule.unit if steps else float("inf")


def _is_on(policy: RunawayPolicy, rule: Rule) -> bool:
    return any(_first(policy, rule, workflow) < float("inf") for workflow in (None, *policy.workflows))
