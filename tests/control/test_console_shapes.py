"""What lies in the log and is no record of Flyball breaks no view: it is counted, and all the rest is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from control.console.shapes import check

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = "5b8aa5a2d2c872e8321cf37308d69df2"
GONE = object()
RAW = (b"", b"{", b"[]", b"null", b'"x"', b"5", b"\xff\xfe", b"[" * 100_000, b'{"kind":"incident"}')
SPOILED: list[tuple[str, dict[str, Any]]] = [
    *(("incident", {name: GONE}) for name in ("key", "status", "class", "scope", "runs", "opened_at")),
    *(("incident", {"scope": each}) for each in (None, [], "x", {"level": "run"}, {"level": "run", "id": 5})),
    *(("incident", {"runs": each}) for each in (None, "x", 5, ["a", None])),
    ("incident", {"resolved_at": 5}),
    ("incident", {"opened_at": "soon"}),
    ("incident", {"tenant": ["a"]}),
    ("incident", {"evidence": "much"}),
    ("slo", {"burn": {"5m": True}}),
    ("slo", {"exhausts_at": 5}),
    ("slo", {"spent_by": ["a", None]}),
    ("drift", {"at": GONE}),
    ("drift", {"contrast": []}),
    ("drift", {"threshold": "4"}),
    ("verdict", {"scope": "run"}),
    ("verdict", {"evidence": [1]}),
    ("run", {"started_at": GONE}),
    ("run", {"started_at": "1.5"}),
    ("run", {"duration_s": "1.5"}),
    ("run", {"cost_usd": "1.5"}),
]


def good(told: Any, planes: Any) -> dict[str, dict[str, Any]]:
    """Make a record of each kind as the flow tells it."""
    return {
        "incident": told.incident("burn", runs=[RUN]),
        "slo": told.slo("a", NOW, 0.5),
        "drift": told.drift(),
        "verdict": planes.verdict(scope=("run", RUN)),
        "run": told.run(1, run_id=RUN),
    }


def spoil(record: dict[str, Any], how: dict[str, Any]) -> dict[str, Any]:
    """Change members of a record, or take them out."""
    return {name: value for name, value in (record | how).items() if value is not GONE}


@pytest.mark.parametrize("kind", ["incident", "slo", "drift", "verdict", "run"])
def test_what_the_flow_tells_is_taken(told: Any, planes: Any, kind: str) -> None:
    """Also by a version that tells more."""
    check(kind, good(told, planes)[kind] | {"since_a_later_version": [1]})


@pytest.mark.parametrize(("kind", "how"), SPOILED)
def test_what_cannot_be_shown_is_left_out(told: Any, planes: Any, kind: str, how: dict[str, Any]) -> None:
    """As what it is said to be it would break a list."""
    with pytest.raises((TypeError, ValueError)):
        check(kind, spoil(good(told, planes)[kind], how))


def put(served: Any, told: Any, planes: Any) -> None:
    """Put garbage of every kind into every topic that the console follows, and after it a good record of each."""
    topics = served.plane.console.topics.kinds()
    for topic, kind in topics.items():
        served.log.ensure(topic, 1)
        record = good(told, planes)[kind]
        values = [*RAW, *(json.dumps(spoil(record, how)).encode() for each, how in SPOILED if each == kind)]
        served.writer.append(topic, [(None, value) for value in [*values, json.dumps(record).encode()]])
    served.writer.flush()
    planes.until(lambda: served.plane.console.board.verdicts(RUN) and served.plane.console.runs.get(RUN))
    planes.until(lambda: served.plane.console.caught_up and served.plane.console.board.drift())


def test_garbage_in_every_topic_takes_nothing_from_answers(served: Any, told: Any, planes: Any) -> None:
    """Each view has its good record; how many were left out is said; a kill by a verdict after garbage holds."""
    put(served, told, planes)
    for path, name in (("slos", "slos"), ("incidents", "incidents"), ("drift", "drift"), ("runs", "runs")):
        status, said, _ = served.ask("GET", f"/v1/console/{path}", key=served.admin)
        assert (status, len(said[name])) == (200, 1)
    status, said, _ = served.ask("GET", f"/v1/console/runs/{RUN}", key=served.admin)
    assert (status, len(said["incidents"]), len(said["verdicts"])) == (200, 1, 1)
    said = served.ask("GET", "/v1/console/overview", key=served.admin)[1]
    assert said["console"]["malformed"] >= 5 * len(RAW) + len(SPOILED) - 1
    planes.until(lambda: [each.scope.id for each in served.plane.authority.shown.signals.values()] == [RUN])


@pytest.fixture(scope="module")
def chromium(told: Any, need_chromium: None) -> Iterator[Any]:
    """Give a running Chromium."""
    with told.browser() as browser:
        yield browser


@pytest.mark.slow
def test_the_page_goes_on(served: Any, told: Any, planes: Any, chromium: Any) -> None:
    """Garbage is told in a line; a view that cannot be drawn says so in its place, and the next one is drawn."""
    put(served, told, planes)
    page = chromium.new_page()
    page.goto(f"http://127.0.0.1:{served.port}/console/#/incidents")
    page.get_by_label("Operator's key").fill(served.admin)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="task-success of airline burns").wait_for()
    page.get_by_text("records of the log could not be read").wait_for()
    page.route("**/v1/console/drift", lambda asked: asked.fulfill(json={"drift": [{"contrast": None}]}))
    page.get_by_role("link", name="Drift").click()
    page.get_by_text("This view could not be drawn").wait_for()
    page.get_by_role("link", name="SLOs").click()
    page.get_by_text("1 not told any more").wait_for()
    page.close()
