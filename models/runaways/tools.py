"""KnownTools: which tools a workflow has, by the word of people or learnt from runs that closed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.runs.changes import Changes

EVIDENCE = 50
"""Closed runs of a workflow until its tools are taken to be known: a tool that every tenth run calls is then missed
with 0.9^50 = 0.5 %."""
_MAX_TOOLS = 2000
"""Tools learnt of a workflow; of one that has more it is not known which are strange."""
_MAX_WORKFLOWS = 1000
_Known = tuple[frozenset[int] | None, bool]


class KnownTools:
    """What is known of tools. `listed` are those that people listed, by workflow; nothing is learnt of these."""

    def __init__(self, listed: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._listed = {name: frozenset(map(digest_of, tools)) for name, tools in (listed or {}).items()}
        self._fixed = {digest_of(name) for name in self._listed}
        self._learnt: dict[int, set[int]] = {}
        self._runs: dict[int, int] = {}
        self._digests: NDArray[np.int64] | None = None

    def workflows(self) -> NDArray[np.int64]:
        """Give every workflow whose tools are known, as `of` has it."""
        learnt = [workflow for workflow, runs in self._runs.items() if runs >= EVIDENCE]
        return np.array([*self._fixed, *learnt], np.int64)

    def of(self, workflow: str | None, digest: int) -> _Known:
        """Give the tools of a workflow and whether people listed them; None: not known enough."""
        if workflow in self._listed:
            return self._listed[workflow], True
        if self._runs.get(digest, 0) < EVIDENCE:
            return None, False
        learnt = self._learnt.get(digest, set())
        return (frozenset(learnt), False) if len(learnt) < _MAX_TOOLS else (None, False)

    def digests(self) -> NDArray[np.int64]:
        """Give every tool that any workflow is known to have."""
        if self._digests is None:
            tools = set().union(*self._listed.values(), *self._learnt.values())
            self._digests = np.array(sorted(tools), np.int64)
        return self._digests

    def learn(self, changes: Changes) -> None:
        """Take in the calls of runs that closed: a tool that answered without an error is one."""
        told = changes.runs["workflow"][changes.weight > 0]
        for workflow, runs in Counter(told.tolist()).items():
            if workflow in self._runs or len(self._runs) < _MAX_WORKFLOWS:
                self._runs[workflow] = self._runs.get(workflow, 0) + runs
        calls = changes.calls
        good = np.flatnonzero(calls["calls"] > calls["errors"])
        workflows = changes.runs["workflow"][calls["run"][good]]
        for workflow, tool in set(zip(workflows.tolist(), calls["tool"][good].tolist(), strict=True)):
            if workflow not in self._runs:
                continue
            known = self._learnt.setdefault(workflow, set())
            if tool not in known and len(known) < _MAX_TOOLS:
                known.add(tool)
                self._digests = None
