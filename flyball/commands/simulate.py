"""Makes agent traffic as OTLP, the same for the same seed: to a file, to OTLP over HTTP, or to Kafka."""

from __future__ import annotations

from flyball.simulate import add_arguments, run

__all__ = ["HELP", "add_arguments", "run"]

HELP = "agent traffic with incidents, to a file, to OTLP/HTTP or to Kafka"
