"""Monitor's records, the curves it hands to the browser, the bars of KL, and what it says of runs that are damaged."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pages.shared import history
from tests.pages import demo
from vaecore.comparison import history as charts
from vaecore.store import Metrics, Run

LINE = {"kind": "evaluation", "step": 0, "elbo": -11.0, "reconstruction": {"x": -9.0}, "kl": {"z": [1.5, 0.5]},
        "mse": {"x": 0.25}, "active": 1}


def bars(at: Any) -> list[str]:
    return [element.proto.body for element in at.get("html") if "KL by dimension" in element.proto.body]


def written(folder: Path, *lines: object) -> Run:
    """A run whose metrics.jsonl holds `lines`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Run(folder)


def titles(record: charts.History, **options: bool) -> list[str]:
    return [panel.title for panel in charts.panels({"run": record}, **options)]


def test_panels_hold_what_the_file_says(root: Path) -> None:
    record = history.record(Run(root / "runs" / "vae"))
    lines = record.metrics.evaluations
    panels = {panel.title: panel for panel in charts.panels({"vae": record}, more=True)}
    assert list(panels) == ["ELBO", "Reconstruction", "KL", "Gradient norm", "Learning rate"]
    training, validation = panels["ELBO"].series
    assert not training.dashed and validation.dashed and training.run == validation.run == "vae"
    np.testing.assert_array_equal(training.x, range(200))
    np.testing.assert_allclose(validation.y, [line["elbo"] for line in lines])
    fits, (*kl, beta) = panels["Reconstruction"].series, panels["KL"].series
    for bound, fit, rate in zip(panels["ELBO"].series, fits, kl, strict=True):
        np.testing.assert_allclose(bound.y, fit.y - rate.y, rtol=1e-5)
    assert beta.right and (beta.y[0], beta.y[-1]) == (0, 1), "beta on an axis of its own"
    assert not panels["Learning rate"].may_smooth and panels["ELBO"].may_smooth
    units, full, minibatch, rate = charts.latent_panels({"vae": record})
    np.testing.assert_array_equal(units.series[0].y, [line["active"] for line in lines])
    for panel, name, count in ((full, "mutual_information", "observations"), (minibatch, "minibatch", "batch_size")):
        estimate, ceiling = panel.series
        parts = [line["information"]["z"] for line in lines]
        np.testing.assert_allclose(estimate.y, [part[name] for part in parts])
        np.testing.assert_allclose(ceiling.y, math.log(parts[0][count]))
        assert (ceiling.x[0], ceiling.x[-1]) == (estimate.x[0], estimate.x[-1])
    assert minibatch.series[1].label == "log 32"
    np.testing.assert_allclose(rate.series[0].y, [line["information"]["z"]["rate"] for line in lines])


def test_perplexity_and_the_turns_of_an_aggressive_encoder(tmp_path: Path) -> None:
    text = {**LINE, "mse": {}, "elbo": -22 * math.log(3), "tokens": {"text": 11.0}}
    lag = [{"step": 0, "aggressive": True, "encoder_updates": 0},
           {"step": 10, "aggressive": True, "encoder_updates": 400},
           {"step": 30, "aggressive": False, "encoder_updates": 500},
           {"step": 40, "aggressive": False, "encoder_updates": 500}]
    record = history.record(written(tmp_path / "text", *({**text, **part} for part in lag)))
    panels = {panel.title: panel for panel in charts.panels({"run": record})}
    np.testing.assert_allclose(panels["Perplexity, validation"].series[0].y, 9.0)
    [turns] = panels["Encoder updates per decoder step"].series
    np.testing.assert_allclose(turns.y, [40, 5, 0, 0])
    np.testing.assert_allclose(turns.x, [0, 10, 30, 40])
    assert turns.step, "each value stands until the next evaluation"
    assert charts.aggression({"run": record}) == ["run: the encoder was aggressive until step 30."]
    images = history.record(written(tmp_path / "images", LINE))
    assert titles(images) == ["ELBO", "Reconstruction", "KL"]
    assert charts.aggression({"run": images}) == []


def test_a_record_is_made_anew_only_when_the_file_has_changed(tmp_path: Path) -> None:
    run = written(tmp_path / "run", LINE)
    first = history.record(run)
    assert history.record(run) is first and history.of(run) is first.metrics
    assert first.verdict is first.verdict
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({**LINE, "step": 5, "kl": {"z": [2.0, 0.0]}}) + "\n")
    history.of(run)  # another page reads first: the news is not lost on this one
    second = history.record(run)
    np.testing.assert_array_equal(second.kl, [[1.5, 0.5], [2.0, 0.0]])
    assert second is not first and second.names == ("z0", "z1") and len(first.kl) == 1


def test_lines_that_are_damaged_or_older_cost_themselves(tmp_path: Path) -> None:
    step = {"kind": "step", **dict.fromkeys(("loss", "neg_elbo", "reconstruction", "kl", "beta", "rate", "grad_norm"),
                                            1.0)}
    point = {"model": {"z": [[1.0], [2.0]]}, "inference": {"z": [[0.0], [0.5]]}, "method": "grid", "effective": 0.5}
    record = history.record(written(
        tmp_path / "run", LINE, {**step, "step": 0}, [1, 2], {**step, "step": "x"},
        {**LINE, "step": None}, {**LINE, "step": 1, "kl": 3}, {**LINE, "step": 2, "kl": {"z": [1.0]}},
        {**LINE, "step": 3, "information": {"z": {"rate": 1}}, "tokens": {"x": 0}, "encoder_updates": "many"},
        {"kind": "snapshot", "step": 0, **point, "labels": [0, 1]},
        {"kind": "snapshot", "step": 1, **point, "inference": {"z": [[0.0]]}},
        {"kind": "snapshot", "step": 2, **point, "model": 7},
        {"kind": "snapshot", "step": 3, **point, "labels": [0, -1]}))
    np.testing.assert_array_equal(record.steps["step"], [0])
    np.testing.assert_array_equal(record.evaluations["step"], [0, 2, 3])
    np.testing.assert_array_equal(record.kl_steps, [0, 3])
    assert not len(record.evaluated("rate")[0]) and not len(record.evaluated("encoder_updates")[0])
    snapshots = record.snapshots
    assert snapshots is not None and snapshots.labels is None, "a negative class is no class"
    np.testing.assert_array_equal(snapshots.steps, [0, 3])
    np.testing.assert_array_equal(snapshots.inference[..., 0], [[0, 0.5], [0, 0.5]])
    assert history.record(written(tmp_path / "none")).snapshots is None


def test_bars_are_sorted_and_add_up(root: Path) -> None:
    at = demo.open_page("monitor", runs="vae", section="Latent use")
    [body] = bars(at)
    values = [float(v) for v in re.findall(r"tabular-nums\">([\d.]+)<", body)]
    read = Metrics(root / "runs" / "vae" / "metrics.jsonl")
    read.update()
    kl = read.evaluations[-1]["kl"]["z"]
    assert values == sorted((round(value, 2) for value in kl), reverse=True)
    assert f"{sum(kl):.2f} nats in all" in body


@pytest.mark.usefixtures("root")
def test_bars_of_a_run_that_says_nothing_stay_short() -> None:
    [body] = bars(demo.open_page("monitor", runs="collapsed", section="Latent use"))
    assert max(map(float, re.findall(r"width:([\d.]+)%", body))) < 50
    assert "0 of 8 dimensions active" in body


@pytest.mark.usefixtures("root")
def test_closed_forms_codes_and_an_empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = demo.open_page("monitor", runs=["gallery/pca", "ae"], section="Latent use")
    assert demo.words(at).count("this family has no KL") == 2
    assert "do not compare" not in demo.words(demo.open_page("monitor", runs="vae"))
    assert "do not compare" in demo.words(demo.open_page("monitor", runs=["vae", "vectors"]))
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path / "nothing"))
    assert "Train" in demo.words(demo.open_page("monitor"))


def test_damaged_and_missing_runs(root: Path) -> None:
    file = root / "runs" / "vae" / "metrics.jsonl"
    lines = file.read_text().splitlines()
    whole = next(line for line in map(json.loads, lines) if line["kind"] == "evaluation")
    broken = {**whole, "kl": 3, "step": None}
    file.write_text("\n".join(["{]", json.dumps(broken), json.dumps([1, 2]), *lines, json.dumps(broken)]) + "\n")
    for section in ("Curves", "Latent use", "Rate and distortion", "Trajectory"):
        at = demo.open_page("monitor", runs=["vae", "nothing-there"], section=section)
        told = demo.words(at)
        assert "nothing-there" in told and "dimensions active" in told
        assert "2 lines of metrics.jsonl cannot be read" in told, "what is no line at all; the others cost their points"
    (root / "runs" / "vae" / "config.json").unlink()
    (root / "runs" / "vae" / "metrics.jsonl").unlink()
    for section in ("Curves", "Latent use", "Rate and distortion", "Trajectory"):
        at = demo.open_page("monitor", runs="vae", section=section)
        assert "There is no evaluation" in demo.words(at)


def test_a_link_with_too_many_runs_says_which_are_left_out(root: Path) -> None:
    names = [f"copy-{index}" for index in range(9)]
    for name in names:
        shutil.copytree(root / "runs" / "vae", root / "runs" / name)
    at = demo.open_page("monitor", runs=names)
    assert [warning.value for warning in at.warning] == ["This page shows 8 runs at most. Left out: copy-8."]
    assert not demo.open_page("monitor", runs=names[:8]).warning


@pytest.mark.usefixtures("root")
def test_its_address_holds_the_view() -> None:
    demo.keeps_its_view("monitor", "section", "more", runs="vae")
    assert demo.keeps_its_view("monitor", "sorted", runs="vae", section="Latent use").toggle(key="sorted").value
