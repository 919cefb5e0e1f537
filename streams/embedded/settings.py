"""What can be set of the embedded log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_DAY_NS: Final = 86_400 * 10**9


@dataclass(frozen=True)
class Settings:
    """Bounds hold per topic; a partition has an even share of `max_bytes`."""

    max_age_ns: int = 7 * _DAY_NS
    max_bytes: int = 20 << 30
    segment_bytes: int = 64 << 20
    """What is deleted at once by retention; also what a reader searches when it opens at an offset."""
    max_message_bytes: int = 64 << 20
    fsync: bool = False
    """False: what was flushed survives the death of any process. True: also the loss of power, at the disk's speed."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for name in ("max_age_ns", "max_bytes", "segment_bytes", "max_message_bytes"):
            if getattr(self, name) <= 0:
                msg = f"{name} must be positive, not {getattr(self, name)}"
                raise ValueError(msg)
