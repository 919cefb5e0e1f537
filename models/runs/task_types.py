"""Task types: which type of task a run says that it is, in its cohort `task` (`flyball.cohort.task`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import digest_of
from models.kernels import kernel
from models.runs.record import MAX_COHORTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

COHORT = "task"
_COHORT = digest_of(COHORT)


def tasks_of(runs: NDArray[np.void]) -> NDArray[np.int64]:
    """Give the type of task of each run, 0 where it says none."""
    said = np.where(runs["cohort_name"] == _COHORT, runs["cohort_value"], 0)
    tasks: NDArray[np.int64] = said[np.arange(len(said)), np.argmax(said != 0, axis=1)]
    return tasks


@kernel
def task_of(run: Any) -> Any:
    """Give that of one run."""
    for k in range(MAX_COHORTS):
        if run.cohort_name[k] == _COHORT:
            return run.cohort_value[k]
    return np.int64(0)
