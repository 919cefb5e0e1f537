"""Runaways and spend: what the rules saw and stopped, and where the money goes."""

from __future__ import annotations

from dashboards.kit import (
    ANY_IS_NEWS,
    RANGE,
    RATE,
    Board,
    Panel,
    column,
    columns,
    grid,
    idle,
    lines,
    link_column,
    number,
    query,
    to,
    words,
)
from dashboards.runbooks import link
from dashboards.series import CONTROL, FLOW, or_zero, rise

UID = "flyball-runaways"
_VERDICTS = "flyball_verdicts_total"
_IN_FORCE = 'mode="enforce",workflow=~"$workflow"'
_IN_SHADOW = 'mode="shadow",workflow=~"$workflow"'


def build() -> Board:
    """Build it."""
    board = Board(
        UID, "Flyball / Runaways and spend", "Runs that loop or cost too much, and budgets of money.", console="signals"
    )
    board.pick("workflow", "Workflow", 'label_values(flyball_sli_total{dimension=""}, workflow)')
    board.row(
        "In the time shown",
        number("Runs stopped", _count('action="kill"'), "short", "Kills by rules in force.", ANY_IS_NEWS, 0),
        number(
            "Tools blocked",
            _count('action="block"'),
            "short",
            "For one run each, by rules in force.",
            ANY_IS_NEWS,
            0,
        ),
        number(
            "Would be stopped",
            _count('action="kill"', "shadow"),
            "short",
            "Kills by rules in shadow: nothing obeys them.",
            decimals=0,
        ),
        number(
            "Stopped now",
            or_zero('sum(flyball_signals_active{kind="kill"})', CONTROL),
            "short",
            "Scopes that are killed until a person resumes them.",
            ANY_IS_NEWS,
        ),
        number(
            "Cost avoided",
            _avoided("enforce"),
            "currencyUSD",
            "What stopped runs would have cost on their way to their caps, at the pace they had: an estimate.",
        ),
        number(
            "Could be avoided", _avoided("shadow"), "currencyUSD", "The same, of runs that rules in shadow would stop."
        ),
        number(
            "Spent today",
            'max(flyball_spend_usd{level="product",period="day"})',
            "currencyUSD",
            "By all workflows.",
        ),
        number(
            "Month at this pace",
            f"max({_MONTH}) / {_GONE}",
            "currencyUSD",
            "Spent this month, carried on to its end, in the time zone of policy.yaml.",
        ),
        width=6,
        height=4,
    )
    by_rule = f"sum by (rule, action) ({rise(_VERDICTS, RATE, _IN_FORCE)})"
    shadow = f"sum by (rule, action) ({rise(_VERDICTS, RATE, _IN_SHADOW)})"
    board.row(
        "Runaways",
        idle(
            "No rule in force found anything",
            lines(
                "Verdicts in force",
                [(by_rule, "{{rule}} {{action}}")],
                "short",
                "By rule and action.",
                low=0,
                stacked=True,
            ),
        ),
        idle(
            "No rule in shadow found anything",
            lines(
                "Verdicts in shadow",
                [(shadow, "{{rule}} {{action}}")],
                "short",
                "What rules would do that are only watched. A rule that is silent on good days may be put in force.",
                low=0,
                stacked=True,
            ),
        ),
        _rules(),
        idle(
            "No signal holds",
            lines(
                "Signals that hold",
                [("sum by (level, kind) (flyball_signals_active)", "{{level}} {{kind}}")],
                "short",
                "Killed, blocked, bound or throttled now, by level of scope.",
                low=0,
                stacked=True,
            ),
        ),
        width=12,
    )
    near = 'max by (level) (flyball_scopes_near_budget{level=~"user|tenant"})'
    board.row(
        "Spend",
        lines(
            "Spent today, by workflow",
            [
                (
                    'max by (workflow) (flyball_spend_usd{level="workflow",period="day",workflow=~"$workflow"})',
                    "{{workflow}}",
                )
            ],
            "currencyUSD",
            "In the newest day.",
            low=0,
            stacked=True,
        ),
        lines(
            "Spent this month, by workflow",
            [
                (
                    'max by (workflow) (flyball_spend_usd{level="workflow",period="month",workflow=~"$workflow"})',
                    "{{workflow}}",
                )
            ],
            "currencyUSD",
            "In the newest month.",
            low=0,
            stacked=True,
        ),
        lines(
            "Users and tenants over 75 % of a budget",
            [(near, "{{level}}")],
            "short",
            "Of the day or month that it is; who is over 100 % is throttled. Spend in the console says who.",
            low=0,
        ),
        words(_WHAT_TO_DO, "What to do"),
        width=6,
    )
    return board


_MONTH = 'flyball_spend_usd{level="product",period="month"}'
_GONE = 'max(flyball_spend_period_elapsed_ratio{period="month"})'


def _count(which: str, mode: str = "enforce") -> str:
    labels = f'{which},mode="{mode}",workflow=~"$workflow"'
    return or_zero(f"sum({rise(_VERDICTS, RANGE, labels)})", FLOW)


def _avoided(mode: str) -> str:
    said = f'mode="{mode}",workflow=~"$workflow"'
    return or_zero(f"sum({rise('flyball_cost_avoided_usd_total', RANGE, said)})", FLOW)


def _rules() -> Panel:
    actions = dict(zip("BCDEF", ("warn", "throttle", "bound", "block", "kill"), strict=True))
    modes = query(f"count by (rule, mode) ({_verdicts()})", now=True, ref="A")
    none = f"sum by (rule) ({_verdicts()}) * 0"
    queries = [
        query(f"sum by (rule) ({_verdicts(action)}) or {none}", now=True, ref=ref) for ref, action in actions.items()
    ]
    panel = grid("Rules", [modes, *queries], "Verdicts since the flow started.", "kill", falling=True)
    panel.no_value("No rule has found anything")
    columns(panel, "rule", {"rule": "Rule", "mode": "Mode"} | {f"Value #{ref}": each for ref, each in actions.items()})
    for action in actions.values():
        column(panel, action, "short")
    link_column(panel, "Rule", "Who was stopped, and how fast", to("flyball-enforcement"))
    return panel


def _verdicts(action: str = "") -> str:
    which = f'action="{action}",' if action else ""
    return f'flyball_verdicts_total{{{which}workflow=~"$workflow"}}'


_WHAT_TO_DO = f"""\
- A rule stopped runs: [runaway]({link("runaway")}).
- A run goes on although it was stopped: [stop.failed]({link("stop.failed")}).
- A budget of money is nearly spent: [spend.budget]({link("spend.budget")}).
- To resume: `flyball status`, then `flyball resume SCOPE`.
"""
