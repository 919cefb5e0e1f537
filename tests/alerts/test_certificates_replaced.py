"""Certificates of a sink that are replaced under the same name while delivery runs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from flyball.config.routes_yaml import load_routes

if TYPE_CHECKING:
    from pathlib import Path


def make_certificate(path: Path) -> None:
    """Write a certificate, with its key beside it."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stand-in"]
    subprocess.run([*command, "-keyout", f"{path}.key", "-out", str(path)], check=True, capture_output=True)


def test_certificates_that_change_make_another_sink(tmp_path: Path) -> None:
    """The file is named as before: what it holds now is to be trusted."""
    trusted = tmp_path / "ca.pem"
    make_certificate(trusted)
    (tmp_path / "routes.yaml").write_text(
        f"sinks:\n  - {{name: hook, type: webhook, url: 'https://x.example', ca: {trusted}}}\n"
        "routes:\n  - {name: all, sinks: [hook]}\n"
    )
    before = load_routes(tmp_path)
    assert load_routes(tmp_path) == before
    make_certificate(trusted)
    assert load_routes(tmp_path).all_sinks()["hook"] != before.all_sinks()["hook"]
