"""Flow and delivery are killed again and again while workflows fail: who is paged, and what is counted, is the truth.

FLYBALL_CRASHES=N sets how often the flow is killed (5 unless told), in rounds of about a hundred, each with traffic of
its own; delivery is killed all the while, about once a second. FLYBALL_CRASH_SEED=N repeats the choices of a run.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from flows.replay import replay
from flyball.check import configuration, objectives
from flyball.wiring import flow_settings
from models.simulation import Encoding, Generation, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CRASHES = int(os.environ.get("FLYBALL_CRASHES", "5"))
ROUNDS = -(-CRASHES // 100)
KILLS = -(-CRASHES // ROUNDS)
"""In each round: a round must end before what it is about is as old as the windows of its objectives."""
SEED = int(os.environ.get("FLYBALL_CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
WORKFLOWS = 18
APART_S = 30.0
"""Event time between the starts of two workflows: incidents come one after the other."""
MINUTE_S = 90.0
"""The state of an SLO is told once a minute."""
NEWS_S = 8.0 if KILLS < WORKFLOWS else 1.0
"""Wait for news of an incident: where kills are many, most parts of the traffic bring none."""

Counts = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Traffic:
    """Messages in order of export, and what they mean by a replay that nobody interrupts."""

    messages: list[tuple[str, bytes]]
    pages: set[str]
    incidents: set[str]
    counts: Counts
    """Total and bad of each SLO."""


def simulate(paging: Any, chance: random.Random) -> list[tuple[str, bytes]]:
    """Let workflows work one after the other, up to now; in two of three no tool works."""
    failing = set(chance.sample(range(WORKFLOWS), 2 * WORKFLOWS // 3))
    begin = time.time_ns() - int((WORKFLOWS * APART_S + 120.0) * 1e9)
    exported = []
    for number in range(WORKFLOWS):
        workflow = paging.quick(f"w{number:02d}")
        scenario = Scenario(
            seed=chance.randrange(1 << 30),
            start_ns=begin + int(number * APART_S * 1e9),
            duration_s=APART_S,
            rate=1.0,
            workflows=(workflow,),
            incidents=paging.outage(workflow, 3600.0) if number in failing else (),
            batch=16,
        )
        exported += list(Generation(scenario, Encoding.PROTOBUF))
    exported.sort(key=lambda each: each.event_ns)
    return [("spans" if each.signal == "traces" else "logs", each.payload) for each in exported]


def expected(messages: list[tuple[str, bytes]], paging: Any, config: Path, folder: Path) -> Traffic:
    """Replay the messages in this process."""
    path = folder / "oracle.pb"
    path.write_bytes(b"".join(len(payload).to_bytes(4, "big") + payload for _, payload in messages))
    records: list[dict[str, Any]] = []
    settings = flow_settings(configuration(config), objectives(config))
    replay([path], settings, lambda out: records.extend(orjson.loads(each.value) for each in out))
    incidents = [record for record in records if record["kind"] == "incident"]
    assert {record["status"] for record in incidents} == {"open"}
    return Traffic(
        messages,
        {paging.key_of_page(record) for record in incidents},
        {record["key"] for record in incidents},
        counts_of(records),
    )


def counts_of(records: list[dict[str, Any]]) -> Counts:
    """Give total and bad of each SLO, as last told."""
    return {record["slo"]: (record["total"], record["bad"]) for record in records if record["kind"] == "slo"}


def scraped(deployment: Any) -> Counts:
    """Give total and bad of each SLO, as a flow has them now."""
    values: dict[str, dict[str, int]] = defaultdict(dict)
    for family in text_string_to_metric_families(deployment.metrics()):
        if family.name in ("flyball_slo_period_events", "flyball_slo_period_bad_events"):
            for sample in family.samples:
                values[sample.labels["slo"]][family.name] = int(sample.value)
    return {
        slo: (each["flyball_slo_period_events"], each["flyball_slo_period_bad_events"]) for slo, each in values.items()
    }


class KilledDelivery:
    """Starts `flyball deliver` and kills it, over and over, while it is entered; then it is left alone."""

    def __init__(self, start: Callable[[], Any], pagerduty: Any, chance: random.Random) -> None:
        self._start, self._pagerduty, self._chance = start, pagerduty, chance
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failure = ""
        self.kills = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Kill it no more."""
        self._stop.set()
        self._thread.join()
        self._pagerduty.on_event = lambda event: None

    def check_alive(self) -> bool:
        """Fail with its words when one has ended by itself."""
        assert not self._failure, self._failure
        return True

    def _run(self) -> None:
        while not self._stop.is_set() and not self._failure:
            running = self._start()
            spares = self._chance.random() < 0.3  # else it dies as it has sent, before it can note that
            self._pagerduty.on_event = lambda event, one=running, none=spares: (
                None if none else one.send(signal.SIGKILL)
            )
            until = time.monotonic() + self._chance.uniform(0.0, 2.5)
            while running.process.poll() is None and time.monotonic() < until and not self._stop.is_set():
                time.sleep(0.01)
            running.send(signal.SIGKILL)
            if running.process.wait(30) != -signal.SIGKILL:
                self._failure = running.said
            self.kills += 1


@pytest.fixture
def deployment(tmp_path: Path, live: Any, paging: Any, pagerduty: Any) -> Iterator[Any]:
    """Give a deployment on the embedded log that pages `pagerduty`."""
    with live.Deployment(tmp_path) as deployment:
        deployment.topics |= {name: f"flyball.{name}" for name in paging.TOPICS}
        deployment.configure()
        paging.configure(deployment.config, [paging.pager(pagerduty.url, rate=100_000)], long="2h", short="1h")
        yield deployment


@pytest.mark.slow
@pytest.mark.parametrize("number", range(ROUNDS))
def test_every_incident_pages_once(
    deployment: Any, live: Any, paging: Any, pagerduty: Any, tmp_path: Path, number: int
) -> None:
    """Each expected incident has one page, none is lost, none is made up; budgets are counted to the unit."""
    print(f"FLYBALL_CRASH_SEED={SEED}")  # noqa: T201 -- shown when it fails
    chance = random.Random(SEED + 2 * number)  # noqa: S311 -- to be repeated
    traffic = expected(simulate(paging, chance), paging, deployment.config, tmp_path)
    assert len(traffic.pages) == len(traffic.incidents) == 2 * WORKFLOWS // 3
    told = paging.Topic(deployment.log, "flyball.incidents")
    states = paging.Topic(deployment.log, "flyball.slos")
    arguments = ("--config", str(deployment.config), "--data", str(deployment.data))
    share = -(-len(traffic.messages) // (KILLS + 1))
    parts = [traffic.messages[at : at + share] for at in range(0, len(traffic.messages), share)]
    with KilledDelivery(
        lambda: live.Command(tmp_path, "deliver", *arguments),
        pagerduty,
        random.Random(SEED + 2 * number + 1),  # noqa: S311
    ) as delivery:
        for part in parts[:-1]:
            deployment.start()
            crash(deployment, live, told, part, chance)
            delivery.check_alive()
        deployment.start()
        deployment.append(parts[-1])
        live.until(
            lambda: deployment.check_alive() and delivery.check_alive() and scraped(deployment) == traffic.counts,
            lambda: f"{scraped(deployment)}\nexpected {traffic.counts}",
        )
        live.until(
            lambda: deployment.check_alive() and delivery.check_alive() and counts_of(states.read()) == traffic.counts,
            lambda: f"{counts_of(states.read())}\nexpected {traffic.counts}",
            MINUTE_S,
        )
    last = deployment.command("deliver")
    live.until(lambda: "delivers " in last.said, lambda: last.said)  # from then on it can be stopped
    live.until(
        lambda: deployment.check_alive() and pagerduty.incidents().keys() == traffic.pages,
        lambda: f"{pagerduty.incidents()}\nexpected {traffic.pages}",
    )
    deployment.stop()
    print(f"{KILLS} kills of the flow, {delivery.kills} of the delivery")  # noqa: T201 -- shown when asked for
    check_told(told.read(), traffic)
    check_pages(pagerduty, traffic, delivery.kills)
    told.close()
    states.close()


def crash(deployment: Any, live: Any, told: Any, part: list[tuple[str, bytes]], chance: random.Random) -> None:
    """Let some messages come and kill the flow: as it starts, as it tells of an incident, or a little later."""
    moment = chance.choice(("starting", "telling", "telling", "later"))
    if moment == "starting":
        deployment.append(part)
        before, until = 1 << 30, time.monotonic() + chance.uniform(1.0, 5.0)
    else:
        live.until(lambda: deployment.check_alive() and deployment.metrics(), "the flow does not start")
        before = len(told.read())
        deployment.append(part)
        if moment == "telling":
            until = time.monotonic() + NEWS_S  # the part may bring nothing new
        else:
            before, until = 1 << 30, time.monotonic() + chance.uniform(0.0, 1.5)
    live.until(
        lambda: deployment.check_alive() and (len(told.read()) > before or time.monotonic() >= until), "no time passes"
    )
    deployment.kill()


def check_told(records: list[dict[str, Any]], traffic: Traffic) -> None:
    """See that each incident was told under one revision; what was told twice says the same."""
    assert {record["key"] for record in records} == traffic.incidents
    said: dict[str, dict[str, Any]] = {}
    for record in records:
        assert record == said.setdefault(record["key"], record)


def check_pages(pagerduty: Any, traffic: Traffic, kills: int) -> None:
    """See that there is one page for each incident; a trigger is only sent again where the delivery was killed."""
    assert pagerduty.refused == []
    assert pagerduty.incidents() == dict.fromkeys(traffic.pages, "triggered")
    sent: dict[str, dict[str, Any]] = {}
    for event in pagerduty.events:
        assert event == sent.setdefault(event["dedup_key"], event)
    assert len(pagerduty.events) - len(traffic.pages) <= kills
