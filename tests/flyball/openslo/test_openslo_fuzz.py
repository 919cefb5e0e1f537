"""Whatever the files say, reading them ends, tells, and lets nothing vanish."""

from __future__ import annotations

import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from flyball.openslo.load import slos_in

HERE = Path(__file__).parent
SPECIMENS = sorted((HERE / "good").glob("*.yaml")) + sorted((HERE.parents[2] / "slos").rglob("*.yaml"))
JUNK = (
    None,
    "",
    "x",
    0,
    -1,
    0.5,
    1e300,
    True,
    [],
    {},
    [None],
    {"a": {}},
    "30d",
    "1M",
    "${ENV:X}",
    [[[]]],
    "\x85",
    {1: 2},
)
CHANGES = 60


def places(tree: Any) -> list[tuple[Any, Any]]:
    """List (container, key) of everything in a tree of dicts and lists."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [(tree, key) for key in keys] + [place for key in keys for place in places(tree[key])]


def spoil(tree: Any, draw: random.Random) -> None:
    """Change one thing: take it away, put junk there, put another part there, or rename it."""
    found = places(tree)
    if not found:
        return
    container, key = draw.choice(found)
    other, other_key = draw.choice(found)
    how = draw.randrange(4)
    if how == 0:
        del container[key]
    elif how == 1:
        container[key] = draw.choice(JUNK)
    elif how == 2:
        container[key] = deepcopy(other[other_key])
    elif isinstance(container, dict):
        container[draw.choice(("name", "spec", "target", "Target", "metricSource"))] = container.pop(key)


def objectives(documents: list[Any]) -> int:
    """Count the objectives of the SLOs; a document may be a list of documents."""
    documents = [each for some in documents for each in (some if isinstance(some, list) else [some])]
    return sum(len(document["spec"]["objectives"]) for document in documents if document["kind"] == "SLO")


@pytest.mark.parametrize("path", SPECIMENS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_spoiled_files_are_read_or_refused(path: Path, tmp_path: Path) -> None:
    """A file with one to three things changed never raises; without a problem, each objective is an SLO or a note."""
    draw = random.Random(path.stem)  # noqa: S311 -- the same changes each time
    whole = list(yaml.load_all(path.read_text(), yaml.CSafeLoader))
    for _ in range(CHANGES):
        documents = deepcopy(whole)
        for _ in range(draw.randint(1, 3)):
            spoil(documents, draw)
        file = tmp_path / "spoiled.yaml"
        file.write_text(yaml.dump_all(documents, Dumper=yaml.CSafeDumper))
        loaded = slos_in([file])
        assert all(problem.found and problem.line for problem in loaded.problems)
        if not loaded.problems:
            skipped = [note for note in loaded.notes if note.text.startswith("skipped: ")]
            assert len(loaded.slos) + len(skipped) == objectives([each for each in documents if each]), file.read_text()
