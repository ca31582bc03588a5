"""The cockpit: verdicts and their buttons, forks, the sections under them, and the tree of forks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.monitor import cockpit, diagnosis
from pages.monitor.lineage import trees
from pages.shared import history
from tests.pages import demo
from vaecore.charts.plane import SNAPSHOTS, spread
from vaecore.comparison import history as charts
from vaecore.lab import scheduler
from vaecore.store import Run, Store

SECTIONS = ("Curves", "Latent use", "Rate and distortion", "Trajectory")


def drawn(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    """What the page will hand to the component function `name`, call by call."""
    calls: list[Any] = []
    monkeypatch.setattr(cockpit, name, lambda given, **options: calls.append((given, options)))
    return calls


def unsaid(path: Path, *names: str) -> None:
    """Take the fields `names` out of every line, and the lines of the kinds `names`."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [{key: value for key, value in line.items() if key not in names} for line in lines
            if line["kind"] not in names]
    path.write_text("".join(json.dumps(line) + "\n" for line in kept))


def parent(root: Path, child: str, of: object, weights: str = "best", step: object = 40) -> None:
    """Make `child` a fork of `of`."""
    file = root / "runs" / child / "about.json"
    about = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**about, "parent": {"run": of, "weights": weights, "step": step}}))


# -- verdict and fork ------------------------------------------------------------------------------


@pytest.mark.usefixtures("root")
def test_the_verdict_stands_on_the_card_and_its_remedies_open_train(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def switched(page: str, *, query_params: object = None) -> None:
        asked.append((page, query_params))

    monkeypatch.setattr(cockpit.st, "switch_page", switched)
    at = demo.open_page("monitor", runs="collapsed")
    told = demo.words(at)
    assert "Collapsed." in told and "0 of 8 dimensions active" in told
    run = Store.default().find("collapsed")
    remedies = history.record(run).verdict.remedies
    buttons = [button for button in at.button if str(button.key).startswith("remedy-")]
    assert remedies and [cockpit.escaped(each.words) in button.label for each, button in
                         zip(remedies, buttons, strict=True)] == [True] * len(remedies)
    buttons[-1].click().run()
    assert asked == [("train/page.py", None)]
    assert at.session_state["train_from"] == "collapsed"
    assert at.session_state["train_changes"] == list(remedies[-1].settings)
    assert "train_fork" not in at.session_state


def test_the_job_and_the_node_of_a_run_on_a_cluster_stand_beside_its_name(root: Path, monkeypatch: pytest.MonkeyPatch
                                                                         ) -> None:
    folder = root / "runs" / "vae"
    (folder / "exit.json").unlink(missing_ok=True)
    (folder / "launch.json").write_text(json.dumps({"attempt": 9, "backend": "slurm", "submission": "ab"}))
    (folder / "slurm.json").write_text(json.dumps({"submission": "ab", "job": "7_1", "user": "me"}))
    monkeypatch.setattr(scheduler, "word", lambda *_: scheduler.Word("RUNNING", "None", "n1"))
    assert "SLURM job 7\\_1 on n1" in [each.value for each in demo.open_page("monitor", runs="vae").markdown]


@pytest.mark.usefixtures("root")
def test_of_many_runs_the_verdicts_stand_behind_their_words() -> None:
    few = demo.open_page("monitor", runs=["vae", "collapsed"])
    many = demo.open_page("monitor", runs=["vae", "collapsed", "ae"])
    assert labels(few) == ["Fork"] * 2
    assert any("Collapsed" in label for label in labels(many)) and len(labels(many)) == 6
    assert "0 of 8 dimensions active" in demo.words(many), "what a popover holds"


def labels(at: AppTest) -> list[str]:
    return [block.proto.popover.label for block in at.main.children.values() for block in walk(block)
            if block.type == "popover"]


def walk(block: Any) -> list[Any]:
    children = getattr(block, "children", {})
    return [block, *(each for child in children.values() for each in walk(child))]


@pytest.mark.usefixtures("root")
def test_a_fork_begins_with_weights_that_were_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.training.fork import sources

    monkeypatch.setattr(cockpit.st, "switch_page", lambda *_, **__: None)
    run = Store.default().find("vae")
    there = {source.name: source.step for source in sources(run)}
    at = demo.open_page("monitor", runs="vae")
    assert not at.radio, "files are looked at when the popover is opened"
    at.session_state["fork-of-vae"] = True
    at.run()
    assert at.radio[0].options == [cockpit._weights(name, step) for name, step in there.items()]
    chosen = next(name for name in there if name.isdecimal())
    at.radio[0].set_value(chosen).run()
    next(button for button in at.button if button.key == "fork-open-vae").click().run()
    assert (at.session_state["train_from"], at.session_state["train_fork"]) == ("vae", chosen)
    assert cockpit._weights("best", 1200) == "best, step 1,200" and cockpit._weights("1200", 1200) == "step 1,200"


# -- sections --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("root")
def test_the_section_is_part_of_the_address() -> None:
    for section in SECTIONS:
        at = demo.open_page("monitor", runs="vae", section=section)
        [choice] = at.get("button_group")
        assert choice.value == section
        assert any(each.label == "Gradient and learning rate" for each in at.toggle) == (section == "Curves")
    assert demo.open_page("monitor", runs="vae", section="Nonsense").get("button_group")[0].value == "Curves"


@pytest.mark.usefixtures("root")
def test_heat_and_paths_hold_every_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    maps, paths = drawn(monkeypatch, "heat_maps"), drawn(monkeypatch, "paths_plane")
    at = demo.open_page("monitor", runs=["vae", "ae"], section="Latent use", sorted="true")
    lines = history.of(Store.default().find("vae")).evaluations
    [([heat], options)] = maps
    assert options["ordered"] is True and heat.run == "vae"
    np.testing.assert_array_equal(heat.steps, [line["step"] for line in lines])
    np.testing.assert_array_equal(heat.values, [line["kl"]["z"] for line in lines])
    at = demo.open_page("monitor", runs=["vae", "ae"], section="Rate and distortion")
    assert "Not here: ae" in demo.words(at)
    [([path], _)] = paths
    np.testing.assert_allclose(path.x, [sum(line["kl"]["z"]) for line in lines])
    np.testing.assert_allclose(path.x + path.y, [-line["elbo"] for line in lines], rtol=1e-5)
    assert "None of these runs has a rate" in demo.words(demo.open_page("monitor", runs="ae", section=SECTIONS[2]))


@pytest.mark.usefixtures("root")
def test_trajectories_show_the_most_informative_dimension(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = drawn(monkeypatch, "trajectory_planes")
    at = demo.open_page("monitor", runs="vae", section="Trajectory")
    read = history.of(Store.default().find("vae"))
    most = int(np.argmax(read.evaluations[-1]["kl"]["z"]))
    lines = [read.snapshots[i] for i in spread(len(read.snapshots), SNAPSHOTS)]
    [track] = calls[-1][0]
    assert track.label == f"vae · z{most}" and track.run == "vae"
    np.testing.assert_array_equal(track.steps, [line["step"] for line in lines])
    np.testing.assert_allclose(track.x, [[row[most] for row in line["model"]["z"]] for line in lines], rtol=1e-6)
    np.testing.assert_allclose(track.y, [[row[most] for row in line["inference"]["z"]] for line in lines], rtol=1e-6)
    np.testing.assert_array_equal(track.colours, lines[-1]["labels"])
    assert track.classes == (), "digits are their own names"
    share = read.snapshots[-1]["effective"]
    assert f"vae {100 * share:.0f} %" in demo.words(at) and ("rough" in demo.words(at)) == (share < 0.05)
    at.selectbox(key="dimension").select("z5").run()
    assert calls[-1][0][0].label == "vae · z5"


@pytest.mark.parametrize(("kl", "place"), [([0.1, 0.3, 0.2], 1), ([0.0, 0.0, 0.0], 0), ([np.nan, 0.0, 0.1], 2)])
def test_the_most_informative_dimension(tmp_path: Path, kl: list[float], place: int) -> None:
    point = {"model": {"z": [[1.0, 2.0, 3.0]]}, "inference": {"z": [[0.0, 0.0, 0.0]]}, "method": "importance"}
    lines = [{"kind": "evaluation", "step": 0, "elbo": 0, "reconstruction": {"x": 0}, "kl": {"z": kl}},
             {"kind": "snapshot", "step": 0, **point}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = history.record(Run(tmp_path))
    assert record.snapshots is not None
    assert cockpit._place(record.snapshots, record, cockpit.INFORMATIVE) == place
    assert cockpit._place(record.snapshots, record, "z2") == 2
    assert cockpit._place(record.snapshots, record, "z3") is None
    assert "rough estimate: run" in cockpit._method({"run": record.snapshots}), "of an unknown share as of a small one"


def test_what_a_grid_and_weights_are_said_to_give() -> None:
    def snapshots(method: str, effective: float) -> charts.Snapshots:
        nothing = np.zeros((1, 1, 1))
        return charts.Snapshots(np.zeros(1), nothing, nothing, ("z0",), None, method, effective)

    exact = cockpit._method({"a": snapshots("grid", 0.01)})
    assert "over a grid." in exact and "%" not in exact
    mixed = cockpit._method({"a": snapshots("grid", 0.01), "b": snapshots("importance", 0.04),
                             "c": snapshots("importance", 0.2)})
    assert "over a grid (a)." in mixed and "b 4 %, c 20 %." in mixed and "rough estimate: b." in mixed


def test_older_runs_and_those_without_a_posterior_say_what_to_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cockpit.st, "switch_page", lambda *_, **__: None)
    unsaid(root / "runs" / "vae" / "metrics.jsonl", "snapshot", "information")
    at = demo.open_page("monitor", runs="vae", section="Latent use")
    assert "No curve of mutual information for vae" in demo.words(at)
    at = demo.open_page("monitor", runs=["vae", "ae"], section="Trajectory")
    told = demo.words(at)
    assert "vae has no snapshots: its metrics.jsonl holds none" in told and "ae has no snapshots: its family" in told
    [again] = [button for button in at.button if str(button.key).startswith("again-")]
    again.click().run()
    assert at.session_state["train_from"] == "vae"
    assert at.session_state["train_changes"] == ["training.snapshots=20"]
    config = root / "runs" / "vae" / "config.json"
    values = json.loads(config.read_text())
    for asked, told in ((0, "switched off (training.snapshots = 0)"), (None, "trained before they were kept")):
        values["training"]["snapshots"] = asked
        config.write_text(json.dumps(values))
        assert told in demo.words(demo.open_page("monitor", runs="vae", section="Trajectory"))


# -- lineage ---------------------------------------------------------------------------------------


def lines(root: Path, *chosen: str) -> list[tuple[str, int]]:
    runs = {run.id: run for run in sorted(Store(root).runs(), key=lambda run: run.id, reverse=True)}
    return [(line.id, line.depth) for line in trees(list(chosen), runs)]


def test_trees_reach_from_the_first_parent_to_every_fork(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e", "f"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    for child, of in (("b", "a"), ("c", "b"), ("d", "a"), ("e", "gone")):
        parent(tmp_path, child, of)
    whole = [("a", 0), ("b", 1), ("c", 2), ("d", 1)]
    assert lines(tmp_path, "c") == lines(tmp_path, "a") == lines(tmp_path, "d", "b") == whole
    assert lines(tmp_path, "f") == []
    assert lines(tmp_path, "e", "f", "c") == [("gone", 0), ("e", 1), *whole]


def test_damaged_parents_cost_themselves(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    parent(tmp_path, "a", "b")
    parent(tmp_path, "b", "a")  # a circle
    parent(tmp_path, "c", "c")
    parent(tmp_path, "d", "../../etc")
    assert sorted(lines(tmp_path, "a")) == [("a", 1), ("b", 0)]
    assert lines(tmp_path, "c") == [("c", 0)] and lines(tmp_path, "d") == []
    (tmp_path / "runs" / "d" / "about.json").write_text(json.dumps({"parent": [1]}))
    assert lines(tmp_path, "d") == []


def test_the_tree_says_what_was_changed_and_leads_there(root: Path) -> None:
    assert "Lineage" not in demo.words(demo.open_page("monitor", runs="vae"))
    parent(root, "collapsed", "vae", weights="40")
    at = demo.open_page("monitor", runs="vae")
    told = demo.words(at)
    assert "Lineage" in told and "from the weights at step 40" in told
    buttons = [button for button in at.button if str(button.key).startswith("lineage-")]
    assert [button.label for button in buttons] == ["**vae**", "collapsed"]
    buttons[1].click().run()
    assert at.query_params["runs"] == "collapsed" and at.session_state["runs"] == ["collapsed"]
    (root / "runs" / "vae").rename(root / "vae")
    assert "here no more" in demo.words(demo.open_page("monitor", runs="collapsed"))


def test_changes_are_told_with_their_values(root: Path) -> None:
    from pages.monitor.lineage import _changes

    before = Store(root).find("vae").values()
    after = json.loads(json.dumps(before))
    after["training"]["beta"] = {"kind": "constant", "value": 4.0}
    after["training"]["epochs"] = 12
    told = _changes(before, after)
    assert "training.epochs 10 → 12" in told and "training.beta.value – → 4" in told
    assert _changes(before, before) == []


# -- on demand -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("root")
def test_kept_weights_are_diagnosed_on_demand(root: Path) -> None:
    at = demo.open_page("monitor", runs="vae", section="Latent use")
    [button] = [button for button in at.button if str(button.key).startswith("diagnose-")]
    button.click().run()
    assert not at.exception
    shown = {metric.label: metric.value for metric in at.metric}
    assert shown["Active"].endswith("of 8")
    assert float(shown["Mutual information"].split()[0]) <= float(shown["Rate"].split()[0]) + 1
    assert list(at.dataframe[-1].value.columns) == ["Dimension", *diagnosis.HELP]
    assert len(at.dataframe[-1].value) == 8
    (root / "runs/vae/weights.safetensors").write_bytes(b"broken")
    at = demo.open_page("monitor", runs="vae", section="Latent use")
    [button] = [button for button in at.button if str(button.key).startswith("diagnose-")]
    button.click().run()
    assert not at.exception and "cannot be diagnosed" in at.error[0].value
