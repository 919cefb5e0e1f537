"""What processes of one cluster find when they start at the same moment."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from flows.launcher import RecoveryInUseError, held

if TYPE_CHECKING:
    from pathlib import Path


def test_two_flows_cannot_share_a_recovery_folder(tmp_path: Path) -> None:
    """The second is refused with the folder and the first one's process id; another process of a cluster is not."""
    with held(tmp_path / "recovery", 0):
        with held(tmp_path / "recovery", 1, 2):
            pass
        with pytest.raises(RecoveryInUseError) as refused, held(tmp_path / "recovery", 0):
            pass
    assert str(refused.value) == f"recovery folder {tmp_path}/recovery is in use by another flow (pid {os.getpid()})"
    with held(tmp_path / "recovery", 0):
        pass


def test_what_is_left_of_a_larger_cluster_keeps_a_smaller_one_out(tmp_path: Path) -> None:
    """Its second process, alive as its first was killed, has another place; none of a cluster is in the other's way."""
    recovery = tmp_path / "recovery"
    with held(recovery, 1, 2):
        with pytest.raises(RecoveryInUseError, match=f"in use by another flow .pid {os.getpid()}."), held(recovery, 0):
            pass
        with held(recovery, 0, 2):
            pass
    with held(recovery, 0):
        pass


def test_a_full_disk_is_told_by_the_file_that_found_it_so(tmp_path: Path) -> None:
    """The first that a flow writes is who holds its folder."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match="File too large") as full, held(tmp_path / "recovery", 0):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert full.value.filename == str(tmp_path / "recovery" / "lock-0")
