"""The flow's HTTP server for scrapes: whoever hangs up is no news."""

from __future__ import annotations

import socket
import struct
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
