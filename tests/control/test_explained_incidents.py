"""An incident of drift is explained beside the control plane's work: from records in the log to the answer."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest

from control.console import explainer as explainers
from control.console import sides as sidings
from control.console.sides import MOST_A_SIDE, Bounds, Side, runs_of, sides

NOW = datetime.now(UTC).replace(microsecond=0)
SINCE = NOW - timedelta(hours=1)
TOPIC = "flyball.runs"


@pytest.fixture
def tell(served: Any, planes: Any, told: Any) -> Any:
    """Give a way to put runs (120 a side: 20 % book before, 80 % after) and an incident of drift into the log."""
    for topic in (TOPIC, "flyball.incidents"):
        served.log.ensure(topic, 2)

    def put(key: str = "k", booked: float = 0.8, size: int = 120, **contrast: str) -> None:
        chance = np.random.default_rng(1)
        rows = []
        for number in range(2 * size):
            is_after = number >= size
            ended = SINCE + timedelta(seconds=(number - size if is_after else -1 - number) * 10)
            calls = {"search": {"calls": 1 + int(chance.poisson(2)), "errors": 0}}
            if chance.random() < (booked if is_after else 0.2):
                calls["book_flight"] = {"calls": 1, "errors": 0}
            made = {"workflow": "airline", "tools": calls, "version": "v1", "tenant": "acme", "user": "u"}
            numbers = {"llm_calls": 5, "tool_calls": 2, "tool_errors": 0, "input_tokens": 9, "duration_s": 2.0}
            rows += [
                told.run(number, ended, cost_usd=0.1, **made, **numbers),
                told.run(10_000 + number, ended, workflow="retail"),
            ]
        served.tell(*rows, topic=TOPIC)
        planes.until(lambda: served.plane.console.runs.count() == 4 * size)  # an incident is told long after its runs
        served.tell(incident(told, key, **contrast), topic="flyball.incidents")

    return put


def incident(told: Any, key: str = "k", revision: int = 0, **contrast: str) -> dict[str, Any]:
    """Make an incident of drift since `SINCE`."""
    made: dict[str, Any] = told.drifted(key, SINCE, revision, **contrast)
    return made


def test_the_console_says_the_tool_that_moved(served: Any, planes: Any, tell: Any) -> None:
    """With example runs of both sides; in a process of its own, when the page has long gone out."""
    tell()
    said = planes.until(lambda: _explained(served), seconds=60)
    assert said["runs"] == {"before": 120, "after": 120}
    assert said["behaviour"]["verdict"] == "told apart"
    assert said["behaviour"]["by"][0]["feature"] == "calls of book_flight"
    assert said["slices"]["verdict"] == "alike"
    runs = served.plane.console.runs
    before, after = ([runs.get(each) for each in said["examples"][name]] for name in ("before", "after"))
    assert all("book_flight" not in each["tools"] for each in before)
    assert all("book_flight" in each["tools"] for each in after)
    assert served.plane.console.board.changes["incident"] > 1


def tellings(served: Any) -> list[dict[str, Any]]:
    """Give what the topic of incidents holds."""
    log = served.log
    readers = [log.reader("flyball.incidents", part, None) for part in range(log.partitions("flyball.incidents"))]
    return [orjson.loads(message.value) for reader in readers for message in reader.poll(100, 1 << 20)]


def test_the_page_is_told_what_was_found(served: Any, planes: Any, told: Any, tell: Any) -> None:
    """The telling comes again with it, once, above the flow's and below the flow's next; a restart forgets nothing."""
    tell()
    said = planes.until(lambda: _explained(served), seconds=60)
    first, again = planes.until(lambda: each if len(each := tellings(served)) > 1 else None)
    assert again["evidence"]["explained"] == said
    assert (first["revision"], again["revision"]) == (0, 1)
    assert again["summary"].startswith(f"{first['summary']}; runs of both sides differ by calls of book_flight (0.1")
    same = first.keys() - {"revision", "evidence", "summary"}
    assert {name: again[name] for name in same} == {name: first[name] for name in same}
    board = served.plane.console.board
    planes.until(lambda: board.incident("k")["revision"] == 1)
    later = explainers.Explainer(served.plane.console, served.plane.clocks, served.said.append)
    assert not later.step()
    assert later.told("k") == said
    board.put("incident", [incident(told, revision=2)])
    assert later.step()
    later.stop()


def test_a_page_is_not_told_again_for_nothing(served: Any, planes: Any, tell: Any) -> None:
    """Where nothing tells the sides apart that stands in the console alone."""
    tell(booked=0.2)
    said = planes.until(lambda: _explained(served), seconds=60)
    assert {said[name]["verdict"] for name in ("slices", "behaviour")} <= {"alike", "not enough evidence"}
    assert len(tellings(served)) == 1


def test_too_few_runs_are_looked_at_again(served: Any, planes: Any, told: Any, tell: Any) -> None:
    """Not enough evidence is said as that; a while later, or when the incident is told again, it is looked at again."""
    steady = [0.0]
    clocks = planes.Clocks(steady_s=lambda: steady[0])
    mine = explainers.Explainer(served.plane.console, clocks, served.said.append)
    tell(size=5)
    planes.until(lambda: served.plane.console.board.incident("k") and served.plane.console.runs.count() == 20)
    assert mine.step()
    assert mine.told("k")["behaviour"] == {
        "verdict": "not enough evidence",
        "auc": None,
        "still_needed": 15,
        "by": [],
    }
    assert not mine.step()
    steady[0] += explainers.AGAIN_S
    assert mine.step()
    assert not mine.step()
    served.plane.console.board.put("incident", [incident(told, revision=2)])
    assert mine.step()
    served.plane.console.board.put("incident", [incident(told, revision=4) | {"status": "resolved"}])
    steady[0] += explainers.AGAIN_S
    assert not mine.step()
    assert mine.told("k") is not None
    mine.stop()


@pytest.mark.parametrize("evidence", [{}, {"contrasts": []}, {"contrasts": [{"contrast": 3, "since": "x"}]}])
def test_what_goes_wrong_is_said_and_costs_nothing_else(
    served: Any, planes: Any, told: Any, evidence: dict[str, Any]
) -> None:
    """An incident without a contrast has a problem beside it; it is not asked again at once."""
    served.plane.console.board.put("incident", [incident(told) | {"evidence": evidence}])
    said = planes.until(lambda: _explained(served))
    assert said["problem"]
    status, _, _ = served.ask("GET", "/healthz")
    assert status == 200


def test_a_process_that_does_not_end_is_killed(
    served: Any, planes: Any, tell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time, and when the control plane stops; what it leaves on stderr is said."""
    python = explainers._COMMAND[0]
    served.plane.explainer.stop()
    tell()
    planes.until(lambda: served.plane.console.board.incident("k"))
    monkeypatch.setattr(explainers, "_COMMAND", (python, "-c", "import time; time.sleep(600)"))
    mine = explainers.Explainer(served.plane.console, served.plane.clocks, served.said.append, most_s=0.5)
    mine.step()
    assert mine.told("k")["problem"] == "TimeoutError: it took more than 0.5 s"
    stopped = explainers.Explainer(served.plane.console, served.plane.clocks, served.said.append)
    looking = threading.Thread(target=stopped.step)
    looking.start()
    planes.until(lambda: stopped._child)
    stopped.stop()
    looking.join(20)
    assert not looking.is_alive()
    monkeypatch.setattr(explainers, "_COMMAND", (python, "-c", "raise ValueError('broken')"))
    broken = explainers.Explainer(served.plane.console, served.plane.clocks, served.said.append)
    broken.step()
    assert broken.told("k")["problem"] == "RuntimeError: ValueError: broken"
    assert any("broken" in each for each in served.said)


def test_the_sides_of_a_contrast(told: Any) -> None:
    """By time; of a version the one before it; of a tenant the rest at the same time; what records lack is by time."""
    at = told.stamp(SINCE)
    assert sides(incident(told)) == (Side("airline", until=at), Side("airline", at), "")
    before, after, held = sides(incident(told, **{"dimension": "version", "from": "v1", "to": "v2"}))
    assert (before, after) == (Side("airline", "", "", "version", "v1"), Side("airline", at, "", "version", "v2"))
    assert held == "version"
    before, after, _ = sides(incident(told, **{"dimension": "tenant", "from": "the rest", "to": "acme"}))
    assert before == Side("airline", at, "", "tenant", "acme", is_other=True)
    assert after == Side("airline", at, "", "tenant", "acme")
    assert sides(incident(told, **{"dimension": "tier", "from": "the rest", "to": "gold"}))[2] == ""
    over = incident(told) | {"status": "resolved"}
    assert sides(over)[1].until == over["at"]


def test_runs_that_the_index_forgot_come_from_the_log(
    served: Any, planes: Any, tell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy deployment: the index is full before the change was looked at. The look at the log is bounded."""
    tell(size=200)
    console = served.plane.console
    planes.until(lambda: console.runs.count() == 800)
    side = Side("airline", until=sidings.moment(SINCE.isoformat()))
    assert len(runs_of(side, console.runs, None, TOPIC)) == 200
    empty = sidings.Runs()
    monkeypatch.setattr(sidings, "MOST", 0)
    found = runs_of(side, empty, served.log, TOPIC)
    assert {each["run_id"] for each in found} == {each["run_id"] for each in runs_of(side, console.runs, None, TOPIC)}
    assert len(runs_of(side, empty, served.log, TOPIC, Bounds(messages=100))) < 200
    monkeypatch.setattr(sidings, "MOST_A_SIDE", 50)
    newest = runs_of(side, empty, served.log, TOPIC)
    assert len(newest) == 50
    assert MOST_A_SIDE == 500


def _explained(served: Any) -> Any:
    status, said, _ = served.ask("GET", "/v1/console/incidents/k", key=served.admin)
    text = json.dumps(said)
    assert status in (200, 404), text
    return said.get("explained")
