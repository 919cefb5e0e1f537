"""Where to look while the demo goes on."""

from __future__ import annotations

import shlex
import urllib.request
from typing import TYPE_CHECKING

from flyball.config.load import find_directory
from flyball.demo.ports import usual

if TYPE_CHECKING:
    from flyball.demo.scene import Scene

_CONSOLE = "/console/"


def tell(scene: Scene, *, caught: bool, goes_on: bool) -> None:
    """Tell it."""
    stage, say, more = scene.stage, scene.narrator.say, scene.narrator.more
    needs_config = stage.ports != usual() or find_directory(None) is not None
    options = shlex.join(stage.options if needs_config else stage.options[:2])
    control = f"http://127.0.0.1:{stage.ports.control}"
    scene.narrator.title("Where to look")
    then = "; live traffic goes on until Ctrl-C" if goes_on else ""
    say(f"{'all' if caught else 'not all'} of it was caught{then}")
    if not goes_on:
        more("without --once it goes on: console, signals, audit, drift and metrics are there to look at")
        return
    if is_there(control + _CONSOLE):
        more(f"console    {control}{_CONSOLE}, with the key in {stage.folder / 'control' / 'operator.key'}")
    more(f"signals    uv run flyball status {options}")
    more(f"audit      uv run flyball audit verify {options}")
    more(f"drift      uv run flyball drift {options}")
    more(f"kill       uv run flyball kill workflow:support --reason demo {options}")
    more(f"resume     uv run flyball resume workflow:support {options}")
    more(f"metrics    http://127.0.0.1:{stage.ports.metrics}/metrics; dashboards for Grafana: docs/dashboards.md")
    more(f"parts say  {stage.words}")


def is_there(url: str) -> bool:
    """Tell whether something is served there."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 -- our own control plane
            return True
    except OSError:
        return False
