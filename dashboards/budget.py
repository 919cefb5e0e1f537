"""Error budget: one SLO, how fast it burns, how long it lasts, and what spends it."""

from __future__ import annotations

from dashboards.kit import BUDGET, BURN, FAILED_RUNS, PLAIN, Board, Panel, idle, lines, number, words
from dashboards.runbooks import link
from dashboards.series import sli, slo

UID = "flyball-budget"
_ONE = {"slo": "$slo"}
_WINDOWS = ("5m", "30m", "1h", "6h", "1d", "3d")
_SPENDERS = ("version", "tool", "tenant", "environment")


def build() -> Board:
    """Build it."""
    board = Board(
        UID,
        "Flyball / Error budget",
        "One objective: burn windows, forecast, and what spent the budget.",
        since="now-24h",
        console=FAILED_RUNS,
    )
    board.pick("slo", "Objective", "label_values(flyball_slo_objective_ratio, slo)", all_of_them=False)
    board.pick(
        "workflow", "Workflow", 'label_values(flyball_slo_objective_ratio{slo="$slo"}, workflow)', all_of_them=False
    )
    board.pick(
        "sli",
        "What spent it, by",
        'label_values(flyball_slo_info{slo="$slo"}, sli)',
        all_of_them=False,
        about="The indicator of the objective, for the row on what spent the budget.",
    )
    left, allowed = slo("error_budget_remaining_ratio", **_ONE), f"(1 - {slo('objective_ratio', **_ONE)})"
    days = 'scalar(max(slo:time_period:days{sloth_slo="$slo"}))'
    burn = slo("burn_rate_ratio", window="6h", **_ONE)
    board.row(
        "$slo",
        number("Budget left", left, "percentunit", "100 % is untouched, 0 is spent, below it is overspent.", BUDGET, 1),
        number(
            "Lasts, at the pace of 6 h",
            f"clamp_min({left}, 0) * 86400 * {days} / ({burn} > 0)",
            "s",
            "If it goes on burning as in the last 6 hours. Nothing where nothing fails.",
            ((None, "red"), (86_400, "orange"), (604_800, "yellow"), (2_592_000, "green")),
        ),
        number(
            "Burn rate, 1 h",
            slo("burn_rate_ratio", window="1h", **_ONE),
            "x",
            "1 spends the budget in just its period.",
            BURN,
            1,
        ),
        number("Target", slo("objective_ratio", **_ONE), "percentunit", "Share of events that must be good.", PLAIN, 2),
        number("Bad events", slo("period_bad_events", **_ONE), "short", "In the period of the objective."),
        number(
            "Bad events allowed",
            f"{allowed} * {slo('period_events', **_ONE)}",
            "short",
            "So many of the events of the period may be bad.",
        ),
        width=4,
        height=4,
    )
    ratios = [(f"{slo('burn_rate_ratio', window=each, **_ONE)} * {allowed}", each) for each in ("5m", "1h", "1d")]
    board.row(
        "Where it goes",
        lines(
            "Budget left",
            [(left, "left")],
            "percentunit",
            "Falls as bad events come, rises as they leave the period.",
            steps=BUDGET,
            high=1,
        ),
        lines(
            "Burn rate by window",
            [(slo("burn_rate_ratio", window=each, **_ONE), each) for each in _WINDOWS],
            "x",
            "A page needs a long and a short window that burn too fast at once.",
            steps=BURN,
            low=0,
        ),
        lines("Failing", ratios, "percentunit", "Share of bad events, by window.", low=0),
        lines(
            "Bad and all events",
            [(slo("period_bad_events", **_ONE), "bad"), (slo("period_events", **_ONE), "all")],
            "short",
            "In the period.",
            low=0,
        ),
        words(_WHAT_TO_DO, "What to do"),
    )
    board.row("What spent it: $sli, rolling day", *(_spent(dimension) for dimension in _SPENDERS), width=6)
    return board


def _spent(dimension: str) -> Panel:
    said = {"workflow": "$workflow", "dimension": dimension, "window": "1d"}
    bad = f"{sli('total', '$sli', 'value', **said)} - {sli('good', '$sli', 'value', **said)}"
    return idle(
        f"Events of this objective have no {dimension}",
        lines(
            f"Bad events by {dimension}",
            [(f"topk(8, {bad})", "{{value}}")],
            "short",
            "The eight with most.",
            low=0,
            stacked=True,
        ),
    )


_WHAT_TO_DO = f"""\
- It burns fast, and you were paged: [slo.burn]({link("slo.burn")}).
- It burns slowly, for long: [slo.slow_burn]({link("slo.slow_burn")}).
- Little or nothing is left: [slo.budget]({link("slo.budget")}).
- Nothing comes in any more: [telemetry.silent]({link("telemetry.silent")}).
"""
