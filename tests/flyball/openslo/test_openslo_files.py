"""SLO files of a directory: where they lie, how they refer to one another, and what holds where there are none."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

import flyball
from flyball.check import check
from flyball.openslo import Loaded, slos_of
from flyball.openslo.files import shipped_slos, slo_files
from flyball.openslo.load import slos_in
from models.slis import ALL
from models.slos.rules import nominal_s

ROOT = Path(__file__).resolve().parents[3]
SETS = sorted(path.name for path in (ROOT / "slos").iterdir())
SLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: NAME}
spec:
  service: agents
  indicatorRef: success
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.95}]
"""
SLI = """
apiVersion: openslo/v1
kind: SLI
metadata: {name: success}
spec: {ratioMetric: {rawType: success, raw: {metricSource: {type: TYPE, spec: {sli: task_success}}}}}
"""


def write(path: Path, text: str) -> Path:
    """Write a file, and the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(loaded: Loaded) -> list[str]:
    """List the names of the SLOs."""
    return [slo.name for slo in loaded.slos]


def test_files_lie_anywhere_below_and_refer_to_one_another(tmp_path: Path) -> None:
    """SLOs beside flyball.yaml, in folders and in folders of folders are one set; hidden ones are not of it."""
    write(tmp_path / "flyball.yaml", "otlp: {port: 5}\n")
    write(tmp_path / "top.yaml", SLO.replace("NAME", "top"))
    write(tmp_path / "slos" / "in.yml", SLO.replace("NAME", "in-folder"))
    write(
        tmp_path / "slos" / "deep" / "er.yaml", SLO.replace("NAME", "deeper") + "---" + SLI.replace("TYPE", "flyball")
    )
    write(tmp_path / ".git" / "hidden.yaml", "nonsense")
    write(tmp_path / "slos" / ".hidden.yaml", "nonsense")
    write(tmp_path / "slos" / "notes.md", "nonsense")
    loaded = slos_of(tmp_path)
    assert loaded.problems == ()
    assert names(loaded) == ["deeper", "in-folder", "top"]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    """A mounted folder is a link to a hidden one; a link that leads back up ends there."""
    write(tmp_path / "..data" / "slos" / "a.yaml", SLO.replace("NAME", "a") + "---" + SLI.replace("TYPE", "flyball"))
    (tmp_path / "slos").symlink_to(tmp_path / "..data" / "slos")
    (tmp_path / "..data" / "slos" / "up").symlink_to(tmp_path)
    assert slo_files(tmp_path) == [tmp_path / "slos" / "a.yaml"]
    assert names(slos_of(tmp_path)) == ["a"]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A link that leads nowhere is a mistake; a folder with the name of a file is a folder."""
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos" / "gone.yaml").symlink_to(tmp_path / "nowhere")
    write(
        tmp_path / "slos" / "folder.yaml" / "a.yaml", SLO.replace("NAME", "a") + "---" + SLI.replace("TYPE", "flyball")
    )
    loaded = slos_of(tmp_path)
    assert names(loaded) == ["a"]
    (problem,) = loaded.problems
    assert "cannot be read" in problem.found


def test_the_other_files_may_mention_openslo(tmp_path: Path) -> None:
    """flyball.yaml is read as what it is, also when a comment in it looks like a document."""
    write(tmp_path / "flyball.yaml", "# apiVersion: openslo/v1\notlp: {port: 5}\n")
    assert slo_files(tmp_path) == []


def test_a_yaml_file_in_a_folder_must_be_openslo(tmp_path: Path) -> None:
    """In a folder below, a file with a slip in its apiVersion is a mistake, not a file of somebody else."""
    write(tmp_path / "slos" / "a.yaml", SLO.replace("openslo/v1", "opensol/v1"))
    (problem,) = slos_of(tmp_path).problems
    assert (problem.line, problem.found, problem.expected) == (2, "'opensol/v1'", "openslo/v1")


def test_without_slos_the_defaults_hold(tmp_path: Path) -> None:
    """No directory, an empty one, and one with other files only: three SLOs of each workflow by itself."""
    write(tmp_path / "flyball.yaml", "otlp: {port: 5}\n")
    for directory in (None, tmp_path):
        loaded = slos_of(directory)
        assert loaded.problems == ()
        found = {slo.name: (slo.indicator.sli, slo.target, nominal_s(slo.window) // 86_400) for slo in loaded.slos}
        assert found == {
            "task-success": ("task_success", Fraction(9, 10), 30),
            "tool-success": ("tool_success", Fraction(19, 20), 30),
            "trajectory-length": ("trajectory_length", Fraction(99, 100), 30),
        }
        assert {slo.split for slo in loaded.slos} == {"workflow"}


def test_where_all_is_skipped_the_defaults_hold(tmp_path: Path) -> None:
    """SLOs that nothing here can measure do not leave a directory without any, and both things are noted."""
    write(tmp_path / "a.yaml", SLO.replace("NAME", "a") + "---" + SLI.replace("TYPE", "prometheus"))
    loaded = slos_of(tmp_path)
    assert "task-success" in names(loaded)
    assert [note.text for note in loaded.notes][:2] == [
        "skipped: its metric source is prometheus, only flyball is measured here",
        "no SLO here can be measured: the default ones hold",
    ]


def test_a_mistake_does_not_bring_the_defaults(tmp_path: Path) -> None:
    """What is good is given, what is wrong is told, and nobody gets SLOs that he did not ask for."""
    write(tmp_path / "a.yaml", SLO.replace("NAME", "a"))
    loaded = slos_of(tmp_path)
    assert loaded.slos == ()
    assert [problem.where for problem in loaded.problems] == ["spec.indicatorRef"]


def test_a_broken_file_does_not_hide_the_others(tmp_path: Path) -> None:
    """Mistakes of all files are told at once, in the order of files."""
    write(tmp_path / "a.yaml", "apiVersion: openslo/v1\nkind: [\n")
    write(tmp_path / "b.yaml", SLO.replace("NAME", "good") + "---" + SLI.replace("TYPE", "flyball"))
    write(tmp_path / "c.yaml", SLO.replace("NAME", "good"))
    loaded = slos_of(tmp_path)
    assert names(loaded) == ["good"]
    assert [(Path(problem.file).name, problem.line) for problem in loaded.problems] == [("a.yaml", 3), ("c.yaml", 4)]
    assert "first in" in loaded.problems[1].expected


@pytest.mark.parametrize("name", SETS)
def test_shipped_sets_are_right(name: str) -> None:
    """Each folder of slos/ is a configuration of its own, without a mistake and without anything skipped."""
    loaded = slos_in(slo_files(ROOT / "slos" / name))
    assert loaded.problems == ()
    assert loaded.slos
    assert [note for note in loaded.notes if "is changed:" not in note.text] == []
    assert {slo.indicator.sli for slo in loaded.slos} <= {sli.name for sli in ALL}
    assert all(slo.rules and all(rule.factor < 1 / (1 - slo.target) for rule in slo.rules) for slo in loaded.slos)


def test_shipped_slos_are_found_in_the_repository_and_when_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel has them inside the package; a checkout has them beside it."""
    assert shipped_slos() == ROOT / "slos"
    assert Path(flyball.__file__).is_relative_to(ROOT)
    monkeypatch.setattr("flyball.openslo.files.files", lambda _package: tmp_path / "flyball")
    (tmp_path / "flyball" / "slos").mkdir(parents=True)
    assert shipped_slos() == tmp_path / "flyball" / "slos"


SNIPPETS = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "slos.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("index", range(len(SNIPPETS)))
def test_the_page_about_slos_is_right(index: int, tmp_path: Path) -> None:
    """Each snippet of docs/slos.md is a file that gives SLOs, with nothing wrong, skipped or changed but said there."""
    loaded = slos_in([write(tmp_path / "snippet.yaml", SNIPPETS[index])])
    assert loaded.problems == ()
    expected = (["refund-success"], ["refund-time-usual", "refund-time-worst"], ["refund-order"])
    assert names(loaded) == expected[index]
    rules = [[(rule.name, rule.factor, rule.long_s, rule.short_s) for rule in slo.rules] for slo in loaded.slos]
    assert (rules[0][0] == ("page-fast", 5, 173 * 60, 15 * 60)) == (index == 0)
    assert (rules == [[("page-fast", Fraction("14.4"), 3600, 300)]]) == (index == 2)


def test_json_that_says_it_is_openslo_is_read(tmp_path: Path) -> None:
    """JSON is YAML: an SLO in it holds, beside flyball.yaml and below; JSON of other tools is left alone."""
    slo = yaml.safe_load(SLO.replace("NAME", "top"))
    sli = yaml.safe_load(SLI.replace("TYPE", "flyball"))
    top = write(tmp_path / "top.json", json.dumps([slo, sli], indent="\t"))
    write(tmp_path / "keys.json", '{"a": 1}')
    write(tmp_path / "deep" / "dashboard.json", '{"a": 1}')
    slo["metadata"]["name"] = "below"
    below = write(tmp_path / "deep" / "slo.json", json.dumps(slo))
    assert slo_files(tmp_path) == [top, below]
    loaded = slos_of(tmp_path)
    assert loaded.problems == ()
    assert names(loaded) == ["below", "top"]
    assert check(tmp_path) == (2, [])
