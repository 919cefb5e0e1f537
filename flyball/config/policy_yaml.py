"""Reads `policy.yaml`: validates it, and gives what the flow takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.config.drift import minute_of
from flyball.config.policy import PolicyFile
from flyball.config.problems import Problem, suggestion
from flyball.config.reading import is_there, problems_of, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flyball.config.build import Place
    from flyball.config.policy import RuleKeys
    from models.drift.settings import DriftSettings
    from models.runaways.policy import RuleSetting, RunawayPolicy
    from models.slos.spec import Slo
    from models.spend.budget import Budget

FILE = "policy.yaml"
_NANO = 1_000_000_000
_MINUTE = 60 * _NANO


def problems(path: Path) -> list[Problem]:
    """List everything that is wrong with the file, in line order."""
    return problems_of(_load, path)


def load_policy(directory: Path | None) -> PolicyFile:
    """Give the policy of a configuration directory; raises ConfigError with every problem found."""
    if directory is None or not is_there(directory / FILE):
        return PolicyFile()
    return _load(directory / FILE)


def runaway_policy(file: PolicyFile) -> RunawayPolicy:
    """Give the rules on runaways."""
    from models.runaways.policy import RunawayPolicy  # noqa: PLC0415 -- the rules take a second to load

    keys = file.runaways
    workflows = {workflow: _settings(rules) for workflow, rules in keys.workflows.items()}
    return RunawayPolicy(_settings(keys.rules), workflows, dict(keys.tools))


def drift_settings(file: PolicyFile, slos: Sequence[Slo]) -> DriftSettings:
    """Give what shapes the detectors of drift; objectives are those of SLOs on all of a workflow."""
    from models.drift.settings import Accepted, DriftSettings  # noqa: PLC0415 -- as above

    keys = file.drift
    accepted = [(each, minute_of(each.at or "")) for each in keys.accepted]
    return DriftSettings(
        is_on=keys.enabled,
        least_span=keys.least_baseline // _MINUTE,
        most_span=keys.most_baseline // _MINUTE,
        shift=keys.shift,
        objectives={place: float(slo.target) for slo in slos if (place := _place(slo))},
        accepted=tuple(Accepted(each.workflow or "", at or 0, each.sli) for each, at in accepted),
    )


def _place(slo: Slo) -> tuple[str, str] | None:
    """Give (workflow, SLI) where an SLO is on all events of one workflow; of a histogram's threshold it is not."""
    where = slo.indicator.where
    if slo.indicator.threshold or len(where) != 1 or where[0][0] != "workflow" or len(where[0][1]) != 1:
        return None
    return where[0][1][0], slo.indicator.sli


def budgets(file: PolicyFile) -> tuple[Budget, ...]:
    """Give the spend budgets."""
    from models.spend.budget import Budget  # noqa: PLC0415 -- as above

    return tuple(
        Budget(
            name=str(keys.name),
            level=str(keys.level),
            period=keys.period,
            limit=round((keys.limit or 0) * _NANO),
            hard=None if keys.hard is None else round(keys.hard * _NANO),
            id=keys.id,
            tenant=keys.tenant,
            tier=keys.tier,
        )
        for keys in file.spend.budgets
    )


def _settings(rules: Mapping[str, RuleKeys]) -> dict[str, RuleSetting]:
    from models.runaways.policy import RuleSetting  # noqa: PLC0415 -- the rules take a second to load

    return {name: RuleSetting(**vars(said)) for name, said in rules.items()}


def _load(path: Path) -> PolicyFile:
    return read(PolicyFile, path, _unknown_rules)[0]


def _unknown_rules(file: PolicyFile, at: Place) -> list[Problem]:
    said = [("runaways.rules", name) for name in file.runaways.rules]
    said += [(f"runaways.workflows.{flow}", name) for flow, rules in file.runaways.workflows.items() for name in rules]
    if not said:
        return []
    from models.runaways.policy import RunawayPolicy  # noqa: PLC0415 -- the rules take a second to load

    ids = [rule.id for rule in RunawayPolicy().known]
    return [
        Problem(
            str(at.file),
            at.lines.get(f"{where}.{name}", 0),
            f"{where}.{name}",
            f"the unknown rule {name}",
            f"one of {', '.join(ids)}",
            suggestion(name, ids),
        )
        for where, name in said
        if name not in ids
    ]
