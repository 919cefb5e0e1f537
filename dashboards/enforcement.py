"""Enforcement: what the control plane decides and tells, how fast, and who has heard it."""

from __future__ import annotations

from dashboards.kit import ANY_IS_BAD, GREEN, RATE, RED, Board, idle, lines, number, words
from dashboards.runbooks import link
from dashboards.series import CONTROL, or_zero, rise, sli

UID = "flyball-enforcement"
_W = {"workflow": "~$workflow", "window": "1h"}


def build() -> Board:
    """Build it."""
    board = Board(
        UID, "Flyball / Enforcement", "Signals and guards: is what was decided obeyed, and how fast.", console="audit"
    )
    board.pick("workflow", "Workflow", 'label_values(flyball_sli_total{dimension=""}, workflow)')
    board.row(
        "Now",
        number(
            "Control plane",
            "min(flyball_control_healthy)",
            "bool_yes_no",
            "Whether /healthz says that all is well.",
            ((None, RED), (1, GREEN)),
        ),
        number("Guards", "sum(flyball_guards_connected)", "short", "Agents' guards that are there."),
        number(
            "Kills not heard by all",
            "sum(flyball_kills_waiting)",
            "short",
            "Kills that not every guard has acknowledged. Without any guard there is nobody to hear them.",
            ANY_IS_BAD,
        ),
        number(
            "Log read",
            "max(flyball_control_read_age_seconds)",
            "s",
            "How long ago the control plane had read all verdicts.",
            ((None, GREEN), (5, "orange"), (60, RED)),
        ),
        number(
            "Decision, p99",
            f"histogram_quantile(0.99, sum by (le) (rate(flyball_guard_decision_seconds_bucket[{RATE}])))",
            "s",
            "Of /v1/guard, without HTTP.",
            ((None, GREEN), (0.005, "orange"), (0.05, RED)),
        ),
        number("Audit log", "max(flyball_audit_entries_total)", "short", "Its height: entries."),
        width=4,
        height=4,
    )
    seconds = f"histogram_quantile(%s, sum by (le) (rate(flyball_guard_decision_seconds_bucket[{RATE}])))"
    board.row(
        "Decisions of the control plane",
        idle(
            "No agent has asked",
            lines(
                "By answer",
                [(_decided("decision"), "{{decision}}")],
                "short",
                "How many, of /v1/guard: agents whose guard runs there.",
                low=0,
                stacked=True,
            ),
        ),
        idle(
            "All was allowed",
            lines(
                "Not allowed, by rule",
                [(_decided("rule", 'decision!="allow"'), "{{rule}}")],
                "short",
                "How many were blocked, changed or handed to a person.",
                low=0,
                stacked=True,
            ),
        ),
        lines(
            "How long it took",
            [(seconds % each, f"p{float(each) * 100:g}") for each in ("0.5", "0.99")],
            "s",
            "Without HTTP.",
            low=0,
        ),
        idle(
            "None was refused",
            lines(
                "Requests that were refused",
                [(f"sum by (status) ({rise('flyball_control_refused_total', RATE)})", "{{status}}")],
                "short",
                "How many. 401, 403: no key for it; 429: too often; 5xx: no answer, the agent's tier says what holds.",
                low=0,
                stacked=True,
            ),
        ),
        idle(
            "None was",
            lines(
                "Decided without all parts",
                [(_decided("degraded", 'degraded!="none"'), "{{degraded}}")],
                "short",
                "A part of the guard had no answer, or signals were old.",
                low=0,
            ),
        ),
        lines(
            "Audit entries that wait",
            [
                ("max(flyball_audit_unsigned_entries)", "not signed yet"),
                ("max(flyball_audit_unwritten_entries)", "not on the disk yet"),
            ],
            "short",
            "Entries after the last checkpoint, and in memory only.",
            low=0,
        ),
    )
    asked = sli("total", "blocked_rate", **_W)
    calls, covered = (sli(count, "guard_coverage", **_W) for count in ("total", "good"))
    board.row(
        "Decisions of agents' own guards, as their spans tell",
        idle(
            "No guard has told a decision",
            lines(
                "Blocked, by workflow",
                [(f"1 - {sli('good', 'blocked_rate', **_W)} / ({asked} > 0)", "{{workflow}}")],
                "percentunit",
                "Of all decisions, rolling hour.",
                low=0,
            ),
        ),
        lines(
            "Tool calls that no guard was asked about",
            [(f"{calls} - {covered}", "{{workflow}}")],
            "short",
            "Tool calls less those with a decision, rolling hour: where it is not 0, agents go around the guard.",
            low=0,
            stacked=True,
        ),
        width=12,
    )
    board.row(
        "Signals",
        idle(
            "None was given out",
            lines(
                "Given out",
                [(f"sum by (kind) ({rise('flyball_signals_total', RATE)})", "{{kind}}")],
                "short",
                "By kind.",
                low=0,
                stacked=True,
            ),
        ),
        idle(
            "None was read",
            lines(
                "Verdicts read",
                [(f"sum by (action) ({rise('flyball_verdicts_taken_total', RATE)})", "{{action}}")],
                "short",
                "From the log, by action.",
                low=0,
                stacked=True,
            ),
        ),
        lines(
            "Commands of people",
            [(or_zero(f"sum by (command) ({rise('flyball_commands_total', RATE)})", CONTROL), "{{command}}")],
            "short",
            "Kill, resume, set, drift.accept.",
            low=0,
            stacked=True,
        ),
        lines(
            "Streams and guards",
            [("sum(flyball_guard_streams)", "streams"), ("sum(flyball_guards_connected)", "guards")],
            "short",
            "Who listens.",
            low=0,
        ),
        lines(
            "Verdicts and spend not read yet",
            [('sum by (topic) (flyball_consumer_lag_messages{topic=~".*(verdicts|spend)"})', "{{topic}}")],
            "short",
            "Messages of the log.",
            low=0,
        ),
        words(f"A run goes on although it was stopped: [stop.failed]({link('stop.failed')}).\n", "What to do"),
    )
    return board


def _decided(by: str, labels: str = "") -> str:
    """Count decisions, the first of a rule or an answer too: of that a rate says nothing."""
    return f"sum by ({by}) ({rise('flyball_guard_decisions_total', RATE, labels)})"
