"""Research: questions answered from many sources, part of them by nested agents; it fails with a status of its root."""

from __future__ import annotations

from models.simulation.workflow import OutcomeBy, Tool, Workflow
from models.simulation.workflows.models import CLAUDE_HAIKU_45, CLAUDE_SONNET_45

WORKFLOW = Workflow(
    name="research",
    agent="research-agent",
    weight=1.0,
    models=((CLAUDE_SONNET_45, 0.7), (CLAUDE_HAIKU_45, 0.3)),
    versions=(("1.8.0", 1.0),),
    tools=(
        Tool("web_search", 5, 1.1, 0.7, errors=0.02, arguments='{"query":"market report {n}"}'),
        Tool("fetch_page", 6, 1.8, 0.9, errors=0.06, timeouts=0.5, arguments='{"url":"https://example.org/{n}"}'),
        Tool("read_document", 2, 0.6, arguments='{"document":"doc-{n}"}'),
        Tool("take_note", 2, 0.05, errors=0.001, arguments='{"note":"finding {n}"}'),
    ),
    rounds=9,
    rounds_spread=0.6,
    parallel=0.4,
    subagent=0.12,
    prompt_tokens=6000,
    output_tokens=320,
    reports_cost=True,
    success=0.93,
    outcome_by=OutcomeBy.STATUS,
    feedback=0.05,
)
