"""connect: a guard that listens to the control plane, in one call."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, NamedTuple

from flyball_sdk.client import Client
from flyball_sdk.guard import Guard
from flyball_sdk.settings import Settings

if TYPE_CHECKING:
    from flyball_sdk.asking import RuleSource
    from flyball_sdk.policy import Policy
    from flyball_sdk.reserving import Reserver


class Connected(NamedTuple):
    """A guard, and the client that keeps its signals up to date."""

    guard: Guard
    client: Client


def connect(
    policy: Policy | None = None,
    *,
    rules: RuleSource | None = None,
    reserver: Reserver | None = None,
    settings: Settings | None = None,
) -> Connected:
    """Start listening, by FLYBALL_... of the environment if no settings are given, until the process ends.

    Returns at once. Until the first signals are there, tiers 2 and 3 are closed.
    """
    client = Client(settings or Settings.from_env()).start()
    atexit.register(client.close, 1.0)
    return Connected(Guard(policy, signals=client.store, rules=rules, reserver=reserver), client)
