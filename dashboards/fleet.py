"""Fleet overview: every SLO, worst first, and what the agents of all workflows do."""

from __future__ import annotations

from grafana_foundation_sdk.models import common as cm

from dashboards.kit import (
    ANY_IS_BAD,
    BUDGET,
    BURN,
    RATIO,
    Board,
    Panel,
    column,
    columns,
    grid,
    lines,
    link_column,
    number,
    query,
    to,
)
from dashboards.series import or_zero, ratio, share, sli, slo

UID = "flyball-fleet"
_MINE = {"workflow": "~$workflow"}


def build() -> Board:
    """Build it."""
    board = Board(UID, "Flyball / Fleet overview", "All objectives, worst first. Start here.", console="incidents")
    board.pick("workflow", "Workflow", 'label_values(flyball_sli_total{dimension=""}, workflow)')
    left = slo("error_budget_remaining_ratio", **_MINE)
    alerts = 'count(ALERTS{alertname=~"Flyball.+",alertstate="firing"})'
    board.row(
        "Now",
        number(
            "Budgets spent",
            or_zero(f"count({left} <= 0)", left),
            "short",
            "SLOs without any error budget left.",
            ANY_IS_BAD,
        ),
        number(
            "Alerts firing",
            or_zero(alerts, "vector(1)"),
            "short",
            "Alerts of Prometheus about SLOs and about Flyball.",
            ANY_IS_BAD,
        ),
        number(
            "Tasks succeed, 1 h",
            share("task_success", window="1h", **_MINE),
            "percentunit",
            "Of runs with a known outcome.",
            RATIO,
            1,
        ),
        number(
            "Tool calls succeed, 1 h",
            share("tool_success", window="1h", **_MINE),
            "percentunit",
            "Of all tool calls.",
            RATIO,
            1,
        ),
        number("Runs in progress", "sum(flyball_open_runs)", "short", "Runs that have begun and not ended."),
        number(
            "Spent today",
            'max(flyball_spend_usd{level="product",period="day"})',
            "currencyUSD",
            "By all workflows, in the time zone of policy.yaml.",
        ),
        width=4,
        height=4,
    )
    board.row("Objectives, worst first", _objectives(), width=24, height=12)
    board.row(
        "How it goes",
        lines(
            "Fastest burning",
            [(f"topk(10, {slo('burn_rate_ratio', window='1h', **_MINE)})", "{{slo}}")],
            "x",
            "Over an hour; at 1 the budget lasts just its period.",
            steps=BURN,
            low=0,
        ),
        lines(
            "Tasks succeed, by workflow",
            [(ratio("task_success", **_MINE), "{{workflow}}")],
            "percentunit",
            "Rolling 5 minutes.",
            high=1,
        ),
        lines(
            "Runs closed",
            [(f"{sli('total', 'escalation_rate', window='5m', **_MINE)} / 5", "{{workflow}}")],
            "cpm",
            "Closed runs a minute, by workflow.",
            low=0,
            stacked=True,
        ),
        lines(
            "Spent today",
            [
                (
                    'max by (workflow) (flyball_spend_usd{level="workflow",period="day",workflow=~"$workflow"})',
                    "{{workflow}}",
                )
            ],
            "currencyUSD",
            "By workflow.",
            low=0,
            stacked=True,
        ),
        width=12,
    )
    return board


def _objectives() -> Panel:
    left = slo("error_budget_remaining_ratio", **_MINE)
    panel = grid(
        "Objectives",
        [
            query(slo("objective_ratio", "slo, workflow", **_MINE), now=True, ref="A"),
            query(left, now=True, ref="B"),
            query(slo("burn_rate_ratio", window="1h", **_MINE), now=True, ref="C"),
            query(slo("burn_rate_ratio", window="6h", **_MINE), now=True, ref="D"),
            query(slo("period_bad_events", **_MINE), now=True, ref="E"),
            query(slo("period_events", **_MINE), now=True, ref="F"),
            query(left, ref="G"),
        ],
        "Budget left: 100 % is untouched, 0 is spent, below it is overspent. A burn rate of 1 spends it in its period.",
        "Budget left",
        falling=False,
    )
    names = {
        "slo": "Objective",
        "workflow": "Workflow",
        "Value #B": "Budget left",
        "Trend #G": "Course",
        "Value #C": "Burn 1h",
        "Value #D": "Burn 6h",
        "Value #E": "Bad",
        "Value #F": "Events",
        "Value #A": "Target",
    }
    columns(panel, "slo", names)
    coloured = cm.TableColoredBackgroundCellOptions(cm.TableCellBackgroundDisplayMode.BASIC)
    column(panel, "Budget left", "percentunit", BUDGET, coloured)
    column(panel, "Course", "percentunit", BUDGET, cm.TableSparklineCellOptions(hide_value=True))
    for name in ("Burn 1h", "Burn 6h"):
        column(panel, name, "x", BURN, coloured)
    column(panel, "Target", "percentunit")
    link_column(
        panel, "Objective", "Error budget", to("flyball-budget", slo="${__data.fields.Objective:percentencode}")
    )
    link_column(
        panel, "Workflow", "Workflow", to("flyball-workflow", workflow="${__data.fields.Workflow:percentencode}")
    )
    return panel
