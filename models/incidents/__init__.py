"""Incidents: what a person must hear. One open/resolve life, one stable key, whatever is replayed or restarted."""
