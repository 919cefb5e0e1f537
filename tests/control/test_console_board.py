"""The console's board and follower: the newest of everything, bounded, whatever the log holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control.console import board as boards
from control.console.board import Board

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_newest_telling_of_an_slo_stands_with_its_history(told: Any) -> None:
    """Told again or late, nothing is doubled; the emptiest budget comes first; the history is bounded."""
    board = Board()
    rows = [told.slo("a", NOW + timedelta(minutes=n), 1 - n / 1_000) for n in range(300)]
    board.put("slo", [*rows, rows[-1], rows[3], told.slo("b", NOW, 0.1), told.slo("c", NOW, None)])
    found = board.slos()
    assert [each["slo"] for each in found] == ["b", "a", "c"]
    assert found[1]["at"] == rows[-1]["at"]
    assert len(found[1]["history"]) == boards.MOST_POINTS
    assert found[1]["history"][-1][0] == rows[-1]["at"]


def test_the_highest_revision_of_an_incident_stands(told: Any) -> None:
    """Open ones come first, the worst of them first; a lower revision changes nothing."""
    board = Board()
    board.put(
        "incident",
        [
            told.incident("a", 2, status="resolved"),
            told.incident("a", 1),
            told.incident("b", severity="SEV-2"),
            told.incident("c"),
        ],
    )
    assert [(each["key"], each["status"]) for each in board.incidents()] == [
        ("c", "open"),
        ("b", "open"),
        ("a", "resolved"),
    ]


def test_all_is_bounded(told: Any) -> None:
    """However much is told, so much is kept; of incidents, open ones are kept before resolved ones."""
    board = Board()
    board.put("incident", [told.incident("open")])
    board.put("incident", [told.incident(f"r{n}", status="resolved") for n in range(2 * boards.MOST_INCIDENTS)])
    board.put("slo", [told.slo(f"s{n}", NOW, 0.5) for n in range(boards.MOST_SLOS + 9)])
    board.put("drift", [told.drift(workflow=f"w{n}") for n in range(boards.MOST_DRIFT + 9)])
    verdict = {"at": "2026", "action": "kill", "scope": {"level": "run", "id": "r"}}
    board.put("verdict", [verdict | {"id": f"v{n}"} for n in range(99)])
    assert len(board.incidents()) == boards.MOST_INCIDENTS
    assert board.incidents()[0]["key"] == "open"
    assert len(board.slos()) == boards.MOST_SLOS
    assert len(board.drift()) == boards.MOST_DRIFT
    assert [each["id"] for each in board.verdicts("r")] == [f"v{n}" for n in range(79, 99)]


def test_grave_incidents_outlast_mild_ones(told: Any) -> None:
    """Of more open ones than are kept the gravest stay, however old; how many more are open is said, until they end."""
    board, most = Board(), boards.MOST_INCIDENTS
    board.put("incident", [told.incident("grave", opened_at="2026-01-01T00:00:00Z")])
    times = [f"2026-01-02T00:{n // 60:02}:{n % 60:02}Z" for n in range(most + 200)]
    mild = [told.incident(f"m{n}", severity="SEV-3", opened_at=at) for n, at in enumerate(times)]
    board.put("incident", mild)
    assert board.incidents()[0]["key"] == "grave"
    assert (len(board.incidents()), board.milder()) == (most, 201)
    board.put("incident", [told.incident(each["key"], 1, status="resolved") for each in mild])
    assert [each["key"] for each in board.incidents() if each["status"] == "open"] == ["grave"]
    assert board.milder() == 0


def test_a_kill_outlasts_what_nobody_obeys(told: Any) -> None:
    """However much rules in shadow say of a run that is killed, that it is killed is shown."""
    board = Board()
    verdict = {"at": "2026", "scope": {"level": "run", "id": "r"}}
    board.put("verdict", [verdict | {"id": "kill", "action": "kill"}])
    shadow = {"action": "kill", "evidence": {"mode": "shadow"}}
    board.put("verdict", [verdict | shadow | {"id": f"s{n}"} for n in range(50)])
    assert len(board.verdicts("r")) == boards.MOST_VERDICTS
    assert board.judged()[0][1]["id"] == "kill"


def test_the_emptiest_budgets_are_kept(told: Any) -> None:
    """Of more SLOs than are listed, whichever is told first, and again; the others are counted."""
    board, names = Board(), [f"s{number:03}" for number in range(boards.MOST_SLOS + 100)]
    for minute in range(3):
        at = NOW + timedelta(minutes=minute)
        board.put(
            "slo", [told.slo(name, at, number / 1_000) for number, name in enumerate(names)][:: 1 - 2 * (minute % 2)]
        )
    assert [each["slo"] for each in board.slos()] == names[: boards.MOST_SLOS]
    assert {len(each["history"]) for each in board.slos()[:400]} == {3}
    assert board.better() == 100


def test_alarms_of_drift_outlast_what_is_only_near(told: Any) -> None:
    """However many streams come near theirs later; of those the ones that were told last are kept."""
    board = Board()
    board.put("drift", [told.drift(workflow="first")])
    board.put("drift", [told.drift(workflow=f"w{number}", alarm=False) for number in range(boards.MOST_DRIFT)])
    board.put("drift", [told.drift(workflow="w1", alarm=False), told.drift(workflow="new", alarm=False)])
    kept = {each["workflow"] for each in board.drift()}
    assert len(kept) == boards.MOST_DRIFT
    assert {"first", "w1", "new"} <= kept
    assert {"w0", "w2"}.isdisjoint(kept)


def test_two_watches_of_one_contrast_are_two_streams(told: Any) -> None:
    """By the minute and by the hour, or two mixes: the newer of one does not hide the other."""
    board = Board()
    board.put("drift", [told.drift(watch=watch, evidence=each) for each, watch in enumerate(["minute", "hour"])])
    board.put("drift", [told.drift(watch="hour", evidence=7)])
    assert sorted(each["evidence"] for each in board.drift()) == [0, 7]


@pytest.mark.parametrize("kind", ["slo", "incident", "drift", "verdict"])
@pytest.mark.parametrize("record", [{}, {"key": "k", "revision": "x"}, {"slo": "a", "burn": 3}, {"contrast": 1}])
def test_what_is_malformed_is_counted(kind: str, record: dict[str, Any]) -> None:
    """A record that is not as it should be is left out, and counted."""
    assert Board().put(kind, [record]) == 1


def test_the_follower_takes_what_comes_and_lives_through_the_rest(served: Any, planes: Any, told: Any) -> None:
    """Records of each topic are shown; garbage among them is counted; signals go on meanwhile."""
    console = served.plane.console
    topics = ("flyball.runs", "flyball.slos", "flyball.incidents", "flyball.drift")
    for topic in topics:
        served.log.ensure(topic, 2)
        served.writer.append(topic, [(None, b"\xff{"), (None, b"[]"), (None, b'{"kind":"other"}')])
    served.tell(told.run(1), told.run(1, revision=1, outcome="failure"), told.run(2), topic=topics[0])
    served.tell(told.slo("a", NOW, 0.5), topic=topics[1])
    served.tell(told.incident("k"), topic=topics[2])
    served.tell(told.drift(), topic=topics[3])
    planes.until(lambda: console.runs.count() == 2 and console.board.drift() and console.board.malformed == 12)
    assert console.board.slos()[0]["slo"] == "a"
    assert console.board.incidents()[0]["key"] == "k"
    assert console.problem is None
    served.tell(planes.verdict())
    planes.until(lambda: served.plane.authority.shown.signals)
    planes.until(lambda: console.board.verdicts(planes.RUN))
