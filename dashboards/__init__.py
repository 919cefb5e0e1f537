"""Grafana dashboards as code. `python -m dashboards` writes them to dashboards/grafana.

A new one is a file with `build() -> Board`, and a line in `dashboards.registry`.
"""
