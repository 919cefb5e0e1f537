"""Burn rate rules from the AlertPolicies of an SLO.

In v1 a policy has one condition and a condition one window. Conditions of one `flyball.dev/and-group` are one rule:
all of its windows must be over the threshold. Groups, and conditions without one, stand for themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from flyball.openslo.annotations import PREFIX, texts
from models.slos.spec import BurnRule

if TYPE_CHECKING:
    from flyball.openslo.catalogue import Catalogue
    from flyball.openslo.kinds import Shorthand
    from flyball.openslo.schema import (
        BurnRate,
        Condition,
        ConditionItem,
        ConditionSpec,
        Metadata,
        Policy,
        PolicyItem,
        PolicySpec,
    )
    from flyball.openslo.spot import Spot

PAGE = ("page", "critical", "high", "sev1", "p1")
TICKET = ("ticket", "warning", "medium", "low", "info", "sev2", "sev3", "p2", "p3")
"""Severities that wake a person, and those that do not; in any case of letters."""

LONG_AND_SHORT = 2
"""A group has a long and a short window."""

KEY = "and-group"


@dataclass(frozen=True)
class Part:
    """One condition: its name, the group it belongs to, and what must hold. `spot` is where it stands."""

    name: str
    group: str | None
    factor: Fraction
    window_s: int
    page: bool
    after_s: int
    spot: Spot


def own_rules(policies: tuple[PolicyItem, ...], spot: Spot, catalogue: Catalogue, confidence: float) -> list[BurnRule]:
    """Give the rules of an SLO's own policies; what is wrong is told and left out."""
    parts = [_item_part(policy, spot.at(i), catalogue) for i, policy in enumerate(policies)]
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        if part:
            key = ("group", part.group) if part.group else ("condition", part.name)
            groups.setdefault(key, []).append(part)
    for kind, name in groups:
        if kind == "condition" and ("group", name) in groups:
            spot.wrong(f"a condition and a group that are both named {name}", "names that differ, for they name rules")
    rules = [_rule(kind, name, members, confidence) for (kind, name), members in groups.items()]
    return [rule for rule in rules if rule]


def _item_part(item: PolicyItem, spot: Spot, catalogue: Catalogue) -> Part | None:
    referred = _one_of(item.alertPolicyRef, "alertPolicyRef", spot)
    if not referred:
        return policy_part(item, spot, catalogue)
    found = catalogue.find("AlertPolicy", referred, spot.at("alertPolicyRef"))
    return policy_part(found.value, found.spot, catalogue) if found else None


def policy_part(policy: Policy | PolicyItem, spot: Spot, catalogue: Catalogue) -> Part | None:
    """Read a policy; None when it is wrong, which is told, or never alerts."""
    name, group = _name_and_group("AlertPolicy", policy.metadata, spot)
    if policy.spec is None:
        return None
    part = _only_condition(policy.spec, spot.at("spec"), catalogue, name, group)
    _note_ignored(policy.spec, spot.at("spec"))
    return None if policy.spec.alertWhenBreaching is False else part


def _note_ignored(spec: PolicySpec, here: Spot) -> None:
    if spec.alertWhenBreaching is False:
        here.at("alertWhenBreaching").note("alertWhenBreaching is false: the policy is left out")
    if spec.alertWhenNoData:
        here.at("alertWhenNoData").note("alertWhenNoData has no effect: telemetry that stops is an incident of its own")
    if spec.notificationTargets:
        here.at("notificationTargets").note("notificationTargets have no effect: routes.yaml says who is told")


def _only_condition(
    spec: PolicySpec, here: Spot, catalogue: Catalogue, name: str | None, group: str | None
) -> Part | None:
    for i, target in enumerate(spec.notificationTargets or ()):
        at = here.at("notificationTargets", i)
        referred = _one_of(target.targetRef, "targetRef", at)
        if target.metadata:
            texts("AlertNotificationTarget", target.metadata, at.at("metadata"))
        if referred:
            catalogue.find("AlertNotificationTarget", referred, at.at("targetRef"))
    if spec.conditions is None:
        return None
    at = here.at("conditions")
    if len(spec.conditions) != 1:
        hint = f"{PREFIX}{KEY} joins the windows of several policies" if spec.conditions else ""
        at.wrong(f"{len(spec.conditions)} conditions", "exactly one", hint)
        return None
    item, at = spec.conditions[0], at.at(0)
    referred = _one_of(item.conditionRef, "conditionRef", at)
    if not referred:
        return condition_part(item, at, name, group)
    found = catalogue.find("AlertCondition", referred, at.at("conditionRef"))
    return condition_part(found.value, found.spot, name, group) if found else None


def condition_part(
    condition: Condition | ConditionItem, spot: Spot, policy: str | None = None, group: str | None = None
) -> Part | None:
    """Read a condition of a policy and its group; None when it is wrong, which is told."""
    name, own = _name_and_group("AlertCondition", condition.metadata, spot)
    if condition.spec is None:
        return None
    if own and group and own != group:
        spot.at("metadata", "annotations").wrong(f"the group {own}", f"{group}, as the policy says")
    return _part(condition.spec, spot.at("spec"), name or policy or "burn", own or group)


def _name_and_group(kind: str, metadata: Metadata | None, spot: Spot) -> tuple[str | None, str | None]:
    if metadata is None:
        return None, None
    return metadata.name, texts(kind, metadata, spot.at("metadata")).get(KEY)


def _part(spec: ConditionSpec, here: Spot, name: str, group: str | None) -> Part | None:
    severity = spec.severity.casefold().replace("-", "") if spec.severity else None
    if severity and severity not in PAGE + TICKET:
        expected = f"one of {', '.join(PAGE)} (wake a person), {', '.join(TICKET)} (do not)"
        here.at("severity").wrong(f"'{spec.severity}'", expected)
    burn = spec.condition
    if burn is None:
        return None
    window_s = _seconds(burn.lookbackWindow, here.at("condition", "lookbackWindow"))
    after_s = _seconds(burn.alertAfter, here.at("condition", "alertAfter"), least=0)
    right = _is_burn_rate(burn, here.at("condition")) and severity in PAGE + TICKET
    if not right or burn.threshold is None or not window_s or after_s is None:
        return None
    return Part(name, group, Fraction(burn.threshold), window_s, severity in PAGE, after_s, here)


def _is_burn_rate(burn: BurnRate, here: Spot) -> bool:
    kind = (burn.kind or "burnrate").casefold() == "burnrate"
    if not kind:
        here.at("kind").wrong(f"'{burn.kind}'", "burnrate")
    exceeds = burn.op is None or burn.op in ("gt", "gte")
    if not exceeds:
        hint = "lte and lt would alert while the burn rate is low" if burn.op in ("lte", "lt") else ""
        here.at("op").wrong(f"'{burn.op}'", "gt: the condition holds while the burn rate exceeds the threshold", hint)
    positive = burn.threshold is None or burn.threshold > 0
    if not positive:
        here.at("threshold").wrong(f"{float(burn.threshold):g}", "a burn rate over 0")
    return kind and exceeds and positive


def _seconds(duration: Shorthand | None, here: Spot, least: int = 1) -> int | None:
    if duration is None:
        return 0 if not least and not here.is_written else None
    if duration.seconds is None or duration.number < least:
        here.wrong(str(duration), "minutes, hours, days or weeks" + (", more than none" if least else ""))
        return None
    return duration.seconds


def _one_of(reference: str | None, key: str, spot: Spot) -> str | None:
    """Give the reference where there is one; tells when there are both, or none."""
    if spot.has(key) and spot.has("spec"):
        spot.wrong(f"both {key} and spec", "one of them")
    elif not spot.has(key) and not spot.has("spec"):
        spot.wrong(f"neither {key} nor spec", "one of them")
    return reference


def _rule(kind: str, name: str, parts: list[Part], confidence: float) -> BurnRule | None:
    """Make one rule of the conditions of a group, or of one by itself."""
    first = parts[0]
    if kind == "condition":
        unlike = [part for part in parts[1:] if _acts(part) != _acts(first)]
        for part in unlike:
            part.spot.wrong(f"the condition {name} again", "a name of its own, for it names a rule")
        return BurnRule(name, first.factor, first.window_s, None, first.page, first.after_s, confidence)
    long, *others = sorted(parts, key=lambda part: -part.window_s)
    if len(parts) > LONG_AND_SHORT:
        parts[LONG_AND_SHORT].spot.wrong(f"a third window in the group {name}", "a long one and a short one")
        return None
    for short in others:
        if not _go_together(long, short, name):
            return None
    if not others:
        first.spot.note(f"the group {name} has one window only")
    short_s = others[0].window_s if others else None
    return BurnRule(name, long.factor, long.window_s, short_s, long.page, long.after_s, confidence)


def _acts(part: Part) -> tuple[object, ...]:
    """Give what two conditions have in common that are one: a policy for each of two targets may share it."""
    return part.factor, part.window_s, part.page, part.after_s


def _go_together(long: Part, short: Part, group: str) -> bool:
    here = short.spot.at("condition")
    if long.window_s == short.window_s:
        here.at("lookbackWindow").wrong(f"the same window twice in the group {group}", "a long one and a short one")
    differing = [
        name
        for name, of in (("threshold", "factor"), ("alertAfter", "after_s"), ("severity", "page"))
        if getattr(long, of) != getattr(short, of)
    ]
    for name in differing:
        at = short.spot if name == "severity" else here
        at.at(name).wrong(f"another {name} in the group {group}", f"the one of {long.name}, for they are one rule")
    return not differing and long.window_s != short.window_s
