"""A flow as a process on the embedded log: what it serves, and how it stops and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.port import LostOffsetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMISED = {
    "flyball_messages",
    "flyball_spans",
    "flyball_dead_letters",
    "flyball_batch_seconds",
    "flyball_runs_closed",
    "flyball_open_runs",
    "flyball_duplicates",
    "flyball_late",
    "flyball_unpriced",
    "flyball_state_bytes",
    "flyball_event_time_lag_seconds",
    "flyball_consumer_lag_messages",
    "flyball_sli_good",
    "flyball_sli_total",
    "flyball_sli_quantile",
    "flyball_trajectory_length_at_most",
    "flyball_sli_cells_late",
    "flyball_sli_cells_to_other",
    "flyball_sli_cells_refused_workflow",
    "flyball_sli_cells_refused_cohort",
    "flyball_sli_users_refused",
}


@pytest.fixture
def deployment(tmp_path: Path, live: Any) -> Iterator[Any]:
    """Give a deployment on the embedded log."""
    with live.Deployment(tmp_path) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def traffic(live: Any) -> Any:
    """Give a minute of traffic."""
    return live.traffic(seed=2, duration_s=60.0, rate=3.0)


@pytest.fixture(scope="module")
def oracle(live: Any, traffic: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give what must come to be told of it."""
    return live.expected([payload for _, payload in traffic.messages], tmp_path_factory.mktemp("oracle"))


@pytest.mark.slow
def test_a_flow_that_compiles_ends_at_once(
    deployment: Any, live: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM needs no patience of a supervisor, and is no failure."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    deployment.start()
    (flow,) = deployment.running
    live.until(lambda: "compiling" in flow.said, lambda: str(flow.said))
    assert flow.end(seconds=10.0) == 0


def settled(live: Any, deployment: Any, oracle: Any) -> None:
    """Wait until the truth is told."""
    live.until(
        lambda: deployment.check_alive() and deployment.watcher.read().facts() == oracle.facts(),
        lambda: deployment.watcher.told.differences(oracle),
    )


def families(text: str) -> dict[str, dict[str, float]]:
    """Read a metrics page: family -> sample with its labels -> value. No family may come twice."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found
        found[family.name] = {f"{s.name}{sorted(s.labels.items())}": s.value for s in family.samples}
    return found


@pytest.mark.slow
def test_metrics_and_health(deployment: Any, live: Any, traffic: Any, oracle: Any) -> None:
    """Every promised series is served, and counts what was there; the lag of each partition comes down to 0."""
    poison = ("spans", b"\xff\xff\xff")
    twice = traffic.messages[0]
    deployment.append([*traffic.messages, poison, twice])
    deployment.append_each(traffic.marks())
    deployment.start()
    settled(live, deployment, oracle)
    assert live.get(f"http://127.0.0.1:{deployment.metrics_port}/healthz") == (200, "ok\n")
    found = families(deployment.metrics())
    assert found.keys() >= PROMISED
    assert [count for name, count in found["flyball_dead_letters"].items() if "_total" in name] == [1]
    lags = found["flyball_consumer_lag_messages"]
    assert (len(lags), sum(lags.values())) == (2 * live.PARTITIONS, 0)
    assert sum(found["flyball_duplicates"].values()) > 0
    assert sum(found["flyball_runs_closed"].values()) == len(traffic.truth)
    assert sum(found["flyball_open_runs"].values()) == 0
    (letter,) = deployment.watcher.told.dead_letters
    assert letter["topic"] == deployment.topics["spans"]
    deployment.stop()


def is_healthy(live: Any, deployment: Any, process: int) -> bool:
    """Say whether a process has wired its flow: metrics are there before that, when a signal may end it badly."""
    return bool(live.get(f"http://127.0.0.1:{deployment.metrics_port + process}/healthz") == (200, "ok\n"))


@pytest.mark.slow
def test_sigterm_is_a_pause(deployment: Any, live: Any, traffic: Any, oracle: Any) -> None:
    """Stopped in the middle it ends well; two processes go on exactly there, and tell of no run again without news."""
    half = len(traffic.messages) // 2
    deployment.append(traffic.messages[:half])
    deployment.start()
    live.until(
        lambda: deployment.check_alive() and f"flyball_messages_total {half}.0" in deployment.metrics(), "unread"
    )
    live.until(lambda: len(deployment.watcher.read().runs) > 10, "nothing is told")
    deployment.stop()
    before = deployment.watcher.read_all()
    runs, panes, records = dict(before.runs), dict(before.panes), before.records
    deployment.start(2)
    live.until(lambda: deployment.check_alive() and all(is_healthy(live, deployment, k) for k in (0, 1)), "not healthy")
    assert deployment.log.backlog(deployment.topics["spans"]) == 0
    deployment.stop()
    assert deployment.watcher.read_all().records >= records
    assert (before.runs, before.panes) == (runs, panes)
    deployment.append(traffic.messages[half:])
    deployment.append_each(traffic.marks())
    deployment.start(2)
    settled(live, deployment, oracle)
    told = deployment.watcher.told
    again = [run for run, record in runs.items() if told.runs[run] is not record]
    assert all(live.facts_of(told.runs[run]) != live.facts_of(runs[run]) for run in again)
    deployment.stop()


@pytest.mark.slow
def test_lost_messages_stop_the_flow(deployment: Any, live: Any, traffic: Any) -> None:
    """When what comes next was dropped by retention, the flow ends and names the choice; with it made, it goes on."""
    deployment.append(traffic.messages[:20])
    deployment.start()
    live.until(lambda: deployment.check_alive() and "flyball_messages_total 20.0" in deployment.metrics(), "unread")
    deployment.stop()
    deployment.append(traffic.messages[20:60])
    live.drop_old_messages(deployment.data / "log")
    with pytest.raises(LostOffsetError):
        deployment.log.reader(deployment.topics["spans"], 0, 1)
    lost = deployment.command("flow")
    assert lost.process.wait(60) == 1
    assert "log.on_lost: oldest" in lost.said.splitlines()[-1]
    deployment.kill()
    deployment.configure(log={"on_lost": "oldest"})
    deployment.append(traffic.messages[60:])
    deployment.start()
    live.until(lambda: deployment.check_alive() and deployment.log.backlog(deployment.topics["spans"]) == 0, "stuck")
    deployment.stop()
