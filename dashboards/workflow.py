"""Workflow detail: all SLIs of one workflow, and which version, environment or tool makes the difference."""

from __future__ import annotations

from dashboards.kit import FAILED_RUNS, RATIO, Board, Panel, heat, idle, lines, number
from dashboards.series import FLOW, or_zero, ratio, share, sli

UID = "flyball-workflow"
_W = {"workflow": "$workflow"}
_QUANTILES = ("0.5", "0.95", "0.99")


def build() -> Board:
    """Build it."""
    board = Board(
        UID,
        "Flyball / Workflow",
        "One workflow: does it work, how long, how many steps, at what cost.",
        console=FAILED_RUNS,
    )
    board.pick("workflow", "Workflow", 'label_values(flyball_sli_total{dimension=""}, workflow)', all_of_them=False)
    board.pick(
        "environment",
        "Environment",
        'label_values(flyball_sli_total{dimension="environment",workflow="$workflow"}, value)',
        about="Of the panels by environment.",
    )
    new = 'flyball_sli_total{sli="escalation_rate",dimension="version",window="5m",workflow="$workflow"}'
    board.note("New version", "purple", expr=f"{new} unless on (workflow, value) {new} offset 10m", says="{{value}}")
    hour = {"window": "1h"} | _W
    board.row(
        "The last hour",
        number(
            "Tasks succeed", share("task_success", **hour), "percentunit", "Of runs with a known outcome.", RATIO, 1
        ),
        number("Tool calls succeed", share("tool_success", **hour), "percentunit", "Of all tool calls.", RATIO, 1),
        number("Runs", f"sum({sli('total', 'escalation_rate', **hour)})", "short", "Closed runs."),
        number(
            "Steps, p95",
            sli("quantile", "trajectory_length", quantile="0.95", **hour),
            "short",
            "Model calls and tool calls of a run.",
        ),
        number(
            "Cost of a task, median",
            sli("quantile", "cost_per_task", quantile="0.5", **hour),
            "currencyUSD",
            "Runs without a known price are left out.",
            decimals=4,
        ),
        number(
            "Time to resolution, p95",
            sli("quantile", "time_to_resolution", quantile="0.95", **hour),
            "s",
            "From the first span to the last.",
        ),
        width=4,
        height=4,
    )
    board.row(
        "Does it work",
        _success("Tasks succeed", "task_success", "Of runs with a known outcome, rolling 5 minutes and an hour."),
        lines(
            "Tasks succeed, by version",
            [(_by("task_success", "version"), "{{value}}")],
            "percentunit",
            "Rolling hour: a version that hurts stands below the others.",
            high=1,
        ),
        lines(
            "Tasks succeed, by environment",
            [(_by("task_success", "environment", value="~$environment"), "{{value}}")],
            "percentunit",
            "Rolling hour.",
            high=1,
        ),
        lines(
            "Escalated to people",
            [
                (f"1 - {ratio('escalation_rate', 'workflow', **_W)}", "5 m"),
                (f"1 - {ratio('escalation_rate', 'workflow', **hour)}", "1 h"),
            ],
            "percentunit",
            "Runs that were handed to a person.",
            low=0,
        ),
        idle(
            "None was scored",
            lines(
                "Feedback",
                [(ratio("feedback_score", "workflow", **hour), "good scores")],
                "percentunit",
                "Scores of evaluations and people, rolling hour.",
                high=1,
            ),
        ),
        idle(
            "None was asked for",
            lines(
                "Approvals",
                [(ratio("approval_rate", "workflow", **hour), "approved")],
                "percentunit",
                "Of those that were asked for, rolling hour.",
                high=1,
            ),
        ),
    )
    failed = f"topk(10, 1 - {_by('tool_success', 'tool')})"
    late = f"topk(10, 1 - {_by('tool_timeout', 'tool')})"
    calls = sli("total", "tool_success", "value", dimension="tool", **hour)
    board.row(
        "Tools",
        lines(
            "Failing tools",
            [(failed, "{{value}}")],
            "percentunit",
            "Share of failed calls, rolling hour; the ten worst.",
            low=0,
        ),
        lines(
            "Calls by tool",
            [(f"topk(10, {calls}) / 60", "{{value}}")],
            "cpm",
            "A minute, rolling hour; the ten most called.",
            low=0,
            stacked=True,
        ),
        lines(
            "Timed out, and called again",
            [
                (or_zero(late, FLOW), "timed out: {{value}}"),
                (f"1 - {ratio('duplicate_call_rate', 'workflow', **hour)}", "same call again"),
            ],
            "percentunit",
            "Calls that timed out, by tool, and calls that had been made before with the same arguments.",
            low=0,
        ),
    )
    board.row(
        "How much of it",
        _quantiles(
            "Steps of a run",
            "trajectory_length",
            "short",
            "Model and tool calls: middle and tail, rolling 5 minutes.",
        ),
        heat(
            "Spread of steps",
            'sum by (le) (max by (workflow, le) (flyball_trajectory_length_at_most{workflow="$workflow"}))',
            "short",
            "Runs of the last 5 minutes by how many model and tool calls they made: loops are a band of their own.",
        ),
        lines(
            "Tail of steps, by version",
            [
                (
                    sli("quantile", "trajectory_length", "value", dimension="version", quantile="0.95", **hour),
                    "{{value}}",
                )
            ],
            "short",
            "95th percentile, rolling hour: runs that wander show here first.",
            low=0,
        ),
        _quantiles(
            "Time to resolution", "time_to_resolution", "s", "From the first span to the last, rolling 5 minutes."
        ),
        _quantiles(
            "Cost of a task",
            "cost_per_task",
            "currencyUSD",
            "Rolling 5 minutes. Runs without a known price are left out.",
        ),
        _quantiles("Tokens of a task", "tokens_per_task", "short", "Rolling 5 minutes."),
        lines(
            "Spent",
            [('max by (period) (flyball_spend_usd{level="workflow",workflow="$workflow"})', "this {{period}}")],
            "currencyUSD",
            "In the newest day and month.",
            low=0,
        ),
    )
    return board


def _by(name: str, dimension: str, **labels: str) -> str:
    return ratio(name, "value", dimension=dimension, window="1h", **_W, **labels)


def _success(title: str, name: str, about: str) -> Panel:
    shown = [(ratio(name, "workflow", window=window, **_W), window) for window in ("5m", "1h", "1d")]
    return lines(title, shown, "percentunit", about, high=1)


def _quantiles(title: str, name: str, unit: str, about: str) -> Panel:
    shown = [(sli("quantile", name, quantile=each, **_W), f"p{float(each) * 100:g}") for each in _QUANTILES]
    return lines(title, shown, unit, about, low=0)
