"""What run shards tell each other, within a process and between processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.hearsay import Hearsay

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 10**9


def test_a_shard_hears_the_earliest_of_all_others() -> None:
    """Never its own word; a new word takes the place of the old one."""
    hearsay = Hearsay(None)
    hearsay.say("r00", {1: 10, 2: 5})
    hearsay.say("r01", {1: 7})
    assert (hearsay.heard("r00"), hearsay.heard("r02")) == ({1: 7}, {1: 7, 2: 5})
    hearsay.say("r01", {})
    assert hearsay.heard("r02") == {1: 10, 2: 5}


def test_processes_hear_each_other_through_the_folder(tmp_path: Path) -> None:
    """Once a second, what is there from before too; a word that is the same is not news."""
    one, two = Hearsay(tmp_path / "said"), Hearsay(tmp_path / "said")
    two.refresh(0)
    one.say("r00", {-1: 10})
    two.refresh(SECOND)
    version = two.version
    assert two.heard("r01") == {-1: 10}
    one.say("r00", {-1: 10})
    two.refresh(2 * SECOND)
    assert two.version == version
    one.say("r00", {-1: 3})
    two.refresh(3 * SECOND - 1)
    assert two.heard("r01") == {-1: 10}
    two.refresh(3 * SECOND)
    assert two.heard("r01") == {-1: 3}
    later = Hearsay(tmp_path / "said")
    later.refresh(0)
    assert later.heard("r01") == {-1: 3}


def test_the_end_goes_round_until_nobody_has_news() -> None:
    """A shard that learns at the end is heard by those before it; a second end does nothing without more input."""
    hearsay, calls = Hearsay(None), []

    def first() -> None:
        calls.append(dict(hearsay.heard("r00")))

    hearsay.register("r00", first)
    hearsay.register("r01", lambda: hearsay.say("r01", {1: 5}))
    hearsay.settle()
    assert calls == [{}, {1: 5}]
    hearsay.settle()
    assert len(calls) == 2
    hearsay.stir()
    hearsay.settle()
    assert len(calls) == 3
