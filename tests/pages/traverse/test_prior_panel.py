"""The tab Prior of Traverse: every prior beside the codes of data, its parts one by one, and samples by label."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.pages import demo

SIZE = 3
PRIORS: dict[str, dict[str, Any]] = {
    "standard": {}, "mixture": {"components": 4}, "vamp": {"components": 53}, "aggregated": {"components": 6},
    "implicit": {"hidden": [8], "updates": 1}, "conditional": {"hidden": [8]},
    "conditional-mixture": {"hidden": [8], "components": 2}}
CHARTS = {"plane": 0, "curve": 1}
FIT = "Fit a prior to the codes"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, configure: Callable[..., Any]) -> Path:
    """A run for each prior after a few steps; `ae` without one, `flat` of one dimension, `segments` of 70 labels.

    And a mixture fitted to the codes of two of them.
    """
    from vaecore.store import Store
    from vaecore.training import train
    from vaecore.training.fitted import fit_prior

    store = Store(tmp_path_factory.mktemp("priors"))
    digits = {"name": "digits", "train_limit": 120}
    model = {"family": "vae", "latent_size": SIZE, "network": {"kind": "mlp", "hidden": [8]}}
    runs: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        name: (digits, {**model, "prior": {"kind": name.split("-")[0], **values}}) for name, values in PRIORS.items()}
    runs["ae"] = digits, {**model, "family": "ae"}
    runs["flat"] = digits, {**model, "latent_size": 1}
    runs["segments"] = ({"name": "sources", "segments": 70, "per_segment": 10, "dimensions": 4},
                        {**model, "likelihood": {"kind": "gaussian"}, "prior": {"kind": "conditional"}})
    for name, (data, values) in runs.items():
        config = configure({"data": data, "model": values, "training": {
            "epochs": 2, "batch_size": 40, "learning_rate": 0.01, "snapshots": 0, "checkpoints": 0}})
        train(store.create(config, name).path, demo.Unwatched())
    for name in ("ae", "standard"):
        fit_prior(store, store.find(name), 3, name=f"{name}-fitted")
    return store.root


@pytest.fixture(autouse=True)
def in_use(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(made))


@pytest.fixture
def copy(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same store, to be damaged."""
    shutil.copytree(made, tmp_path / "store")
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def checkpoint(made: Path, name: str) -> Any:
    from vaecore.explore import Checkpoint
    from vaecore.store import Store

    return Checkpoint.load(Store(made).find(name))


def panel(name: str) -> AppTest:
    at = demo.turned_to(AppTest.from_file(str(demo.APP), default_timeout=60), "traverse")
    at.query_params["run"], at.query_params["view"] = name, "Prior"
    at.run()
    assert not at.exception, at.exception
    return at


def metrics(at: AppTest) -> dict[str, str]:
    return {each.label: each.value for each in at.metric}


def headings(at: AppTest) -> list[str]:
    return [each.value for each in at.subheader]


def chart(at: AppTest, which: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(at.get("plotly_chart")[CHARTS[which]].proto.spec)
    return found


def strip(at: AppTest, label: str) -> np.ndarray:
    """The picture of the row with that label, opaque or grey."""
    [body] = [body for body in demo.pictures(at) if f"<strong>{label}</strong>" in body]
    source = body.split(f"<strong>{label}</strong>")[1]
    [image] = re.findall(r"base64,([^\"]+)", source)[:1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image))))


def cells(picture: np.ndarray, count: int) -> np.ndarray:
    """The first images of 8 x 8 in a row with gaps of one pixel."""
    return np.stack([picture[:8, 9 * i:9 * i + 8, 0] for i in range(count)])


@pytest.mark.parametrize(("name", "title", "parts"), [
    ("standard", "N(0, I)", []), ("mixture", "Gaussian mixture", ["Components one by one"]),
    ("vamp", "VampPrior", ["Pseudo-inputs", "Components one by one"]),
    ("aggregated", "Aggregated posterior", ["Training observations", "Components one by one"]),
    ("implicit", "Implicit optimal prior", []), ("conditional", "Conditional", ["Samples by label"]),
    ("conditional-mixture", "Conditional", ["Samples by label"])])
def test_every_prior_is_named_drawn_and_taken_apart(made: Path, name: str, title: str, parts: list[str]) -> None:
    at = panel(name)
    assert f"**Prior: {title}.**" in demo.words(at)
    assert headings(at) == ["Two dimensions", "One dimension", *parts, FIT]
    assert "q(z) is the average over 250 validation observations." in demo.words(at)
    found = json.loads((made / "runs" / name / "summary.json").read_text())["validation"]
    information = found["information"]["z"]
    assert metrics(at)["KL(q(z)||p(z))"] == f"{information['aggregate_kl']:.2f} nats".replace("-", "−")
    assert metrics(at)["Mutual information"] == f"{information['mutual_information']:.2f} nats"
    assert metrics(at)["KL"] == f"{sum(found['kl']['z']):.2f} nats"
    assert ("log Z" in metrics(at)) == (name == "implicit")
    assert all(widget.help for widget in [*at.selectbox, *at.number_input, *at.button, *at.metric, *at.slider])


@pytest.mark.parametrize("name", PRIORS)
def test_the_figures_are_those_of_prior_and_data(made: Path, name: str) -> None:
    from vaecore.explore.prior import pair

    at, model = panel(name), checkpoint(made, name)
    both, (x, y, *_) = pair(model), model.order
    drawn = [np.asarray(trace.get("y"), float) if trace.get("type") == "scatter" else None
             for trace in _arrays(chart(at, "curve"))["data"]]
    curve = both.curve(x)
    np.testing.assert_allclose(drawn[0], curve.aggregated, rtol=1e-6)
    np.testing.assert_allclose(drawn[1], curve.prior, rtol=1e-6)
    heat, lines, *_, last = _arrays(chart(at, "plane"))["data"]
    plane = both.plane((x, y))
    np.testing.assert_allclose(np.reshape(heat["z"], plane.aggregated.shape), 1 - plane.aggregated, atol=1e-6)
    np.testing.assert_allclose(np.reshape(lines["z"], plane.prior.shape), plane.prior, atol=1e-6)
    shown = len(last["x"]) if last["name"] == "means of its components" else 0
    assert shown == {"mixture": 4, "vamp": 53, "aggregated": 6}.get(name, 0)


def _arrays(spec: Any) -> Any:
    """A figure with the arrays that plotly packs as base64 made lists again."""
    if isinstance(spec, dict) and "bdata" in spec:
        return np.frombuffer(base64.b64decode(spec["bdata"]), np.dtype(spec["dtype"])).tolist()
    if isinstance(spec, dict):
        return {key: _arrays(part) for key, part in spec.items()}
    return [_arrays(part) for part in spec] if isinstance(spec, list) else spec


def test_other_dimensions_can_be_chosen_and_one_twice_is_told(made: Path) -> None:
    at, order = panel("mixture"), checkpoint(made, "mixture").order
    assert (at.selectbox(key="prior-x-mixture").value, at.selectbox(key="prior-y-mixture").value) == tuple(order[:2])
    at.selectbox(key="prior-one-mixture").set_value(order[2]).run()
    assert chart(at, "curve")["layout"]["xaxis"]["title"]["text"] == f"z{order[2]}"
    at.selectbox(key="prior-y-mixture").set_value(order[2]).run()
    assert chart(at, "plane")["layout"]["yaxis"]["title"]["text"] == f"z{order[2]}"
    at.selectbox(key="prior-x-mixture").set_value(order[2]).run()
    assert not at.exception and len(at.get("plotly_chart")) == 1
    assert "Choose two different dimensions." in demo.words(at)


def test_one_dimension_has_no_plane() -> None:
    at = panel("flat")
    assert headings(at) == ["One dimension", FIT] and len(at.get("plotly_chart")) == 1


def test_components_are_gone_through_from_the_heaviest(made: Path) -> None:
    from vaecore.explore.prior import components

    at, model = panel("mixture"), checkpoint(made, "mixture")
    found = components(model)
    assert found is not None and at.number_input(key="component-mixture").max == 4
    for place, button in ((0, "Next"), (1, "Previous"), (0, "Previous"), (3, "Next"), (0, None)):
        assert at.number_input(key="component-mixture").value == place + 1
        np.testing.assert_array_equal(cells(strip(at, "Mean, decoded"), 1), model.decode(found.mean[[place]]))
        np.testing.assert_array_equal(cells(strip(at, "Samples"), 10), model.decode(found.draw(place, 10)))
        assert f"weight {100 * found.weights[place]:.2g} %" in "".join(demo.pictures(at))
        if button:
            at.button(key=f"component-{button}").click().run()
            assert not at.exception
    assert f"Together the 4 heaviest weigh {100 * found.weights.sum():.0f} %." in demo.words(at)


def test_pseudo_inputs_stand_over_what_they_decode_to_page_by_page(made: Path) -> None:
    from vaecore.explore.prior import components, inputs

    at, model = panel("vamp"), checkpoint(made, "vamp")
    found, given = components(model), inputs(model)
    assert found is not None and given is not None
    place = {number: place for place, number in enumerate(found.numbers)}

    def check(first: int, last: int) -> None:
        numbers = list(range(first, last + 1))
        [body] = [body for body in demo.pictures(at) if f"<strong>{first} to {last}</strong>" in body]
        both = [np.asarray(Image.open(io.BytesIO(base64.b64decode(image)))) for image in re.findall(
            r"base64,([^\"]+)", body.split(f"<strong>{first} to {last}</strong>")[1])[:2]]
        np.testing.assert_array_equal(cells(both[0], len(numbers)), given.images[numbers])
        np.testing.assert_array_equal(cells(both[1], len(numbers)),
                                      model.decode(found.mean[[place[number] for number in numbers]]))

    for first in (0, 16, 32):
        check(first, first + 15)
    at.slider(key="inputs-vamp").set_value(2).run()
    assert not at.exception
    check(48, 52)
    assert "All components have the same weight." in demo.words(at)
    np.testing.assert_array_equal(cells(strip(at, "Pseudo-input"), 1), given.images[[found.numbers[0]]])


def test_an_aggregated_posterior_shows_its_training_observations(made: Path) -> None:
    at, model = panel("aggregated"), checkpoint(made, "aggregated")
    train = model.run.config().data.load().splits["train"].arrays["image"][:, 0]
    shown = cells(strip(at, "0 to 5"), 6)
    assert all((image == train).all((1, 2)).any() for image in shown)
    assert len(np.unique(shown.reshape(6, -1), axis=0)) == 6
    assert not [slider for slider in at.slider if slider.key == "inputs-aggregated"], "one page"


def test_an_implicit_prior_tells_its_normaliser_with_its_error(made: Path) -> None:
    from vaecore.explore.prior import normaliser

    z, error = normaliser(checkpoint(made, "implicit")) or (0.0, 0.0)
    at = panel("implicit")
    assert metrics(at)["log Z"] == f"{z:.2f} ± {error:.2f} nats".replace("-", "−")
    at.query_params["view"] = "Samples"
    at.run()
    assert not at.exception and "samples have no temperature" in demo.words(at)
    assert not [slider for slider in at.slider if slider.key == "temperature"]


@pytest.mark.parametrize("name", ["conditional", "conditional-mixture"])
def test_samples_by_label_are_a_row_a_label(made: Path, name: str) -> None:
    at, model = panel(name), checkpoint(made, name)
    for seed in (0, 5):
        if seed:
            at.number_input(key="seed-labels").set_value(seed).run()
        for label in range(10):
            np.testing.assert_array_equal(cells(strip(at, f"label {label}"), 16),
                                          model.sample(16, seed=seed, labels=[label] * 16))


def test_of_very_many_labels_the_first_are_shown() -> None:
    at = panel("segments")
    [body] = [body for body in demo.pictures(at) if "<strong>label 0</strong>" in body]
    assert body.count("<img") == 60 and "<strong>label 60</strong>" not in body
    assert "The first 60 of 70 labels." in demo.words(at)


def test_a_family_without_a_prior_says_so() -> None:
    at = panel("ae")
    assert "This family has no prior" in demo.words(at)
    assert not at.get("plotly_chart") and not at.metric
    assert headings(at) == [FIT]


# -- a prior fitted afterwards ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ae-fitted", "standard-fitted"])
def test_a_fitted_mixture_is_drawn_with_what_its_dimensions_have_in_common(made: Path, name: str) -> None:
    from vaecore.explore.prior import components, pair
    from vaecore.probability.full_covariance import FullMixture
    from vaecore.training.fitted import PriorFit

    at, model = panel(name), checkpoint(made, name)
    assert "**Prior: Gaussian mixture, fitted afterwards.**" in demo.words(at)
    assert headings(at) == ["Two dimensions", "One dimension", "Components one by one", FIT]
    fit, both, parts = PriorFit.of_run(model.run), pair(model), components(model)
    assert fit is not None and parts is not None and isinstance(both.prior, FullMixture)
    told = metrics(at)
    assert told["Log density of unseen codes"] == f"{fit.validation:.2f} nats".replace("-", "−")
    assert told["under one Gaussian"] == f"{fit.gaussian:.2f} nats".replace("-", "−")
    assert ("KL" in told) == (name == "standard-fitted") and "–" not in told.values()
    _, lines, *_ = _arrays(chart(at, "plane"))["data"]
    plane = both.plane((model.order[0], model.order[1]))
    np.testing.assert_allclose(np.reshape(lines["z"], plane.prior.shape), plane.prior, atol=1e-6)
    np.testing.assert_array_equal(cells(strip(at, "Samples"), 10), model.decode(parts.draw(0, 10)))


@pytest.mark.parametrize("name", ["ae", "standard"])
def test_the_button_begins_the_fit_that_was_asked_for(made: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.lab.task import Task

    begun: list[tuple[Any, ...]] = []
    monkeypatch.setattr(Task, "start", lambda self, options: begun.append((self.command, options)))
    at = panel(name)
    at.number_input(key="fit-prior-components").set_value(5)
    at.selectbox(key="fit-prior-covariance").set_value("diagonal")
    at.text_input(key="fit-prior-name").set_value("mine")  # no drawing before the click
    at.button(key="fit-prior-start").click().run()
    assert not at.exception
    assert begun == [(("fit-prior", name, "--store", str(made)),
                      {"components": "5", "covariance": "diagonal", "name": "mine"})]


def test_what_was_made_is_opened_by_a_button(copy: Path) -> None:
    from vaecore.lab import background
    from vaecore.store import Store

    task = background.fitting_prior(Store(copy).find("ae"))
    task.folder.mkdir(exist_ok=True)
    (task.folder / f"{task.name}.log").write_text(f"prior: 5 of 300\n{background.MADE}ae-fitted\n")
    at = panel("ae")
    at.button(key="fit-prior-open").click().run()
    assert not at.exception and at.selectbox(key="run").value == "ae-fitted"


def test_where_none_can_be_fitted_it_says_why() -> None:
    at = panel("conditional")
    assert "one mixture for all would forget them" in demo.words(at)
    assert not [button for button in at.button if button.key == "fit-prior-start"]


# -- files that are not as they should be ----------------------------------------------------------


@pytest.mark.parametrize("content", ["{}", '{"validation": 3}', '{"validation": {"information": [1]}}',
                                     '{"validation": {"information": {"z": {"aggregate_kl": "<b>"}}}}'])
def test_a_summary_without_numbers_still_shows_the_prior(copy: Path, content: str) -> None:
    (copy / "runs" / "mixture" / "summary.json").write_text(content)
    at = panel("mixture")
    assert not metrics(at) and len(at.get("plotly_chart")) == 2
    assert "Not measured when this run was trained: KL(q(z)||p(z)), Mutual information, KL." in demo.words(at)


def test_numbers_that_are_none_are_not_shown(copy: Path) -> None:
    path = copy / "runs" / "mixture" / "summary.json"
    summary = json.loads(path.read_text())
    summary["validation"]["information"]["z"].update(aggregate_kl=float("nan"), mutual_information=True)
    path.write_text(json.dumps(summary))
    at = panel("mixture")
    assert metrics(at).keys() == {"KL"} and "`vaecore diagnose mixture` measures" in demo.words(at)


@pytest.mark.usefixtures("copy")  # a checkpoint that no other test has looked at
def test_without_its_data_the_examples_have_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.data import DataUnavailable
    from vaecore.data.digits import Digits

    def gone(_self: object) -> None:
        raise DataUnavailable("not here")

    monkeypatch.setattr(Digits, "load", gone)
    at = panel("conditional")
    assert "q(z) is the average over the 64 test observations that travel with the run." in demo.words(at)
    assert len(at.get("plotly_chart")) == 2


def test_a_configuration_that_goes_while_it_is_looked_at_is_no_crash(copy: Path) -> None:
    at = panel("standard")
    (copy / "runs" / "standard" / "config.json").unlink()
    at.run()
    assert not at.exception, at.exception


@pytest.mark.parametrize(("information", "words"), [(7.5, "at most 5.06 nats"), (7.2, "5.06 nats")])
def test_t2_a_distance_whose_information_has_met_its_ceiling_is_a_bound(copy: Path, information: float, words: str
                                                                        ) -> None:
    """log 2,000 = 7.60: from 0.25 below, the distance is the rate less that and says nothing of the model."""
    path = copy / "runs" / "mixture" / "summary.json"
    summary = json.loads(path.read_text())
    summary["validation"]["information"]["z"].update(mutual_information=information, observations=2000,
                                                     aggregate_kl=5.06)
    path.write_text(json.dumps(summary))
    assert metrics(panel("mixture"))["KL(q(z)||p(z))"] == words
