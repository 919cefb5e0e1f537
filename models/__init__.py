"""The domain, pure: no engine, no I/O, no clock. Frames and counts in, decisions out."""

from __future__ import annotations

from models.kernel_cache import choose_kernel_cache

choose_kernel_cache()
