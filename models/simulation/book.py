"""Book: the shapes, users and resources of a scenario by number; Cast: one workflow in those numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from models.simulation import vocabulary
from models.simulation.draws import keys_of, stream_of, uniforms
from models.simulation.runs import SETTINGS, TOOL, Line
from models.simulation.workflow import OutcomeBy, Tool, Workflow
from models.simulation.workflows.support import TRANSFER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.simulation.scenario import Scenario
    from models.simulation.shapes import Shape

_T = TypeVar("_T")

TIERS = (("free", 0.6), ("pro", 0.3), ("enterprise", 0.1))
TENANTS = 24
_TIER_OF_USER = 1


@dataclass
class Book:
    """Numbers whatever is added; the same thing gets the same number."""

    shapes: list[Shape] = field(default_factory=list)
    contexts: list[tuple[tuple[str, str], ...]] = field(default_factory=list)
    resources: list[tuple[tuple[str, str], ...]] = field(default_factory=list)

    def shape(self, shape: Shape) -> int:
        """Number a shape."""
        return _number(self.shapes, shape)

    def resource(self, workflow: Workflow, version: str, environment: str) -> int:
        """Number the resource of a workflow's service at a version in an environment."""
        prompt = hashlib.sha256(f"{workflow.name}/{version}".encode()).hexdigest()[:16]
        pairs = (
            ("service.name", workflow.agent),
            ("service.version", version),
            ("deployment.environment.name", environment),
            ("traceloop.prompt.version_hash", prompt),
            ("flyball.workflow", workflow.name),
        )
        return _number(self.resources, pairs)


def _number(known: list[_T], item: _T) -> int:
    if item not in known:
        known.append(item)
    return known.index(item)


@dataclass
class Cast:
    """One workflow in numbers, ready for the kernel."""

    workflow: Workflow
    tools: list[Tool]
    """Its own, the hand-over to a person, and those that incidents bring."""
    versions: list[str]
    lines: NDArray[np.int64]
    """Shapes by `Line`."""
    prices: NDArray[np.float64]
    """[model, (input, cached, output in nano-USD a token, output tokens per second)]."""
    settings: NDArray[np.void]

    def tool(self, name: str) -> int:
        """Number a tool by name; "": the first. A name that is not there is added as a tool that never errs."""
        names = [tool.name for tool in self.tools]
        if name and name not in names:
            self.tools.append(Tool(name, errors=0.0, arguments='{"to":"customer {n}"}', result="done"))
            return len(names)
        return names.index(name) if name else 0

    def version(self, name: str) -> int:
        """Number a version of the service."""
        return _number(self.versions, name)


def write_users(book: Book, scenario: Scenario) -> None:
    """Fill the contexts: user, tenant and tier; tenants have one tier each."""
    tenants = keys_of(stream_of(scenario.seed, "tenants"), 0, TENANTS)
    drawn = uniforms(tenants, _TIER_OF_USER)
    edges = np.cumsum([share for _, share in TIERS])
    tiers = [TIERS[min(int(np.searchsorted(edges, u, side="right")), len(TIERS) - 1)][0] for u in drawn]
    for user in range(scenario.users):
        tenant = user % TENANTS
        pairs = (
            ("user.id", f"user-{user:05d}"),
            ("flyball.tenant.id", f"tenant-{tenant:02d}"),
            ("flyball.user.tier", tiers[tenant]),
        )
        book.contexts.append(pairs)


def cast_of(book: Book, workflow: Workflow) -> Cast:
    """Write a workflow's shapes into the book."""
    return Cast(
        workflow=workflow,
        tools=[*workflow.tools, Tool(TRANSFER, seconds=0.3, errors=0.0, arguments='{"summary":"case {n}"}')],
        versions=[version for version, _ in workflow.versions],
        lines=_lines(book, workflow),
        prices=np.array(
            [[m.input_usd * 1e3, m.cached_usd * 1e3, m.output_usd * 1e3, m.tokens_per_s] for m, _ in workflow.models]
        ),
        settings=_settings(workflow),
    )


def tool_table(book: Book, cast: Cast, strangers: set[int]) -> NDArray[np.void]:
    """Give the TOOL table; `strangers` are tools that do not exist: calls to them fail with `tool_not_found`."""
    table = np.zeros(len(cast.tools), TOOL)
    own = len(cast.workflow.tools)
    weights = np.cumsum([tool.weight for tool in cast.workflow.tools])
    table["edge"] = 2.0
    table["edge"][:own] = weights / weights[-1]
    for field_name in ("seconds", "spread", "errors", "timeouts", "approval"):
        table[field_name] = [getattr(tool, field_name) for tool in cast.tools]
    for i, tool in enumerate(cast.tools):
        error = "tool_not_found" if i in strangers else "tool_error"
        shapes = (vocabulary.call(tool), vocabulary.call(tool, error), vocabulary.call(tool, "timeout"))
        table["shape"][i] = [book.shape(shape) for shape in shapes]
    return table


def _settings(workflow: Workflow) -> NDArray[np.void]:
    settings = np.zeros(1, SETTINGS)
    same = ("rounds", "rounds_spread", "max_rounds", "parallel", "subagent", "prompt_tokens", "output_tokens")
    for name in same:
        settings[name] = getattr(workflow, name)
    settings["pause"] = workflow.pause_s
    settings["evaluation_delay"] = workflow.evaluation_delay_s
    settings["transfer"] = len(workflow.tools)
    return settings


def _lines(book: Book, workflow: Workflow) -> NDArray[np.int64]:
    said = workflow.outcome_by is OutcomeBy.ATTRIBUTE
    crashed = vocabulary.agent(workflow.agent, root=True, error="max_steps", outcome="failure" if said else "")
    shapes = {
        Line.ROOT: vocabulary.agent(workflow.agent, root=True),
        Line.ROOT_FAILED: vocabulary.agent(workflow.agent, root=True, error="agent_error"),
        Line.ROOT_CRASHED: crashed,
        Line.ROOT_SUCCESS: vocabulary.agent(workflow.agent, root=True, outcome="success"),
        Line.ROOT_FAILURE: vocabulary.agent(workflow.agent, root=True, outcome="failure"),
        Line.ROOT_ESCALATED: vocabulary.agent(workflow.agent, root=True, outcome="escalated"),
        Line.NESTED: vocabulary.agent(f"{workflow.agent}-helper", root=False),
        Line.GUARD_ALLOWS: vocabulary.guard(blocks=False),
        Line.GUARD_BLOCKS: vocabulary.guard(blocks=True),
        Line.APPROVED: vocabulary.approval(granted=True),
        Line.REJECTED: vocabulary.approval(granted=False),
        Line.PASS: vocabulary.evaluation("task_success", 1.0, "pass"),
        Line.FAIL: vocabulary.evaluation("task_success", 0.0, "fail"),
        Line.THUMB_UP: vocabulary.evaluation("user_feedback", 1.0, "good"),
        Line.THUMB_DOWN: vocabulary.evaluation("user_feedback", 0.0, "bad"),
    }
    ordered = [shapes[line] for line in Line if line is not Line.CHAT]
    chats = [vocabulary.chat(model, cost=workflow.reports_cost) for model, _ in workflow.models]
    return np.array([book.shape(shape) for shape in [*ordered, *chats]], np.int64)
