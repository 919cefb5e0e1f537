"""`flyball deliver`: as a process, testing a route, listing and retrying what is parked, taking new routes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alerts.delivery import opened
from flyball.cli import main
from flyball.config.load import load
from flyball.up import parts
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"
TOPIC = "flyball.incidents"


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Poll until the condition holds; gives what it last gave."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


class Place:
    """A configuration, a data folder, and the process that uses them."""

    def __init__(self, folder: Path) -> None:
        self.config, self.data, self.log_file = folder / "config", folder / "data", folder / "said"
        self.config.mkdir()
        (self.config / "flyball.yaml").write_text("deliver: {metrics: {port: 0}}\n")
        (self.config / "pager.key").write_text(ROUTING_KEY + "\n")
        self.log = EmbeddedLog(self.data / "log")
        self.log.ensure(TOPIC, 2)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def arguments(self) -> list[str]:
        """Give the arguments that name the place."""
        return ["--config", str(self.config), "--data", str(self.data)]

    def routes(self, *urls: str, text: str = "") -> None:
        """Write routes.yaml, all at once: every page to PagerDuty at each address."""
        sinks = [
            {"name": f"pager{n}", "type": "pagerduty", "url": url, "secret": "${FILE:pager.key}", "rate": 1_000}
            for n, url in enumerate(urls)
        ]
        said = {"sinks": sinks, "routes": [{"name": "all", "sinks": [sink["name"] for sink in sinks]}]}
        draft = self.config / ".draft"
        draft.write_text(text or json.dumps(said))
        draft.rename(self.config / "routes.yaml")

    def append(self, *tellings: tuple[bytes, bytes]) -> None:
        """Append tellings to the log."""
        writer = self.log.writer()
        writer.append(TOPIC, tellings)
        writer.close()

    def start(self) -> None:
        """Start the process."""
        with self.log_file.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flyball", "deliver", *self.arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    @property
    def said(self) -> str:
        """Give what it printed."""
        return self.log_file.read_text()

    def metrics(self) -> str:
        """Give what it serves."""
        assert until(lambda: "metrics on " in self.said), self.said
        url = self.said.rpartition("metrics on ")[2].split()[0]
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 -- our own
            return str(answer.read().decode())

    def stop(self) -> int:
        """End it well; gives the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a place; what runs there is killed at the end."""
    place = Place(tmp_path)
    yield place
    if place.process is not None:
        place.process.kill()
        place.process.wait()


def test_it_delivers_reloads_and_ends_well(place: Place, pagerduty_tool: Any, incidents: Any) -> None:
    """A process pages, shows metrics, refuses bad routes aloud, takes better ones, tells new sinks of it all, ends."""
    with pagerduty_tool.PagerDuty() as first, pagerduty_tool.PagerDuty() as second:
        place.routes(first.url)
        place.start()
        place.append(incidents.message(incidents.incident("a", workflow="a", severity=incidents.severity(1))))
        assert until(lambda: len(first.events) == 1), place.said
        text = until(lambda: 'outcome="sent",sink="pager0"} 1.0' in place.metrics() and place.metrics())
        assert 'flyball_pages_total{severity="SEV-1"} 1.0' in text
        for gauge in ("queue", "oldest_seconds", "parked"):
            assert f'flyball_delivery_{gauge}{{sink="pager0"}} 0.0' in text
        place.routes(text="sinks:\n  - {name: x, type: pagerduty, secret: written-out}\n")
        assert until(lambda: "the last good one stays" in place.said), place.said
        assert "routes.yaml:2: sinks.0.secret: found a secret written out" in place.said
        assert "written-out" not in place.said
        place.append(incidents.message(incidents.incident("b", workflow="b")))
        assert until(lambda: len(first.events) == 2), place.said
        place.routes(first.url, second.url)
        assert until(lambda: "routes.yaml is read again: 2 sinks, 1 routes" in place.said), place.said
        place.append(incidents.message(incidents.incident("c", workflow="c")))
        assert until(lambda: (len(first.events), len(second.events)) == (3, 3)), place.said
        assert 'flyball_routes_reloads_total{outcome="refused"} 1.0' in place.metrics()
        assert place.stop() == 0, place.said


def test_a_route_is_tested(place: Place, pagerduty: Any, pagerduty_tool: Any, capsys: Any) -> None:
    """Each sink of the route says what it answered; exit code 1 when one did not take it, and nothing stays open."""
    with pagerduty_tool.PagerDuty() as broken:
        broken.trouble = lambda: pagerduty_tool.Answer(500)
        place.routes(pagerduty.url)
        assert main(["deliver", "--test", "all", *place.arguments]) == 0
        assert list(pagerduty.incidents().values()) == ["resolved"]
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(": ")[:2] for line in lines] == [
            ["pager0 (pagerduty) open", "sent"],
            ["pager0 (pagerduty) resolved", "sent"],
        ]
        place.routes(pagerduty.url, broken.url)
        assert main(["deliver", "--test", "all", *place.arguments]) == 1
        assert "pager1 (pagerduty) open: retry: HTTP 500" in capsys.readouterr().out
    assert main(["deliver", "--test", "al", *place.arguments]) == 1
    assert "expected one of all; did you mean all?" in capsys.readouterr().err


def test_what_is_parked_is_listed_and_retried(place: Place, pagerduty: Any, incidents: Any, capsys: Any) -> None:
    """A page that was refused is listed with its reason; put back, the running process delivers it."""
    assert main(["deliver", "--parked", *place.arguments]) == 1
    assert "nothing was ever delivered" in capsys.readouterr().err
    (place.config / "pager.key").write_text("short")
    place.routes(pagerduty.url)
    place.start()
    place.append(incidents.message(incidents.incident("a")))

    def row() -> str:
        main(["deliver", "--parked", *place.arguments])
        return str(capsys.readouterr().out.splitlines()[0])

    assert until(lambda: (place.data / "deliver" / "outbox.db").exists() and "1  pager0" in row()), place.said
    assert "HTTP 400" in row()
    assert "[SEV-2] 15.0 times too many failures for an hour" in row()
    (place.config / "pager.key").write_text(ROUTING_KEY)
    assert until(lambda: "is read again" in place.said), place.said
    assert main(["deliver", "--retry", "1", *place.arguments]) == 0
    assert until(lambda: list(pagerduty.incidents().values()) == ["triggered"]), place.said
    capsys.readouterr()
    assert main(["deliver", "--retry", "1", *place.arguments]) == 1
    assert "found no parked delivery 1" in capsys.readouterr().err


def test_a_page_is_taken_in_hand(place: Place, pagerduty: Any, incidents: Any, capsys: Any) -> None:
    """By its key or the incident's, beside the process that delivers; once, and no more after its end."""
    place.routes(pagerduty.url)
    place.start()
    place.append(incidents.message(incidents.incident("a")))
    assert until(lambda: list(pagerduty.incidents().values()) == ["triggered"]), place.said
    (key,) = pagerduty.incidents()
    assert main(["deliver", "--open", *place.arguments]) == 0
    assert capsys.readouterr().out.startswith(f"{key}  ")
    for said in ("a", key):
        assert main(["deliver", "--acknowledge", said, "--by", "ann", *place.arguments]) == 0
    assert until(lambda: pagerduty.incidents() == {key: "acknowledged"}), place.said
    assert main(["deliver", "--open", *place.arguments]) == 0
    assert "(in hand of ann)\n1 open" in capsys.readouterr().out
    place.append(incidents.message(incidents.resolved("a", 9)))
    assert until(lambda: pagerduty.incidents() == {key: "resolved"}), place.said
    assert [event["event_action"] for event in pagerduty.events] == ["trigger", "trigger", "acknowledge", "resolve"]
    assert main(["deliver", "--acknowledge", "a", *place.arguments]) == 1
    assert "found no open page or incident a" in capsys.readouterr().err


def test_without_a_file_pages_go_to_stdout(place: Place, incidents: Any) -> None:
    """Nothing has to be written before the first page is seen."""
    place.start()
    place.append(incidents.message(incidents.incident("a")))
    assert until(lambda: "  PAGE  [SEV-2]" in place.said), place.said
    assert place.stop() == 0


def test_a_second_process_is_refused(place: Place, incidents: Any) -> None:
    """Two on one outbox would tell everything twice: the second says so and ends."""
    place.start()
    assert until(lambda: "metrics on" in place.said), place.said
    second = subprocess.run(
        [sys.executable, "-m", "flyball", "deliver", *place.arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (second.returncode, "in use by another flyball deliver" in second.stderr) == (1, True)


def test_up_starts_it(place: Place) -> None:
    """Delivery is a part of `up`, alone in its group."""
    found = {part.name: part for part in parts(load(place.config), place.config, place.data, [])}
    assert found["deliver"].group == "deliver"
    assert found["deliver"].command == ["deliver", "--data", str(place.data), "--config", str(place.config)]


def test_hup_reads_the_routes_at_once(place: Place, pagerduty: Any) -> None:
    """SIGHUP is no end."""
    place.start()
    assert until(lambda: "metrics on" in place.said), place.said
    place.routes(pagerduty.url)
    assert place.process is not None
    os.kill(place.process.pid, signal.SIGHUP)
    assert until(lambda: "is read again" in place.said), place.said
    with opened(place.data / "deliver") as outbox:
        assert outbox.parked() == []
    assert place.stop() == 0
