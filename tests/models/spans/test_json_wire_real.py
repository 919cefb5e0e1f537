"""Recorded agent runs: every file of ../shared/data, line by line, against the protobuf library."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from models.digest import SLACK
from models.spans.json_wire import transcode

if TYPE_CHECKING:
    from pathlib import Path


def base64_ids(value: Any) -> Any:
    """Rewrite the hex ids of OTLP/JSON to the base64 that json_format wants."""
    if isinstance(value, list):
        return [base64_ids(v) for v in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ids else base64_ids(v) for k, v in value.items()}


@pytest.mark.real
@pytest.mark.parametrize(("folder", "files"), [("tau2", 9), ("frameworks", 9), ("otlp-examples", 3)])
def test_recorded_messages(shared_data: Path, folder: str, files: int) -> None:
    """Every recorded message comes out as the library reads it."""
    paths = sorted(p for p in (shared_data / folder).iterdir() if p.name.endswith((".otlp.jsonl", ".json")))
    paths = [p for p in paths if not p.name.endswith(".labels.json")]
    assert len(paths) == files
    for path in paths:
        lines = path.read_bytes().splitlines() if path.suffix == ".jsonl" else [path.read_bytes()]
        sizes = np.array([len(line) for line in lines], np.int64)
        stops = np.cumsum(sizes)
        buffer = np.frombuffer(b"".join(lines) + bytes(SLACK), np.uint8)
        out, begin, end, codes = transcode(buffer, stops - sizes, stops)
        assert not codes.any(), path.name
        for i, line in enumerate(lines):
            message = json.loads(line)
            kind = LogsData if "resourceLogs" in message else TracesData
            expected = json_format.ParseDict(base64_ids(message), kind(), ignore_unknown_fields=True)
            assert kind.FromString(out[begin[i] : end[i]].tobytes()) == expected, (path.name, i)
