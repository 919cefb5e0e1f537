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
    assert lines == [
        "flybal.yml: found an unknown file, expected flyball.yaml; did you mean flyball.yaml?",
        "flyball.yaml:2: otlp: found the unknown key prot, expected one of host, port, grpc_port, max_body; "
        "did you mean port?",
        "flyball.yaml:3: otlp.host: found 2, expected a text; put it in quotes",
    ]


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
    assert main(["check", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.endswith("expected the configuration directory\n")


def test_a_command_refuses_a_bad_configuration(tmp_path: Path) -> None:
    """What `check` finds, everything else refuses to start with."""
    (tmp_path / "flyball.yaml").write_text("otlp: {port: 0x50}\nlog: {start: now}\n")
    with pytest.raises(ConfigError) as refused:
        configuration(tmp_path)
    assert len(refused.value.problems) == 2
