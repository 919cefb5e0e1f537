"""Explainer: says what sets runs apart beside each open incident of drift, one at a time, in the background.

The incidents on the board are its queue, so it is as bounded as the board. Nothing waits for it: a page has gone out
when it begins, and is told again with what was found; what goes wrong is said beside the incident, and costs nothing
else.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import orjson

from control.console.amending import added, amended, is_amended, number, put
from control.console.sides import runs_of, sides
from streams.port import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from control.clocks import Clocks
    from control.console.follower import Follower

CLASS: Final = "drift"
AGAIN_S: Final = 900.0
"""Between two looks at an incident that is open and not explained."""
_LOOK_S, _MOST_S = 2.0, 180.0
_COMMAND: Final = (sys.executable, "-m", "control.console.explaining")


class Explainer:
    """Thread-safe. `step` is one look; `start` has a thread take them until `stop`."""

    def __init__(
        self, console: Follower, clocks: Clocks, say: Callable[[str], None] = print, most_s: float = _MOST_S
    ) -> None:
        self._console, self._clocks, self._say, self._most_s = console, clocks, say, most_s
        self._told: dict[str, dict[str, Any]] = {}
        self._looked: dict[str, tuple[int, float]] = {}
        """Incident -> (number of its telling, steady seconds) of the last look at it."""
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._of_child = threading.Lock()
        """Apart: who asks what is told does not wait while a process begins."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="explainer", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        if self._console.log is not None:
            self._thread.start()

    def stop(self) -> None:
        """End; what is being computed is given up."""
        self._stopped.set()
        with self._of_child:
            if self._child is not None:
                self._child.kill()
        if self._thread.ident is not None:
            self._thread.join(10)

    def told(self, key: str) -> dict[str, Any] | None:
        """Give what explains an incident, also where another life found it out; None: nothing yet."""
        with self._lock:
            said = self._told.get(key)
        incident = self._console.board.incident(key) if said is None else None
        return said if incident is None else added(incident)

    def step(self) -> bool:
        """Explain the first incident that is due; False: none is, or the index is not read up yet."""
        if not self._console.caught_up:
            return False
        incidents = {each["key"]: each for each in self._console.board.incidents()}
        due = next((each for each in incidents.values() if self._is_due(each)), None)
        if due is None:
            return False
        key = due["key"]
        self._looked[key] = number(due), self._clocks.steady_s()
        try:
            said = self._explain(due)
            self._amend(due, said)
        except Exception as error:  # noqa: BLE001 -- said beside the incident, and tried again later
            said = {"problem": told(error), "at": self._clocks.now()}
            self._say(f"console: incident {key} is not explained: {said['problem']}")
        with self._lock:
            self._told[key] = said
            for gone in [each for each in self._told if each not in incidents]:
                del self._told[gone], self._looked[gone]
        self._console.board.changes["incident"] += 1  # pages that show it fetch it again
        return True

    def _is_due(self, incident: Mapping[str, Any]) -> bool:
        """Say whether to look: at open ones that were never explained, were told anew, or lacked runs a while ago."""
        if incident["class"] != CLASS or incident["status"] != "open":
            return False
        told, looked_s = self._looked.get(incident["key"], (-1, 0.0))
        if told < number(incident):
            return not is_amended(incident)  # else another life has explained it
        said = self._told.get(incident["key"], {})
        return not _is_decided(said) and self._clocks.steady_s() - looked_s >= AGAIN_S

    def _explain(self, incident: Mapping[str, Any]) -> dict[str, Any]:
        """Fetch both sides and have them explained. Raises LogError, and whatever is wrong with the answer."""
        before, after, held = sides(incident)
        console = self._console
        found = [runs_of(side, console.runs, console.log, console.topics.runs) for side in (before, after)]
        said = self._ask(orjson.dumps({"before": found[0], "after": found[1], "held": held}))
        contrast = incident["evidence"]["contrasts"][0]["contrast"]
        return {
            "at": self._clocks.now(),
            "sides": {"before": _words(before), "after": _words(after)},
            "of": "the workflow by time" if not held and contrast["dimension"] != "time" else None,
            **said,
        }

    def _amend(self, incident: Mapping[str, Any], said: Mapping[str, Any]) -> None:
        """Have the page say it too. Raises LogError."""
        told, log = amended(incident, said), self._console.log
        if told is not None and log is not None:
            put(log, self._console.topics.incidents, told)

    def _ask(self, body: bytes) -> dict[str, Any]:
        with self._of_child:
            if self._stopped.is_set():
                raise InterruptedError("stopping")
            self._child = child = subprocess.Popen(  # noqa: S603 -- our own command line
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        with child:
            try:
                out, wrong = child.communicate(body, timeout=self._most_s)
            except subprocess.TimeoutExpired as error:
                msg = f"it took more than {self._most_s:g} s"
                raise TimeoutError(msg) from error
            finally:
                child.kill()
                with self._of_child:
                    self._child = None
        if child.returncode:
            last = wrong.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise RuntimeError(last or f"it ended with {child.returncode}")
        said: dict[str, Any] = orjson.loads(out)
        return said

    def _work(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            try:
                while not self._stopped.is_set() and self.step():
                    pass
            except Exception as error:  # noqa: BLE001 -- said; the next look may go well
                self._say(f"console: {told(error)}")


def _is_decided(said: Mapping[str, Any]) -> bool:
    answers = [said[name] for name in ("slices", "behaviour") if name in said]
    return bool(answers) and all(each["verdict"] != "not enough evidence" for each in answers)


def _words(side: Any) -> str:
    """Say which runs a side has."""
    value = f", {side.dimension} {'other than ' if side.is_other else ''}{side.value}" if side.dimension else ""
    when = " and ".join([f"from {side.since} on"] * bool(side.since) + [f"before {side.until}"] * bool(side.until))
    return f"runs of {side.workflow}{value} that ended {when}" if when else f"runs of {side.workflow}{value}"
