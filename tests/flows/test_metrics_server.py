"""The flow's HTTP server for scrapes: whoever hangs up is no news."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from flows.metrics import Metrics
from flows.metrics_server import MetricsServer

if TYPE_CHECKING:
    import pytest

RESET = struct.pack("ii", 1, 0)


def test_a_scraper_that_hangs_up_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    """As Prometheus does when an answer takes longer than its patience: at night a log is read for what is wrong."""
    with MetricsServer(Metrics(), "127.0.0.1", 0) as server:
        for _ in range(20):
            asking = socket.create_connection(("127.0.0.1", server.port))
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            asking.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            asking.close()
        time.sleep(0.5)
    assert "Traceback" not in capfd.readouterr().err


def test_silent_connections_give_way_to_a_scrape() -> None:
    """Many that say nothing cost a bounded number of threads and files, and Prometheus is answered all the same."""
    with MetricsServer(Metrics(), "127.0.0.1", 0) as server:
        before = threading.active_count()
        silent = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(200)]
        asking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        asking.request("GET", "/healthz")
        assert asking.getresponse().read() == b"ok\n"
        asking.close()
        assert [each.recv(1) for each in silent[:100]] == [b""] * 100
        assert threading.active_count() - before <= 70
        for each in silent:
            each.close()
