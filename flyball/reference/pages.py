"""The pages that are made, by the name of their file in `docs/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyball.config.reference import reference
from flyball.reference.commands import commands
from flyball.reference.http import http
from flyball.reference.metrics import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES: Final[dict[str, Callable[[], str]]] = {
    "configuration.md": reference,
    "commands.md": commands,
    "http.md": http,
    "metrics.md": metrics,
}
