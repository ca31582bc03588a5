"""Monitor: the curves it hands to the browser, the bars of KL, and what it says of runs that are damaged."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.parts import history
from tests.pages import demo
from vaecore.store import Metrics


def metrics(folder: Path) -> Metrics:
    read = Metrics(folder / "metrics.jsonl")
    read.update()
    return read


def bars(at: AppTest) -> list[str]:
    return [element.proto.body for element in at.get("html") if "KL by dimension" in element.proto.body]


def test_panels_hold_what_the_file_says(root: Path) -> None:
    read = metrics(root / "runs" / "vae")
    panels = {panel.title: panel for panel in history.panels({"vae": read}, more=True)}
    assert list(panels) == ["−ELBO", "Reconstruction error", "KL", "β", "Gradient norm", "Learning rate"]
    training, validation = panels["−ELBO"].series
    assert not training.dashed and validation.dashed and training.run == validation.run == "vae"
    np.testing.assert_array_equal(training.x, range(200))
    np.testing.assert_allclose(validation.y, [-line["elbo"] for line in read.evaluations])
    errors, kl = panels["Reconstruction error"].series, panels["KL"].series
    for bound, error, rate in zip(panels["−ELBO"].series, errors, kl, strict=True):  # -ELBO = distortion + rate
        np.testing.assert_allclose(bound.y, error.y + rate.y, rtol=1e-5)
    assert panels["β"].series[0].y[0] == 0 and panels["β"].series[0].y[-1] == 1
    assert not panels["β"].may_smooth and panels["−ELBO"].may_smooth


def test_bars_are_sorted_and_add_up(root: Path) -> None:
    at = demo.open_page("monitor", runs="vae")
    [body] = bars(at)
    values = [float(v) for v in re.findall(r"tabular-nums\">([\d.]+)<", body)]
    kl = metrics(root / "runs" / "vae").evaluations[-1]["kl"]["z"]
    assert values == sorted((round(value, 2) for value in kl), reverse=True)
    assert f"{sum(kl):.2f} nats in all" in body


@pytest.mark.usefixtures("root")
def test_closed_forms_codes_and_an_empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = demo.open_page("monitor", runs=["gallery/pca", "ae"])
    assert demo.words(at).count("this family has no KL") == 2
    assert "do not compare" not in demo.words(demo.open_page("monitor", runs="vae"))
    assert "do not compare" in demo.words(demo.open_page("monitor", runs=["vae", "vectors"]))
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path / "nothing"))
    assert "Train" in demo.words(demo.open_page("monitor"))


def test_damaged_and_missing_runs(root: Path) -> None:
    file = root / "runs" / "vae" / "metrics.jsonl"
    lines = file.read_text().splitlines()
    broken = {**json.loads(lines[0]), "kl": 3, "step": None}
    file.write_text("\n".join([*lines, "{]", json.dumps(broken), json.dumps([1, 2])]) + "\n")
    at = demo.open_page("monitor", runs=["vae", "nothing-there"])
    assert "damaged" in demo.words(at) and "nothing-there" in demo.words(at)
    (root / "runs" / "vae" / "config.json").unlink()
    (root / "runs" / "vae" / "metrics.jsonl").unlink()
    assert "no evaluation yet" in demo.words(demo.open_page("monitor", runs="vae"))
