"""What processes of one cluster find when they start at the same moment."""

from __future__ import annotations

import os
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from flows.launcher import RECOVERY_PARTS, RecoveryInUseError, _recovery, held

if TYPE_CHECKING:
    from pathlib import Path


def test_the_recovery_store_is_made_once(tmp_path: Path) -> None:
    """Whoever comes first makes it, whole; the others find it, and no draft is left."""
    context = get_context("spawn")
    processes = [context.Process(target=_recovery, args=(tmp_path / "data" / "engine",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 2
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["engine"]
    assert len(list((tmp_path / "data" / "engine").glob("*.sqlite3"))) == RECOVERY_PARTS


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
