"""Flow and delivery are killed again and again while workflows fail, and work again: who is paged is the truth.

What is true follows from what was simulated, by adding up: a workflow none of whose tools work is paged once, and that
is over once when most of its calls have been good; what each budget has spent is the number of its bad calls.

FLYBALL_CRASHES=N sets how often the flow is killed (10 unless told), in rounds of about a hundred, each with its own
traffic; delivery is killed all the while, more than once a second. FLYBALL_CRASH_SEED=N repeats the choices of a run.
Nine of ten starts are forked from a process that has the imports and kernels (tests/helpers/forked.py).
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
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

CRASHES = int(os.environ.get("FLYBALL_CRASHES", "10"))
ROUNDS = -(-CRASHES // 100)
KILLS = -(-CRASHES // ROUNDS)
"""In each round: a round must end before what it is about is as old as the windows of its objectives."""
SEED = int(os.environ.get("FLYBALL_CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
WORKFLOWS = 18
APART_S = 30.0
"""Event time between the starts of two workflows: incidents come one after the other."""
MARGIN_S = 120.0
"""Event time between the last start of a run and now: all have ended."""
RECOVERY = 8.0
"""Runs of a workflow that works again, for each that failed: of its burn of 10 some 2 are left, less than 5."""
REAL = 0.1
"""Share of the starts that are Python's own."""
RESOLVE_AFTER = "15s"
"""Longer than any start takes: by then a flow has read again what the one before had read since its last snapshot."""
MINUTE_S = 90.0
"""The state of an SLO is told once a minute."""
NEWS_S = 0.7
"""Wait for news of an incident: most parts of the traffic bring none."""

Messages = list[tuple[str, bytes]]
Counts = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Traffic:
    """Messages in order of export, and what they mean."""

    outage: Messages
    recovery: Messages
    pages: dict[str, str]
    """At the end: key of page -> its state."""
    incidents: dict[str, list[str]]
    """Key of incident -> what is told of it, in order."""
    counts: Counts
    """Total and bad of each SLO."""


class Simulation:
    """Workflows that worked one after the other, up to now: two of three fail, and half of these work again later."""

    def __init__(self, paging: Any, chance: random.Random) -> None:
        self._chance = chance
        names = [f"w{number:02d}" for number in range(WORKFLOWS)]
        self.failing = set(chance.sample(names, 2 * WORKFLOWS // 3))
        self.healed = set(chance.sample(sorted(self.failing), WORKFLOWS // 3))
        self.calls: dict[str, Counter[str]] = {name: Counter() for name in names}
        """Calls of each workflow, total and bad."""
        heals = time.time_ns() - int((APART_S + MARGIN_S) * 1e9)
        begins = heals - int(WORKFLOWS * APART_S * 1e9)
        exported = []
        for number, name in enumerate(names):
            workflow = paging.quick(name)
            trouble = paging.outage(workflow, 3600.0) if name in self.failing else ()
            exported += self._work(workflow, begins + int(number * APART_S * 1e9), 1.0, trouble)
        self.outage = _in_order(exported)
        exported = []
        for name in sorted(self.healed):
            workflow = paging.quick(name)
            tools = tuple(replace(tool, errors=0.0) for tool in workflow.tools)
            exported += self._work(replace(workflow, tools=tools), heals, RECOVERY, ())
        self.recovery = _in_order(exported)

    def _work(self, workflow: Any, start_ns: int, rate: float, trouble: Any) -> list[Any]:
        scenario = Scenario(
            seed=self._chance.randrange(1 << 30),
            start_ns=start_ns,
            duration_s=APART_S,
            rate=rate,
            workflows=(workflow,),
            incidents=trouble,
            batch=16,
        )
        generation = Generation(scenario, Encoding.PROTOBUF)
        exported = list(generation)
        for run in generation.truth.take():
            self.calls[workflow.name].update(total=run["tool_calls"], bad=run["tool_errors"])
        return exported


def _in_order(exported: list[Any]) -> Messages:
    exported.sort(key=lambda each: each.event_ns)
    return [("spans" if each.signal == "traces" else "logs", each.payload) for each in exported]


def expected(paging: Any, config: Path, folder: Path, chance: random.Random) -> Traffic:
    """Simulate, and give what must be told: keys are those of a replay, all else is added up."""
    simulated = Simulation(paging, chance)
    path = folder / "oracle.pb"
    path.write_bytes(b"".join(len(payload).to_bytes(4, "big") + payload for _, payload in simulated.outage))
    records: list[dict[str, Any]] = []
    settings = flow_settings(configuration(config), objectives(config))
    replay([path], settings, lambda out: records.extend(orjson.loads(each.value) for each in out))
    opened = {each["scope"]["id"]: each for each in records if each["kind"] == "incident"}
    assert opened.keys() == simulated.failing
    assert all(simulated.calls[name]["bad"] < 0.45 * simulated.calls[name]["total"] for name in simulated.healed)
    ends = {each["key"]: name in simulated.healed for name, each in opened.items()}
    return Traffic(
        simulated.outage,
        simulated.recovery,
        {paging.key_of_page(each): "resolved" if ends[each["key"]] else "triggered" for each in opened.values()},
        {key: ["open", "resolved"] if end else ["open"] for key, end in ends.items()},
        {f"tool-calls:{name}": (calls["total"], calls["bad"]) for name, calls in simulated.calls.items()},
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
            until = time.monotonic() + self._chance.uniform(0.0, 1.5)
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
        deployment.configure(flow={"resolve_after": RESOLVE_AFTER})
        paging.configure(deployment.config, [paging.pager(pagerduty.url, rate=100_000)], long="2h", short="1h")
        yield deployment


@pytest.fixture
def nursery(forked: Any, tmp_path: Path) -> Iterator[Any]:
    """Give what forks commands: first asked for, last to end, as it alone says how a command has ended."""
    with forked.Nursery(tmp_path) as nursery:
        yield nursery


@pytest.mark.slow
@pytest.mark.parametrize("number", range(ROUNDS))
def test_every_incident_pages_once(
    nursery: Any, deployment: Any, live: Any, paging: Any, pagerduty: Any, tmp_path: Path, number: int
) -> None:
    """Each expected incident has one page, and one end; none is lost, none made up; budgets are counted to the unit."""
    print(f"FLYBALL_CRASH_SEED={SEED}")  # noqa: T201 -- shown when it fails
    chance = random.Random(SEED + 2 * number)  # noqa: S311 -- to be repeated
    traffic = expected(paging, deployment.config, tmp_path, chance)
    deliveries = random.Random(SEED + 2 * number + 1)  # noqa: S311
    arguments = ("deliver", "--config", str(deployment.config), "--data", str(deployment.data))
    told = paging.Topic(deployment.log, "flyball.incidents")
    states = paging.Topic(deployment.log, "flyball.slos")
    with KilledDelivery(
        lambda: live.Command(tmp_path, *arguments, fork=starter(nursery, deliveries)), pagerduty, deliveries
    ) as delivery:
        flow = KilledFlow(deployment, live, nursery, told, chance, delivery)
        flow.work(traffic.outage, 2 * KILLS // 3)
        flow.until(lambda: statuses(told) == {key: ["open"] for key in traffic.incidents}, lambda: statuses(told))
        deployment.kill()
        flow.work(traffic.recovery, KILLS - flow.kills)
        flow.until(lambda: scraped(deployment) == traffic.counts, lambda: f"{scraped(deployment)} {traffic.counts}")
        flow.until(lambda: statuses(told) == traffic.incidents, lambda: f"{statuses(told)} {traffic.incidents}")
        flow.until(lambda: counts_of(states.read()) == traffic.counts, lambda: counts_of(states.read()), MINUTE_S)
    last = deployment.command("deliver")
    live.until(lambda: "delivers " in last.said, lambda: last.said)  # from then on it can be stopped
    flow.until(lambda: pagerduty.incidents() == traffic.pages, lambda: f"{pagerduty.incidents()} {traffic.pages}")
    deployment.stop()
    print(f"{flow.kills} kills of the flow, {delivery.kills} of the delivery")  # noqa: T201 -- shown when asked for
    check_told(told.read(), traffic)
    check_pages(pagerduty, traffic, delivery.kills)
    assert delivery.kills >= KILLS, "delivery was killed less often than the flow"
    told.close()
    states.close()


def starter(nursery: Any, chance: random.Random) -> Any:
    """Give what starts the next command: mostly a fork."""
    return None if chance.random() < REAL else nursery.fork


class KilledFlow:
    """Starts the flow, gives it messages, and kills it, over and over; `kills` counts."""

    def __init__(
        self, deployment: Any, live: Any, nursery: Any, told: Any, chance: random.Random, delivery: KilledDelivery
    ) -> None:
        self._deployment, self._live, self._nursery, self._told = deployment, live, nursery, told
        self._chance, self._delivery = chance, delivery
        self.kills = 0

    def until(self, condition: Callable[[], Any], what: Callable[[], Any], seconds: float = 120.0) -> None:
        """Wait while nothing ends by itself; fails after `seconds`, saying what there is and `what`."""
        self._live.until(
            lambda: self._deployment.check_alive() and self._delivery.check_alive() and condition(),
            lambda: str(what()),
            seconds,
        )

    def work(self, messages: Messages, kills: int) -> None:
        """Let the messages come in parts, a kill after each but the last; leaves a flow that runs."""
        share = -(-len(messages) // (kills + 1))
        for at in range(0, share * kills, share):
            self._start()
            self._crash(messages[at : at + share])
        self._start()
        self._deployment.append(messages[share * kills :])

    def _start(self) -> None:
        self._deployment.fork = starter(self._nursery, self._chance)
        self._deployment.start()

    def _crash(self, part: Messages) -> None:
        """Let some messages come and kill: at any point of a start, as it tells of an incident, or a little later."""
        moment = self._chance.choice(("starting", "telling", "later"))
        before = 1 << 30
        if moment == "starting":
            until = time.monotonic() + self._chance.uniform(0.0, 1.2 if self._deployment.fork else 4.0)
        else:
            self.until(self._is_ready, lambda: "the flow does not start")
            before = len(self._told.read()) if moment == "telling" else before
            until = time.monotonic() + (NEWS_S if moment == "telling" else self._chance.uniform(0.0, NEWS_S))
        self._deployment.append(part)
        self.until(lambda: len(self._told.read()) > before or time.monotonic() >= until, lambda: "no time passes")
        self._deployment.kill()
        self.kills += 1

    def _is_ready(self) -> bool:
        return bool(self._live.get(f"http://127.0.0.1:{self._deployment.metrics_port}/healthz")[0] == 200)


def statuses(told: Any) -> dict[str, list[str]]:
    """Give what was told of each incident, in order; what was told again is left out."""
    said: dict[str, list[str]] = defaultdict(list)
    for record in told.read():
        if record["status"] not in said[record["key"]]:
            said[record["key"]].append(record["status"])
    return dict(said)


def check_told(records: list[dict[str, Any]], traffic: Traffic) -> None:
    """See that nothing else was told, and that what was told twice says the same."""
    assert {record["key"] for record in records} == traffic.incidents.keys()
    said: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        assert record == said.setdefault((record["key"], record["status"]), record)


def check_pages(pagerduty: Any, traffic: Traffic, kills: int) -> None:
    """See that each incident has one page, and one end if it ended; an event comes again only where delivery died."""
    assert pagerduty.refused == []
    assert pagerduty.incidents() == traffic.pages
    sent: dict[tuple[str, str], dict[str, Any]] = {}
    for event in pagerduty.events:
        action = event["event_action"]
        assert (event["dedup_key"], "trigger") in sent or action == "trigger", "an end before its page"
        assert event == sent.setdefault((event["dedup_key"], action), event)
    ends = [key for key, state in traffic.pages.items() if state == "resolved"]
    assert sent.keys() == {(key, "trigger") for key in traffic.pages} | {(key, "resolve") for key in ends}
    assert len(pagerduty.events) - len(sent) <= kills
