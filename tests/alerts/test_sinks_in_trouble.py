"""Sinks under trouble, over real sockets: nothing lost, order kept, memory bounded, no other sink held up."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from alerts.outcome import Retry, Sent
from alerts.sinks import make
from alerts.sinks.base import SinkSettings

if TYPE_CHECKING:
    from pathlib import Path

ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"


def pagerduty_sink(url: str, **said: Any) -> Any:
    """Make a sink without a limit of its own."""
    return make(SinkSettings("pager", "pagerduty", url=url, secret=ROUTING_KEY, **{"rate": 100_000.0} | said))


def check_lives(service: Any, count: int) -> None:
    """Every incident is resolved, and of each the first event is its trigger, the last its resolve."""
    assert sorted(service.incidents().values()) == ["resolved"] * count
    lives: dict[str, list[str]] = {}
    for event in service.events:
        lives.setdefault(event["dedup_key"], []).append(event["event_action"])
    assert len(lives) == count
    for actions in lives.values():
        assert actions[0] == "trigger"
        assert actions[-1] == "resolve"
        assert "trigger" not in actions[actions.index("resolve") :]


@pytest.mark.parametrize("kind", ["429", "500", "hang up", "hang up after taking", "mixed"])
def test_a_storm_of_failures(kind: str, pagerduty: Any, pagerduty_tool: Any, make_desk: Any, incidents: Any) -> None:
    """While most requests fail, 60 pages begin, get worse and end: each exists once, its end after its beginning."""
    random = Random(kind)  # noqa: S311 -- repeatable, no secret
    answers = {
        "429": pagerduty_tool.Answer(429, {"Retry-After": "3"}),
        "500": pagerduty_tool.Answer(500),
        "hang up": pagerduty_tool.Answer(0),
        "hang up after taking": pagerduty_tool.Answer(0, take=True),
    }
    pagerduty.trouble = lambda: (
        None if random.random() < 0.3 else answers[kind if kind != "mixed" else random.choice(sorted(answers))]
    )
    desk = make_desk(pagerduty_sink(pagerduty.url))
    for number in range(60):
        desk.tell(incidents.incident(str(number), workflow=str(number)))
        desk.after(1)
    for number in range(60):
        worse = incidents.incident(str(number), 1, workflow=str(number), severity=incidents.severity(1))
        desk.tell(*([worse] if number % 3 == 0 else []), incidents.resolved(str(number), 2, workflow=str(number)))
        desk.after(1)
    for _ in range(3_000):
        if not desk.outbox.queue("pager").depth:
            break
        desk.after(1)
    assert desk.outbox.queue("pager") == (0, None, 0)
    assert pagerduty.refused == []
    check_lives(pagerduty, 60)


def test_a_sink_that_does_not_answer(pagerduty: Any, pagerduty_tool: Any, make_desk: Any, incidents: Any) -> None:
    """An answer that is held for 30 s runs into the time-out; meanwhile another sink's worker has delivered all."""
    held = threading.Event()
    pagerduty.trouble = lambda: pagerduty_tool.Answer(202, hold=held)
    slow, quick = pagerduty_sink(pagerduty.url, timeout_s=1.5), incidents.Memory("quick")
    desk = make_desk(slow, quick)
    for worker in desk.workers:
        worker.start()
    try:
        desk.tell(*(incidents.incident(str(n), workflow=str(n)) for n in range(100)))
        for worker in desk.workers:
            worker.wake()
        until = time.monotonic() + 20
        while desk.outbox.queue("quick").depth and time.monotonic() < until:
            time.sleep(0.005)
        assert len(quick.told) == 100
        assert desk.outbox.queue("pager").depth == 100
        while not desk.said and time.monotonic() < until:
            time.sleep(0.005)
        assert "ReadTimeoutError" in desk.said[0]
    finally:
        held.set()
        for worker in desk.workers:
            worker.stop(10)
    assert desk.outbox.queue("pager").depth == 100


def test_nobody_listens(make_desk: Any, incidents: Any) -> None:
    """With refused connections memory does not grow with what waits, and the reason is told once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    desk = make_desk(pagerduty_sink(f"http://127.0.0.1:{port}/v2/enqueue"), max_rows=500)
    peaks = []
    for batch in range(12):
        traced = batch in (3, 11)
        if traced:
            tracemalloc.start()
        desk.tell(*(incidents.incident(f"{batch}/{n}", workflow=f"{batch}/{n}") for n in range(200)))
        desk.after(10)
        if traced:
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
    assert desk.outbox.queue("pager").depth == 500
    assert len(desk.outbox.parked()) == 500
    assert len([text for text in desk.said if "Connection refused" in text]) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Give a certificate for 127.0.0.1, signed by itself, with its key in one file."""
    path = tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stand-in"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path) + ".key", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def test_a_certificate_that_nobody_vouches_for(
    certificate: Path, pagerduty_tool: Any, make_desk: Any, incidents: Any
) -> None:
    """Nothing is ever sent over it, the page waits with a clear reason; named as trusted, it is delivered."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, f"{certificate}.key")
    with pagerduty_tool.PagerDuty(context=context) as service:
        sink = pagerduty_sink(service.url)
        desk = make_desk(sink)
        desk.tell(incidents.incident("a"))
        desk.after(60)
        assert service.requests == 0
        assert "certificate or TLS of the sink is not accepted, nothing was sent" in desk.said[0]
        assert desk.outbox.queue("pager").depth == 1
        job = desk.outbox.take("pager", desk.clock() + 10**12)
        assert isinstance(sink.deliver(job.page), Retry)
        assert isinstance(pagerduty_sink(service.url, ca=certificate).deliver(job.page), Sent)
        wrong_name = service.url.replace("127.0.0.1", "localhost")
        refused = pagerduty_sink(wrong_name, ca=certificate).deliver(job.page)
        assert isinstance(refused, Retry)
        assert service.requests == 1


def test_a_connection_is_used_again(pagerduty: Any, make_desk: Any, incidents: Any) -> None:
    """A hundred deliveries go over one connection."""
    accepted = []
    accept = pagerduty._server.get_request
    pagerduty._server.get_request = lambda: (accepted.append(1), accept())[1]
    desk = make_desk(pagerduty_sink(pagerduty.url))
    desk.tell(*(incidents.incident(str(n), workflow=str(n)) for n in range(100)))
    desk.work()
    assert (len(pagerduty.events), len(accepted)) == (100, 1)
