"""What is asked of all scopes at one moment. Immutable: readers take all of it by one reference, without a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball_sdk.envelope import Envelope, lines_digest, view_line
from flyball_sdk.scope import SCOPE_LEVELS, THE_PRODUCT
from flyball_sdk.signals import Held
from flyball_sdk.state import NEUTRAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball_sdk.envelope import Position
    from flyball_sdk.scope import Subject

    from control.contributions import Place

    _HeldBy = dict[tuple[str | None, str, str], Held]


class Shown:
    """All signals that are not neutral, as of (epoch, seq). A view is worked out when it is first asked for."""

    def __init__(
        self, epoch: int, seq: int, signals: Mapping[Place, Envelope] | None = None, held: _HeldBy | None = None
    ) -> None:
        self.epoch, self.seq = epoch, seq
        self.signals = signals or {}
        if held is None:
            held = {(place.tenant, *place.scope): _held(each) for place, each in self.signals.items()}
        self._held = held
        self._views: dict[str | None, str] = {}
        self._newest: dict[str | None, Position] = {}

    def of(self, subject: Subject, tenant: str | None) -> list[Held]:
        """List what is asked of a subject of a tenant, the run's first."""
        held = self._held
        if not held:
            return []
        keys = [(level, name) for level, name in zip(SCOPE_LEVELS, subject, strict=False) if name is not None]
        found = []
        for key in (*keys, THE_PRODUCT):
            for whose in (None, tenant) if tenant is not None else (None,):
                each = held.get((whose, *key))
                if each is not None:
                    found.append(each)
        return found

    def of_tenant(self, tenant: str | None) -> list[Envelope]:
        """List a tenant's view, the oldest first: its own signals and everybody's."""
        mine = (each for place, each in self.signals.items() if place.tenant in (None, tenant))
        return sorted(mine, key=lambda each: each.at)

    def view(self, tenant: str | None) -> str:
        """Digest a tenant's view."""
        if tenant not in self._views:
            self._views[tenant] = lines_digest(view_line(each.scope, each.at) for each in self.of_tenant(tenant))
        return self._views[tenant]

    def newest(self, tenant: str | None) -> Position:
        """Give where a tenant's newest signal is; every acknowledgement asks for it."""
        if tenant not in self._newest:
            mine = (each.at for place, each in self.signals.items() if place.tenant in (None, tenant))
            self._newest[tenant] = max(mine, default=(0, 0))
        return self._newest[tenant]

    def with_(self, seq: int, changes: Mapping[Place, Envelope]) -> Shown:
        """Give the moment after some changes."""
        signals, held = dict(self.signals), dict(self._held)
        for place, envelope in changes.items():
            key = (place.tenant, *place.scope)
            if envelope.state == NEUTRAL:
                signals.pop(place, None)
                held.pop(key, None)
            else:
                signals[place] = envelope
                held[key] = _held(envelope)
        return Shown(self.epoch, seq, signals, held)


def _held(signal: Envelope) -> Held:
    return Held(signal.scope, signal.state, signal.reason, signal.rule)
