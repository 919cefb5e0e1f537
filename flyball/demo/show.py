"""Show: starts everything, plays the acts, says where to look, and goes on until it is stopped."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson
from rich.console import Console

from flows.compiling import is_compiled
from flyball.demo import kernels, where
from flyball.demo.narration import Narrator
from flyball.demo.pager import Pager
from flyball.demo.ports import checked, free_ports, usual
from flyball.demo.stage import Stage
from flyball.demo.stopping import Stopped, stoppable
from flyball.errors import CommandError

if TYPE_CHECKING:
    from flyball.demo.acts import Act
    from flyball.demo.scene import Scene

INTERRUPTED = 130


class Asked(NamedTuple):
    """What the command line asks for."""

    data: Path | None = None
    """A new or empty folder to keep everything in; None: one that is gone when the demo ends."""
    free_ports: bool = False
    once: bool = False
    """End after the last act."""
    json: bool = False
    """Print an object an act, and tell the story on stderr."""
    seed: int = 7


def run_demo(asked: Asked) -> int:
    """Run until stopped; gives the exit code: with `once` 0 only where everything was caught."""
    narrator = Narrator(Console(stderr=asked.json, highlight=False))
    caught = False
    try:
        with ExitStack() as stack:
            stack.enter_context(stoppable())
            scene = _staged(asked, narrator, stack)
            caught = _played_all(scene, as_json=asked.json)
            where.tell(scene, caught=caught, goes_on=not asked.once)
            if not asked.once:
                _go_on(scene)
    except Stopped:
        narrator.say("stopped; nothing of it is left running")
        return INTERRUPTED if asked.once else 0
    return 0 if caught or not asked.once else 1


def _staged(asked: Asked, narrator: Narrator, stack: ExitStack) -> Scene:
    """Start everything; what is entered in the stack ends it."""
    ports = free_ports(stack) if asked.free_ports else checked(usual())
    folder = _folder(asked.data, stack)
    pager = stack.enter_context(Pager())
    narrator.say(f"flyball up: receiver, flow, control plane, delivery; everything is in {folder}")
    is_cold = not is_compiled()
    stage = stack.enter_context(Stage(folder, ports, pager=pager.url))
    kernels.part(is_cold=is_cold)
    from flyball.demo.opening import raised, running  # noqa: PLC0415 -- loads the simulation, while the parts start
    from flyball.demo.traffic import Traffic  # noqa: PLC0415

    pager.listen()
    traffic = Traffic(f"http://127.0.0.1:{ports.otlp}", asked.seed)
    stack.callback(traffic.stop)
    raised(stage, traffic, narrator, is_cold=is_cold)
    return running(stage, traffic, pager, narrator, asked.seed, stack)


def _folder(asked: Path | None, stack: ExitStack) -> Path:
    if asked is None:
        made = tempfile.TemporaryDirectory(prefix="flyball-demo-", ignore_cleanup_errors=True)
        return Path(stack.enter_context(made))
    if asked.exists() and any(asked.iterdir()):
        msg = f"--data {asked}: found something in it, expected an empty or a new folder: each demo begins anew"
        raise CommandError(msg)
    asked.mkdir(parents=True, exist_ok=True)
    return asked.resolve()


def _played_all(scene: Scene, *, as_json: bool) -> bool:
    """Play all acts; tells whether everything was caught."""
    from flyball.demo.acts import ACTS  # noqa: PLC0415 -- as above

    caught = [_played(number, act, scene, as_json=as_json) for number, act in enumerate(ACTS, 1)]
    return all(caught)


def _played(number: int, act: Act, scene: Scene, *, as_json: bool) -> bool:
    """Play an act and tell how it ended."""
    scene.narrator.title(f"{number}. {act.title}")
    outcome = act.play(scene)
    scene.narrator.ending(outcome.sentences, caught=outcome.caught)
    if as_json:
        said = {"act": act.name, "caught": outcome.caught, "at_s": round(scene.narrator.seconds, 1), **outcome.facts}
        sys.stdout.buffer.write(orjson.dumps(said) + b"\n")
        sys.stdout.flush()
    return outcome.caught


def _go_on(scene: Scene) -> None:
    """Wait to be stopped; raises CommandError when the deployment or its traffic ends."""
    while True:
        scene.stage.check()
        scene.traffic.check()
        time.sleep(0.2)
