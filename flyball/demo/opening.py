"""Opening: waits until all parts answer, sends the past, waits until it is read, and gives the scene of the acts."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING

from flyball_sdk.signing import KeyRing

from control.keys import Keys
from flyball.demo import kernels
from flyball.demo.agents import TENANT, Door
from flyball.demo.budgets import budgets, table
from flyball.demo.records import opened
from flyball.demo.scene import Scene
from flyball.errors import CommandError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from flyball.demo.narration import Narrator
    from flyball.demo.pager import Pager
    from flyball.demo.stage import Stage
    from flyball.demo.traffic import Traffic

_SPANS = "otlp_spans"
_LOOK_S = 0.1
_TELL_S = 15.0
"""Between two words on what is waited for."""
_READ_S = 120.0


def raised(stage: Stage, traffic: Traffic, narrator: Narrator, *, is_cold: bool) -> None:
    """Return when all parts answer and the past is made; it is sent as soon as it can be.

    `is_cold`: kernels are compiled first, as on a fresh machine.
    """
    if is_cold:
        narrator.say("first start of this version on this machine: kernels are compiled, once, for about a minute")
    traffic.prepare()
    _await_parts(stage, traffic, narrator, is_cold=is_cold)
    narrator.say("all parts answer")
    if not traffic.is_made:
        narrator.say("the past is made")
        stage.wait(lambda: traffic.is_made, _READ_S)
    if is_cold:
        narrator.say(f"compiled in {narrator.seconds:.0f} s; later starts take some 10 s")


def _await_parts(stage: Stage, traffic: Traffic, narrator: Narrator, *, is_cold: bool) -> None:
    told = narrator.seconds
    while waits := [part.part for part in stage.waits()]:
        stage.check()
        if "receiver" not in waits:
            traffic.go()
        if narrator.seconds - told > _TELL_S:
            told = narrator.seconds
            so_far = f"; {kernels.count()} kernels are compiled" if is_cold else ""
            narrator.say(f"waiting for {', '.join(waits)}{so_far}")
        time.sleep(_LOOK_S)


def running(stage: Stage, traffic: Traffic, pager: Pager, narrator: Narrator, seed: int, stack: ExitStack) -> Scene:
    """Give the scene, when the past has been read and its budgets are known."""
    ready_at = time.monotonic()
    traffic.go()
    door = _door(stage)
    records = stack.enter_context(opened(stage.folder / "log"))

    def is_sent() -> bool:
        traffic.check()
        return traffic.sent.done_at is not None

    if not stage.wait(is_sent, _READ_S) or traffic.sent.done_at is None:
        msg = f"the past was not sent within {_READ_S:g} s: is the machine very busy?"
        raise CommandError(msg)
    past = records.written(_SPANS)  # live traffic follows it, so there may be something unread at any time
    if not stage.wait(lambda: records.read(_SPANS) >= past, _READ_S):
        msg = f"the flow did not read the past within {_READ_S:g} s: {records.read(_SPANS)} of {past} messages"
        raise CommandError(msg)
    narrator.say(f"three hours of simulated past are sent and read, {traffic.sent.spans:,} spans; now it goes on live.")
    narrator.more("Objectives of the three products, as they stand:")
    for line in table(budgets(stage.ports.metrics)):
        narrator.more(line)
    return Scene(stage, records, pager, traffic, door, seed, narrator, max(ready_at, traffic.sent.done_at))


def _door(stage: Stage) -> Door:
    """Make a key for agents, and wait until the control plane knows it."""
    control = f"http://127.0.0.1:{stage.ports.control}"
    key = Keys(stage.folder / "control").agent(TENANT, "*")
    request = urllib.request.Request(f"{control}/v1/signals", headers={"Authorization": f"Bearer {key}"})  # noqa: S310

    def is_known() -> bool:
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310
                return True
        except OSError:
            time.sleep(0.05)
            return False

    stage.wait(is_known, 10)
    with urllib.request.urlopen(f"{control}/v1/keys/signing", timeout=5) as answer:  # noqa: S310 -- our own
        keys = json.load(answer)["keys"]
    return Door(f"http://127.0.0.1:{stage.ports.otlp}", control, key, KeyRing.from_text("\n".join(keys.values())))
