"""Compare, Codes and Curves: a plane for each kind of data, a spectrum, the table at a threshold, the charts."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pages.compare import curves, planes
from tests.pages import demo


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))


def drawn(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    """What a component is given, call by call."""
    calls: list[Any] = []
    monkeypatch.setattr(module, name, lambda given, **_: calls.append(given))
    return calls


def test_planes_of_unlike_data_and_the_spectrum(monkeypatch: pytest.MonkeyPatch) -> None:
    paths, spectra = drawn(monkeypatch, planes, "paths_plane"), drawn(monkeypatch, planes, "spectra_plane")
    at = demo.open_page("compare", runs=["vae", "collapsed", "vectors", "ae"], section="Codes")
    assert [[path.run for path in each] for each in paths] == [["vae", "collapsed"], ["vectors"]]
    test = json.loads((demo.store() / "runs/vae/summary.json").read_text())["test"]
    point = paths[0][0]
    assert (len(point.x), point.x[0]) == (1, pytest.approx(sum(test["kl"]["z"])))
    assert point.x[0] + point.y[0] == pytest.approx(-test["elbo"], rel=1e-5)
    assert [each.run for each in spectra[0]] == ["vae", "collapsed", "vectors"]
    assert list(spectra[0][0].kl) == pytest.approx(sorted(test["kl"]["z"], reverse=True))
    words = demo.words(at)
    assert "2 planes" in words and "ae has no rate" in words
    [table] = [each.value for each in at.dataframe if "active" in each.value.columns]
    assert table.loc["vae", "active"] == test["active"]
    at.number_input(key="active").set_value(5.0).run()
    [table] = [each.value for each in at.dataframe if "active" in each.value.columns]
    assert table.loc["vae", "active"] == sum(value > 5 for value in test["code_variance"]["z"])
    paths.clear()
    at.toggle(key="paths").set_value(True).run()
    assert len(paths[0][0].x) == 11, "an evaluation an epoch, and one before"


def test_curves_have_training_and_validation_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = drawn(monkeypatch, curves, "live_curves")
    at = demo.open_page("compare", runs=["vae", "ae", "gallery/pca"], section="Curves")
    charts = {chart.title: chart for chart in calls[-1]}
    assert list(charts) == ["ELBO", "log p(x|z)", "Reconstruction", "KL", "MSE"]
    assert [(line.run, line.label) for line in charts["ELBO"].series] == [("vae", "training"), ("vae", "validation")]
    level = charts["MSE"].series[-1]
    assert level.run == "gallery/pca" and level.level and len(np.unique(level.y)) == 1
    at.toggle(key="more").set_value(True).run()
    assert [chart.title for chart in calls[-1]][-2:] == ["Gradient norm", "Learning rate"]
