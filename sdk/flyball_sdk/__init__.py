"""The guard in an AI agent's own process."""
