"""Simulated agent traffic: a pure generator of OTLP messages, deterministic by seed, with incidents on demand.

    scenario ─▶ plans (which runs, when, for whom) ─▶ walk (their spans, as rows) ─▶ stamp (rows into bytes) ─▶ messages

Only `Scenario` decides what comes out; the caller decides where it goes and how fast.
"""

from __future__ import annotations

from models.simulation.generate import Exported, Generation, generate
from models.simulation.incidents import Incident, incidents_of, parse_incident
from models.simulation.scenario import Encoding, Scenario

__all__ = ["Encoding", "Exported", "Generation", "Incident", "Scenario", "generate", "incidents_of", "parse_incident"]
