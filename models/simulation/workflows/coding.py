"""Coding: changes to a repository, long and uneven; the agent says its outcome itself, and asks before it pushes."""

from __future__ import annotations

from models.simulation.workflow import OutcomeBy, Tool, Workflow
from models.simulation.workflows.models import CLAUDE_SONNET_45, GPT_41

WORKFLOW = Workflow(
    name="coding",
    agent="code-agent",
    weight=1.0,
    models=((CLAUDE_SONNET_45, 0.8), (GPT_41, 0.2)),
    versions=(("0.42.0", 0.7), ("0.43.0", 0.3)),
    environments=(("prod", 0.85), ("staging", 0.15)),
    tools=(
        Tool("read_file", 8, 0.03, errors=0.02, timeouts=0.0, arguments='{"path":"src/module_{n}.py"}'),
        Tool("search_code", 5, 0.2, errors=0.01, arguments='{"pattern":"handler_{n}"}'),
        Tool("edit_file", 5, 0.05, errors=0.06, timeouts=0.0, arguments='{"path":"src/module_{n}.py","line":12}'),
        Tool("run_tests", 4, 9.0, 0.9, errors=0.15, timeouts=0.1, arguments='{"selection":"test_{n}"}'),
        Tool("push_branch", 1, 2.0, errors=0.03, approval=0.5, arguments='{"branch":"fix-{n}"}'),
    ),
    rounds=12,
    rounds_spread=0.7,
    parallel=0.25,
    prompt_tokens=9000,
    output_tokens=380,
    success=0.74,
    crash=0.02,
    escalation=0.02,
    guard=0.1,
    blocked=0.01,
    outcome_by=OutcomeBy.ATTRIBUTE,
    feedback=0.08,
)
