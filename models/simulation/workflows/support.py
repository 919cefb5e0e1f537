"""Support: refunds and bookings for customers; evaluated after each run, sometimes handed to a person."""

from __future__ import annotations

from models.simulation.workflow import OutcomeBy, Tool, Workflow
from models.simulation.workflows.models import GPT_4O, GPT_41, GPT_41_MINI

TRANSFER = "transfer_to_human_agents"
"""The tool that hands a run to a person, in every workflow."""

WORKFLOW = Workflow(
    name="support",
    agent="refund-agent",
    weight=3.0,
    models=((GPT_4O, 0.6), (GPT_41, 0.3), (GPT_41_MINI, 0.1)),
    versions=(("2026.3.1", 0.9), ("2026.3.2", 0.1)),
    tools=(
        Tool("get_user_details", 3, 0.25, arguments='{"user_id":"u{n}"}', result='{"user_id":"u{n}","tier":"gold"}'),
        Tool("get_order", 4, 0.3, arguments='{"order_id":"#W{n}"}', result='{"order_id":"#W{n}","status":"delivered"}'),
        Tool("search_flights", 2, 0.9, errors=0.03, arguments='{"from":"SFO","to":"JFK","day":"{n}"}'),
        Tool("refund_order", 2, 0.7, errors=0.04, approval=0.15, arguments='{"order_id":"#W{n}","amount":40}'),
        Tool("update_booking", 1, 0.8, errors=0.05, arguments='{"booking_id":"B{n}","cabin":"economy"}'),
        Tool("calculate", 1, 0.02, arguments='{"expression":"{n} * 3"}', result="{n}"),
    ),
    rounds=6,
    rounds_spread=0.45,
    pause_s=4.0,
    prompt_tokens=3200,
    success=0.82,
    crash=0.004,
    escalation=0.06,
    guard=0.3,
    blocked=0.02,
    outcome_by=OutcomeBy.EVALUATION,
    evaluated=0.97,
    feedback=0.12,
)
