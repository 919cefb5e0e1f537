"""Traffic: three simulated products, three hours of their past as fast as it goes, then on at the pace of the clock."""

from __future__ import annotations

import heapq
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flyball.demo.story import DROP, NEW_MODEL, NEW_VERSION, OLD_MODEL, OLD_VERSION, PAST_S, SECOND, UPGRADED_S
from flyball.simulate_output import HttpTarget
from models.simulation import Encoding, Exported, Generation, Incident, Scenario
from models.simulation.workflows import coding, research, support

if TYPE_CHECKING:
    from collections.abc import Iterator

_RATE = 0.3
"""Runs a second; of which three in five are of `support`."""
_FOR_EVER_S = 1e9

WORKFLOWS = (
    replace(
        support.WORKFLOW,
        models=tuple((model, 1.0 if model.name == OLD_MODEL else 0.0) for model, _ in support.WORKFLOW.models),
        versions=((OLD_VERSION, 1.0),),
        success=0.993,
        crash=0.0005,
        blocked=0.0,
    ),
    replace(research.WORKFLOW, success=0.98),
    replace(coding.WORKFLOW, success=0.95, crash=0.005, versions=(("0.43.0", 1.0),)),
)
"""Products that keep their objectives until something happens."""


def past(now_ns: int, seed: int) -> Scenario:
    """Give the scenario that ends at `now_ns` and has the upgrade in it."""
    return _scenario(seed, now_ns - PAST_S * SECOND, PAST_S, PAST_S - UPGRADED_S, flush_s=20.0)


def future(now_ns: int, seed: int) -> Scenario:
    """Give the scenario that goes on from there for ever, upgraded."""
    return _scenario(seed + 1, now_ns, None, 0, flush_s=1.0)


def _scenario(seed: int, start_ns: int, seconds: float | None, upgrade_s: float, flush_s: float) -> Scenario:
    options = {"drop": DROP, "version": NEW_VERSION, "model": NEW_MODEL}
    upgrade = Incident("model_upgrade", upgrade_s, _FOR_EVER_S, support.WORKFLOW.name, options)
    return Scenario(
        seed=seed,
        start_ns=start_ns,
        duration_s=seconds,
        rate=_RATE,
        workflows=WORKFLOWS,
        incidents=(upgrade,),
        flush_s=flush_s,
    )


@dataclass
class Sent:
    """What has been sent of the past, when that was done (time.monotonic), and what went wrong."""

    spans: int = 0
    done_at: float | None = None
    problem: OSError | None = None


class Traffic:
    """Sends from `start` to `stop`, in a thread of its own."""

    def __init__(self, url: str, seed: int) -> None:
        """`url` is that of the receiver."""
        self.sent = Sent()
        self.now_ns = 0
        """Unix ns: divides the past from what is live."""
        self.is_made = False
        """The past is there, to be sent."""
        self._url, self._seed = url, seed
        self._stop = threading.Event()
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    @property
    def upgraded_ns(self) -> int:
        """Give when the upgrade began, Unix ns."""
        return self.now_ns - UPGRADED_S * SECOND

    def prepare(self) -> None:
        """Begin to make the traffic, whose past ends now; nothing is sent yet."""
        self.now_ns = time.time_ns() // SECOND * SECOND
        self._thread.start()

    def go(self) -> None:
        """Begin to send."""
        self._go.set()

    def stop(self) -> None:
        """End; what is not sent is not sent."""
        self._stop.set()
        self._go.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def check(self) -> None:
        """Raise what ended it."""
        if self.sent.problem is not None:
            raise self.sent.problem

    def _run(self) -> None:
        target = HttpTarget(self._url, "protobuf")
        try:
            self._send(target)
        except OSError as problem:
            self.sent.problem = problem
        finally:
            target.close()

    def _send(self, target: HttpTarget) -> None:
        messages = self._messages()
        self.is_made = True
        self._go.wait()
        for message in messages:
            ahead = message.event_ns - time.time_ns()
            if message.event_ns > self.now_ns and self.sent.done_at is None:
                self.sent.done_at = time.monotonic()
            if (ahead > 0 and self._stop.wait(ahead / SECOND)) or self._stop.is_set():
                return
            target.send(message.signal, message.payload)
            self.sent.spans += message.records

    def _messages(self) -> Iterator[Exported]:
        """Give all messages by time; the past is made now, the rest as it comes."""
        before = list(Generation(past(self.now_ns, self._seed), Encoding.PROTOBUF))
        after = Generation(future(self.now_ns, self._seed), Encoding.PROTOBUF)
        return heapq.merge(before, after, key=lambda message: message.event_ns)
