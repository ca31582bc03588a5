"""A choice of runs: one for all pages that show several, never lost on the way between them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from vaecore.library import marks
from vaecore.store import Store


@pytest.fixture(autouse=True)
def in_use(root: Path) -> None:
    """A store of its own."""


@pytest.mark.parametrize(("first", "second"), [("compare", "monitor"), ("monitor", "compare")])
def test_a_fresh_session_never_meets_an_empty_page(first: str, second: str) -> None:
    at = demo.open_page("home")
    for page in (first, second, first):
        demo.go_to(at, page)
        assert at.multiselect[0].value, f"{page} shows something"
        assert "Choose one or several" not in demo.words(at) and "Choose two runs" not in demo.words(at)


def test_a_selection_goes_along_to_the_other_page_and_survives_a_third() -> None:
    at = demo.open_page("compare", runs=["vae", "gallery/pca"])
    for page in ("monitor", "claims", "monitor", "traverse", "compare"):
        demo.go_to(at, page)
        if page in ("monitor", "compare"):
            assert at.multiselect[0].value == ["vae", "gallery/pca"], page
    at.multiselect[0].set_value(["ae"]).run()
    assert demo.go_to(at, "monitor").multiselect[0].value == ["ae"]


def test_what_one_page_has_no_room_for_is_not_lost_to_the_other(root: Path) -> None:
    names = [f"copy-{index:02}" for index in range(10)]
    for name in names:
        shutil.copytree(root / "runs" / "ae", root / "runs" / name)
    at = demo.open_page("compare", runs=names)
    demo.go_to(at, "monitor")
    assert at.multiselect[0].value == names[:8] and "Left out: copy-08, copy-09" in demo.words(at)
    assert demo.go_to(at, "compare").multiselect[0].value == names


def test_on_the_way_back_the_address_counts() -> None:
    """Back brings a page's own address: what was chosen elsewhere since does not take its place."""
    at = demo.open_page("compare", runs=["vae", "ae"])
    demo.go_to(at, "monitor")
    at.multiselect[0].set_value(["collapsed"]).run()
    demo.turned_to(at, "compare")
    at.query_params.clear()
    at.query_params["runs"] = ["vae", "ae"]
    at.run()
    assert at.multiselect[0].value == ["vae", "ae"]


def options(at: AppTest) -> list[str]:
    """What the picker of several lists."""
    return list(at.multiselect[0].options)


def test_a_picker_says_titles_and_lists_pinned_ones_first_and_no_archived(root: Path) -> None:
    store = Store(root)
    marks.rename(store.find("ae"), "My plain one")
    marks.pin([store.find("gallery/pca")])
    marks.archive([store.find("collapsed")])
    at = demo.open_page("compare", runs=["vae", "ae"])
    assert options(at)[0].startswith("gallery/pca · ") and not any("collapsed" in each for each in options(at))
    assert any(each.startswith("My plain one · ") for each in options(at))
    assert at.multiselect[0].value == ["vae", "ae"], "by their ids"
    at = demo.open_page("traverse", run="collapsed")
    assert at.selectbox[0].value == "collapsed", "a link opens what was put away"
    shutil.rmtree(root / "runs" / "collapsed")
    picker = at.run().selectbox[0]
    assert picker.value == "gallery/pca" and picker.proto.set_value, "else the browser goes on to show what is gone"
    assert "collapsed" not in str(demo.open_page("traverse").selectbox[0].options)


def test_runs_of_one_name_are_told_apart(root: Path) -> None:
    for name in ("vae", "collapsed"):
        marks.rename(Store(root).find(name), "Same")
    at = demo.open_page("compare")
    assert {"Same · VAE · 8×8 digits · vae", "Same · VAE · 8×8 digits · collapsed"} <= set(options(at))


def test_the_table_is_a_link_away_with_the_choice_ticked() -> None:
    at = demo.open_page("compare", runs=["vae", "gallery/pca"])
    [link] = [each.proto for each in at.get("page_link") if each.proto.label == "Choose in the table"]
    assert "for=compare&runs=vae&runs=gallery%2Fpca" in str(link)
    [link] = [each.proto for each in demo.open_page("traverse", run="vae").get("page_link")
              if each.proto.label == "Choose in the table"]
    assert "for=traverse&runs=vae" in str(link)
