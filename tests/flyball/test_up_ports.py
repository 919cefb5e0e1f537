"""`flyball up` has all its ports before it starts anything, or says which setting takes one twice."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from loopback import free_port

from flyball.config.load import load
from flyball.errors import CommandError
from flyball.up import run_up

if TYPE_CHECKING:
    from pathlib import Path

FREE = "otlp: {port: 0, grpc_port: 0}\n"


def refused(folder: Path, text: str) -> str:
    """Give what `up` says of a configuration; nothing is made."""
    (folder / "flyball.yaml").write_text(FREE + text)
    with pytest.raises(CommandError) as said:
        run_up(load(folder), folder, folder / "data")
    assert not (folder / "data").exists()
    return str(said.value)


def test_two_parts_cannot_have_one_port(tmp_path: Path) -> None:
    """It is told by both settings, not by a part that is started five times and given up; workers have one each."""
    port = free_port()
    both = f"metrics: {{port: {port}}}\ncontrol: {{port: {port}}}\ndeliver: {{metrics: {{port: 0}}}}\n"
    expected = f"control.port: found {port}, which is metrics.port already, expected a port of its own"
    assert refused(tmp_path, both) == expected
    workers = both.replace(f"control: {{port: {port}", f"control: {{port: {port + 1}") + "flow: {workers: 2}\n"
    assert refused(tmp_path, workers) == expected.replace(f"found {port}", f"found {port + 1}")


def test_a_port_of_another_program_is_told(tmp_path: Path) -> None:
    """By its address and the setting that chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        rest = "metrics: {port: 0}\ndeliver: {metrics: {port: 0}}\n"
        said = refused(tmp_path, f"{rest}control: {{port: {port}}}\n")
    assert said.startswith(f"cannot listen on 127.0.0.1:{port}: Address already in use; ")
    assert "control.port" in said
