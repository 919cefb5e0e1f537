"""Pipeline health: is what Flyball says of now, and is all of it heard."""

from __future__ import annotations

from dashboards.kit import ANY_IS_BAD, ANY_IS_NEWS, GREEN, RANGE, RATE, RED, Board, idle, lines, number, words
from dashboards.runbooks import link
from dashboards.series import DELIVERY, FLOW, or_zero, rise

UID = "flyball-pipeline"
_LATE = ((None, GREEN), (90, "orange"), (300, RED))


def build() -> Board:
    """Build it."""
    board = Board(UID, "Flyball / Pipeline health", "Flyball itself: lag, lateness, dead letters, delivery.")
    board.row(
        "Now",
        number(
            "Behind",
            "max(flyball_event_time_lag_seconds)",
            "s",
            "Clock less watermark. A minute of it is patience with late spans.",
            _LATE,
        ),
        number(
            "Not read yet",
            "sum(flyball_consumer_lag_messages)",
            "short",
            "Messages in the log that their reader has not taken.",
            ((None, GREEN), (1_000, "orange"), (10_000, RED)),
        ),
        number(
            "Dead letters",
            or_zero(f"sum({rise('flyball_dead_letters_total', RANGE)})", FLOW),
            "short",
            "Messages and spans that could not be used, in the time shown.",
            ANY_IS_NEWS,
            0,
        ),
        number(
            "Pages that wait",
            "sum(flyball_delivery_queue)",
            "short",
            "That their sinks have not heard yet.",
            ANY_IS_NEWS,
        ),
        number(
            "Pages not tried any more",
            "sum(flyball_delivery_parked)",
            "short",
            "`flyball deliver --parked` says why.",
            ANY_IS_BAD,
        ),
        number("Spans", f"sum(rate(flyball_spans_total[{RATE}]))", "cps", "Decoded, a second."),
        width=4,
        height=4,
    )
    seconds = f"histogram_quantile(0.99, sum by (le, step) (rate(flyball_batch_seconds_bucket[{RATE}])))"
    board.row(
        "In",
        lines(
            "Messages and spans",
            [(_rate("messages"), "messages"), (_rate("spans"), "spans")],
            "cps",
            "Read and decoded, a second.",
            low=0,
        ),
        lines(
            "Behind",
            [("max by (instance) (flyball_event_time_lag_seconds)", "{{instance}}")],
            "s",
            "Clock less watermark: how old what is judged may be. Detection is at most this late, and a batch.",
            low=0,
            steps=_LATE,
        ),
        lines(
            "Not read yet",
            [("sum by (topic) (flyball_consumer_lag_messages)", "{{topic}}")],
            "short",
            "Messages, by topic.",
            low=0,
        ),
        lines("A batch, p99", [(seconds, "{{step}}")], "s", "By step.", low=0),
        lines(
            "Late, twice or forgotten",
            [(_rate(each), each) for each in ("late", "duplicates", "forgotten")],
            "cps",
            "Spans of runs that had closed, spans that came before, and runs that gave way.",
            low=0,
        ),
        idle(
            "All of it could be used as it came",
            lines(
                "Dead letters and repairs",
                [
                    (f"sum by (reason) ({rise('flyball_dead_letters_total', RATE)})", "dead: {{reason}}"),
                    (f"sum by (rule) ({rise('flyball_mended_total', RATE)})", "mended: {{rule}}"),
                ],
                "short",
                "What could not be used, and what was repaired.",
                low=0,
            ),
        ),
    )
    board.row(
        "State",
        lines(
            "Runs",
            [("sum(flyball_open_runs)", "in progress"), ("sum(flyball_remembered_runs)", "remembered")],
            "short",
            "Runs that are kept.",
            low=0,
        ),
        lines(
            "Memory of the state",
            [("sum by (step) (flyball_state_bytes)", "{{step}}")],
            "bytes",
            "By step.",
            low=0,
            stacked=True,
        ),
        lines(
            "Not known",
            [
                (_rate("unpriced"), "calls without a price"),
                ("sum(flyball_evaluations_unjoined_total)", "evaluations without a run"),
                ("min(flyball_baseline_runs)", "runs behind the thinnest baseline"),
            ],
            "short",
            "What leaves gaps in what is told.",
            low=0,
        ),
    )
    put_off = f"sum by (sink) ({rise('flyball_delivery_retries_total', RATE)})"
    waited = f"histogram_quantile(0.95, sum by (le, sink) (rate(flyball_delivery_seconds_bucket[{RANGE}])))"
    board.row(
        "Out",
        lines(
            "Pages begun",
            [(f"sum by (severity) ({rise('flyball_pages_total', RATE)})", "{{severity}}")],
            "short",
            "By severity.",
            low=0,
            stacked=True,
        ),
        lines(
            "Deliveries",
            [(f"sum by (sink, outcome) ({rise('flyball_deliveries_total', RATE)})", "{{sink}} {{outcome}}")],
            "short",
            "By sink, and what came of them.",
            low=0,
            stacked=True,
        ),
        lines("From incident to sink, p95", [(waited, "{{sink}}")], "s", "In the time shown.", low=0),
        lines(
            "Oldest page that waits",
            [("max by (sink) (flyball_delivery_oldest_seconds)", "{{sink}}")],
            "s",
            "By sink.",
            low=0,
        ),
        lines(
            "Put off, or without a route",
            [
                (
                    or_zero(put_off, DELIVERY),
                    "put off: {{sink}}",
                ),
                (f"sum(increase(flyball_pages_unrouted_total[{RATE}]))", "no route"),
            ],
            "short",
            "Deliveries that were put off, and pages that no route matched.",
            low=0,
        ),
        words(_WHAT_TO_DO, "What to do"),
    )
    return board


def _rate(name: str) -> str:
    return f"sum(rate(flyball_{name}_total[{RATE}]))"


_WHAT_TO_DO = f"""\
- It is behind: [telemetry.lag]({link("telemetry.lag")}).
- Agents are silent: [telemetry.silent]({link("telemetry.silent")}).
- Dead letters: `flyball records flyball.dead_letters` says which, and why.
- Pages wait or are parked: `flyball deliver --parked`, `flyball deliver --test ROUTE`.
"""
