"""The page of routes: the receiver's, and those of the control plane as `/openapi.json` describes them."""

from __future__ import annotations

from control.http.app import ENDPOINTS

_HEAD = """# HTTP

The control plane (`:8088`) describes every route with its body and answers at `GET /openapi.json`; this is its table.
Keys come as `Authorization: Bearer ...` or `X-API-Key`; an error is `{"error":{"code":...,"message":...}}`. What keys
may do is on [a page of its own](control.md#keys).

| route | who | |
|---|---|---|
"""
_REST = """
The receiver (`:4318`) takes `POST /v1/traces` and `POST /v1/logs`: OTLP as protobuf or JSON, plain, gzip or zstd.
200: it is on the disk, with `partialSuccess` where a part was refused (a span without a trace id, or, of Kafka, one of
more than 900 kB: the embedded log takes what `otlp.max_body` lets in); 400: it cannot be read; 413: too large; 429 or
503 with `Retry-After`: send it again later. `GET /healthz` answers 200 while all is well. The same over gRPC
on `:4317`.

Each part serves Prometheus at `GET /metrics` and its health at `GET /healthz`: the flow on `:9464`, delivery on
`:9463`.
"""


def http() -> str:
    """Write the page."""
    rows = [f"| `{each.method} {each.path}` | {each.needs} | {each.about} |" for each in ENDPOINTS]
    return _HEAD + "\n".join(rows) + "\n" + _REST
