"""Latent map: what the map is sent of a run, what a lasso brings back, and what is said where something is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.components.cloud import Chosen, chosen, sets
from tests.pages import demo
from tests.pages.components.test_cloud import unpack
from tests.pages.lasso import as_sent
from vaecore import memory
from vaecore.explore import Checkpoint
from vaecore.explore.maps import LatentMap, at_hand, kept, latent_map, neighbourhoods
from vaecore.lab import background
from vaecore.mapping import Settings
from vaecore.store import Store


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    memory.pool.forget()
    yield
    memory.pool.forget()


def opened(**query: str) -> AppTest:
    return demo.open_page("latent_map", **{"run": "vae", **query})


def sent(at: AppTest) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the map was sent."""
    [mounted] = [each for each in at.get("bidi_component") if each.proto.component_name.endswith("cloud")]
    return unpack(mounted.proto.bytes)


def element(at: AppTest) -> str:
    """The key of the map's component."""
    return f"latent-map-{at.session_state['map-held'][0]}"


def checkpoint(name: str = "vae") -> Checkpoint:
    return Checkpoint.load(Store(demo.store()).find(name))


def drawn(at: AppTest, places: list[int], lasso: str = "chosen") -> AppTest:
    """A lasso let go in the browser."""
    _, columns = sent(at)
    text = as_sent(Chosen(0, np.array(places)), len(columns["row"]))
    key = element(at)
    held = dict(at.session_state[key]) if key in at.session_state else {}
    at.session_state[key] = {**held, lasso: text}
    at.run()
    assert not at.exception, at.exception
    return at


def test_the_map_is_that_of_the_most_informative_dimensions() -> None:
    header, columns = sent(opened())
    wanted = latent_map(checkpoint())
    np.testing.assert_array_equal(columns["x.0"], wanted.points[:, 0])
    np.testing.assert_array_equal(columns["y.0"], wanted.points[:, 1])
    assert wanted.labels is not None
    np.testing.assert_array_equal(columns["category.label"], wanted.labels)
    one = header["maps"][0]
    first, second = checkpoint().order[:2]
    assert (one["across"]["title"], one["up"]["title"]) == (f"z{first}", f"z{second}")
    assert [each["name"] for each in one["numbers"]][:5] == ["kl", "reconstruction", "elbo", "error", "spread"]
    assert one["codes"].startswith("/map/test/codes/runs/vae?v=") or one["codes"].startswith("/map/test/codes/vae?v=")
    assert one["hand"]["run"] == checkpoint().run.id and header["colour"] == "label"


def test_the_address_says_split_axes_and_method() -> None:
    at = opened(split="validation", x="z2", y="z5")
    wanted = latent_map(checkpoint(), Settings(split="validation", across=2, up=5))
    np.testing.assert_array_equal(sent(at)[1]["x.0"], wanted.points[:, 0])
    at.selectbox(key="map-method").set_value("pca").run()
    pca = latent_map(checkpoint(), Settings(split="validation", method="pca"))
    np.testing.assert_allclose(sent(at)[1]["y.0"], pca.points[:, 1], atol=1e-5)
    assert at.query_params["method"] in ("pca", ["pca"]) and at.query_params["split"] in ("validation", ["validation"])


def test_columns_of_words_are_groups_of_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.config import changed, preset
    from vaecore.data.own.table import Table
    from vaecore.training import train

    sites, table = ("north", "so<b>uth", ""), tmp_path / "patients.csv"
    table.write_text("a,b,site\n" + "".join(
        f"{row},{row * row % 7},{sites[row % 3]}\n" for row in range(300)))
    config = changed(preset("linear-vae-gaussian"), ["training.epochs=1", "training.batch_size=32",
                                                     "model.latent_size=2"])
    store = Store(tmp_path / "store")
    made = store.create(config.model_copy(update={"data": Table(path=str(table), columns="a,b")}), "patients")
    train(made.path, demo.Unwatched())
    monkeypatch.setenv("VAECORE_STORE", str(store.root))
    header, columns = sent(opened(run="patients"))
    [group] = header["categories"]
    assert (group["title"], group["names"]) == ("site", ["north", "so<b>uth"]) and header["noun"] == "row"
    rows = latent_map(Checkpoint.load(made)).table().splitlines()
    assert "site" in rows[0] and set(np.unique(columns["category.column-0"]).tolist()) == {0, 1, 0xFFFF}


def test_two_equal_axes_are_refused_in_words() -> None:
    at = opened(x="z1", y="z1")
    assert "two different dimensions" in demo.words(at)
    assert not [each for each in at.get("bidi_component") if each.proto.component_name.endswith("cloud")]


def test_the_kept_observations_need_no_data() -> None:
    header, columns = sent(opened(split="kept"))
    np.testing.assert_allclose(columns["x.0"], checkpoint().encode(slice(None))[:, checkpoint().order[0]], atol=1e-6)
    assert header["n"] == 64 and header["split"] == "kept"


def test_where_the_data_are_not_here_the_kept_ones_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.data import DataUnavailable
    from vaecore.data.digits import Digits

    def gone(_: Digits) -> None:
        raise DataUnavailable("The digits are not here. Fetch them.")

    monkeypatch.setattr(Digits, "load", gone)
    at = opened()
    assert "The digits are not here. Fetch them." in demo.words(at)
    at.button(key="map-kept").click().run()
    assert sent(at)[0]["n"] == 64


def test_a_family_without_a_kl_is_mapped_too() -> None:
    header, _ = sent(opened(run="gallery/pca"))
    assert [each["name"] for each in header["maps"][0]["numbers"]][:3] == ["reconstruction", "error", "z0"] or \
        [each["name"] for each in header["maps"][0]["numbers"]][:2] == ["reconstruction", "error"]


# -- lassos ----------------------------------------------------------------------------------------


def test_a_lasso_shows_what_lies_within_it() -> None:
    found: LatentMap = latent_map(checkpoint())
    assert found.labels is not None
    places = np.flatnonzero(found.labels == 4)[:9].tolist()
    at = drawn(opened(), places)
    assert f"9 of {len(found):,} observations" in demo.words(at)
    assert "KL, nats" in demo.words(at) and len(demo.pictures(at)) == 2
    kl = found.encoded.measures["kl"]
    assert f"{kl[places].mean():.4g}" in demo.words(at) and f"{kl.mean():.4g}" in demo.words(at)
    at.button(key="lasso-weigh-A").click().run()
    assert "log p(x)" in demo.words(at) and not at.exception


def test_a_run_that_was_trained_further_is_weighed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    at = drawn(opened(), [1, 5, 8])
    weighed = []
    monkeypatch.setattr("vaecore.explore.maps.log_likelihoods",
                        lambda *asked: weighed.append(asked) or np.full(3, -7.0))
    at.button(key="lasso-weigh-A").click().run()
    assert len(weighed) == 1 and "-7" in demo.words(at).replace("−", "-")
    monkeypatch.setattr("pages.shared.checkpoints.stamps", lambda _: (1, 2))
    at.run()
    assert "-7" not in demo.words(at).replace("−", "-"), "it was said of other weights"
    at.button(key="lasso-weigh-A").click().run()
    assert len(weighed) == 2


def test_a_lasso_stays_while_the_observations_do() -> None:
    at = drawn(opened(), [1, 5, 8])
    at.selectbox(key="map-method").set_value("pca").run()
    assert "3 of 250 observations" in demo.words(at) and chosen(sent(at)[0]["chosen"], 250).places.tolist() == [1, 5, 8]
    at.selectbox(key="map-split").set_value("validation").run()
    assert "Draw a lasso" in demo.words(at) and sent(at)[0]["chosen"] == ""


def test_two_lassos_are_kept_as_sets_for_directions() -> None:
    at = drawn(drawn(opened(), [1, 5, 8]), [2, 3], "against")
    assert "Lasso B" in demo.words(at)
    run, key = checkpoint().run.id, f"sets-{checkpoint().run.id}"
    assert at.session_state[key][0] == "test" and len(str(at.session_state[key])) < 1_000  # never the rows themselves

    def read() -> None:
        import streamlit as st

        from pages.components.cloud import sets

        found = sets(st.session_state["run-of-sets"])
        st.text(f"{found.split} {found.a.tolist()} {found.b.tolist()}" if found else "none")

    other = AppTest.from_function(read)
    other.session_state[key], other.session_state["run-of-sets"] = at.session_state[key], run
    assert other.run().text[0].value == "test [1, 5, 8] [2, 3]"
    assert sets.__doc__


@pytest.mark.parametrize("word", ["nonsense", "0:rows:%%%", "9:bits:AAAA", 7, {"a": 1}])
def test_whatever_a_browser_says_the_page_stands(word: Any) -> None:
    at = opened()
    at.session_state[element(at)] = {"chosen": word}
    at.run()
    assert not at.exception and "Draw a lasso" in demo.words(at)


# -- two checkpoints -------------------------------------------------------------------------------


def test_two_checkpoints_of_the_same_data_lie_side_by_side() -> None:
    at = opened(beside="gallery/shipped")
    header, columns = sent(at)
    assert [one["run"] for one in header["maps"]] == [checkpoint().run.id, "gallery/shipped"]
    np.testing.assert_allclose(columns["x.1"], columns["x.0"], atol=1e-5)  # the same weights, so nothing to turn
    assert "explains 100% of it" in header["maps"][1]["note"]
    at.selectbox(key="map-beside").set_value("runs/ae" if "runs/ae" in at.selectbox(key="map-beside").options
                                             else "ae").run()
    header, columns = sent(at)
    plane = {name: np.array(values) for name, values in header["maps"][1]["plane"].items()}
    codes = latent_map(checkpoint("ae")).encoded.means
    first, second = checkpoint("ae").order[:2]
    place = plane["origin"] + columns["x.1"][7] * plane["across"] + columns["y.1"][7] * plane["up"]
    np.testing.assert_allclose(place[[first, second]], codes[7, [first, second]], atol=1e-3)
    at.toggle(key="map-turned").set_value(False).run()
    np.testing.assert_array_equal(sent(at)[1]["x.1"], codes[:, first])


# -- UMAP and what takes longer --------------------------------------------------------------------


def test_umap_is_made_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    at = opened(method="umap")
    assert "is to be made" in demo.words(at) and sent(at)[0]["maps"][0]["method"] == "pca"
    monkeypatch.setattr(neighbourhoods, "project", lambda codes, *_: np.ascontiguousarray(codes[:, :2]))
    latent_map(checkpoint(), Settings(method="umap"))  # as the background does
    header, columns = sent(at.run())
    assert header["maps"][0]["method"] == "umap" and header["maps"][0]["plane"] is None
    np.testing.assert_array_equal(columns["x.0"], latent_map(checkpoint()).encoded.means[:, 0])
    assert "weighted mean code" in header["maps"][0]["note"]


def test_a_map_that_is_made_is_no_other_and_one_that_was_made_is_no_failure() -> None:
    """Its codes went with the cache, or other neighbours are asked for."""
    run = checkpoint().run
    job = background.latent_map(run, Settings(method="umap"))
    with job.alone():
        at = opened(method="umap")
        assert [button.label for button in at.button if button.key.startswith("stop-map")] == ["Cancel"]
        at.slider(key="map-neighbors").set_value(30).run()
        assert not [button for button in at.button if button.key.startswith("stop-map")]
        assert [button.label for button in at.button if button.key.startswith("start-map")] == ["Make the map"]
        other = background.latent_map(run, Settings(method="umap", across=1, up=0))
        assert other.progress().running, "which dimensions are drawn is no other map"
    log = job.folder / f"{job.name}.log"
    at.slider(key="map-neighbors").set_value(15)
    for said, warned in ((f"{background.KEPT}/x", 0), ("Killed", 1)):
        log.write_text(f"vae: 250 observations\n{said}\n")
        assert len(at.run().warning) == warned and not at.exception


def test_without_umap_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbourhoods, "available", lambda: False)
    at = opened(method="umap")
    assert "pip install" in demo.words(at) and sent(at)[0]["maps"][0]["method"] == "pca"
    assert not [button for button in at.button if button.label == "Make the map"]


def test_of_what_takes_long_the_first_are_shown_and_the_rest_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_hand, "SECONDS", 0)
    monkeypatch.setattr("vaecore.models.base.Family.at_once", lambda *_: 40)
    found = at_hand.at_hand
    monkeypatch.setattr(at_hand, "at_hand", lambda one, split: found(one, split, 0))
    at = opened()
    header, _ = sent(at)
    assert header["n"] == 40 and "The first 40 of 250 observations" in demo.words(at).replace("\\", "")
    [button] = [button for button in at.button if button.label == "Encode the rest"]
    started: list[Any] = []
    monkeypatch.setattr("vaecore.lab.task.Task.start", lambda self, *options: started.append((self.command, options)))
    button.click().run()
    [(command, [words])] = started
    assert command[:2] == ("map", checkpoint().run.id) and json.dumps(words) and words["split"] == "test"
    latent_map(checkpoint())
    assert sent(at.run())[0]["n"] == 250
    assert kept.folder().is_dir()


# -- hostile ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [{"split": "<b>"}, {"method": "x" * 3000}, {"x": "z99", "y": "-1"},
                                   {"beside": "../x"}])
def test_an_address_may_say_anything(query: dict[str, str]) -> None:
    assert sent(opened(**query))[0]["n"] == len(latent_map(checkpoint()))


def test_its_address_holds_the_view() -> None:
    at = demo.keeps_its_view("latent_map", "split", "method", "x", "y", "beside", run="vae")
    assert at.selectbox(key="map-split").value == "kept" and at.slider(key="map-neighbors").value == 15
    at = demo.keeps_its_view("latent_map", "neighbors", "min_dist", "seed", "turned", run="vae", method="umap",
                             beside="collapsed")
    assert at.slider(key="map-neighbors").value == 16 and not at.toggle(key="map-turned").value
