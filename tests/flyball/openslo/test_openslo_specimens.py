"""Specimens: each file in good/ gives the SLOs and notes in the text beside it, each in bad/ the messages beside it."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flyball.openslo.load import slos_in
from models.slos.rules import from_table, nominal_s, table_for
from models.slos.spec import CONFIDENCE, Calendar, Indicator, Rolling, Slo

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))
BLANK = Slo("", "", Indicator(""), Fraction(0), Rolling(0))


def said(slo: Slo) -> Iterator[str]:
    """Write an SLO: a line for its name, and one for each value that differs from the default."""
    yield slo.name
    for field in dataclasses.fields(slo):
        value = getattr(slo, field.name)
        if field.name not in ("name", "source", "rules") and value != getattr(BLANK, field.name):
            yield from (f"  {field.name} = {line}" for line in shown(value))
    table = table_for(nominal_s(slo.window))
    if slo.rules == from_table(table, nominal_s(slo.window), CONFIDENCE):
        yield f"  rules = {table.name}"
        return
    for rule in slo.rules:
        short = f"/{rule.short_s // 60}m" if rule.short_s else ""
        after = f" after {rule.after_s // 60}m" if rule.after_s else ""
        severity = "page" if rule.page else "ticket"
        yield (
            f"  rule {rule.name}: {severity}, {rule.factor}x over {rule.long_s // 60}m{short}{after}, {rule.confidence}"
        )


def shown(value: Any) -> list[str]:
    """Write one value; a policy takes a line a step."""
    if isinstance(value, Rolling):
        return [f"{value.seconds // 60} min"]
    if isinstance(value, Indicator):
        where = "".join(f" {name} in {', '.join(values)};" for name, values in value.where)
        threshold = f" {value.threshold.op} {value.threshold.value:g}" if value.threshold else ""
        return [f"{value.sli}{threshold}{where}"]
    if isinstance(value, Calendar):
        return [f"{value.count} {value.unit} from {value.start} {value.zone}"]
    if isinstance(value, tuple):
        return [f"{step.percent} %: {' '.join(step.actions)}" for step in value]
    return [str(value)]


def read(path: Path) -> tuple[list[str], list[str]]:
    """Read one file alone: its SLOs and notes, its problems."""
    loaded = slos_in([path])
    notes = [f"note: {note}" for note in loaded.notes]
    lines = [line for slo in loaded.slos for line in said(slo)] + notes
    return [clean(line, path) for line in lines], [clean(str(problem), path) for problem in loaded.problems]


def clean(text: str, path: Path) -> str:
    """Leave out the folder."""
    return text.replace(f"{path.parent}/", "")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_is_read(path: Path) -> None:
    """The file gives these SLOs, to the exact fraction, with these notes, and nothing is wrong with it."""
    lines, problems = read(path)
    assert problems == []
    assert lines == path.with_suffix(".txt").read_text().splitlines()
    assert lines


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_refused(path: Path) -> None:
    """Every mistake is told with its line, what was found, what is expected, and what may be meant."""
    _, problems = read(path)
    assert problems == path.with_suffix(".txt").read_text().splitlines()
    assert problems
