"""What Flyball writes is its own user's: other users of the machine cannot open the folders that it makes."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from alerts.delivery import held as outbox_held
from alerts.store import Store as Outbox
from control.keys import Keys
from control.store import Store
from flows.launcher import held
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from pathlib import Path


def test_folders_are_closed_to_others(tmp_path: Path) -> None:
    """Log, snapshots, outbox, and the control plane's, also where they are several folders deep."""
    data = tmp_path / "data"
    EmbeddedLog(data / "log").close()
    with held(data / "recovery", 0), outbox_held(data / "deliver"):
        pass
    Outbox(data / "outbox" / "db").close()
    Store(data / "control" / "db").close()
    Keys(data / "keys").agent("t1", "a1")
    made = sorted(data.iterdir())
    assert len(made) == 6
    assert {each.name: oct(stat.S_IMODE(each.stat().st_mode)) for each in made} == {each.name: "0o700" for each in made}


def test_a_folder_that_was_there_stays_as_it_was(tmp_path: Path) -> None:
    """Whoever mounted it has decided who may open it."""
    folder = tmp_path / "log"
    folder.mkdir(mode=0o750)
    EmbeddedLog(folder).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
