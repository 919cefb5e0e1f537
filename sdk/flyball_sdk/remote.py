"""RemoteReserver: asks the control plane for each call that may cost something, within a deadline."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.decision import BLOCK, ESCALATE, KILL
from flyball_sdk.errors import FlyballError
from flyball_sdk.forking import renew_after_fork
from flyball_sdk.http import TROUBLE, AnswerError, ForbiddenError, ask, connection
from flyball_sdk.reserving import Denied, Request, Reserved
from flyball_sdk.wire import asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPConnection

    from flyball_sdk.settings import Settings

_log: Final = logging.getLogger("flyball_sdk")
DEADLINE_S: Final = 0.05
_MOST_WAITING: Final = 10_000
_MOST_IDLE: Final = 8
_SETTLE_S: Final = 5.0


class RemoteReserver:
    """Reserves by POST /v1/guard/evaluate, and settles by POST /v1/guard/result, the latter from a thread of its own.

    `wants` says which calls are asked about; all of them are by default. The deadline counts for each wait on the
    network; what is late or is no decision raises, so the tier decides.
    """

    def __init__(
        self,
        settings: Settings,
        deadline_s: float = DEADLINE_S,
        wants: Callable[[Request], bool] = lambda request: True,
    ) -> None:
        self._settings = settings
        self._deadline_s = deadline_s
        self._wants = wants
        self._names_agent = True
        """Until the control plane says that agents are not for the body to name: then they are the key's."""
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Begin without connections, thread or waiting results: after a fork those are the parent's."""
        self._idle: queue.LifoQueue[HTTPConnection] = queue.LifoQueue(_MOST_IDLE)
        self._results: queue.Queue[tuple[str, float | None]] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def reserve(self, request: Request) -> Reserved | Denied:
        """Ask the control plane."""
        if not self._wants(request):
            return Reserved()
        try:
            conn = self._idle.get_nowait()
        except queue.Empty:
            conn = connection(self._settings, self._deadline_s, evaluating=True)
        try:
            answer = self._evaluate(conn, request)
        except ForbiddenError:
            if not (self._names_agent and request.subject.agent):
                raise
            # the key is of another agent, whose this one is: as a sub-agent, or by a name that a framework gave it
            self._names_agent = False
            answer = self._evaluate(conn, request)
        try:
            self._idle.put_nowait(conn)
        except queue.Full:
            conn.close()
        return _read(answer)

    def _evaluate(self, conn: HTTPConnection, request: Request) -> Any:
        said = asked(request, names_agent=self._names_agent) | {"deadline_ms": int(self._deadline_s * 1000)}
        return ask(conn, self._settings, "POST", "/v1/guard/evaluate", said)

    def settle(self, token: str, cost_usd: float | None) -> None:
        """Tell the cost, soon; with 10,000 waiting it is dropped and logged, and the reservation runs out by itself."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._tell, name="flyball-settle", daemon=True)
                self._thread.start()
        try:
            self._results.put_nowait((token, cost_usd))
        except queue.Full:
            _log.warning("flyball guard: the control plane is away, the cost of %s is not told", token)

    def close(self) -> None:
        """Close the connections, when what waits has been told."""
        if self._thread is not None:
            self._results.put(("", None))
            self._thread.join(_SETTLE_S)
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _tell(self) -> None:
        conn = connection(self._settings, _SETTLE_S)
        while True:
            token, cost_usd = self._results.get()
            if not token:
                conn.close()
                return
            try:
                ask(conn, self._settings, "POST", "/v1/guard/result", {"decision_id": token, "cost_usd": cost_usd})
            except (*TROUBLE, FlyballError) as error:
                _log.warning("flyball guard: the cost of %s is not told: %s", token, error)


def _read(answer: Any) -> Reserved | Denied:
    """Read a decision; what is none is no answer, never an allow."""
    decision = answer.get("decision") if isinstance(answer, dict) else None
    if decision == "allow":
        return Reserved(str(answer.get("decision_id") or ""))
    if decision in ("block", "escalate", "modify"):
        effect = KILL if answer.get("killed") is True else ESCALATE if decision == "escalate" else BLOCK
        rule = answer.get("reason_code")
        return Denied(str(rule or "control.block"), effect, str(answer.get("message") or "This call was not allowed."))
    raise AnswerError("POST /v1/guard/evaluate: the answer is no decision")
