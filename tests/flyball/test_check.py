"""`flyball check`: every mistake of a directory with its line and exit code 1, else how many files are good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyball.check import check, configuration
from flyball.cli import main
from flyball.config.problems import ConfigError
from flyball.config.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_good_directory_is_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only YAML files count: notes, secrets and hidden files may lie beside them."""
    (tmp_path / "flyball.yaml").write_text("otlp: {port: 5}\n")
    (tmp_path / ".hidden.yaml").write_text("nonsense")
    (tmp_path / "token").write_text("secret")
    assert main(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "ok: 1 files\n"


def test_an_empty_directory_is_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every key has a default."""
    assert main(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "ok: 0 files\n"
    assert configuration(tmp_path) == Settings()


def test_no_directory_is_ok(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a directory the defaults hold, and check says so."""
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 0
    assert "the defaults hold" in capsys.readouterr().out
    assert configuration(None) == Settings()


def test_the_default_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`./flyball-config` is taken when it is there."""
    (tmp_path / "flyball-config").mkdir()
    (tmp_path / "flyball-config" / "flyball.yaml").write_text("otlp: {port: 5}\n")
    monkeypatch.chdir(tmp_path)
    assert configuration(None).otlp.port == 5


def test_mistakes_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every mistake of every file is printed on a line of its own; the exit code is 1."""
    (tmp_path / "flyball.yaml").write_text("otlp:\n  prot: 1\n  host: 2\n")
    (tmp_path / "flybal.yml").write_text("otlp: {}\n")
    assert main(["check", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.replace(f"{tmp_path}/", "").splitlines()
    keys = "host, port, grpc_port, max_body"
    known = "flyball.yaml, routes.yaml, policy.yaml or an OpenSLO file (apiVersion: openslo/v1)"
    assert lines == [
        f"flybal.yml: found an unknown file, expected {known}; did you mean flyball.yaml?",
        f"flyball.yaml:2: otlp: found the unknown key prot, expected one of {keys}; did you mean port?",
        "flyball.yaml:3: otlp.host: found 2, expected a text; put it in quotes",
    ]


SLO = """apiVersion: openslo/v1
kind: SLO
metadata: {name: a}
spec:
  service: agents
  indicator: {spec: {ratioMetric: {rawType: success, raw: {metricSource: {type: flyball, spec: {sli: task_success}}}}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.9}]
"""


def test_slos_are_checked_and_what_is_changed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SLO files count as files wherever they lie; a rule that could never fire is told as a note, and all is well."""
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos" / "a.yaml").write_text(SLO)
    (tmp_path / "b.yaml").write_text(SLO.replace("name: a", "name: b").replace("0.9", "0.95"))
    assert main(["check", str(tmp_path)]) == 0
    note, ok = capsys.readouterr().out.replace(f"{tmp_path}/", "").splitlines()
    assert note == (
        "note: slos/a.yaml:9: a: the rule page-fast is changed: no burn rate is over 10 at a target of 0.9, "
        "so 14.4x over 1h/5m could never fire; it is 5x over 2h53m/15m, which spends the same 2 % of the budget"
    )
    assert ok == "ok: 2 files, 2 SLOs"
    assert configuration(tmp_path) == Settings()


def test_mistakes_of_slos_are_listed_with_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Problems of all kinds of files are told in the order of files, and refuse the configuration."""
    (tmp_path / "flyball.yaml").write_text("otlp:\n  prot: 1\n")
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos" / "a.yaml").write_text(SLO.replace("task_success", "task_succes"))
    (tmp_path / "a.yaml").write_text(SLO.replace("0.9", "90").replace("name: a", "name: b"))
    assert main(["check", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.replace(f"{tmp_path}/", "").splitlines()
    assert [line.split(": found")[0] for line in lines] == [
        "a.yaml:9: spec.objectives.0.target",
        "flyball.yaml:2: otlp",
        "slos/a.yaml:6: spec.indicator.spec.ratioMetric.raw.metricSource.spec.sli",
    ]
    with pytest.raises(ConfigError):
        configuration(tmp_path)


def test_routes_are_the_business_of_those_who_deliver(tmp_path: Path) -> None:
    """A machine that only runs the flow has no secrets of sinks: it starts all the same, `deliver` does not."""
    (tmp_path / "routes.yaml").write_text("sinks:\n  - {name: pd, type: pagerduty, routing_key: {env: NOT_THERE}}\n")
    assert configuration(tmp_path) == Settings()
    with pytest.raises(ConfigError):
        configuration(tmp_path, pages=True)


def test_mistakes_of_attributes_have_their_lines(tmp_path: Path) -> None:
    """What the attribute table refuses is told at the entry that is wrong, all of them at once."""
    (tmp_path / "flyball.yaml").write_text(
        "attributes:\n"
        "  columns:\n"
        "    TENNANT: [acme.customer]\n"
        "    TOOL:\n"
        "      - my.tool\n"
        "      - {attribute: my.other, kindes: [tool]}\n"
        "    USER: acme.user\n"
        "    MODEL: []\n"
        "  absnt: {}\n"
    )
    _, problems = check(tmp_path)
    assert [(problem.line, problem.where) for problem in problems] == [
        (3, "attributes.columns.TENNANT.0"),
        (6, "attributes.columns.TOOL.1"),
        (7, "attributes.columns.USER"),
        (9, "attributes.absnt"),
    ]
    assert "TENANT" in problems[0].found


@pytest.mark.parametrize("name", ["file", "nothing"])
def test_what_is_no_directory_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that was asked for must be there."""
    (tmp_path / "file").write_text("")
    assert main(["check", str(tmp_path / name)]) == 1
    assert capsys.readouterr().out.endswith("expected the configuration directory\n")


def test_a_command_refuses_a_bad_configuration(tmp_path: Path) -> None:
    """What `check` finds, everything else refuses to start with."""
    (tmp_path / "flyball.yaml").write_text("otlp: {port: 0x50}\nlog: {start: now}\n")
    with pytest.raises(ConfigError) as refused:
        configuration(tmp_path)
    assert len(refused.value.problems) == 2
