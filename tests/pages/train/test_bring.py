"""What is said of uploaded data has the visitor's name for them."""

from __future__ import annotations

from pages.train.bring import Place, as_brought


def test_the_place_in_the_store_reads_as_what_the_visitor_calls_it() -> None:
    uploaded = Place("/store/uploads/faces-1a2b", "faces.zip")
    assert as_brought("'/store/uploads/faces-1a2b' is empty.", uploaded) == "'faces.zip' is empty."
    assert as_brought("faces-1a2b: 8 / 1 / 1 pictures", uploaded) == "faces.zip: 8 / 1 / 1 pictures"


def test_a_short_name_is_no_part_of_other_words() -> None:
    assert as_brought("p: 8 / 1 / 1 pictures", Place("/data/p", "/data/p")) == "p: 8 / 1 / 1 pictures"
    assert as_brought("p: 8 pictures", Place("/data/p", "mine")) == "mine: 8 pictures"
