"""Codes that lie in memory: shared by all who look, bounded, and more of them once the background has made them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vaecore import memory
from vaecore.explore import Checkpoint
from vaecore.explore.maps import latent_map
from vaecore.explore.maps.at_hand import at_hand, held
from vaecore.mapping import Settings


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    memory.pool.forget()
    yield
    memory.pool.forget()


def test_a_split_is_encoded_once_for_all(here: Checkpoint) -> None:
    assert held(here.run, "test") is None
    first = at_hand(here, "test")
    assert at_hand(Checkpoint.load(here.run), "test") is first and held(here.run, "test") is first
    assert first.whole and first.part.count == first.population.count == len(first.encoded)
    assert at_hand(here, "kept").key != first.key != at_hand(here, "validation").key


def test_what_takes_too_long_is_the_first_so_many_until_the_rest_is_made(
        here: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(here.model), "at_once", lambda *_: 40)
    part = at_hand(here, "test", seconds=0)
    assert not part.whole and len(part.encoded) == part.part.count == 40
    assert at_hand(here, "test", seconds=0) is part
    whole = latent_map(here, Settings(split="test")).encoded  # as the background does
    found = at_hand(here, "test", seconds=0)
    assert found.whole and found.key != part.key
    np.testing.assert_array_equal(found.encoded.means, whole.means)


def test_memory_is_bounded_and_the_one_in_use_stays(here: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    first = at_hand(here, "test")
    at_hand(here, "kept")
    at_hand(here, "test")  # asked for again
    monkeypatch.setattr(memory.pool, "most", lambda: int(2.5 * memory.size_of(first)))
    at_hand(here, "validation")
    assert held(here.run, "kept") is None and held(here.run, "test") is first
    monkeypatch.setattr(memory.pool, "most", lambda: 1)
    at_hand(here, "kept")
    assert len(memory.pool) == 1 and held(here.run, "kept") is not None


def test_pages_of_thumbnails_are_made_once(here: Checkpoint) -> None:
    found = at_hand(here, "test")
    before = memory.size_of(found)
    page = found.page(0)
    assert found.page(0) is page and memory.size_of(found) > before + len(page)
    with pytest.raises(LookupError):
        found.page(7)
