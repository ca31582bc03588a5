"""Compare: one table of the numbers, the fields that differ, the same images and codes through every run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))


def compare(*runs: str, section: str = "Numbers") -> AppTest:
    return demo.open_page("compare", section=section, **({"runs": list(runs)} if runs else {}))


def message(at: AppTest, component: str = "rows") -> dict[str, Any]:
    """What the page tells the browser of its pictures."""
    for element in at.get("bidi_component"):
        if element.proto.component_name == f"latent_lab.{component}":
            data = element.proto.bytes
            found: dict[str, Any] = json.loads(data[4:4 + int.from_bytes(data[:4], "little")])
            return found
    raise AssertionError("no pictures")


def shown(at: AppTest) -> dict[str, list[dict[str, Any]]]:
    """The lines of each table."""
    return {table["key"]: table["lines"] for table in message(at)["tables"]}


def load(name: str) -> object:
    from vaecore.explore import Checkpoint
    from vaecore.store import Store

    return Checkpoint.load(Store(demo.store()).find(name))


def test_numbers_are_those_of_the_files() -> None:
    table = compare("vae", "ae").dataframe[0].value
    assert list(table.index) == ["vae", "ae"]
    summary = json.loads((demo.store() / "runs/vae/summary.json").read_text())
    vae = table.loc["vae"]
    assert vae["ELBO"] == pytest.approx(summary["test"]["elbo"])
    assert vae["ELBO"] == pytest.approx(vae["Reconstruction"] - vae["KL"], rel=1e-4)
    assert (vae["r"], vae["Active"]) == (8, summary["test"]["active"])
    told = json.loads((demo.store() / "runs/ae/summary.json").read_text())["test"]["elbo"]
    assert table.loc["ae", "log p(x|z)"] == pytest.approx(told) and np.isnan(table.loc["ae", "Reconstruction"])
    assert np.isnan(table.loc["ae", "ELBO"]) and np.isnan(table.loc["ae", "KL"])


def test_differences_are_from_the_reference_that_the_address_names() -> None:
    """A run's own number in the reference's row, the difference in the others'; both stand in the address."""
    numbers = compare("vae", "collapsed").dataframe[0].value["ELBO"]
    at = demo.open_page("compare", runs=["vae", "collapsed"], reference="collapsed", differences="true")
    assert at.selectbox(key="reference").value == "collapsed" and at.toggle(key="differences").value
    apart = at.dataframe[0].value["ELBO"]
    assert apart["collapsed"] == numbers["collapsed"]
    assert apart["vae"] == pytest.approx(numbers["vae"] - numbers["collapsed"])


def test_where_values_by_observation_are_missing_the_queue_is_offered(root: Path, monkeypatch: pytest.MonkeyPatch
                                                                      ) -> None:
    from vaecore.lab import evaluations
    from vaecore.store import Store

    monkeypatch.setattr(evaluations, "kick", lambda _: None)
    at = compare("vae", "ae")
    assert "Not paired: of vae, ae" in demo.words(at)
    at.button(key="evaluate-missing").click().run()
    assert not at.exception
    there = evaluations.items(Store(root))
    assert [(item.run, item.state) for item in there] == [("vae", "waiting"), ("ae", "waiting")]
    monkeypatch.setattr(evaluations, "kick", demo.on_a_disk_that_refuses)
    at.run()
    assert "Evaluations cannot be begun: The disk can only be read" in at.error[0].value
    assert "0 of 2 have ended" in at.get("progress")[0].proto.text
    monkeypatch.setattr(evaluations, "kick", lambda _: None)
    evaluations.submit([Store(root).find("collapsed")])  # by somebody else, after the list was drawn
    at.button(key="cancel-evaluations").click().run()
    assert [item.state for item in evaluations.items(Store(root))] == ["cancelled", "cancelled", "waiting"]


def test_evaluated_runs_have_pairs_and_settings_that_differ_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                       ) -> None:
    from tests.comparison.made import made
    from vaecore.store import Store

    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    store, rng = Store(tmp_path), np.random.default_rng(0)
    base = rng.normal(-90, 5, 400)
    for name, values, settings in (("a", base, {}), ("b", base + rng.normal(0.0, 0.2, 400), {}),
                                   ("c", base + 3, {"split": "validation"})):
        run = made(store, name, values, settings=settings)
        shutil.copy(demo.store() / "runs/vae/weights.safetensors", run.path)
    at = demo.open_page("compare", runs=["a", "b", "c"], differences="true")
    markdown = next(code.value for code in at.code if code.value.startswith("| Run"))
    rows = {line.split("|")[1].strip(): line for line in markdown.splitlines()[2:5]}
    assert "±" in rows["b"] and rows["c"].split("|")[2].strip() == "–"
    said = demo.words(at)
    assert "Grey: the interval of the difference holds 0" in said and "other split (validation and test)" in said
    assert "Not paired" not in said


def test_only_fields_that_differ() -> None:
    table = compare("vae", "collapsed").dataframe[1].value.set_index("Name")
    assert list(table.columns) == ["Part", "Field", "vae", "collapsed"]
    assert {"training.epochs", "training.beta.kind"} <= set(table.index)
    assert not {"seed", "model.latent_size", "data.name"} & set(table.index)
    assert list(table.loc["training.epochs"]) == ["Training", "Epochs", "10 epochs", "2 epochs"]


def test_runs_with_nothing_between_them() -> None:
    at = compare("vae", "gallery/shipped")
    assert "equal configurations" in demo.words(at) and "not comparable" not in demo.words(at)


def test_cost_has_its_table() -> None:
    at = compare("vae", "ae")
    cost = next(frame.value for frame in at.dataframe if "Parameters" in frame.value.columns)
    told = json.loads((demo.store() / "runs/vae/summary.json").read_text())
    assert cost.set_index("Run").loc["vae", "Parameters"] == told["parameters"]
    assert cost.set_index("Run").loc["vae", "Training (s)"] == told["seconds"]


@pytest.mark.parametrize(("runs", "reason"), [(("vae", "vectors"), "data sets"), (("vae", "ae"), "")])
def test_numbers_that_do_not_compare_are_told(runs: tuple[str, ...], reason: str) -> None:
    said = demo.words(compare(*runs))
    if reason:
        assert "not comparable" in said and reason in said
    else:
        assert "pays for its code" in said


def test_pixels_and_likelihood_count_too(root: Path) -> None:
    for run, part, field, value in (("ae", "data", "pixels", "binary-fixed"), ("collapsed", "model", "likelihood",
                                                                               {"kind": "discretised-logistic"})):
        path = root / "runs" / run / "config.json"
        config = json.loads(path.read_text())
        config[part][field] = value
        path.write_text(json.dumps(config))
        at = compare("vae", run)
        [warning] = at.warning
        assert {"ae": "kinds of pixels", "collapsed": "likelihoods"}[run] in warning.value


def test_the_same_data_and_the_same_noise_go_through_every_run() -> None:
    found = shown(compare("vae", "ae", "gallery/pca", section="Pictures"))
    assert list(found) == ["noise", "data"]
    assert [line["label"] for line in found["noise"]] == ["vae", "ae", "gallery/pca"]
    assert [line["label"] for line in found["data"]] == ["test images of vae", "vae", "ae", "gallery/pca"]
    assert [line["source"].split("?")[0] for line in found["data"]] == [
        "/same/original/vae", "/same/data/vae", "/same/data/ae", "/same/data/gallery/pca"]
    assert all("of=vae" in line["source"] for line in found["data"])


def test_the_same_codes_are_paired_by_rank() -> None:
    from vaecore.explore.same import codes_same

    bank = np.stack([np.random.default_rng([0, 2 + rank]).standard_normal(10, np.float32) for rank in range(8)], 1)
    for reference in ("runs/vae", "ae"):
        model = load(reference)
        units = np.zeros((10, model.size), np.float32)
        for rank, dimension in enumerate(model.order):
            units[:, dimension] = bank[:, rank]
        np.testing.assert_array_equal(codes_same(model, model.order, 10, seed=0), model.place(units))


def test_other_shapes_have_a_table_of_their_own() -> None:
    found = shown(compare("vae", "vectors", section="Pictures"))
    assert [line["label"] for line in found["noise"]] == ["vae", "vectors"]
    assert [line["label"] for line in found["data"]] == ["test images of vae", "vae"]
    assert [line["label"] for line in found["data1"]] == ["test vectors of vectors", "vectors"]


def test_steps_are_offered_where_weights_were_kept(root: Path) -> None:
    kept = root / "runs" / "ae" / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    for step in (3, 7):
        shutil.copy(root / "runs" / "ae" / "weights.safetensors", kept / f"step-{step:08d}.safetensors")
    shutil.rmtree(root / "runs" / "vae" / "kept", ignore_errors=True)
    at = compare("ae", "vae", section="Pictures")
    assert message(at)["steps"] == [3, 7]
    assert [line["kept"] for line in shown(at)["data"]] == [False, True, False]


def test_the_first_three_to_begin_with_and_in_the_address() -> None:
    at = compare()
    assert len(at.multiselect(key="compare-runs").value) == 3
    assert list(at.query_params["runs"]) == at.multiselect(key="compare-runs").value


def test_unknown_runs_are_told_and_the_others_shown() -> None:
    at = compare("vae", "nowhere", "ae")
    assert at.multiselect(key="compare-runs").value == ["vae", "ae"]
    assert "no run called 'nowhere'" in at.warning[0].value


def test_more_than_twelve_are_cut(root: Path) -> None:
    for index in range(14):
        shutil.copytree(root / "runs" / "ae", root / "runs" / f"copy-{index}")
    at = compare(*[f"copy-{index}" for index in range(14)])
    assert len(at.multiselect(key="compare-runs").value) == 12


@pytest.mark.parametrize(("file", "said"), [("config.json", "config.json"), ("weights.safetensors", "truncated")])
def test_a_broken_run_is_named_and_the_others_compared(root: Path, file: str, said: str) -> None:
    path = root / "runs" / "ae" / file
    path.write_bytes(path.read_bytes()[:100])
    at = compare("ae", "vae", section="Pictures")
    [error] = at.error
    assert said in error.value
    assert [line["label"] for line in shown(at)["data"]] == ["test images of vae", "vae"]


def test_damaged_metrics_cost_themselves(root: Path) -> None:
    def drawn() -> dict[str, dict[tuple[str, str], int]]:
        """Of each run, the points of its lines that have any."""
        found: dict[str, dict[tuple[str, str], int]] = {"ae": {}, "vae": {}}
        for panel in message(compare("ae", "vae", section="Curves"), "curves")["panels"]:
            for line in panel["series"]:
                if line["given"]:
                    found[line["group"]][panel["title"], line["label"]] = line["given"]
        return found

    whole = drawn()
    assert whole["ae"]["log p(x|z)", "validation"] == 3 and whole["vae"]["ELBO", "validation"] == 11
    path = root / "runs" / "ae" / "metrics.jsonl"
    good = path.read_text()
    bad = '{"kind": "evaluation", "step": "x"}\n{"kind": "evaluation", "step": 1, "mse": {}}\n\0\n'
    path.write_text(bad + good + bad)
    assert drawn() == whole
    path.write_text(bad)
    assert drawn() == {"ae": {}, "vae": whole["vae"]}


def test_choosing_none() -> None:
    at = compare("vae")
    at.multiselect(key="compare-runs").set_value([]).run()
    assert not at.exception and "Choose two runs" in demo.words(at)


def test_a_family_without_a_code_is_a_calm_row_and_draws_its_own_samples(root: Path) -> None:
    """Nothing is wrong with it: no error, words that say why it is left out, and what it draws."""
    shutil.copytree(Path(__file__).parents[3] / "trained" / "gallery" / "made", root / "gallery" / "made")
    at = compare("vae", "gallery/made", section="Pictures")
    assert not at.error and "gallery/made has no latent code" in demo.words(at)
    found = shown(at)
    assert [line["label"] for line in found["noise"]] == ["vae", "gallery/made"]
    assert [line["label"] for line in found["data"]] == ["test images of vae", "vae"]
    assert not compare("gallery/made", section="Pictures").error


def test_agreement_is_a_matrix_with_its_numbers_and_says_what_is_left_out() -> None:
    from vaecore.explore.agreement import between, encoded

    at = compare("vae", "ae", "vectors", section="Codes")
    [matrix] = [each.proto.body for each in at.get("html") if "by chance" in each.proto.body]
    [group] = encoded([load(name) for name in ("runs/vae", "ae")]).encoded
    found = between(group, 0, 1)
    assert f"CKA <strong>{found.cka.value:.2f}</strong>" in matrix
    assert f"match <strong>{found.match.value:.2f}</strong>" in matrix and f"by chance {found.chance:.2f}" in matrix
    first = found.pairs[0]
    assert f"z{first.first} and z{first.second}: {first.correlation:+.2f}" in matrix
    said = demo.words(at)
    assert f"Of {group.source}" in said and "No other of these runs has the data of vectors" in said
    assert "Agreement" not in demo.words(compare("vae", section="Codes"))


def test_clips_have_one_player_with_the_same_clip_and_noise(root: Path) -> None:
    from vaecore.explore.same import Line, cells
    from vaecore.store import Store

    gallery = Path(__file__).parents[3] / "trained" / "gallery"
    for name in ("predictor-mnist", "svg-fp-mnist"):
        shutil.copytree(gallery / name, root / "gallery" / name)
    at = demo.open_page("compare", section="Pictures", clip="2", future="2",
                        runs=["gallery/predictor-mnist", "gallery/svg-fp-mnist"])
    told = message(at, "player")
    assert [track["name"] for track in told["tracks"]] == ["truth", "gallery/predictor-mnist", "gallery/svg-fp-mnist"]
    assert told["context"] == 5 and len({track["count"] for track in told["tracks"]}) == 1
    [player] = [each.proto.bytes for each in at.get("bidi_component") if each.proto.component_name.endswith("player")]
    frames = np.frombuffer(player[-told["tracks"][2]["count"] * 32 * 32:], np.uint8).reshape(-1, 32, 32)
    run, source = (Store(root).find(f"gallery/{name}") for name in ("svg-fp-mnist", "predictor-mnist"))
    np.testing.assert_array_equal(frames[[0, -1]], cells(Line(run, "future", source), 2, seed=2).images)


def test_its_address_holds_the_view() -> None:
    at = demo.keeps_its_view("compare", "reference", "differences", runs=["vae", "collapsed"], section="Numbers")
    assert at.selectbox(key="reference").value == "collapsed"
    at = demo.keeps_its_view("compare", "paths", "active", runs=["vae", "collapsed"], section="Codes")
    assert at.toggle(key="paths").value
