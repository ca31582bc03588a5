"""A store without a single run: every page opens, and offers a first act; lists have only what a page can open."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages import demo

# Where the first act lies on a page of forms: what it presses, or the popover that asks before it.
ACTS = {"claims": "Run it now", "experiments": "Start", "sweeps": "Fill in an example", "talk": "Make it mine",
        "train": "Start", "home": "Train one", "access": "Train one", "lecture": "Motivation"}


@pytest.mark.parametrize("page", demo.PAGES)
def test_a_page_with_nothing_to_show_offers_its_first_act(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                          ) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    at = demo.open_page(page)
    acts = [each.label for each in at.button if not each.disabled]
    acts += [each.proto.popover.label for each in at.get("popover")]
    links = {each.proto.label: each.proto.query_string for each in at.get("page_link")}
    if page in ACTS:
        assert any(ACTS[page] in label for label in (*acts, *links)), (acts, links)
    else:
        assert any("preset=" in query for query in links.values()), "a form that is filled in"
    assert not at.error, at.error


def test_what_a_page_lists_it_can_open(root: Path) -> None:
    for name in ("made", "lagging-basic", "svg-lp-mnist", "mvae"):
        shutil.copytree(demo.ROOT / "trained" / "gallery" / name, root / "gallery" / name)
    own = ["vae", "collapsed", "ae", "vectors", "gallery/shipped", "gallery/pca"]
    wanted = {"traverse": own, "latent_map": own, "sentences": ["gallery/lagging-basic"],
              "cross_modal": ["gallery/mvae"], "video": ["gallery/svg-lp-mnist"]}
    for page, names in wanted.items():
        at = demo.open_page(page)
        assert sorted(_ids(at.selectbox[0].options)) == sorted(names), page
    at = demo.open_page("traverse", run="gallery/made")
    assert "gallery/made is opened in Families." in demo.words(at) and not at.error
    at = demo.open_page("families", run="gallery/made")
    assert any(each.value.endswith("· made") for each in at.markdown), "on the card of its kind"


def _ids(lines: list[str]) -> list[str]:
    return [line.partition(" · ")[0] for line in lines]
