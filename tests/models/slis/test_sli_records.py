"""SLI records are JSON of the contract, whatever numbers and names are in them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from models.slis.bins import value_of
from models.slis.readings import Label, Readings
from models.slis.records import sli_lines

LABELS = [
    Label("task_success", {"workflow": "w"}, histogram=False, whole=False),
    Label("cost_per_task", {"workflow": 'a "b" \\ \n \u2028 ü', "tenant": "{%d}"}, histogram=True, whole=False),
    Label("trajectory_length", {"workflow": "%b"}, histogram=True, whole=True),
]
numbers = st.integers(-(2**62), 2**62)
bins = st.dictionaries(st.integers(-4096, 4095), st.one_of(st.integers(-12, 12), numbers), max_size=20)
panes = st.tuples(st.integers(0, 2), st.integers(0, 2**25), numbers, numbers, st.integers(0, 2**40), bins)


def readings(drawn: list[tuple[Any, ...]]) -> Readings:
    """Lay panes out as arrays; the quantiles are the first, the middle and the last bin."""
    laid = [sorted(pane[5].items()) if pane[0] else [] for pane in drawn]
    places = [[pane[at][0] + 4096 if pane else -1 for at in (0, len(pane) // 2, -1)] for pane in laid]
    columns = np.array([pane[:5] for pane in drawn], np.int64).reshape(-1, 5).T
    return Readings(
        LABELS,
        *columns,
        np.array(places, np.int64).reshape(-1, 3),
        np.cumsum([0, *map(len, laid)]),
        np.array([pair for pane in laid for pair in pane], np.int64).reshape(-1, 2),
    )


def record(pane: tuple[Any, ...]) -> dict[str, Any]:
    """Give the record of a pane as a dict, in the order of the contract."""
    series, minute, total, good, revision, counts = pane
    label, histogram = LABELS[series], sorted(counts.items())
    start = str(np.datetime64(minute * 60, "s")) + "Z"
    out = {"kind": "sli", "sli": label.sli, "group": label.group, "pane_start": start, "pane_s": 60}
    out |= {"total": total, "good": good}
    if label.histogram:
        out["bins"] = {str(k): count for k, count in histogram}
        for name, at in (("p50", 0), ("p95", len(histogram) // 2), ("p99", -1)):
            value = value_of(histogram[at][0]) if histogram else None
            out[name] = round(value) if label.whole and value is not None else value
    return out | {"revision": revision}


@given(st.lists(panes, max_size=8))
def test_records_are_what_a_json_library_writes(drawn: list[tuple[Any, ...]]) -> None:
    """Keys, order and values are those of a dict, whole numbers of any size; the record's key is the group."""
    expected = [record(pane) for pane in drawn]
    lines = sli_lines(readings(drawn))
    assert [json.loads(line) for _, line in lines] == expected
    assert [orjson.dumps(json.loads(key)) for key, _ in lines] == [orjson.dumps(r["group"]) for r in expected]
    assert [list(json.loads(line)) for _, line in lines] == [list(r) for r in expected]
