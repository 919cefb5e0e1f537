"""From the configuration to what the parts take."""

from __future__ import annotations

import sys
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING

from flows.settings import FlowSettings, Topics
from flyball.config.policy import PolicyFile
from flyball.config.policy_yaml import budgets, drift_settings, runaway_policy
from flyball.opening import open_configured_log
from models.incidents.book import Patience
from models.incidents.incident import Severity
from models.runs.policy import RunPolicy
from models.runs.shards import SHARDS
from models.slis.settings import SliSettings
from models.watermark import SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flows.launcher import FlowProcess
    from flyball.config.settings import Settings
    from models.slos.spec import Slo


def flow_settings(
    settings: Settings, slos: Sequence[Slo] = (), journal: Path | None = None, policy: PolicyFile | None = None
) -> FlowSettings:
    """Give what shapes the dataflow; `slos` are judged, `policy` says what agents may do."""
    runs, slis, policy = settings.runs, settings.slis, policy or PolicyFile()
    return FlowSettings(
        topics=Topics(**{f.name: getattr(settings.log.topics, f.name) for f in fields(Topics)}),
        runs=RunPolicy(
            idle=runs.idle,
            max_age=runs.max_age,
            remember=runs.remember,
            grace=runs.grace,
            remember_max=max(1, runs.remember_max // SHARDS),
            unknown=runs.unknown,
            escalation_tools=runs.escalation_tools,
        ),
        slis=SliSettings(
            max_values=slis.max_values,
            early_alone_ns=slis.early,
            early_groups_ns=slis.early_breakdowns,
            waits=_waits(runs.idle, runs.grace),
            new_user_days=policy.drift.new_user_days if policy.drift.enabled else 0,
        ),
        caps={
            "trajectory_length": slis.caps.steps,
            "trajectory_length_llm_calls": slis.caps.llm_calls,
            "trajectory_length_tool_calls": slis.caps.tool_calls,
        },
        attributes=dict(settings.attributes) or None,
        prices={model: _price(vars(price)) for model, price in settings.prices.items()} or None,
        slos=tuple(slos),
        runaways=runaway_policy(policy),
        budgets=budgets(policy),
        drift=drift_settings(policy, slos),
        drift_severity=Severity(policy.drift.severity),
        zone=policy.spend.time_zone,
        lateness_ns=settings.flow.lateness,
        lag_limit_ns=settings.flow.lag_limit,
        silent_after_s=None if settings.flow.silent_after is None else settings.flow.silent_after // SECOND,
        patience=Patience(settings.flow.resolve_after // SECOND, settings.flow.tell_again_after // SECOND),
        journal=journal,
    )


def _waits(idle: int, grace: int) -> tuple[int, int]:
    """Give the minutes after which events of runs, and of runs that wait for an evaluation, are known."""
    runs = -(-idle // (60 * SECOND)) + 1
    return runs, runs + -(-grace // (60 * SECOND))


def _price(fields: dict[str, float | None]) -> dict[str, float]:
    return {kind: float(value) for kind, value in fields.items() if value is not None}


def flow_process(settings: Settings, data: Path, process_id: int = 0, addresses: Sequence[str] = ()) -> FlowProcess:
    """Give the place of process `process_id` of the flow; `addresses` of all when there are several."""
    from flows.launcher import FlowProcess  # noqa: PLC0415  # loads the engine only when it is used

    return FlowProcess(
        open_log=lambda: open_configured_log(settings, data),
        recovery=settings.flow.recovery or data / "recovery",
        partitions=settings.log.partitions,
        start=settings.log.start,
        on_lost=settings.log.on_lost,
        max_bytes=settings.flow.max_batch,
        epoch=timedelta(microseconds=settings.flow.epoch // 1000),
        metrics_host=settings.metrics.host,
        metrics_port=settings.metrics.port + process_id if settings.metrics.port else 0,
        say=lambda text: print(f"flyball: {text}", file=sys.stderr, flush=True),  # noqa: T201 -- for people
        process_id=process_id if addresses else None,
        addresses=addresses or None,
    )
