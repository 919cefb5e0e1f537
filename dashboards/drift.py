"""Drift: evidence against its threshold, by what is held against what."""

from __future__ import annotations

from dashboards.kit import (
    ANY_IS_BAD,
    RED,
    Board,
    Panel,
    Steps,
    column,
    columns,
    grid,
    idle,
    lines,
    number,
    query,
    words,
)
from dashboards.runbooks import link
from dashboards.series import FLOW, or_zero

UID = "flyball-drift"
_PICKED = 'workflow=~"$workflow"'
_THRESHOLD: Steps = ((None, "transparent"), (0, RED))
"""Evidence is told over the threshold of one false alarm a stream and year, on a log scale."""


def build() -> Board:
    """Build it."""
    board = Board(
        UID,
        "Flyball / Drift",
        "Agents that are not what they were, with a stated rate of false alarms.",
        console="drift",
    )
    board.pick("workflow", "Workflow", 'label_values(flyball_sli_total{dimension=""}, workflow)')
    board.row(
        "Now",
        number(
            "Streams in alarm",
            or_zero(f"sum(flyball_drift_alarms{{{_PICKED}}})", FLOW),
            "short",
            "Each of them gives one false alarm a year.",
            ANY_IS_BAD,
        ),
        number("Streams watched", "sum(flyball_drift_streams)", "short", "Those with a frozen baseline."),
        number(
            "Nearest to an alarm",
            f"max(flyball_drift_evidence_log10{{{_PICKED}}})",
            "short",
            "Powers of ten over the threshold: 0 is an alarm, -2 a hundredth of the evidence for one, - none at all.",
            ((None, "green"), (-1, "yellow"), (0, RED)),
        ),
        width=8,
        height=4,
    )
    board.row(
        "Evidence over its threshold (0: an alarm), powers of ten",
        _evidence("Against their own past", 'watch=~"own_.*|.*_mix"', "{{workflow}} {{sli}} {{value}} {{watch}}"),
        _evidence("Against an objective", 'watch="objective"', "{{workflow}} {{sli}}"),
        _evidence(
            "Upgrades against what was before", 'watch=~"change_.*"', "{{workflow}} {{sli}} {{dimension}} {{value}}"
        ),
        _evidence("Cohorts against the rest", 'watch=~"live_.*"', "{{workflow}} {{sli}} {{dimension}} {{value}}"),
        width=12,
    )
    board.row("What to do", _alarms(), words(_WHAT_TO_DO, "What to do"), width=12)
    return board


def _evidence(title: str, which: str, legend: str) -> Panel:
    expr = f"topk(10, flyball_drift_evidence_log10{{{which},{_PICKED}}})"
    about = "The strongest ten. It rises by about as much a minute as a minute tells; it falls when all is as it was."
    return idle(
        "No such stream has evidence",
        lines(
            title,
            [(expr, legend)],
            "short",
            about,
            steps=_THRESHOLD,
        ),
    )


def _alarms() -> Panel:
    alarms = query(f"sum by (sli) (flyball_drift_alarms{{{_PICKED}}})", now=True)
    panel = grid("Alarms by SLI", [alarms], "Streams in alarm, by what is measured.", "Alarms", falling=True)
    panel.no_value("No stream is in alarm")
    columns(panel, "sli", {"sli": "SLI", "Value": "Alarms"})
    column(panel, "Alarms", "short", ANY_IS_BAD)
    return panel


_WHAT_TO_DO = f"""\
- A stream is in alarm: [drift]({link("drift")}).
- `flyball drift` tells effect, interval, since when, and what was rolled out about then.
- `flyball compare '#version=1' '#version=2'` holds two versions against each other.
- This is how it shall be from now on: `flyball drift accept --workflow NAME`.
"""
