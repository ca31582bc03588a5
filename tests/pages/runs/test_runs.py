"""The page Runs: what the table is told, what is searched, marked and removed, and what of it stands in the address."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.runs import choosing, listing, ticked
from pages.runs.controls import chosen, with_condition
from pages.runs.look import Look
from tests.pages import demo, hostile
from vaecore import permission
from vaecore.library import marks, records, trash
from vaecore.library.views import TableView, keep, views
from vaecore.store import Store


@pytest.fixture(autouse=True)
def in_use(root: Path) -> None:
    """A store of its own."""


def shown(at: AppTest) -> dict[str, Any]:
    """What the table in the browser is told."""
    [found] = [each for each in hostile.every(at) if each.type == "bidi_component"
               and each.proto.component_name.endswith("table")]
    packed: bytes = found.proto.bytes
    told: dict[str, Any] = json.loads(packed[4:4 + int.from_bytes(packed[:4], "little")])
    return told


def ids(at: AppTest) -> list[str]:
    return [row["id"] for row in shown(at)["rows"]]


def cell(at: AppTest, run: str, key: str) -> Any:
    told = shown(at)
    place = [column["key"] for column in told["columns"]].index(key)
    return next(row["cells"][place] for row in told["rows"] if row["id"] == run)


def ticking(at: AppTest, *names: str) -> AppTest:
    at.session_state[ticked.KEPT] = list(names)
    return at.run()


def field(fields: Sequence[Any], begins: str) -> Any:
    """The one whose key begins so: the rest of it belongs to the text that it is drawn with."""
    [found] = [each for each in fields if str(each.key).startswith(begins)]
    return found


def noted(root: Path, run: str = "vae") -> str:
    return next(each for each in records(Store(root)) if each.id == run).note


def test_every_run_is_listed_with_what_tells_it_apart() -> None:
    at = demo.open_page("runs")
    assert set(ids(at)) == {"vae", "collapsed", "ae", "vectors", "gallery/pca", "gallery/shipped"}
    assert cell(at, "gallery/pca", "family") == "PCA" and cell(at, "vae", "data")[0] == "8×8 digits"
    assert cell(at, "vae", "preview").startswith("/previews/vae?v=")
    keys = [column["key"] for column in shown(at)["columns"]]
    assert {"elbo", "log_p_given_z", "kl"} <= set(keys) and "log_p" not in keys, "a column for each kind there is"
    assert cell(at, "ae", "elbo") == "–" and cell(at, "vae", "log_p_given_z") == "–", "never in one column"


def test_a_search_is_in_the_address_and_a_wrong_one_is_said() -> None:
    at = demo.open_page("runs")
    at.text_input(key="runs-q").set_value("family=vae digits").run()
    assert set(ids(at)) == {"vae", "collapsed", "gallery/shipped"}
    assert at.query_params["q"] == "family=vae digits"
    again = demo.open_page("runs", q="family=vae digits")
    assert ids(again) == ids(at) and again.text_input(key="runs-q").value == "family=vae digits"
    at.text_input(key="runs-q").set_value("elbo>much").run()
    assert "is a number, and 'much' is none" in demo.words(at) and len(ids(at)) == 6
    at.text_input(key="runs-q").set_value("nothing-like-it").run()
    assert "None of 6 runs is like this" in demo.words(at)
    at.button(key="runs-clear-all").click().run()
    assert len(ids(at)) == 6 and "q" not in at.query_params


def test_order_groups_and_columns_are_in_the_address(root: Path) -> None:
    shutil.copytree(root / "runs" / "vae", root / "runs" / "twin")
    config = json.loads((root / "runs" / "twin" / "config.json").read_text())
    (root / "runs" / "twin" / "config.json").write_text(json.dumps({**config, "seed": 7}))
    at = demo.open_page("runs", sort="kl", columns=["title", "kl", "model.latent_size"], group="seeds", q="is:own")
    told = shown(at)
    assert [column["key"] for column in told["columns"]] == ["title", "kl", "model.latent_size"]
    assert [column["sort"] for column in told["columns"]] == ["", "up", ""]
    group = next(row for row in told["rows"] if row.get("members"))
    value = records(Store(root))[0].numbers["kl"].value
    assert group["members"] == 2 and group["cells"][1][0] == f"{value:.2f} ± 0.00" and "n = 2" in group["cells"][1][1]
    assert at.query_params["columns"] == ["title", "kl", "model.latent_size"] and at.query_params["group"] == "seeds"
    assert ids(at)[0] == "collapsed" or ids(at)[1] == "collapsed", "the least KL"
    at.button(key="runs-turn").click().run()
    assert at.query_params["sort"] == "-kl" and ids(at)[-1] != "collapsed"
    assert "is no field" in demo.words(demo.open_page("runs", sort="nothing", group="seeds"))


def test_unlike_numbers_are_marked_with_the_reason() -> None:
    at = demo.open_page("runs", columns=["title", "elbo"])
    said, help, mark = cell(at, "vectors", "elbo")
    assert mark == "≠" and "data sets" in help and said
    assert len(cell(at, "vae", "elbo")) != 3, "most are of digits"
    assert "Marked ≠" in next(column["help"] for column in shown(at)["columns"] if column["key"] == "elbo")


def test_a_view_is_kept_and_opened_by_its_link(root: Path) -> None:
    at = demo.open_page("runs", q="family=ae", sort="-elbo")
    at.text_input(key="runs-view-name").set_value("best").run()
    at.text_input(key="runs-q").set_value("family=vae")  # just typed: the click comes before a drawing
    at.button(key="runs-keep").click().run()
    assert views(Store(root)) == [TableView(name="best", query="family=vae", sort="-elbo")]
    assert at.query_params["view"] == "best"
    again = demo.open_page("runs", view="best")
    assert ids(again) == ids(at) and again.query_params["q"] == "family=vae"
    again.button(key="runs-forget").click().run()
    assert views(Store(root)) == [] and "view" not in again.query_params


def test_chips_write_into_the_search() -> None:
    assert with_condition("vae state=failed tag:x", "state", ["running", "lost"]) == "vae tag:x state=running,lost"
    assert with_condition("vae", "family", ["Multimodal VAE", "VAE"]) == 'vae family="Multimodal VAE",VAE'
    assert chosen('vae family="Multimodal VAE",VAE', "family") == ["Multimodal VAE", "VAE"]
    assert with_condition('vae family="Multimodal VAE",VAE', "family", []) == "vae"
    at = demo.open_page("runs")
    at.button_group(key="runs-chip-family").set_value(["VAE"]).run()
    assert at.query_params["q"] == "family=VAE" and "ae" not in ids(at)


def test_many_are_marked_at_once(root: Path) -> None:
    at = ticking(demo.open_page("runs"), "vae", "gallery/pca", "nothing")
    assert "**2 ticked**" in demo.words(at)
    at.button(key="runs-pin").click().run()
    named = {each.id: each for each in records(Store(root))}
    assert named["vae"].pinned and named["gallery/pca"].pinned and not named["ae"].pinned
    assert set(ids(at)[:2]) == {"vae", "gallery/pca"}, "pinned ones first"
    assert not (root / "gallery" / "pca" / "marks.json").exists(), "what is shipped is not written to"
    at.button(key="runs-archive").click().run()
    assert len(ids(at)) == 4 and "2 of them not in this table" in demo.words(at), "ticks survive"
    at.text_input(key="runs-q").set_value("is:archived").run()
    at.button(key="runs-bring-back").click().run()
    assert "None of 6" in demo.words(at)
    ticking(at, "ae")
    field(at.text_area, "runs-note-").set_value("just typed")
    at.button(key="runs-note-do").click().run()  # with no drawing in between, as one who clicks at once
    assert noted(root, "ae") == "just typed"


def test_removed_into_the_trash_and_brought_back(root: Path) -> None:
    at = ticking(demo.open_page("runs"), "vae", "ae", "gallery/pca")
    assert "1 run shipped or of another store" in demo.words(at)
    at.button(key="runs-delete-do").click().run()
    assert set(ids(at)) == {"collapsed", "vectors", "gallery/pca", "gallery/shipped"}
    assert "2 runs in the trash" in demo.words(at) and "**1 ticked**" in demo.words(at)
    assert at.session_state["runs-delete"] is False, "its popover is closed, and does not ask of no runs"
    assert "Trash · 2 runs" in at.expander[0].label
    at.button(key="runs-undo").click().run()
    assert len(ids(at)) == 6 and not at.expander
    ticking(at, "vae").button(key="runs-delete-do").click().run()
    trash.remove([Store(root).find("ae")])  # by somebody else, after the question was asked
    at.button(key="runs-empty-do").click().run()
    assert [path.name for path in (root / "trash").iterdir()] == ["ae"], "nothing but what the question counted"
    assert at.success[0].value == "1 run deleted for good."


def test_what_another_tab_wrote_meanwhile_stays(root: Path) -> None:
    run = Store(root).find("vae")
    at = ticking(demo.open_page("runs", open="vae"), "vae")
    marks.note([run], "of a colleague")
    field(at.text_area, "runs-panel-note-vae").set_value("mine").run()
    assert noted(root) == "of a colleague" and "Yours was: mine" in at.warning[0].value
    for key in ("runs-panel-note-", "runs-note-"):
        assert field(at.text_area, key).value == "of a colleague"
    marks.note([run], "and another")
    field(at.text_area, "runs-note-").set_value("mine")
    at.button(key="runs-note-do").click().run()
    assert noted(root) == "and another" and "Yours was: mine" in at.warning[0].value
    field(at.text_area, "runs-note-").set_value("both")
    at.button(key="runs-note-do").click().run()
    assert noted(root) == "both" == field(at.text_area, "runs-panel-note-").value and not at.warning
    marks.rename(run, "Of a colleague")
    field(at.text_input, "runs-panel-title-vae").set_value("Mine").run()
    assert Store(root).find("vae").title == "Of a colleague" and "Its name was changed" in at.warning[0].value
    field(at.text_input, "runs-panel-title-vae").set_value("").run()
    assert Store(root).find("vae").title == "vae" and not at.exception


def test_the_panel_of_a_run(root: Path) -> None:
    marks.tag([Store(root).find("vae")], ["paper"])
    at = demo.open_page("runs", open="vae")
    assert shown(at)["open"] == "vae"
    words = demo.words(at)
    assert "Of the very same configuration and seed: gallery/shipped" in words and "ELBO (bound)" in words
    field(at.text_input, "runs-panel-title-vae").set_value("My best").run()
    assert Store(root).find("vae").title == "My best" and cell(at, "vae", "title")[0] == "My best"
    field(at.text_area, "runs-panel-note-vae").set_value("two\nlines").run()
    assert noted(root) == "two\nlines"
    at.button(key="runs-close").click().run()
    assert "open" not in at.query_params
    assert "There is no run called 'gone'" in demo.words(demo.open_page("runs", open="gone"))


def test_choosing_for_another_page_and_back() -> None:
    at = demo.open_page("runs", **{"for": "compare", "runs": ["vae", "ae"]})
    assert at.session_state[ticked.KEPT] == ["vae", "ae"] and "for **Compare**" in demo.words(at)
    at.button(key="runs-back").click().run()
    assert at.title[0].value == "Compare" and at.multiselect[0].value == ["vae", "ae"]


def test_every_page_that_sends_here_is_led_back_to() -> None:
    asking = {name for path in (demo.ROOT / "pages").rglob("*.py")
              for name in re.findall(r'\bpick(?:_several)?\([^)]*?\bpage="([^"]+)"', path.read_text())}
    assert {"compare", "traverse", "latent-map"} <= asking <= set(choosing.WANTED)


def test_compare_takes_what_is_ticked() -> None:
    at = ticking(demo.open_page("runs"), "vae")
    assert at.button(key="runs-compare").disabled
    ticking(at, "vae", "gallery/pca").button(key="runs-compare").click().run()
    assert at.title[0].value == "Compare" and at.multiselect[0].value == ["vae", "gallery/pca"]


def test_who_only_looks_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(permission.READ_ONLY, "1")
    at = ticking(demo.open_page("runs", open="vae"), "vae")
    for key in ("runs-pin", "runs-delete-do", "runs-queue", "runs-keep", "runs-tag-do"):
        button = at.button(key=key)
        assert button.disabled and "read-only" in button.help, key
    assert field(at.text_area, "runs-panel-note-vae").disabled
    assert not at.button(key="runs-monitor").disabled, "looking is allowed"


def test_an_empty_store_says_what_to_do(root: Path) -> None:
    shutil.rmtree(root / "runs")
    at = demo.open_page("runs")
    assert ids(at) and all(name.startswith("gallery/") for name in ids(at))
    assert "None of these is your own" in demo.words(at)


def test_hostile_words_are_inert(root: Path) -> None:
    run = Store(root).find("vae")
    hostile.mark(run.path)
    title = ("=HYPERLINK(1) " + hostile.MARKUP)[:80]
    assert marks.rename(run, title).fine
    marks.note([run], hostile.MARKUP)
    keep(Store(root), TableView(name=hostile.MARKUP[:60], query=""))
    at = ticking(demo.open_page("runs", open="vae", view=hostile.MARKUP[:60]), "vae", "gallery/shipped")
    assert hostile.leaks(at) == []
    assert cell(at, "vae", "title")[0] == title, "as text"


def test_broken_runs_cost_no_other(root: Path) -> None:
    made = hostile.spoil(root)
    at = demo.open_page("runs")
    assert set(made) <= set(ids(at)) and "vae" in ids(at)
    assert cell(at, "bad-config-cut", "state")[0] == "unreadable"


def test_the_table_to_take_along_is_the_one_that_is_shown(root: Path) -> None:
    every = records(Store(root))
    look = Look(sort="-elbo")
    taken = listing.table(every, look, ["preview", "title", "elbo"])
    assert [column.key for column in taken.columns] == ["id", "title", "elbo"]
    assert [row["id"].value for row in taken.rows] == [each.id for each in listing.ordered(every, look)]  # type: ignore[union-attr]
    marks.rename(Store(root).find("vae"), "=1+1")
    assert "'=1+1" in listing.table(records(Store(root)), look, ["title"]).csv(), "no formula"
    grouped = listing.table(every, Look(group="family"), ["title", "elbo"])
    assert {row["group"] for row in grouped.rows} >= {"VAE", "PCA"}
