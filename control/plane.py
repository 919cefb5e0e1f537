"""Plane: all parts of the control plane wired together, with the threads that keep them going."""

from __future__ import annotations

import fcntl
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from flyball_sdk.errors import MalformedError
from flyball_sdk.keeping import write_private
from flyball_sdk.policy import Policy
from flyball_sdk.signing import SigningKey

from control import usage
from control.authority import Authority
from control.clients import Clients
from control.clocks import Clocks
from control.console.costs import Costs
from control.console.explainer import Explainer
from control.console.follower import Follower, Topics
from control.contributions import Rules
from control.guards import Guards
from control.hub import Hub
from control.intake import Intake
from control.keys import ROLES, Keys, KeysError
from control.masking import Masker
from control.metrics import Look, Metrics, active
from control.outlet import Outlet
from control.pace import Pace
from control.reservations import Reservations
from control.second import SecondPerson
from control.store import FILE, Store, StoreError
from control.untold import Untold
from control.usage import SpendBook
from streams.port import LostOffsetError, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from flyball_sdk.asking import RuleSource
    from flyball_sdk.limits import Limits
    from flyball_sdk.scope import Scope

    from control.http.core import Endpoint
    from models.spend.budget import Budget
    from streams.port import Log

T = TypeVar("T")
SIGNING, MASKING, FIRST = "signing.key", "masking.key", "operator.key"
_TICK_S, _BEAT_S, _HOUSE_S, _IDLE_S, _RETRY_S = 0.05, 1.0, 60.0, 0.02, 1.0
_MASKING_BYTES = 32
_ROUND_S = 3600.0
"""Seconds between two tellings of all that is in force; a topic of orders should hold some of them."""


@dataclass(frozen=True)
class PlaneSettings:
    """What does not change while the process lives."""

    folder: Path
    verdicts: str = "flyball.verdicts"
    spend: str = "flyball.spend"
    orders: str = "flyball.orders"
    partitions: int = 4
    start: str = "oldest"
    on_lost: str = "stop"
    rules: Rules = field(default_factory=Rules)
    policy: Policy = field(default_factory=Policy)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """Limits of workflows that have their own, in place of the policy's."""
    rate: float = 1_000.0
    """Requests a second of one tenant."""
    audit_fields: tuple[str, ...] = ()
    second_person_s: float = 600.0
    topics: Topics = field(default_factory=Topics)
    """What the console reads, beside."""
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """The user's own prices of models, USD per million tokens, before the built-in ones."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """The user's own source attributes, as the flow has them, before the built-in ones."""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """In which the days and months of budgets begin, as in the flow."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """What a call of a tool is estimated to cost, in USD; `*`: of any other."""
    budgets: tuple[Budget, ...] = ()
    """What each may spend, as the flow has it: for those of whom it has not told yet."""


class GuardsSeen(NamedTuple):
    """Which guards there are, as the event loop last saw them."""

    guards: int = 0
    streams: int = 0
    waiting_kills: int = 0


class Plane:
    """The service without its HTTP. `start` and `stop` its threads; all of it may be used from any thread."""

    def __init__(
        self,
        settings: PlaneSettings,
        log: Log | None = None,
        clocks: Clocks | None = None,
        say: Callable[[str], None] = print,
        rule_source: RuleSource | None = None,
    ) -> None:
        self.settings, self._log, self._say = settings, log, say
        self.clocks = clocks or Clocks()
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = _hold(settings.folder)
        try:
            self.signing, masking = _secrets_in(settings.folder, say)
        except KeysError:
            self._held.close()
            raise
        self.store = Store(settings.folder / FILE)
        self.authority = Authority(self.store, self.signing, settings.rules, self.clocks, say)
        self.keys = Keys(settings.folder, self.clocks)
        self.hub = Hub(self.authority)
        self.clients = Clients()
        self.pace = Pace(settings.rate, now=self.clocks.steady_s)
        self.second = SecondPerson(settings.second_person_s)
        self.spend = SpendBook(row[2] for row in self.store.spend())
        untold = Untold(settings.budgets)
        self.reservations = Reservations(
            self._spent,
            settings.costs,
            self.clocks.steady_s,
            lambda scope, tenant, told: untold.of(scope, tenant, told, self.today()),
            self.authority.shown.epoch,
            self.store.reserved(),
        )
        masker = Masker(masking, settings.audit_fields)
        self.guards = Guards(self.authority, masker, settings.policy, rule_source, self.reservations, settings.limits)
        self.console = Follower(log, settings.topics, say, Costs(settings.prices), settings.attributes)
        self.explainer = Explainer(self.console, self.clocks, say)
        self.metrics = Metrics()
        self.metrics.watch(self.look)
        self.authority.tellers.append(self.metrics.told)
        self.authority.noters.append(self.metrics.noted)
        self._seen = GuardsSeen()
        self._read_s = self.clocks.steady_s()
        self._lags: dict[tuple[str, int], int] = {}
        self.endpoints: tuple[Endpoint, ...] = ()
        self._trouble: str | None = None
        self._untold: str | None = None
        """Why orders cannot be put into their topic."""
        self.fatal: LostOffsetError | None = None
        """Why verdicts are not read any more: a person must choose."""
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._told_keys = self.store.meta().get("keys", "")
        self._looked_at: object = None
        self._said_of_keys: str | None = None
        self._first_key()

    @property
    def problem(self) -> str | None:
        """What is wrong now; None: nothing."""
        return self.authority.problem or self._trouble or self._untold or self.keys.trouble

    def look(self) -> Look:
        """Say how all of it stands, for the metrics."""
        chain = self.authority.chain
        return Look(
            active=active(self.authority.shown.signals),
            guards=self._seen.guards,
            streams=self._seen.streams,
            waiting_kills=self._seen.waiting_kills,
            entries=chain.n,
            unsigned=chain.n - chain.checked,
            unwritten=self.authority.unwritten,
            healthy=self.problem is None,
            read_age_s=self.clocks.steady_s() - self._read_s if self._log else None,
            lags=self._lags,
            near_budget=self.spend.near(self.today()),
        )

    def see_guards(self) -> None:
        """Note which guards there are; in the event loop, which alone may ask."""
        now_s = self.clocks.steady_s()
        kills = self.clients.waiting_kills(self.authority.shown, now_s)
        self._seen = GuardsSeen(self.clients.count(now_s), len(self.hub.subscribers), kills)

    def start(self) -> None:
        """Begin to read verdicts and to beat."""
        work = [("upkeep", self._keep), ("heart", self._beat)]
        work += [("verdicts", self._read), ("orders", self._tell)] if self._log else []
        for name, run in work:
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self.console.start()
        self.explainer.start()

    def stop(self) -> None:
        """End well: all is written, with a checkpoint."""
        self._stopped.set()
        self.explainer.stop()
        self.console.stop()
        for thread in self._threads:
            thread.join(10)
        with self.authority.quiet():
            self._drain()
        self.authority.close()
        self.store.close()
        self._held.close()

    def _spent(self, scope: Scope, tenant: str | None) -> list[usage.Spend]:
        """Give what a scope has spent in the day and month that it is."""
        return self.spend.now(scope, tenant, self.today())

    def today(self) -> str:
        """Give the day that it is where budgets begin."""
        return datetime.fromtimestamp(self.clocks.wall_ns() // 10**9, self.settings.zone).date().isoformat()

    def take_spend(self, topic: str, partition: int, messages: Sequence[tuple[int, bytes]]) -> None:
        """Take spend records of one partition; the newest revision of each wins."""
        rows: dict[usage.Key, tuple[int, bytes] | None] = {}
        for _, value in messages:
            try:
                each = usage.read(value)
            except MalformedError as error:
                self.authority.unreadable(error, value)
                continue
            if self.spend.take(each):
                rows[each.key] = (each.revision, each.record)
        rows |= dict.fromkeys(self.spend.forget())
        self.authority.spent(topic, partition, messages[-1][0] + 1, rows)

    def tick(self) -> None:
        """Write what waits, and note keys that came or went."""
        with self.authority.quiet():
            self._drain()
            self._note_keys()
            self.authority.tick()

    def _drain(self) -> None:
        """Hand what decisions have left to the authority, which is held."""
        self.guards.drain()
        self.authority.reserved(self.reservations.take_changed())

    def _keep(self) -> None:
        housed = self.clocks.steady_s()
        while not self._stopped.wait(_TICK_S if self.authority.problem is None else _RETRY_S):
            self._try(self.tick)
            if self.clocks.steady_s() - housed >= _HOUSE_S:
                housed = self.clocks.steady_s()
                self._try(self.authority.keep_house)

    def _beat(self) -> None:
        while not self._stopped.wait(_BEAT_S):
            self._try(self.hub.beat)

    def _try(self, act: Callable[[], None]) -> None:
        """Do upkeep; a thread that ended by a mistake would leave guards without heartbeats, so it is said instead."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 -- said; the next time may go well
            self._say(f"{getattr(act, '__name__', 'upkeep')}: {type(error).__name__}: {error}")

    def _read(self) -> None:
        """Read verdicts and spend until stopped; a log that does not answer is asked again."""
        intakes = self._intakes()
        ready = False
        looked_s = self.clocks.steady_s()
        try:
            while not self._stopped.is_set():
                try:
                    if not ready or self.clocks.steady_s() - looked_s >= _HOUSE_S:
                        self._find(intakes)
                        ready, looked_s = True, self.clocks.steady_s()
                    room = self.authority.has_room
                    came = sum(intake.step() for intake in intakes) if room else 0
                    self._trouble = None
                    self._lags = {key: lag for intake in intakes for key, lag in intake.lags().items()}
                    if not came:
                        self._read_s = self.clocks.steady_s() if room else self._read_s
                        self._stopped.wait(_IDLE_S)
                except LostOffsetError:
                    raise
                except Exception as error:  # noqa: BLE001 -- said, unhealthy, and nothing is skipped
                    if self._trouble is None:
                        self._say(f"verdicts: {told(error)}; trying again")
                    self._trouble, ready = told(error), False
                    self._stopped.wait(_RETRY_S)
        except LostOffsetError as error:
            self._say(f"{error}")
            self._trouble, self.fatal = str(error), error
        finally:
            for intake in intakes:
                intake.close()

    def _tell(self) -> None:
        """Put orders into their topic until stopped, and all that is in force again now and then."""
        assert self._log is not None  # noqa: S101 -- the thread runs only where there is one
        outlet = Outlet(self.store, self._log, self.settings.orders)
        told_s = -_ROUND_S
        while not self._stopped.is_set():
            try:
                came = outlet.step()
                self._untold = None
                if not came and self.clocks.steady_s() - told_s >= _ROUND_S:
                    told_s = self.clocks.steady_s()
                    self.authority.tell_all()
                if not came:
                    self._stopped.wait(_TICK_S)
            except Exception as error:  # noqa: BLE001 -- said, unhealthy, and nothing is skipped
                if self._untold is None:
                    self._say(f"orders: {told(error)}; trying again")
                self._untold = told(error)
                self._stopped.wait(_RETRY_S)
        outlet.close()

    def _intakes(self) -> list[Intake]:
        assert self._log is not None  # noqa: S101 -- the thread runs only where there is one
        takes = [(self.settings.verdicts, self.authority.take), (self.settings.spend, self.take_spend)]
        where = {"start": self.settings.start, "on_lost": self.settings.on_lost}
        begin = self.authority.begin
        return [
            Intake(self._log, name, self.store.offsets(name), take, begin, **where, say=self._say)
            for name, take in takes
        ]

    def _find(self, intakes: list[Intake]) -> None:
        assert self._log is not None  # noqa: S101 -- as above
        for name in (self.settings.verdicts, self.settings.spend):
            self._log.ensure(name, self.settings.partitions)
        for intake in intakes:
            intake.find_partitions()

    def _note_keys(self) -> None:
        """Note in the audit log which keys have come or gone since it was last noted; say once if they are no good."""
        self.keys.look()
        trouble = self.keys.trouble
        if trouble != self._said_of_keys:
            self._say(f"{trouble}; the keys of before hold" if trouble else "the keys can be read again")
            self._said_of_keys = trouble
        if self.keys.version == self._looked_at:
            return
        self._looked_at = self.keys.version
        now = " ".join(sorted(f"{key.id}{'-' if key.revoked else '+'}" for key in self.keys.known()))
        if now == self._told_keys:
            return
        before = set(self._told_keys.split())
        for key in self.keys.known():
            if f"{key.id}{'-' if key.revoked else '+'}" not in before:
                self.authority.note("key", "keys", key.told(), key.tenant)
        self._told_keys = now
        self.authority.meta("keys", now)

    def _first_key(self) -> None:
        """Where there is no operator's key make one, in a file that only its owner reads."""
        if not any(key.roles for key in self.keys.all()):
            path = self.settings.folder / FIRST
            token = self.keys.operator("first operator", ROLES)
            write_private(path, f"{token}\n".encode())
            self._say(f"made the first operator's key: it is in {path}")


def _secrets_in(folder: Path, say: Callable[[str], None]) -> tuple[SigningKey, bytes]:
    """Give the keys for signing and for masking, made where there are none. Raises KeysError."""
    is_new = (folder / FILE).exists() and not (folder / SIGNING).exists()
    signing = _kept(folder / SIGNING, lambda: SigningKey.generate().to_text(), SigningKey.from_text)
    if is_new:
        say(f"{folder / SIGNING} was gone: a new key is made, and guards that pin the old one obey nothing")
    return signing, _kept(folder / MASKING, lambda: secrets.token_hex(_MASKING_BYTES), _masking)


def _masking(text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != _MASKING_BYTES:
        msg = f"expected {_MASKING_BYTES} bytes"  # what is masked by none, or by a part, could be found by trying
        raise ValueError(msg)
    return found


def _kept(path: Path, new: Callable[[], str], read: Callable[[str], T]) -> T:
    """Read a secret, or keep a new one. Raises KeysError, which never shows it."""
    if not path.exists():
        write_private(path, f"{new()}\n".encode())
    try:
        return read(path.read_text().strip())
    except (MalformedError, ValueError):
        msg = f"{path}: found what is no key, expected the one made here; put it back from a backup"
        raise KeysError(msg) from None


def _hold(folder: Path) -> IO[str]:
    """Hold the folder: two authorities on one file would both give out signals. Raises StoreError."""
    file = (folder / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        msg = f"{folder} is in use by another flyball control"
        raise StoreError(msg) from None
    return file
