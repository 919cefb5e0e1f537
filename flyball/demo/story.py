"""Story: what happened in the past that the demo simulates, in numbers and names that traffic and acts share."""

from __future__ import annotations

from typing import Final

SECOND: Final = 1_000_000_000
PAST_S: Final = 3 * 3600
UPGRADED_S: Final = 50 * 60
"""So long before the start of the demo the model of `support` was upgraded: of the hour in which the budget burns, most
is of the new version, and enough of the old one for the page to say which of them it is."""
DROP: Final = 0.4
"""Share of the tasks that succeeded before and fail after it."""
OLD_VERSION, NEW_VERSION = "2026.3.1", "2026.4.0"
OLD_MODEL, NEW_MODEL = "gpt-4.1-2025-04-14", "gpt-4.1-mini"
