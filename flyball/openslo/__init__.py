"""OpenSLO v1: the files in which people say what their agents owe, read into `models.slos.spec.Slo`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyball.openslo.load import Loaded, slos_of

__all__ = ["Loaded", "slos_of"]


def __getattr__(name: str) -> Any:
    """Load when asked for: the SLIs take a second, and who looks for files does not need them."""
    if name not in __all__:
        msg = f"module {__name__} has no attribute {name}"
        raise AttributeError(msg)
    from flyball.openslo import load  # noqa: PLC0415 -- see above

    return getattr(load, name)
