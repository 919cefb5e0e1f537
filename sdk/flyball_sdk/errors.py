"""What can be wrong with what the guard is given. Messages name what was found and what is expected."""

from __future__ import annotations


class FlyballError(Exception):
    """Anything that this package raises on purpose."""


class MalformedError(FlyballError, ValueError):
    """A value is not of the form that the contract gives it."""


class UntrustedError(FlyballError):
    """A signature does not hold, or nobody pinned the key that made it."""


class ForeignError(FlyballError):
    """Signed well, but of another stream or another tenant than this guard listens to."""
