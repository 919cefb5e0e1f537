"""Delivery over the log: exactly once in, whatever is replayed; routes change while it runs; losses are loud."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alerts.delivery import Delivery, DeliverySettings, Routes, held, opened
from alerts.routing import Route, Routing
from alerts.sinks.base import SinkSettings
from alerts.store import StoreError
from flyball.config.routes_yaml import load_routes
from streams.embedded import EmbeddedLog, Settings
from streams.port import LostOffsetError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"
TOPIC = "flyball.incidents"


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll until the condition holds; gives what it last gave."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedLog:
    """Give a log with the topic."""
    log = EmbeddedLog(tmp_path / "log")
    log.ensure(TOPIC, 3)
    return log


def append(log: EmbeddedLog, *values: tuple[bytes | None, bytes]) -> None:
    """Append messages."""
    writer = log.writer()
    writer.append(TOPIC, values)
    writer.close()


def routes_to(url: str, name: str = "pager") -> Routes:
    """Send every page to one PagerDuty."""
    sink = SinkSettings(name, "pagerduty", url=url, secret=ROUTING_KEY, rate=1_000.0)
    return Routes((sink,), Routing([Route("all", (name,))]))


@contextmanager
def running(delivery: Delivery) -> Iterator[Delivery]:
    """Run in a thread until left; `reroute` then takes effect in that thread, as it must."""
    failed: list[BaseException] = []
    reroute, waiting = delivery.reroute, list[Routes]()
    delivery.reroute = waiting.append  # type: ignore[method-assign]

    def between() -> None:
        while waiting:
            reroute(waiting.pop(0))

    def run() -> None:
        try:
            delivery.run(between)
        except BaseException as error:  # noqa: BLE001 -- told by the test
            failed.append(error)

    thread = Thread(target=run)
    thread.start()
    try:
        yield delivery
    finally:
        delivery.stop()
        thread.join(30)
    assert failed == []


def test_from_the_log_to_the_pager_and_over_restarts(
    log: EmbeddedLog, tmp_path: Path, pagerduty: Any, incidents: Any
) -> None:
    """What all partitions hold is delivered once; a second life goes on where the first one was."""
    settings = DeliverySettings(tmp_path / "deliver")
    tellings = [incidents.incident(str(n), workflow=str(n)) for n in range(20)]
    append(log, *map(incidents.message, tellings))
    with running(Delivery(log, settings, routes_to(pagerduty.url))):
        assert until(lambda: len(pagerduty.events) == 20)
    append(log, *(incidents.message(incidents.resolved(str(n), workflow=str(n))) for n in range(20)))
    append(log, *map(incidents.message, tellings))
    said: list[str] = []
    second = Delivery(log, settings, routes_to(pagerduty.url), say=said.append)
    with running(second):
        assert until(lambda: list(pagerduty.incidents().values()) == ["resolved"] * 20)
        assert until(lambda: not any(second._intake.lags().values()))
    assert len(pagerduty.events) == 40
    assert log.backlog(TOPIC) == 0
    assert said == []


def test_a_replay_from_the_start_changes_nothing(
    log: EmbeddedLog, tmp_path: Path, pagerduty: Any, incidents: Any
) -> None:
    """With its offsets gone all is read again, and nothing told again."""
    settings = DeliverySettings(tmp_path / "deliver")
    for number in range(10):
        append(log, incidents.message(incidents.incident(str(number), workflow=str(number))))
        if number % 2:
            append(log, incidents.message(incidents.resolved(str(number), workflow=str(number))))
    first = Delivery(log, settings, routes_to(pagerduty.url))
    with running(first):
        assert until(lambda: sorted(pagerduty.incidents().values()) == ["resolved"] * 5 + ["triggered"] * 5)
    count = len(pagerduty.events)
    second = Delivery(log, settings, routes_to(pagerduty.url))
    with second._store.transaction() as db:
        db.execute("DELETE FROM offsets")
    with running(second):
        assert until(
            lambda: (
                second.metrics.registry.get_sample_value("flyball_incident_tellings_total", {"outcome": "repeated"})
                == 15
            )
        )
    assert len(pagerduty.events) == count


def test_what_is_no_incident_is_kept_out(log: EmbeddedLog, tmp_path: Path, pagerduty: Any, incidents: Any) -> None:
    """Every kind of nonsense is counted and told with its place, and the incidents around it page."""
    good = incidents.incident("good").record()
    bad: list[bytes] = [b"", b"\xff", b"[1]", b"{}", orjson.dumps(good | {"kind": "sli"}), b"null", b'"x"']
    wrong = {
        "key": (5, "", "k" * 501),
        "revision": (-1, 1.5, True, None, "1", 1 << 63),
        "severity": ("SEV-9", None),
        "status": ("closed",),
        "scope": ([], {"level": 1}),
        "labels": ({"a": 1}, None),
        "evidence": ("text", None),
        "runs": (5, [1]),
        "opened_at": ("yesterday", "2026-03-02T09:00:00"),
        "class": (None, 7),
        "summary": (None,),
        "workflow": (3,),
    }
    bad += [orjson.dumps(good | {name: value}) for name, values in wrong.items() for value in values]
    bad += [orjson.dumps({name: value for name, value in good.items() if name != "title"})]
    append(log, *((b"k", value) for value in bad), incidents.message(incidents.incident("good")))
    said: list[str] = []
    delivery = Delivery(log, DeliverySettings(tmp_path / "deliver"), routes_to(pagerduty.url), say=said.append)
    with running(delivery):
        assert until(lambda: len(pagerduty.events) == 1)
        assert until(lambda: not any(delivery._intake.lags().values()))
    counted = delivery.metrics.registry.get_sample_value("flyball_incident_tellings_total", {"outcome": "dead_letter"})
    assert counted == len(bad) == len(said)
    assert all(TOPIC in text and "is no incident" in text for text in said)


def test_huge_tellings_are_cut_and_page(log: EmbeddedLog, tmp_path: Path, pagerduty: Any, incidents: Any) -> None:
    """An incident of 500 kB pages with its texts cut, and takes little room in the store."""
    huge = incidents.incident(
        "huge",
        title="t" * 100_000,
        summary="s" * 100_000,
        evidence={"e": "e" * 300_000},
        labels={f"l{n}": "v" * 5_000 for n in range(100)},
        runs=tuple(f"{n:032x}" for n in range(500)),
    )
    append(log, incidents.message(huge))
    with running(Delivery(log, DeliverySettings(tmp_path / "deliver"), routes_to(pagerduty.url))):
        assert until(lambda: len(pagerduty.events) == 1)
    details = pagerduty.events[0]["payload"]["custom_details"]
    assert details["evidence"] == {"cut": "300008 bytes of evidence; see the log"}
    assert (len(details["runs"]), len(details["labels"])) == (5, 50)
    assert len(pagerduty.bare[0][3]) < 60_000


@pytest.mark.parametrize("depth", [220, 253, 254, 900])
def test_evidence_that_is_nested_too_deep_to_be_written_pages_without_it(
    depth: int, log: EmbeddedLog, tmp_path: Path, pagerduty: Any, incidents: Any
) -> None:
    """JSON of 1,024 levels can be read, but not written: delivery goes on, and the page says what is missing."""
    record = orjson.dumps(incidents.incident("deep", evidence={}).record())
    assert record.count(b'"evidence":{}') == 1
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    append(log, (b"k", record.replace(b'"evidence":{}', b'"evidence":' + nested)))
    with running(Delivery(log, DeliverySettings(tmp_path / "deliver"), routes_to(pagerduty.url))):
        assert until(lambda: len(pagerduty.events) == 1)
    evidence = pagerduty.events[0]["payload"]["custom_details"]["evidence"]
    assert ("cut" in evidence) == (depth > 230)


def test_routes_change_while_it_runs(log: EmbeddedLog, tmp_path: Path, pagerduty_tool: Any, incidents: Any) -> None:
    """A new sink takes over what is open, too; what was in line for one that is no more is parked where it is seen."""
    with pagerduty_tool.PagerDuty() as old, pagerduty_tool.PagerDuty() as new:
        old.trouble = lambda: pagerduty_tool.Answer(500)
        delivery = Delivery(log, DeliverySettings(tmp_path / "deliver"), routes_to(old.url, "old"))
        with running(delivery):
            append(log, incidents.message(incidents.incident("a", workflow="a")))
            assert until(lambda: old.requests)
            delivery.reroute(routes_to(new.url, "new"))
            append(log, incidents.message(incidents.incident("b", workflow="b")))
            assert until(lambda: len(new.events) == 2)
            assert until(
                lambda: (
                    [each.reason for each in delivery.outbox.parked()]
                    == ["there is no sink old in routes.yaml any more"]
                )
            )


def test_a_sink_that_moves_keeps_what_waits(
    log: EmbeddedLog, tmp_path: Path, pagerduty_tool: Any, incidents: Any
) -> None:
    """A sink of the same name with another address gets what was in line for it."""
    with pagerduty_tool.PagerDuty() as old, pagerduty_tool.PagerDuty() as new:
        old.trouble = lambda: pagerduty_tool.Answer(500)
        delivery = Delivery(log, DeliverySettings(tmp_path / "deliver"), routes_to(old.url))
        with running(delivery):
            append(log, incidents.message(incidents.incident("a")))
            assert until(lambda: old.requests)
            delivery.reroute(routes_to(new.url))
            assert until(lambda: list(new.incidents().values()) == ["triggered"])


def test_a_sink_that_moves_need_not_rest_as_long_as_the_old_one_asked(
    log: EmbeddedLog, tmp_path: Path, pagerduty_tool: Any, incidents: Any
) -> None:
    """What the old address asked for does not hold for the new one."""
    with pagerduty_tool.PagerDuty() as old, pagerduty_tool.PagerDuty() as new:
        old.trouble = lambda: pagerduty_tool.Answer(429, {"Retry-After": "600"})
        delivery = Delivery(log, DeliverySettings(tmp_path / "deliver"), routes_to(old.url))
        with running(delivery):
            append(log, incidents.message(incidents.incident("a", workflow="a")))
            assert until(lambda: delivery.outbox.paused("pager") != (0, 0))
            delivery.reroute(routes_to(new.url))
            append(log, incidents.message(incidents.incident("b", workflow="b")))
            assert until(lambda: list(new.incidents().values()) == ["triggered"])


def test_a_lost_offset_is_a_loud_stop(tmp_path: Path, incidents: Any) -> None:
    """When the log has dropped what was to be read next, it stops with the choice; told to go on, it does."""
    log = EmbeddedLog(tmp_path / "log", Settings(segment_bytes=1, max_bytes=1))
    log.ensure(TOPIC, 1)
    settings = DeliverySettings(tmp_path / "deliver")
    first = Delivery(log, settings, Routes())
    append(log, incidents.message(incidents.incident("0", workflow="0")))
    with running(first):
        assert until(lambda: log.backlog(TOPIC) == 0)
    for number in range(1, 6):
        append(log, incidents.message(incidents.incident(str(number), workflow=str(number))))
    log.retain()
    stopped = Delivery(log, settings, Routes())
    with pytest.raises(LostOffsetError, match=r"log.on_lost: oldest .* or newest"):
        stopped.run()
    said: list[str] = []
    with running(Delivery(log, replace(settings, on_lost="oldest"), Routes(), say=said.append)):
        assert until(lambda: said)
        append(log, incidents.message(incidents.incident("6", workflow="6")))
        assert until(lambda: log.backlog(TOPIC) == 0)
    assert "going on at the oldest message" in said[0]


def test_an_unreachable_log_is_waited_for(log: EmbeddedLog, tmp_path: Path, pagerduty: Any, incidents: Any) -> None:
    """While the log does not answer health is red and sinks go on; when it does all is taken."""
    append(log, incidents.message(incidents.incident("a")))
    partitions = log.partitions
    asked: list[int] = []

    def unreachable(topic: str) -> int:
        asked.append(1)
        raise UnreachableError("no broker answers")

    log.partitions = unreachable  # type: ignore[method-assign]
    said: list[str] = []
    delivery = Delivery(log, DeliverySettings(tmp_path / "deliver"), routes_to(pagerduty.url), say=said.append)
    with running(delivery):
        assert until(lambda: len(asked) > 3)
        assert delivery.metrics.problem == "no broker answers"
        log.partitions = partitions  # type: ignore[method-assign]
        assert until(lambda: len(pagerduty.events) == 1)
        assert delivery.metrics.problem is None
    assert said == ["no broker answers; trying again"]


def test_a_full_disk_is_waited_for(log: EmbeddedLog, tmp_path: Path, pagerduty: Any, incidents: Any) -> None:
    """What was read when the disk refused is read again: nothing is lost, counted twice, or told twice."""
    append(log, *(incidents.message(incidents.incident(str(n), workflow=str(n))) for n in range(10)))
    said: list[str] = []
    delivery = Delivery(log, DeliverySettings(tmp_path / "deliver"), routes_to(pagerduty.url), say=said.append)
    take, failures = delivery._pager.take, [sqlite3.OperationalError("database or disk is full")] * 5

    def fail(*taken: Any) -> None:
        take(*taken)
        if failures:
            raise failures.pop()

    delivery._pager.take = fail  # type: ignore[method-assign]
    with running(delivery):
        assert until(lambda: len(pagerduty.events) == 10)
        assert until(lambda: delivery.metrics.problem is None)
    assert "database or disk is full; trying again" in said
    assert len(pagerduty.events) == len(pagerduty.incidents()) == 10
    told = delivery.metrics.registry.get_sample_value("flyball_incident_tellings_total", {"outcome": "taken"})
    assert told == 10


def test_one_folder_one_delivery(tmp_path: Path) -> None:
    """A second delivery on the same outbox is refused; an outbox of another version, or no outbox, too."""
    with held(tmp_path), pytest.raises(StoreError, match="in use by another"), held(tmp_path):
        pass
    with opened(tmp_path) as outbox, outbox._store.transaction() as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="found version 99 of the outbox, expected 2"), opened(tmp_path):
        pass
    (tmp_path / "outbox.db").write_bytes(b"nonsense" * 1_000)
    with pytest.raises(StoreError, match="not a database"), opened(tmp_path):
        pass


def test_it_never_waits_on_what_a_signal_handler_sets(
    log: EmbeddedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Event.wait` holds a lock at its begin and end; a handler that came just then would wait for it for ever."""
    delivery = Delivery(log, DeliverySettings(tmp_path / "deliver"), routes_to("http://127.0.0.1:9"))
    monkeypatch.setattr(delivery._stopped, "wait", lambda _: pytest.fail("waited"))
    looks: list[None] = []

    def between() -> None:
        looks.append(None)
        if len(looks) == 3:
            delivery.stop()

    delivery.run(between)
    assert len(looks) == 3


def test_a_budget_that_is_spent_rolls_back(
    log: EmbeddedLog, tmp_path: Path, pagerduty_tool: Any, incidents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The route that docs/alerts.md shows: what deploys hears of the step that says so, signed, and of no other."""
    shown = re.search(r"# routes\.yaml\n.*?(?=```)", (ROOT / "docs" / "alerts.md").read_text(), re.DOTALL)
    assert shown is not None
    monkeypatch.setenv("DEPLOYER_SECRET", "a" * 40)
    with pagerduty_tool.PagerDuty() as deployer:
        deployer.lenient = True
        (tmp_path / "routes.yaml").write_text(shown[0].replace("https://deploy.example", deployer.root))
        routes = load_routes(tmp_path)
        guilty = {"dimension": "version", "value": "v42"}
        step = {"class_": "slo.budget", "evidence": {"guilty": guilty}, "labels": {"action.rollback": "yes"}}
        told = [incidents.incident("75", rule="success@75"), incidents.incident("100", rule="success@100", **step)]
        append(log, *map(incidents.message, told))
        with running(Delivery(log, DeliverySettings(tmp_path / "deliver"), routes)):
            assert until(lambda: log.backlog(TOPIC) == 0 and len(deployer.bare) >= 1)
        ((_, path, headers, body),) = deployer.bare
    assert path == "/rollback"
    assert orjson.loads(body)["evidence"]["guilty"] == guilty
    assert "X-Flyball-Signature" in headers
