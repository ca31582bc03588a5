"""A part of an evaluation is one file and one line: it is then in the command, the file, the page and its form."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import call
from tests.pages import demo
from vaecore import cli
from vaecore.evaluate.kept import evaluations, results
from vaecore.evaluate.parts import PARTS
from vaecore.store import Store

FILE = '''
"""How bright the observations are, of which model it may be."""

from vaecore.evaluate.part import Part
from vaecore.evaluate.results import Column, Result, count, group, number


class Shade(Result):
    """Of one modality."""

    mean: float = number("Mean", "Of all its numbers.", digits=2)
    largest: float = number("Largest", "Of all its numbers.", digits=2)


class Brightness(Result):
    """Of all modalities together, and of each."""

    light: float = number("Light", "Share of numbers above a half.", unit="share", better="higher", spread="error",
                          column=Column("Light", "%.3f", "Share of numbers above a half."))
    error: float = number()
    shades: dict[str, Shade] = group("Modality", "What is looked at.")
    observations: int = count("observations looked at")


def brightness(subject):
    first = subject.feed.first(min(subject.settings.samples, len(subject.feed)))
    shades = {name: Shade(mean=float(first[name].mean()), largest=float(first[name].max()))
              for name in subject.model.modalities}
    values = first["image"] > 0.5
    return Brightness(light=float(values.double().mean()), error=0.0625, shades=shades, observations=len(values))


PART = Part("brightness", "Brightness", "How bright the observations are.", Brightness, brightness)
'''


@pytest.fixture
def store(tmp_path: Path, configure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A VAE of digits after one epoch, beside a part of one file that is registered with one line."""
    from vaecore.training import train

    (tmp_path / "brightness.py").write_text(FILE)
    spec = importlib.util.spec_from_file_location("brightness", tmp_path / "brightness.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "brightness", module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(PARTS, module.PART.name, module.PART)

    made = Store(tmp_path / "store")
    config = configure({"data": {"name": "digits", "train_limit": 100},
                        "training": {"epochs": 1, "batch_size": 50, "checkpoints": 0}, "model": {
                            "family": "vae", "latent_size": 2, "network": {"kind": "mlp", "hidden": [4]}}})
    train(made.create(config, "vae").path, demo.Unwatched())
    monkeypatch.setenv("VAECORE_STORE", str(made.root))
    yield made


def test_one_file_and_one_line_are_a_part(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run = store.find("vae")
    assert call(["evaluate", "vae", "--parts", "brightness", "--samples", "40", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    [kept] = evaluations(run)
    found = kept["brightness"]
    assert found.keys() == {"light", "error", "shades", "observations"} and found["observations"] == 40
    assert found["shades"].keys() == {"image"} and 0 < found["shades"]["image"]["mean"] < 1
    assert json.loads((run.path / "evaluation.json").read_text())[0]["settings"]["parts"] == ["brightness"]

    [line] = [line for line in said.splitlines() if line.startswith("  Light ")]
    assert line.split() == (f"Light {found['light']:.3f} share; ± 6.2%; higher is better; 40 observations looked at, "
                            "test, seed 3").split()
    assert any(line.startswith("  Mean, image ") and f"{found['shades']['image']['mean']:.2f}" in line
               for line in said.splitlines())

    at = demo.open_page("evaluate", run="vae")
    pills = at.button_group(key="evaluate-parts")
    assert "Brightness" in pills.options
    assert "Brightness: How bright the observations are." in (pills.help or "")
    assert "Brightness" in [each.value for each in at.subheader]
    [light] = [each for each in at.metric if each.label == "Light"]
    assert (light.value, light.help) == (f"{found['light']:.1%}", "Share of numbers above a half. Higher is better.")
    [shades] = [each.value for each in at.dataframe if "Modality" in each.value.columns]
    assert shades.to_dict("records") == [{"Modality": "image", "Mean": found["shades"]["image"]["mean"],
                                          "Largest": found["shades"]["image"]["largest"]}]
    assert "Light ± 6.2% · 40 observations looked at · test · seed 3" in demo.words(at)
    assert not at.error and not at.exception


def test_it_stands_in_tables_and_is_asked_for_with_all_others(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("3", "4"):
        assert call(["evaluate", "vae", "--parts", "brightness", "--samples", "40", "--seed", seed]) == 0
    at = demo.open_page("evaluate", run="vae")
    [history] = [each.value for each in at.dataframe if "Run" in each.value.columns]
    assert history["Light"].tolist() == [evaluations(store.find("vae"))[0]["brightness"]["light"]] * 2
    assert call(["evaluate", "vae", "--parts", "dark"]) == cli.WRONG
    said = capsys.readouterr().err
    assert "parts.0: 'dark' is not a choice" in said and "'brightness'" in said
    assert "brightness" in at.button_group(key="evaluate-parts").value


@pytest.mark.parametrize(("change", "light"), [
    ({"light": None}, "–"), ({"light": "high"}, "–"), ({"shades": {"image": 3}}, "50.0%"), ({"shades": []}, ""),
    ({"observations": "many"}, ""), ({"observations": 0.5}, ""), ({"error": [1]}, "50.0%")])
def test_what_cannot_be_read_costs_the_number_or_the_part(store: Store, change: dict[str, Any], light: str) -> None:
    """The number alone, where it may be missing; the part, where without it the rest means nothing."""
    run = store.find("vae")
    assert call(["evaluate", "vae", "--parts", "brightness", "--samples", "40"]) == 0
    [kept] = evaluations(run)
    whole = {"light": 0.5, "error": 0.25, "shades": {}, "observations": 3}
    (run.path / "evaluation.json").write_text(json.dumps([kept | {"brightness": whole | change}]))
    [read] = results(run)
    at = demo.open_page("evaluate", run="vae")
    assert ("brightness" in read.found) == bool(light) == ("brightness" not in read.unreadable)
    assert {each.label: each.value for each in at.metric}.get("Light", "") == light
    assert ("**Brightness** cannot be read." in demo.words(at)) == (not light)
    assert not at.error and not at.exception and "ELBO" in [each.label for each in at.metric]
