"""What commands print of names that agents chose: a terminal shows it, and does nothing else with it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alerts.outbox import Outbox
from alerts.pager import Pager
from alerts.routing import Routing
from alerts.store import Store
from flyball.cli import main
from streams.embedded.log import EmbeddedLog

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "air\x1b[2K\x1b[1Aline\r\nsecond\u202e"
"""It would erase the line that it stands in, and the one before."""


@pytest.fixture
def open_page(tmp_path: Path, incidents: Any) -> list[str]:
    """Keep an open page about a hostile workflow; gives the arguments that name the place."""
    with closing(Store(tmp_path / "deliver" / "outbox.db")) as store, store.transaction() as db:
        pager = Pager(Outbox(store), Routing)
        pager.take(db, [incidents.incident("a", summary=f"{HOSTILE} burns")], 1)
    return ["--config", str(tmp_path), "--data", str(tmp_path)]


def test_open_pages_are_a_line_each(open_page: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The list is as long as there are pages."""
    assert main(["deliver", "--open", *open_page]) == 0
    first, second = capsys.readouterr().out.split("\n")[:2]
    assert (first.isprintable(), "burns" in first, second) == (True, True, "1 open")


def test_no_number_is_too_large_to_be_no_delivery(open_page: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is said as of any other number that there is none."""
    assert main(["deliver", "--retry", str(2**70), *open_page]) == 1
    assert f"found no parked delivery {2**70}" in capsys.readouterr().err


def test_the_gate_is_a_line_an_instance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A workflow cannot write "open" over its own name."""
    record = {"slo": f"s:{HOSTILE}", "at": datetime.now(UTC).isoformat(), "budget_used": 1.5, "gate": "open"}
    with closing(EmbeddedLog(tmp_path / "log")) as log, closing(log.writer()) as writer:
        log.ensure("flyball.slos", 1)
        writer.append("flyball.slos", [(None, orjson.dumps(record))])
    assert main(["gate", "--slo", "s", "--config", str(tmp_path), "--data", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert line.isprintable()


def test_status_is_a_line_a_scope(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A user cannot hide that somebody else is killed."""
    state = {"kill": True, "level": "full", "tools": None, "deny": [], "throttle": None}
    row = {"scope": {"level": "user", "id": HOSTILE}, "tenant": None, "state": state, "sources": {"cap": {}}}
    said = {"scopes": [row | {"applied": {"text": "applied by 0 of 0"}}], "clients": 0, "epoch": 1, "seq": 1}
    monkeypatch.setattr("flyball.control.client", lambda *_: None)
    monkeypatch.setattr("flyball.control.call", lambda _: said | {"degraded": None})
    assert main(["status"]) == 0
    first, second = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert (first.isprintable(), second) == (True, "1 scope, 0 guards, at signal (1, 1)")


def hostile_spans(runs: int) -> bytes:
    """Make runs of a hostile workflow whose hostile tool fails, as OTLP/JSON."""

    def span(run: int, number: int, kind: str, **said: str) -> dict[str, Any]:
        attributes = {"gen_ai.operation.name": kind, "gen_ai.agent.name": HOSTILE, **said}
        return {
            "traceId": f"{run + 1:032x}",
            "spanId": f"{number + 1:016x}",
            **({"parentSpanId": f"{1:016x}"} if number else {}),
            "name": kind,
            "startTimeUnixNano": str(1_796_000_000_000_000_000 + run * 10**9 + number),
            "endTimeUnixNano": str(1_796_000_000_100_000_000 + run * 10**9 - number),
            "attributes": [{"key": name, "value": {"stringValue": value}} for name, value in attributes.items()],
            "status": {"code": 2, "message": HOSTILE},
        }

    tool = {"gen_ai.tool.name": HOSTILE, "gen_ai.agent.version": HOSTILE}
    spans = [
        each
        for run in range(runs)
        for each in (span(run, 0, "invoke_agent"), *(span(run, n, "execute_tool", **tool) for n in (1, 2)))
    ]
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})


def test_a_report_shows_hostile_names_and_obeys_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a recording: each name is in its line, and no character of it reaches the terminal that it would obey."""
    recording = tmp_path / "hostile.jsonl"
    recording.write_bytes(hostile_spans(30) + b"\n")
    assert main(["replay", str(recording)]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    assert not any(line.lstrip().startswith("second") for line in lines)
    assert sum("second" in line for line in lines) >= 3


def test_a_comparison_shows_hostile_names_and_obeys_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same of two sides, which are told apart by their tools."""
    recording, other = tmp_path / "hostile.jsonl", tmp_path / "other.jsonl"
    recording.write_bytes(hostile_spans(30) + b"\n")
    other.write_bytes(hostile_spans(30).replace(b"air", b"sea") + b"\n")
    assert main(["compare", str(recording), str(other)]) in (0, 1)
    lines = capsys.readouterr().out.split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    assert any("second" in line for line in lines)


def test_an_error_shows_a_hostile_name_and_obeys_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a scope that was copied out of a page."""
    assert main(["kill", f"nothing:{HOSTILE}", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.replace("\n", "").isprintable()
