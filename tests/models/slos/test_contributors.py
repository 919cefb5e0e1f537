"""What spent a budget: the slices that tell bad events apart come before those that hold all events alike."""

from __future__ import annotations

from models.slos.blame import Slice
from models.slos.dimensions import DIMENSIONS, EVERYTHING
from models.slos.words import contributing

ALL = Slice(EVERYTHING, 0, 300, 94, 0)


def part(dimension: str, total: int, bad: int, name: int = 1) -> Slice:
    """Make a slice."""
    return Slice(DIMENSIONS.index(dimension), name, total, bad, 0)


def test_a_version_is_told_before_the_only_tenant_there_is() -> None:
    """One tool, tenant, tier and environment say nothing; two versions, how runs failed and error types do."""
    alike = [part(name, 300, 94) for name in ("tool", "tenant", "tier", "environment")]
    said = [part("failure", 94, 94), part("error", 94, 94), part("version", 150, 88), part("version", 150, 6, 2)]
    assert contributing([ALL, *alike, *said]) == said + alike[:2]


def test_what_all_events_have_in_common_is_told_where_there_is_room() -> None:
    """A service of one version names it; slices without a bad event are nothing to tell."""
    assert contributing([ALL, part("version", 300, 94), part("tenant", 9, 0)]) == [part("version", 300, 94)]
    assert contributing([]) == []
