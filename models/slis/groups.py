"""Groups: what an SLI is counted by: the workflow alone, and one dimension at a time (version, tool, a cohort ...)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import digest_of, mix64
from models.kernels import allocating, small
from models.runs.task_types import COHORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

SHARDS = 64
"""Series shards: fixed for ever, as the stored state is parted by them."""

ALONE = 0
"""The dimension of the series of a workflow alone; its value is 0."""

OF_RUN = ("version", "environment", "tenant", "tier", "prompt", "toolset", "model", "variant")
"""Dimensions of every SLI, fields of RUN: what is rolled out, and for whom."""

OF_CALL = (*OF_RUN, "tool")
"""Dimensions of SLIs per call."""

OF_FAILED = ("error", "failure")
"""Dimensions that only bad events have, of one SLI each (`models.slis.kinds`): error types, classes of failures."""

PARTINGS = ("stop_reason", "transition")
"""Dimensions that part all events of one SLI each (`models.slis.kinds`): tasks by why the last answer of a model ended,
calls by the tool called before them."""

TASK = COHORT
"""The cohort (`flyball.cohort.task`) that says which type of task a run is: what drift is parted by."""

OF_TASK = {f"{TASK}_{kind}": kind for kind in ("tool", *OF_FAILED, *PARTINGS)}
"""Dimension -> the dimension whose values it has, each together with the type of its run's task."""

USER_AGE = "user_age"
"""New or existing users of a workflow (`models.slis.user_ages`)."""

OF_CONTRAST = {f"{TASK}_{name}": name for name in (*OF_RUN, USER_AGE)}
"""Dimension -> the dimension of runs whose values it has, each together with the type of its run's task."""

OF_COHORT = f"{TASK}_cohort"
"""The same of all other cohorts: type of task, name and value of a cohort."""

BETWEEN = "\x1f"
"""Between the type of task and the other value, in the text of a value of these."""

_OURS = (*OF_CALL, *OF_FAILED, *PARTINGS, *OF_TASK, *OF_CONTRAST, OF_COHORT, USER_AGE)
FIXED = {digest_of(name): name for name in _OURS}
"""Dimension (digest) -> name, of those that are always there; all others are cohorts."""

UNTOLD = frozenset(map(digest_of, ("transition", *OF_TASK, *OF_CONTRAST, OF_COHORT)))
"""Dimensions of series that only detectors read: tools by tools are too many for records and metrics."""

USER = digest_of("user")
"""Dimension of cells whose value is a user (`models.slis.user_types` where runs say a type of task): they never come to
be series, only those of the ages of users do."""

OTHER = digest_of("other")
"""The value that takes what is beyond the allowed number of values of a dimension."""

REST = "other"
"""How it is told."""

NAMED_OTHER = OTHER ^ 0x6F74686572
"""The value of what is itself named so, of the dimensions of `OF_CALL`: a version, a tenant, a tool."""

SO_NAMED = f"{REST} (so named)"
"""How that is told."""

_NAMEABLE = np.array(sorted(map(digest_of, OF_CALL)), np.int64)

UNKNOWN_WORKFLOW = digest_of("unknown")
"""The workflow of a run that says neither workflow nor agent nor service."""

_COHORT = np.uint64(0x632BE59BD9B4E019)
_SERIES_SEED = np.uint64(0x9E6C63D0876A9A35)


@small
def cohort_dimension(name: Any) -> Any:
    """Give the dimension of a cohort from the digest of its name; never that of a fixed dimension of the same name."""
    return np.int64(mix64(np.uint64(name) ^ _COHORT))


def parted_from_rest(cols: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give cells [row, n] with what is named as the rest is under a value of its own."""
    said = cols[2] == OTHER
    if not said.any():
        return cols
    cols = cols.copy()
    cols[2, said & np.isin(cols[1], _NAMEABLE)] = NAMED_OTHER
    return cols


def told_value(dimension: str, value: str) -> str:
    """Give how a value that a run has is told."""
    return SO_NAMED if value == REST and dimension in OF_CALL else value


def value_of(told: str) -> str:
    """Give the value that runs have, of one as it is told."""
    return REST if told == SO_NAMED else told


def cohort_key(name: str) -> str:
    """Give the key of a cohort in a record's group: its name; `cohort.<name>` where the name is taken."""
    return f"cohort.{name}" if name in (*_OURS, "workflow", "cohort") else name


def cohort_names(digests: Iterable[int], names: dict[int, str]) -> dict[int, str]:
    """Name the dimensions of cohorts: dimension -> key in a record's group."""
    return {int(cohort_dimension(digest)): cohort_key(names.get(digest, f"{digest:x}")) for digest in digests}


@allocating
def series_shards(workflows: Any, shards: Any) -> Any:
    """Give the series shard, 0 <= shard < shards, of each workflow digest."""
    out = np.empty(workflows.size, np.int64)
    for i in range(workflows.size):
        out[i] = np.int64(mix64(np.uint64(workflows[i]) ^ _SERIES_SEED) % np.uint64(shards))
    return out


def series_shard(workflow: int, shards: int = SHARDS) -> int:
    """Give the series shard of one workflow digest. Part of the stored state: it must never change."""
    return int(series_shards(np.array([workflow], np.int64), shards)[0])
