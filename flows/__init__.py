"""Bytewax dataflows: sources, steps, sinks, launcher. The only folder that imports the engine."""
