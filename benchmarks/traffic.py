"""Messages for the benchmarks: simulated agent traffic, the same for every run."""

from __future__ import annotations

from models.simulation import Encoding, Scenario, generate

SPANS_A_MESSAGE = 64


def messages(
    spans: int, encoding: Encoding = Encoding.PROTOBUF, *, seed: int = 1, rate: float = 200.0, logs: bool = True
) -> list[bytes]:
    """Give messages of about 64 spans with `spans` spans in all, in order of export, with log events or without."""
    scenario = Scenario(seed=seed, duration_s=None, rate=rate, batch=SPANS_A_MESSAGE, users=20_000)
    out, made = [], 0
    for exported in generate(scenario, encoding):
        if exported.signal == "logs" and not logs:
            continue
        out.append(exported.payload)
        made += exported.records if exported.signal == "traces" else 0
        if made >= spans:
            return out
    return out
