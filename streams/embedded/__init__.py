"""A partitioned, durable log in files on a local disk."""

from __future__ import annotations

from streams.embedded.log import EmbeddedLog
from streams.embedded.settings import Settings

__all__ = ["EmbeddedLog", "Settings"]
