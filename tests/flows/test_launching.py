"""What processes of one cluster find when they start at the same moment."""

from __future__ import annotations

from multiprocessing import get_context
from typing import TYPE_CHECKING

from flows.launcher import RECOVERY_PARTS, _recovery

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
