"""Steps of a budget's policy, as incidents and verdicts name them: which it is, what it bounds and lets go of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models import verdicts

if TYPE_CHECKING:
    from models.incidents.book import Ident
    from models.incidents.incident import Incident
    from models.slos.instances import Instance
    from models.slos.spec import PolicyStep

_NANO = 1_000_000_000
_REACHED = frozenset({"workflow", "tenant", "product"})
"""Levels of scopes of objectives that signals know, too."""
BACK, NO_MORE = "budget is back", "its objective is no more what it was"
"""Why agents are let go of."""


def rule_of(slo: str, step: PolicyStep) -> str:
    """Name the rule of the incident of a step."""
    return f"{slo} {step.percent}% {' '.join(step.actions)}"


def bounding(instance: Instance, step: PolicyStep, now: int, turn: str, *, reached: bool) -> dict[str, Any]:
    """Give the verdict that bounds the autonomy of what the SLO is about, or lets it go again.

    `turn` numbers the times that it was taken, also by a configuration that was gone in between: told again after a
    crash it is the same verdict.
    """
    level, scope = instance.reach or instance.scope
    of = {"tenant": instance.tenant} if level == "workflow" and instance.tenant else {}
    action = verdicts.Action.BOUND if reached else verdicts.Action.CLEAR
    return verdicts.Verdict(
        id=verdicts.verdict_id(instance.name, str(step.percent), action, turn),
        at_ns=now * _NANO,
        level=level,
        scope=scope,
        action=action,
        rule=_rule_of_verdict(instance.slo.name, step.percent),
        reason=f"{instance.name} has used {step.percent} % of its error budget" if reached else BACK,
        evidence={"count": step.percent, "limit": step.percent, "slo": instance.name} | of,
        generation=now,
    ).record()


def letting_go(ident: Ident, told: Incident, now: int, reason: str) -> dict[str, Any] | None:
    """Give the verdict that lets go of what a step bound of which only its incident, now over, is known.

    None: it bound nothing.
    """
    if verdicts.Action.BOUND not in ident.rule.split() or ident.level not in _REACHED:
        return None
    of = {"tenant": told.tenant} if ident.level == "workflow" and told.tenant else {}
    name, percent = ident.rule.partition("% ")[0].rsplit(maxsplit=1)
    return verdicts.Verdict(
        id=verdicts.verdict_id(told.key, "clear"),
        at_ns=now * _NANO,
        level=ident.level,
        scope="*" if ident.level == "product" else ident.scope,
        action=verdicts.Action.CLEAR,
        rule=_rule_of_verdict(name, int(percent)),
        reason=reason,
        evidence={"count": 0, "limit": int(percent), "slo": name} | of,
        generation=now,
    ).record()


def _rule_of_verdict(slo: str, percent: int) -> str:
    """Name it: of two objectives of one workflow each lets go of what it has bound itself."""
    return f"slo.budget.{slo}.{percent}"
