"""Matching, compiled: which SLOs look at which rows. By itself: what a kernel imports decides when it is compiled."""
# ruff: noqa: PLR0913, PLR0917 - compiled kernels over flat arrays

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import kernel

ANY_COHORT = 6
"""Dimension of a filter that looks at the cohort whose name is given beside it; those before are rows of names."""


@kernel
def _accepts(filters: Any, f: Any, values: Any, names: Any, cohort_names: Any, cohort_values: Any, row: Any) -> Any:
    found = np.int64(0)
    if filters[f, 0] < ANY_COHORT:
        found = names[filters[f, 0], row]
    else:
        for k in range(cohort_names.shape[1]):
            if cohort_names[row, k] == filters[f, 1]:
                found = cohort_values[row, k]
    accepted = False
    for v in range(filters[f, 2], filters[f, 3]):
        accepted = accepted or values[v] == found
    return accepted


@kernel
def match(
    names: Any,
    cohort_names: Any,
    cohort_values: Any,
    workflows: Any,
    starts: Any,
    slos: Any,
    filter_starts: Any,
    filters: Any,
    values: Any,
    out_rows: Any,
    out_slos: Any,
) -> Any:
    """Write what fits and give how many there are."""
    found = 0
    for row in range(names.shape[1]):
        for which in range(2):  # SLOs of any workflow, then those of this one
            wanted = np.int64(0) if which == 0 else names[0, row]
            at = np.searchsorted(workflows, wanted)
            if at == workflows.size or workflows[at] != wanted or (which == 1 and wanted == 0):
                continue
            for k in range(starts[at], starts[at + 1]):
                slo = slos[k]
                accepted = True
                for f in range(filter_starts[slo], filter_starts[slo + 1]):
                    if not _accepts(filters, f, values, names, cohort_names, cohort_values, row):
                        accepted = False
                        break
                if accepted:
                    if found < out_rows.size:
                        out_rows[found], out_slos[found] = row, slo
                    found += 1
    return found
