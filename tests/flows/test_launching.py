"""What processes of one cluster find when they start at the same moment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from flows.launcher import RecoveryInUseError, held

if TYPE_CHECKING:
    from pathlib import Path


def test_two_flows_cannot_share_a_recovery_folder(tmp_path: Path) -> None:
    """The second is refused with the folder and the first one's process id; another process of a cluster is not."""
    with held(tmp_path / "recovery", 0):
        with held(tmp_path / "recovery", 1):
            pass
        with pytest.raises(RecoveryInUseError) as refused, held(tmp_path / "recovery", 0):
            pass
    assert str(refused.value) == f"recovery folder {tmp_path}/recovery is in use by another flow (pid {os.getpid()})"
    with held(tmp_path / "recovery", 0):
        pass
