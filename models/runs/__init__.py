"""Runs: from spans to the published facts of each agent run, as changes that add up."""
