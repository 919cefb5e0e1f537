"""The whole path: a verdict in the log, a signed signal at a guard, a person's kill and resume over HTTP."""

from __future__ import annotations

from typing import Any

from flyball_sdk.scope import Subject

from control.contributions import Book


def test_a_verdict_reaches_a_guard_and_a_person_resumes(served: Any, planes: Any) -> None:
    """A kill in the log is heard, verified and obeyed; after a resume it is not, and a replay changes nothing."""
    store, stream = served.store(), served.stream()
    subject = Subject(run=planes.RUN, tenant="t1")
    told = planes.verdict(generation=3)
    served.tell(told)
    stream.feed(store, lambda: store.state_of(subject).kill)
    assert store.of(subject)[0].reason == "10 identical calls"
    scope = {"level": "run", "id": planes.RUN}
    status, said, _ = served.ask("POST", "/v1/resume", {"scope": scope, "reason": "checked"}, served.admin)
    assert (status, said["resumed"]) == (200, True)
    stream.feed(store, lambda: not store.state_of(subject).kill)
    served.tell(told, planes.verdict(generation=3))
    served.tell(planes.verdict(generation=4))
    stream.feed(store, lambda: store.state_of(subject).kill)
    assert store.position == (served.plane.authority.shown.epoch, 3)
    stream.close()


def test_a_mistake_of_ours_loses_no_verdict(served: Any, planes: Any, monkeypatch: Any) -> None:
    """Where taking a verdict fails in an unforeseen way: health says so, it is tried again, and nothing is skipped."""
    apply, failing = Book.apply, [True]

    def broken(book: Any, verdict: Any, up_s: int = 0) -> bool:
        if failing and verdict.scope.id == "u1":
            raise RuntimeError("a mistake of ours")
        return apply(book, verdict, up_s)

    monkeypatch.setattr(Book, "apply", broken)
    served.tell(*(planes.verdict(scope=("user", f"u{number}")) for number in range(3)))
    planes.until(lambda: served.ask("GET", "/healthz")[0] == 503, "nobody hears of it")
    failing.clear()
    planes.until(lambda: len(served.plane.authority.shown.signals) == 3, "a verdict was skipped")
    planes.until(lambda: served.ask("GET", "/healthz")[0] == 200, "it is never well again")


def test_a_persons_kill_reaches_a_guard_and_outlives_a_restart(planes: Any, tmp_path: Any) -> None:
    """A kill of the product is obeyed by everybody, and still there in the next life, under a greater epoch."""
    with planes.Served(tmp_path) as served:
        store, stream = served.store(), served.stream()
        status, said, _ = served.ask("POST", "/v1/kill", {"scope": planes.PRODUCT, "reason": "drill"}, served.admin)
        assert (status, said["seq"], said["signal"]["state"]["kill"]) == (200, 1, True)
        stream.feed(store, lambda: store.state_of(Subject()).kill)
        assert store.of(Subject())[0].reason == "Stopped by an operator."
        stream.feed(store, lambda: store.age_s() < 1)
        stream.close()
        before = served.plane.authority.shown.epoch
    with planes.Served(tmp_path) as served:
        _, said, _ = served.ask("GET", "/v1/signals", key=served.agent)
        assert store.replace(said)
        assert store.state_of(Subject()).kill
        assert said["heartbeat"]["epoch"] > before
        assert said["heartbeat"]["seq"] == 0
        _, said, _ = served.ask("GET", "/healthz", unix=True)
        assert said == {"status": "ok", "problem": None}
