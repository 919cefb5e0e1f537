"""The book of incidents: its states as a table of cases, and whole lives through restarts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.incidents.book import Facts, Ident, IncidentBook, Patience, incident_key
from models.incidents.course import Course
from models.incidents.incident import Incident, IncidentError, Severity, Status

IDENT = Ident("slo.burn", "refund", "workflow", "airline")
OTHER = Ident("slo.burn", "refund", "workflow", "retail")
PATIENCE = Patience(hold_s=60, renotify_s=3600)
FACTS = Facts("burns", "it burns", {"count": 1}, runs=("ab" * 16,))
ONE, TWO, THREE = Severity

Case = list[tuple[str, int, str | None]]
"""What is heard ("1", "2", "3": wrong, so badly; "ok", "ok!": right, at once), when, and what is told."""

CASES: dict[str, Case] = {
    "opens at once": [("2", 100, "open SEV-2 0 r0")],
    "right from the start": [("ok", 100, None), ("ok!", 101, None)],
    "told once": [("2", 100, "open SEV-2 0 r0"), ("2", 101, None), ("2", 3699, None)],
    "told again after a while": [
        ("2", 100, "open SEV-2 0 r0"),
        ("2", 3700, "open SEV-2 0 r2"),
        ("2", 7299, None),
        ("2", 7300, "open SEV-2 0 r4"),
    ],
    "worse is told at once": [
        ("3", 100, "open SEV-3 0 r0"),
        ("2", 101, "open SEV-2 0 r2"),
        ("1", 102, "open SEV-1 0 r4"),
    ],
    "less bad is not told, nor forgotten how bad it was": [
        ("1", 100, "open SEV-1 0 r0"),
        ("3", 101, None),
        ("1", 102, None),
        ("3", 3701, "open SEV-1 0 r2"),
    ],
    "resolved after the hold": [
        ("2", 100, "open SEV-2 0 r0"),
        ("ok", 200, None),
        ("ok", 259, None),
        ("ok", 260, "resolved SEV-2 0 r2"),
        ("ok", 400, None),
    ],
    "wrong again within the hold": [
        ("2", 100, "open SEV-2 0 r0"),
        ("ok", 200, None),
        ("2", 250, None),
        ("ok", 300, None),
        ("ok", 359, None),
        ("ok", 360, "resolved SEV-2 0 r2"),
    ],
    "resolved at once": [("2", 100, "open SEV-2 0 r0"), ("ok!", 101, "resolved SEV-2 0 r2"), ("ok!", 102, None)],
    "a new life": [
        ("1", 100, "open SEV-1 0 r0"),
        ("ok!", 200, "resolved SEV-1 0 r2"),
        ("3", 201, "open SEV-3 1 r0"),
        ("ok!", 300, "resolved SEV-3 1 r2"),
        ("2", 301, "open SEV-2 2 r0"),
    ],
}


def hear(book: IncidentBook, ident: Ident, what: str, now: int) -> Incident | None:
    """Tell the book."""
    if what.startswith("ok"):
        return book.right(ident, now, at_once=what == "ok!")
    return book.wrong(ident, Severity(f"SEV-{what}"), now, lambda: FACTS)


@pytest.mark.parametrize("case", CASES)
def test_states(case: str) -> None:
    """What a person is told in each case: status, severity, number of the life, revision."""
    book = IncidentBook(patience=PATIENCE)
    for what, now, expected in CASES[case]:
        told = hear(book, IDENT, what, now)
        lives = {incident_key(IDENT, life): life for life in range(3)}
        said = told and f"{told.status} {told.severity} {lives[told.key]} r{told.revision}"
        assert said == expected, (what, now)
        assert book.is_open(IDENT) is (IDENT in book.open_idents())


def test_what_is_told() -> None:
    """A telling carries the facts, the times, and the resolution the last facts."""
    book = IncidentBook(patience=PATIENCE)
    told = hear(book, IDENT, "2", 100)
    assert told
    assert (told.opened_at, told.at, told.resolved_at) == (*["1970-01-01T00:01:40.000000Z"] * 2, None)
    assert (told.scope, told.rule, told.class_) == ({"level": "workflow", "id": "airline"}, "refund", "slo.burn")
    assert (told.runbook, told.owner, told.runs) == ("slo.burn", "on-call", FACTS.runs)
    end = hear(book, IDENT, "ok!", 160)
    assert end
    assert (end.opened_at, end.resolved_at, end.status) == (
        told.opened_at,
        "1970-01-01T00:02:40.000000Z",
        Status.RESOLVED,
    )
    assert (end.title, end.evidence, end.runs) == (told.title, told.evidence, told.runs)


def test_facts_are_gathered_only_to_be_told() -> None:
    """Nobody is asked for facts of what is told already."""
    asked, book = [], IncidentBook(patience=PATIENCE)
    for now in range(100, 200):
        book.wrong(IDENT, TWO, now, lambda: asked.append(1) or FACTS)  # type: ignore[func-returns-value]
    assert len(asked) == 1


def test_keys_are_of_the_ident_and_its_life() -> None:
    """The same for the same, 32 hex digits, another for another life or anything else."""
    assert incident_key(IDENT, 0) == incident_key(Ident(*IDENT), 0) == "41b088ca3d68f263a1f78d15e99d24e7"
    idents = [IDENT, OTHER, IDENT._replace(class_="x"), IDENT._replace(rule="x"), IDENT._replace(level="x")]
    assert len({incident_key(ident, life) for ident in idents for life in range(3)}) == 15


def test_an_older_telling_never_overwrites_a_newer_one() -> None:
    """Lives are adopted in any order: the highest life, then the highest revision, is what holds."""
    book, states = IncidentBook(patience=PATIENCE), []
    for what, now in (("3", 100), ("1", 101), ("ok!", 102), ("2", 103)):
        hear(book, IDENT, what, now)
        states.append(book.state())
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 3, 0, 1]):
        after = IncidentBook(1, PATIENCE)
        for at in order:
            after.adopt(states[at])
        assert after.state() == states[3]


def test_a_telling_that_a_crash_took_back_is_true() -> None:
    """From a snapshot before an opening, and the note of it: not opened again, resolved under the same key."""
    book = IncidentBook(0, PATIENCE)
    hear(book, OTHER, "2", 50)
    snapshot = book.state()
    book.take_told()
    told = hear(book, IDENT, "2", 100)
    noted = book.take_told()
    assert [life["ident"] for life in noted] == [list(IDENT)]
    after = IncidentBook(1, PATIENCE)
    after.adopt(snapshot)
    after.adopt(orjson.loads(orjson.dumps(noted)))
    assert hear(after, IDENT, "2", 101) is None
    end = hear(after, IDENT, "ok!", 102)
    assert told
    assert end
    assert end.key == told.key
    assert end.revision > told.revision


def test_a_telling_that_is_lost_is_told_again_above_it() -> None:
    """Without the note it opens again: the same key, a higher revision than anything the earlier life may have told."""
    told = [hear(IncidentBook(generation, PATIENCE), IDENT, "2", 100 + generation) for generation in range(3)]
    assert len({each.key for each in told if each}) == 1
    assert [each.revision for each in told if each] == [0, 1 << 20, 2 << 20]


def test_the_hold_goes_on_through_changes_told_later() -> None:
    """That it has been right for a while is a change: after a base and what changed since, the hold has begun."""
    book = IncidentBook(0, PATIENCE)
    hear(book, IDENT, "2", 100)
    base = book.state()
    book.take_changed()
    hear(book, IDENT, "ok", 150)
    first = book.take_changed()
    hear(book, IDENT, "2", 160)
    second = book.take_changed()
    assert (len(first), len(second)) == (1, 1)
    quiet, again = IncidentBook(1, PATIENCE), IncidentBook(1, PATIENCE)
    for after, changes in ((quiet, [first]), (again, [first, second])):
        after.adopt(base)
        for change in changes:
            after.adopt(change, newer=True)
    assert hear(quiet, IDENT, "ok", 210) is not None
    assert hear(again, IDENT, "ok", 210) is None


heard = st.tuples(st.sampled_from([IDENT, OTHER]), st.sampled_from(["1", "2", "3", "ok", "ok!"]), st.integers(1, 400))


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(heard, max_size=30), cuts=st.sets(st.integers(0, 30)), deltas=st.booleans())
def test_a_restart_changes_nothing_but_revisions(steps: list[Any], cuts: set[int], *, deltas: bool) -> None:
    """Cut anywhere, restored whole or from what changed: the same keys, statuses and times; revisions only rise."""
    uncut, book = IncidentBook(0, PATIENCE), IncidentBook(0, PATIENCE)
    journal: list[Any] = []
    told: dict[str, list[int]] = {}
    now, life = 1000, 0
    for at, (ident, what, wait) in enumerate(steps):
        if at in cuts:
            life += 1
            journal.append(book.take_changed())
            state = orjson.loads(orjson.dumps(journal if deltas else [book.state()]))
            book = IncidentBook(life, PATIENCE)
            for part in state:
                book.adopt(part, newer=True)
        now += wait
        expected, found = hear(uncut, ident, what, now), hear(book, ident, what, now)
        journal.append(book.take_changed())
        assert (expected and vars(expected) | {"revision": 0}) == (found and vars(found) | {"revision": 0})
        if found:
            told.setdefault(found.key, []).append(found.revision)
    assert all(revisions == sorted(set(revisions)) for revisions in told.values())
    assert set(book.open_idents()) == set(uncut.open_idents())


def test_a_record_is_read_back() -> None:
    """The record has the words of the contract, and gives the incident again, whatever else is in it."""
    told = hear(IncidentBook(patience=PATIENCE), IDENT, "2", 100)
    assert told
    record = orjson.loads(orjson.dumps(told.record()))
    assert (record["kind"], record["class"], record["status"], record["severity"]) == (
        "incident",
        "slo.burn",
        "open",
        "SEV-2",
    )
    assert Incident.of(record | {"later": 1}) == told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "run"}, "found kind 'run', expected 'incident'"),
        ({"status": "gone"}, "'gone' is not a valid Status"),
        ({"severity": "SEV-9"}, "'SEV-9' is not a valid Severity"),
        ({"runs": None}, "incident"),
        ({"key": ...}, "key"),
    ],
)
def test_what_is_no_incident_is_refused(change: dict[str, Any], message: str) -> None:
    """The error says what was found."""
    told = hear(IncidentBook(patience=PATIENCE), IDENT, "2", 100)
    assert told
    record = {name: value for name, value in (told.record() | change).items() if value is not ...}
    with pytest.raises(IncidentError, match=message):
        Incident.of(record)


def test_starts_that_are_cut_short_do_not_add_up_to_a_resolution() -> None:
    """Each hears for a moment that all is right, and is killed: only the one that lasts for the whole hold resolves."""
    book = IncidentBook(0, PATIENCE)
    assert book.wrong(IDENT, TWO, 100, lambda: FACTS)
    for start in range(200, 400, 20):
        state = book.state()
        book = IncidentBook(start, PATIENCE)
        book.adopt(state)
        book.wait_anew()
        assert book.right(IDENT, start) is None
    assert book.right(IDENT, 439) is None
    resolved = book.right(IDENT, 440)
    assert resolved is not None
    assert resolved.status is Status.RESOLVED


def test_later_tellings_say_how_bad_it_was_and_how_much() -> None:
    """Not of its opening alone: the worst that was heard, also in an earlier life, and what has come since."""

    def course(level: float) -> Course:
        return Course(level, f"{level:g} times", lambda opened: (f"7 bad since {opened}", {"bad": 7}))

    book = IncidentBook(0, PATIENCE)
    opened = book.wrong(IDENT, TWO, 100, lambda: FACTS, course(2))
    assert opened is not None
    assert (opened.summary, opened.evidence) == ("it burns", {"count": 1})
    assert book.wrong(IDENT, TWO, 200, lambda: FACTS, course(14)) is None
    lives = book.take_changed()
    book = IncidentBook(1, PATIENCE)
    book.adopt(orjson.loads(orjson.dumps(lives)))
    again = book.wrong(IDENT, TWO, 3700, lambda: FACTS, course(3))
    assert again is not None
    assert again.summary == "it burns; 7 bad since 100, at worst 14 times"
    assert again.evidence == {"count": 1, "bad": 7, "peak": 14}
    told = book.right(IDENT, 3800, at_once=True, why="by hand", course=course(0))
    assert told is not None
    assert told.summary == "it burns; 7 bad since 100, at worst 14 times; by hand"
    fresh = book.wrong(IDENT, TWO, 4000, lambda: FACTS)
    assert fresh is not None
    ended = book.right(IDENT, 4001, at_once=True, facts=lambda: FACTS.__class__("burnt", "it burnt", {}))
    assert ended is not None
    assert (ended.title, ended.summary, ended.evidence) == ("burnt", "it burnt", {})
