"""The log: a port of few words, and its two adapters."""
