"""The guilty slice: chosen by excess and by chance, against a brute force in fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb

from hypothesis import given, settings
from hypothesis import strategies as st

from models.slos.blame import Slice
from models.slos.contrast import Guilty, blame_of
from models.slos.dimensions import DIMENSIONS, EVERYTHING, FAILURE

VERSION, TOOL, TENANT = (DIMENSIONS.index(name) for name in ("version", "tool", "tenant"))


def slices(total: int, bad: int, *parts: tuple[int, int, int, int]) -> list[Slice]:
    """Give the whole, then (dimension, name, total, bad)."""
    return [Slice(EVERYTHING, 0, total, bad, 0), *(Slice(*each, 0) for each in parts)]


def guilty_of(parts: list[Slice]) -> Guilty | None:
    """Give the one to blame."""
    return blame_of(parts)[0]


def chance(bad: int, total: int, rest_bad: int, rest_total: int) -> Fraction:
    """Give the share of all ways to choose the bad events that put so many, or more, into the slice."""
    all_bad = bad + rest_bad
    ways = sum(comb(total, k) * comb(rest_total, all_bad - k) for k in range(bad, min(total, all_bad) + 1))
    return Fraction(ways, comb(total + rest_total, all_bad))


def oracle(total: int, bad: int, parts: list[tuple[int, int, int, int]]) -> tuple[int, int] | None:
    """Give (dimension, name) of the guilty one by the definition."""
    found = []
    looks = sum(dimension != FAILURE for dimension, *_ in parts)
    for dimension, name, part_total, part_bad in parts:
        rest_total, rest_bad = total - part_total, bad - part_bad
        if dimension == FAILURE or part_bad == 0 or rest_total == 0:
            continue
        explains = (part_bad - Fraction(part_total * rest_bad, rest_total)) / bad
        tail = chance(part_bad, part_total, rest_bad, rest_total)
        if explains >= Fraction(1, 2) and looks * tail < Fraction(1, 100):
            found.append((explains, -dimension, dimension, name))
    best = [each for each in found if each[:2] == max(found)[:2]] if found else []
    return best[0][2:] if best else None


@st.composite
def counted(draw: st.DrawFn) -> tuple[int, int, list[tuple[int, int, int, int]]]:
    """Draw a whole, and slices of it by two dimensions."""
    bad, good = draw(st.integers(1, 20)), draw(st.integers(0, 40))
    parts = []
    for dimension, name in ((VERSION, 1), (VERSION, 2), (TENANT, 3), (FAILURE, 4)):
        part_bad = draw(st.integers(0, bad))
        parts.append((dimension, name, part_bad + draw(st.integers(0, good)), part_bad))
    return bad + good, bad, parts


@settings(max_examples=200, deadline=None)
@given(counted())
def test_the_guilty_one_is_that_of_the_definition(case: tuple[int, int, list[tuple[int, int, int, int]]]) -> None:
    """The same slice as exact sums give, whatever the counts."""
    total, bad, parts = case
    guilty = guilty_of(slices(total, bad, *parts))
    expected = oracle(total, bad, parts)
    assert (guilty and (guilty.slice.dimension, guilty.slice.name)) == expected


def test_a_rollout_that_breaks() -> None:
    """18 of 20 bad in the new version, 2 of 80 elsewhere: it explains 87.5 %."""
    found = slices(100, 20, (VERSION, 1, 80, 2), (VERSION, 2, 20, 18))
    assert guilty_of(found) == Guilty(found[2], 80, 2, 0.875)


def test_what_everybody_has_is_nobody_to_blame() -> None:
    """A version that all runs are of, or one as bad as the rest, explains nothing."""
    assert guilty_of(slices(100, 20, (VERSION, 1, 100, 20))) is None
    assert guilty_of(slices(100, 20, (VERSION, 1, 50, 10), (VERSION, 2, 50, 10))) is None


def test_few_events_are_no_proof() -> None:
    """Two of two bad against none of three elsewhere may be chance."""
    assert guilty_of(slices(5, 2, (VERSION, 1, 2, 2))) is None
    assert guilty_of(slices(300, 20, (VERSION, 1, 20, 20))) is not None


def test_few_others_acquit_nobody() -> None:
    """Where nearly all runs are in production, none bad of eight elsewhere is no proof: of 8 so few are 1 in 6."""
    assert guilty_of(slices(130, 26, (VERSION, 1, 122, 26))) is None
    assert guilty_of(slices(1_300, 260, (VERSION, 1, 1_220, 260))) is not None


def test_counts_of_months() -> None:
    """Ten million events are judged as a few are."""
    whole, part = (10_000_000, 50_000), (VERSION, 1, 1_000_000, 31_000)
    guilty = guilty_of(slices(*whole, part))
    assert guilty is not None
    assert round(guilty.explains, 3) == 0.578
    assert guilty_of(slices(*whole, (VERSION, 1, 9_999_500, 50_000))) is None


def test_many_looks_ask_for_more() -> None:
    """The same slice among forty others is no longer out of the ordinary."""
    one = (TOOL, 1, 5, 4)
    others = [(TENANT, name, 2, 0) for name in range(2, 42)]
    assert guilty_of(slices(25, 5, one)) is not None
    assert guilty_of(slices(25, 5, one, *others)) is None


def test_what_was_rolled_out_is_told_beside_what_explains_more() -> None:
    """All bad events are of one tool, most of them of the new version: whoever is woken needs both."""
    parts = slices(300, 94, (TOOL, 1, 200, 94), (VERSION, 2, 150, 88), (VERSION, 1, 150, 6))
    guilty, change = blame_of(parts)
    assert guilty is not None
    assert change is not None
    assert (guilty.slice.dimension, change.slice.dimension, change.slice.name) == (TOOL, VERSION, 2)
    assert blame_of(slices(300, 94, (TOOL, 1, 200, 94), (VERSION, 1, 300, 94)))[1] is None


def test_how_it_failed_is_never_guilty() -> None:
    """All bad runs have a way of failing and no good one has: that tells nothing about who."""
    assert guilty_of(slices(100, 20, (FAILURE, 1, 20, 20))) is None


def test_nothing_to_look_at() -> None:
    """Without a slice of everything, or without slices, there is nobody to blame."""
    assert guilty_of([]) is None
    assert guilty_of(slices(10, 5)) is None
    assert guilty_of(slices(100, 20, (VERSION, 2, 20, 18))[1:]) is None
