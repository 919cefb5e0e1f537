"""Parts of the demo by themselves: ports, the pager, the past, the agents."""

from __future__ import annotations

import http.client
import json
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from flyball_sdk.signing import KeyRing, SigningKey

from flyball.cli import main
from flyball.demo import agents, ports, where
from flyball.demo.pager import Pager
from flyball.demo.records import TOPICS, opened
from flyball.demo.stage import Stage
from flyball.demo.story import DROP, NEW_VERSION, OLD_VERSION, PAST_S, SECOND, UPGRADED_S
from flyball.demo.traffic import past
from flyball.errors import CommandError
from models.simulation import Encoding, Generation
from streams.embedded.log import EmbeddedLog

if TYPE_CHECKING:
    from pathlib import Path

NOW_NS = 1_800_000_000 * SECOND


def test_free_ports_are_held_until_they_are_let_go() -> None:
    """Nobody else is given them meanwhile."""
    with ExitStack() as stack:
        first, second = ports.free_ports(stack), ports.free_ports(stack)
        assert len({*first, *second}) == 2 * len(first)


def test_a_port_that_is_taken_is_told_with_the_way_out() -> None:
    """As when `flyball up` runs already."""
    with ExitStack() as stack, Pager() as taken:
        port = int(taken.url.rpartition(":")[2])
        asked = ports.free_ports(stack)._replace(control=port)
        with pytest.raises(CommandError, match=rf"cannot listen on 127.0.0.1:{port}: .*\? .*--free-ports"):
            ports.checked(asked)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing in it is touched, and nothing is started."""
    (tmp_path / "mine").write_text("precious")
    assert main(["demo", "--once", "--free-ports", "--data", str(tmp_path)]) == 1
    assert "expected an empty or a new folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_pages_of_the_demo_lead_to_its_console(tmp_path: Path) -> None:
    """With the port that it really has."""
    with ExitStack() as stack:
        found = ports.free_ports(stack)
        stage = Stage(tmp_path, found, pager="http://127.0.0.1:1")
        stage._configure()
    routes = yaml.safe_load((stage.config / "routes.yaml").read_text())
    assert routes["console"] == f"http://127.0.0.1:{found.control}/console/"


def test_the_pager_answers_as_pagerduty_and_serves_the_runbooks(live: Any) -> None:
    """What it was sent is kept as it came; a name that leads elsewhere leads nowhere."""
    event = {"event_action": "trigger", "dedup_key": "k", "payload": {"class": "slo.burn"}}
    with Pager().listen() as pager:
        connection = http.client.HTTPConnection(pager.url.removeprefix("http://"), timeout=5)
        connection.request("POST", "/v2/enqueue", json.dumps(event))
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["dedup_key"]) == (202, "k")
        connection.close()
        assert "# slo.burn" in live.get(f"{pager.url}/runbooks/slo.burn.md")[1]
        assert live.get(f"{pager.url}/runbooks/..%2f__init__.py")[0] == 404
        first = pager.first("slo.burn")
        assert first is not None
        assert first.event == event
        assert pager.first("drift") is None


def test_the_past_has_the_upgrade_in_it_and_is_the_same_for_the_same_seed() -> None:
    """What fails of the old version is what its objective allows, of the new one so much more as the story says."""
    generation = Generation(past(NOW_NS, 7), Encoding.PROTOBUF)
    sizes = [len(message.payload) for message in generation]
    runs = [run for run in generation.truth.take() if run["workflow"] == "support"]
    failed: dict[str, list[bool]] = {OLD_VERSION: [], NEW_VERSION: []}
    for run in runs:
        failed[run["version"]].append(not run["success"])
    old, new = (sum(of) / len(of) for of in failed.values())
    assert old < 0.015
    assert new - old == pytest.approx(DROP, abs=0.05)
    assert len(failed[NEW_VERSION]) / len(runs) == pytest.approx(UPGRADED_S / PAST_S, abs=0.05)
    again = [len(message.payload) for message in Generation(past(NOW_NS, 7), Encoding.PROTOBUF)]
    assert sizes == again


def test_what_is_read_is_counted_whatever_comes_after_it(tmp_path: Path) -> None:
    """Live traffic goes on while the past is read, so there may be something unread at any time."""
    with closing(EmbeddedLog(tmp_path)) as log, closing(log.writer()) as writer:
        for topic in ("otlp_spans", *TOPICS):
            log.ensure(topic, 1)
        writer.append("otlp_spans", [(None, b"{}")] * 3)
        writer.flush()
        with opened(tmp_path) as records:
            assert (records.written("otlp_spans"), records.read("otlp_spans")) == (3, 0)
            log.commit("otlp_spans", {0: 3})
            writer.append("otlp_spans", [(None, b"{}")])
            writer.flush()
            assert (records.written("otlp_spans"), records.read("otlp_spans")) == (4, 3)


def test_what_the_guard_refuses_is_a_span_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the flight recorder shows where the loop was stopped. Without signals a tool of tier 2 is closed."""
    sent: list[Any] = []
    monkeypatch.setattr(agents.HttpTarget, "send", lambda _, name, payload: sent.append((name, json.loads(payload))))
    nobody = "http://127.0.0.1:9"
    door = agents.Door(nobody, nobody, "fbk_none", KeyRing([SigningKey.generate().public()]))
    agent = agents.Agent(door, "refund-agent", "support", "customer-41", 7)
    with closing(agent):
        assert not agent.step(agents.Work("get_order", {"id": 1}, {}, "gpt-4.1", "openai", 10, 1)).allowed
    (name, payload), *more = sent
    (span,) = payload["resourceSpans"][0]["scopeSpans"][0]["spans"]
    said = {each["key"]: each["value"] for each in span["attributes"]}
    assert (name, more, span["name"], span["traceId"]) == ("traces", [], "guard:blocked:get_order", agent.run_id)
    assert said["gen_ai.guardrail.verdict.type"] == {"stringValue": "deny"}
    assert said["flyball.guard.killed"] == {"boolValue": False}


def test_where_nobody_answers_there_is_no_console() -> None:
    """It is only told where it is."""
    with Pager().listen() as pager:
        assert where.is_there(f"{pager.url}/runbooks/slo.burn.md")
        assert not where.is_there(f"{pager.url}/console/")
