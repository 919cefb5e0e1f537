"""Prometheus rules from SLOs: what Flyball's own incidents say, for people who alert from Prometheus.

Each burn rule of an SLO is a recording (the lower of its two burn rates, which is what has to be over the factor) and
an alert on it; further alerts watch Flyball itself. All of it reads what a flow and a delivery export
(`flows.slo_metrics`, `flows.metrics`, `alerts.metrics`); no recording repeats what is exported.

Series have no counts by window, so the evidence that Flyball asks for (`models.slos.evidence`) is not checked. What is
checked follows from it: so many bad events in the period that, were nothing else seen, they would be evidence.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from models.slos.evidence import fewest_at_all
from models.slos.spec import Rolling
from models.slos.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from models.slos.spec import BurnRule, Slo

RECORDED = "flyball:slo_burn_rate:min"
"""By `slo`, and `objective` (the SLO that it is an instance of) and `rule`: the burn rate that the rule compares with
its factor."""
BURNS = "FlyballErrorBudgetBurn"
"""The alert of every burn rule; labels `slo`, `rule`, `severity` tell which."""

_HEADER = "# Made by `flyball rules`: change the SLOs, not this file.\n"
_DIGITS = 6
"""Burn rates and factors are compared in decimals of this many digits: floats of counts that are exactly at the factor
come out a little over it."""
_PLACE = "instance, pod"
"""Labels that say which process exported a series: an SLO that moves to another one goes on being the same alert."""
_BUDGET_LEFT = (
    '{{ with printf "flyball_slo_error_budget_remaining_ratio{slo=%q}" $labels.slo | query }}'
    "Budget left: {{ . | first | value | humanizePercentage }}.{{ end }}"
)


def rules_text(slos: Iterable[Slo]) -> str:
    """Write the rules file: the same text for the same SLOs, in any order."""
    return _HEADER + yaml.dump(rule_groups(slos), Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)


def rule_groups(slos: Iterable[Slo]) -> dict[str, Any]:
    """Give the rules as Prometheus reads them: two groups an SLO that has rules, and one for Flyball itself."""
    groups: list[dict[str, Any]] = []
    for slo in sorted(slos, key=lambda slo: slo.name):
        if slo.rules:
            groups.append({"name": f"flyball-slo-{slo.name}-burn", "rules": [_recording(slo, r) for r in slo.rules]})
            groups.append({"name": f"flyball-slo-{slo.name}-alerts", "rules": [_alert(slo, r) for r in slo.rules]})
    return {"groups": [*groups, {"name": "flyball-itself", "rules": _itself()}]}


def _recording(slo: Slo, rule: BurnRule) -> dict[str, Any]:
    windows = [duration(window) for window in _windows(rule)]
    one = f"max without ({_PLACE}) (flyball_slo_burn_rate_ratio{{{_selector(slo)},{_one_of('window', windows)}}})"
    expr = f"round(min without (window) ({one}), {10**-_DIGITS:.{_DIGITS}f})"
    if len(windows) > 1:  # a window without events has no series: then nothing is known, not the other one's rate
        expr += f"\nand\ncount without (window) ({one}) == {len(windows)}"
    return {"record": RECORDED, "expr": expr, "labels": _labels(slo, rule)}


def _alert(slo: Slo, rule: BurnRule) -> dict[str, Any]:
    expr = f'{RECORDED}{{objective="{slo.name}",rule="{rule.name}"}} > {_decimal(rule.factor)}'
    least = _fewest_bad(slo, rule)
    if least > 1:
        bad = f"max without ({_PLACE}) (flyball_slo_period_bad_events{{{_selector(slo)}}})"
        expr += f"\nand ignoring (objective, rule)\n{bad} >= {least}"
    over = " and ".join(f"over {duration(window)}" for window in _windows(rule))
    what = f"{slo.title or slo.name}, target {_decimal(slo.target * 100)} %"
    runbook = slo.runbook or f"alerts/runbooks/{'slo.burn' if rule.page else 'slo.slow_burn'}.md"
    held = {"for": duration(rule.after_s)} if rule.after_s else {}
    return {
        "alert": BURNS,
        "expr": expr,
        **held,
        "labels": {
            **_labels(slo, rule),
            "severity": "page" if rule.page else "ticket",
            "service": slo.service,
            "owner": slo.owner,
        },
        "annotations": {
            "summary": "{{ $labels.slo }} burns its error budget {{ $value | humanize }} times too fast",
            "description": f"{_plain(what)}: burn rate above {_decimal(rule.factor)} {over}. {_BUDGET_LEFT}",
            "runbook": _plain(runbook),
        },
    }


def _fewest_bad(slo: Slo, rule: BurnRule) -> int:
    """Give how many bad events there are at least where the rule stands on evidence; 1: it takes any.

    A calendar period may have begun within the long window, so that its count says nothing.
    """
    rate = float(rule.factor * (1 - slo.target))
    if not isinstance(slo.window, Rolling) or not 0 < rate < 1:
        return 1
    return fewest_at_all(rate, rule.confidence)


def _labels(slo: Slo, rule: BurnRule) -> dict[str, str]:
    return {"objective": slo.name, "rule": rule.name}


def _windows(rule: BurnRule) -> list[int]:
    return list(dict.fromkeys(window for window in (rule.long_s, rule.short_s) if window))


def _selector(slo: Slo) -> str:
    """Match the SLO's instances: NAME, or NAME:VALUE where it is split."""
    return f'slo=~"{slo.name}:.+"' if slo.split else f'slo="{slo.name}"'


def _one_of(label: str, values: list[str]) -> str:
    return f'{label}=~"{"|".join(values)}"' if len(values) > 1 else f'{label}="{values[0]}"'


def _decimal(ratio: Fraction) -> str:
    return f"{float(ratio):.{_DIGITS}f}".rstrip("0").rstrip(".")


def _plain(text: str) -> str:
    """Keep what people wrote from being taken for a template."""
    return text.replace("{{", '{{ "{{" }}')


def _itself() -> list[dict[str, Any]]:
    """Give the alerts about Flyball itself, which are data."""
    text = files("flyball").joinpath("prometheus_itself.yaml").read_text(encoding="utf-8")
    rules: list[dict[str, Any]] = yaml.safe_load(text)
    return rules


class _Dumper(yaml.SafeDumper):
    """Writes what has several lines as several lines."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
