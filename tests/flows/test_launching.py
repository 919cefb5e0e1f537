"""What processes of one cluster find when they start at the same moment."""

from __future__ import annotations

import os
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from flows.launcher import RecoveryInUseError, held, parted

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


class PanicException(BaseException):
    """What a panic of the engine becomes in Python."""


@pytest.mark.parametrize(
    ("error", "is_stopped", "passes"),
    [
        (PanicException("Send thread panic: Any { .. }"), True, True),
        (PanicException("Send thread panic: Any { .. }"), False, False),
        (PanicException("Receive thread panic"), True, False),
        (RuntimeError("Send thread panic"), True, False),
    ],
)
def test_who_ends_first_does_not_fail_the_others(error: BaseException, is_stopped: bool, passes: bool) -> None:  # noqa: FBT001
    """A connection that is gone at the end of a stop is no failure; anything else is."""
    stop, raised = threading.Event(), False
    if is_stopped:
        stop.set()
    try:
        with parted(stop):
            raise error
    except type(error):
        raised = True
    assert raised != passes


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
