"""A flow that is started before its Kafka: it waits, and then counts everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_a_broker_that_comes_up_later(kafka: Any, live: Any, tmp_path: Path) -> None:
    """Started first, the flow is red and waits; when the broker is there it makes its topics and tells the truth.

    The same when it is started again with offsets to go on from, while the broker is down: nothing is skipped.
    """
    traffic = live.traffic(seed=31, duration_s=30.0, rate=2.0)
    oracle = live.expected([payload for _, payload in traffic.messages], tmp_path)
    half = len(traffic.messages) // 2
    with live.Deployment(tmp_path / "flow", kafka.address, ensure=False) as deployment:
        health = f"http://127.0.0.1:{deployment.metrics_port}/healthz"

        def waits(flow: Any) -> bool:
            return deployment.check_alive() and "waiting for the log" in flow.said and live.get(health)[0] == 503

        for messages in (traffic.messages[:half], traffic.messages[half:]):
            kafka.kill()
            flow = deployment.command("flow")
            live.until(lambda flow=flow: waits(flow), lambda flow=flow: flow.said)
            kafka.start()
            live.until(lambda: deployment.check_alive() and live.get(health)[0] == 200, lambda flow=flow: flow.said)
            assert "the log answers" in flow.said
            deployment.append(messages)
            live.until(lambda: deployment.check_alive() and deployment.backlog() == 0, "unread")
            if messages[-1] is traffic.messages[-1]:
                deployment.append_each(traffic.marks())
                live.until(
                    lambda: deployment.check_alive() and deployment.watcher.read().facts() == oracle.facts(),
                    lambda: deployment.watcher.told.differences(oracle),
                )
            deployment.stop()
