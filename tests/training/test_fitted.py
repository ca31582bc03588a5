"""A prior fitted afterwards: a finished run with its parent's weights, by Python, command and task alike."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vaecore
from tests.pages.demo import Unwatched
from vaecore import cli, lab
from vaecore.config import changed, preset
from vaecore.evaluate.report import evaluate_run
from vaecore.evaluate.settings import Settings
from vaecore.evaluate.verdict import verdict
from vaecore.explore import Checkpoint
from vaecore.explore.prior import components, pair
from vaecore.explore.told import BANK, travelling
from vaecore.lab import background
from vaecore.library.headline import comparable, headline
from vaecore.models.base import NoPrior
from vaecore.probability.full_covariance import FullMixture
from vaecore.probability.gaussian import StandardNormal
from vaecore.schema import ConfigError
from vaecore.store import Metrics, Run, Store, StoreError
from vaecore.training import FITTING, train
from vaecore.training.build import fit
from vaecore.training.checkpoints import BrokenCheckpoint, load_model, read_weights
from vaecore.training.fitted import PriorFit, codes_of, fit_prior
from vaecore.training.fork import fork

FEW = ["data.train_limit=400", "training.epochs=3", "training.batch_size=40", "training.learning_rate=0.01"]
SMALL = ["model.latent_size=3", "model.network={kind: mlp, hidden: [16]}"]
RUNS = {"vae": SMALL, "ae": ["model.family=ae", "model.likelihood.kind=gaussian-learned", *SMALL],
        "pca": ["model.family=pca", "model.latent_size=3"],
        "wae": [*SMALL, "model.divergence.kind=mmd"], "vamp": [*SMALL, "model.prior={kind: vamp, components: 5}"],
        "per-x": [*SMALL, "model.divergence.kind=per-x"],
        "conditional": [*SMALL, "model.prior={kind: conditional, hidden: [8]}"], "made": ["model.family=made"]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run of each kind, a moment of training each, and a mixture fitted to the codes of some."""
    made = Store(tmp_path_factory.mktemp("fitted"))
    torch.set_num_threads(1)
    for name, settings in RUNS.items():
        train(made.create(changed(preset("vae-digits"), [*FEW, *settings]), name).path, Unwatched())
    for name in ("vae", "ae", "pca", "wae", "vamp"):
        fit_prior(made, made.find(name), 4, name=f"{name}-fitted")
    return made


@pytest.mark.parametrize("name", ["vae", "ae", "pca", "wae", "vamp"])
def test_encoder_and_decoder_are_the_parents_bit_by_bit(store: Store, name: str) -> None:
    (before, _), (after, step) = (read_weights(store.find(each).weights) for each in (name, f"{name}-fitted"))
    shared = {key for key in before if not key.startswith("latent_prior.")}
    assert shared and after.keys() - shared == {f"latent_prior.{key}" for key in ("mean", "spread", "log_weights")}
    assert all(torch.equal(before[key], after[key]) for key in shared)
    assert step == 0


@pytest.mark.parametrize("name", ["vae", "ae"])
def test_it_is_a_finished_run_that_says_whose_weights_it_has(store: Store, name: str) -> None:
    run, parent = store.find(f"{name}-fitted"), store.find(name)
    assert lab.status(run.path).state == "finished"
    assert run.about()["parent"] == {"run": name, "weights": "best", "step": read_weights(parent.weights)[1]}
    summary = run.summary()
    assert (summary["step"], summary["total_steps"]) == (0, 0)
    assert summary["sizes"] == parent.summary()["sizes"]
    assert {each.name for each in run.path.iterdir()} >= {"config.json", "about.json", "summary.json", "metrics.jsonl",
                                                          "weights.safetensors", "examples.safetensors", "data.json"}
    assert not list((store.root / "runs").glob(".*"))  # nothing half made is left
    [same] = [each for each in vaecore.runs(f"parent={name}", store=store) if each.id == run.id]
    assert same.state == "finished"


def test_its_numbers_are_those_of_the_same_model_under_the_mixture(store: Store) -> None:
    before, after = (store.find(name).summary()["test"] for name in ("vae", "vae-fitted"))
    assert after["reconstruction"] == before["reconstruction"] and after["mse"] == before["mse"]
    assert sum(after["kl"]["z"]) < sum(before["kl"]["z"]) and len(after["kl"]["z"]) == 1
    fit = PriorFit.of_run(store.find("vae-fitted"))
    assert fit is not None and fit.of == "draws of q(z|x)"
    # Each nat of log p(z) is one of the ELBO, but for the noise of a draw.
    validation = [store.find(name).summary()["validation"] for name in ("vae", "vae-fitted")]
    gained = sum(validation[0]["kl"]["z"]) - sum(validation[1]["kl"]["z"])
    assert gained == pytest.approx(fit.validation - fit.standard, abs=0.3)


def test_what_is_told_of_unseen_codes_is_their_log_density(store: Store) -> None:
    run, fit = store.find("ae-fitted"), PriorFit.of_run(store.find("ae-fitted"))
    model, dataset = load_model(run.path), run.config().data.load()
    codes = codes_of(model, dataset, "validation").double()
    assert fit is not None and fit.of == "codes of the encoder" and fit.codes == 400
    assert fit.validation == pytest.approx(float(model.prior()["z"].log_prob(codes).mean()), abs=1e-9)
    assert fit.standard == pytest.approx(float(StandardNormal(3).log_prob(codes).mean()), abs=1e-9)
    gaussian = FullMixture.gaussian_of(codes_of(model, dataset, "train"))
    assert fit.gaussian == pytest.approx(float(gaussian.log_prob(codes).mean()), abs=1e-9)
    assert fit.gaussian < fit.validation and "nats a code" in fit.sentence()


def test_the_verdict_is_not_that_nothing_was_learned(store: Store) -> None:
    run = store.find("vae-fitted")
    metrics = Metrics(run.path / "metrics.jsonl")
    metrics.update()
    assert verdict(metrics, run.values()).state != "unknown"


# -- an autoencoder that can be sampled ------------------------------------------------------------


def test_an_autoencoder_can_be_sampled_and_still_has_no_log_p(store: Store) -> None:
    before, after = (load_model(store.find(name).path) for name in ("ae", "ae-fitted"))
    with pytest.raises(NoPrior, match="fit-prior"):
        before.sample(2)
    assert after.sample(3, torch.Generator().manual_seed(0))["image"].shape == (3, 1, 8, 8)
    found = evaluate_run(store.find("ae-fitted"), Settings(parts=("likelihood", "naive", "reconstruction")))
    assert set(found["not_applicable"]) == {"likelihood", "naive"}
    assert all("gives a point" in why for why in found["not_applicable"].values())
    assert not found["evidence"]["kl"] and found["has_kl"] is False


@pytest.mark.parametrize("name", ["ae-fitted", "vae-fitted", "pca-fitted"])
def test_what_is_looked_at_has_the_mixture(store: Store, name: str) -> None:
    opened = vaecore.load(name, store=store)
    assert isinstance(opened, Checkpoint) and opened.has_prior and not opened.standard and opened.tempered
    assert opened.sample(5).shape == (5, 8, 8)
    both, parts = pair(opened, 100), components(opened)
    assert isinstance(both.prior, FullMixture) and both.plane((0, 1), 8).prior.shape == (8, 8)
    assert parts is not None and parts.weights.sum() == pytest.approx(1) and list(parts.weights) == sorted(
        parts.weights, reverse=True)
    drawn = parts.draw(0, 20_000)
    factor = both.prior.factor[parts.numbers[0]].detach().numpy()
    covariance = torch.from_numpy(drawn).T.cov().numpy()
    assert covariance == pytest.approx(factor @ factor.T, rel=0.1, abs=0.02 * float(factor.max()) ** 2)
    told = travelling(opened)
    assert told.bank is not None and told.drawn.startswith("A code drawn from the prior of this model.")
    whole, half, means = (opened.sample_codes(BANK, temperature) for temperature in (1.0, 0.5, 0.0))
    assert half == pytest.approx(means + (whole - means) / 2, abs=1e-5), "within the Gaussian of each, as the hand does"
    assert told.centres is not None and len(np.unique(told.centres.round(4), axis=0)) <= len(parts.weights)


def test_pca_autoencoder_and_vae_of_one_likelihood_compare(store: Store) -> None:
    """Their nats where both are the same number, their errors always; a VAE of another likelihood is told apart."""
    config = changed(preset("vae-digits"), [*FEW, *SMALL, "model.likelihood.kind=gaussian-learned"])
    train(store.create(config, "alike").path, Unwatched())
    names = ("pca", "ae", "alike")
    found = vaecore.compare(*names, store=store)
    assert not comparable([headline(store.find(name)) for name in names])
    for name in names[1:]:
        assert not found.unlike("mse", name) and math.isfinite(found.difference("mse", name).value)
    assert math.isfinite(found.difference("log_p_given_z", "ae").value)
    assert "elbo" not in found["ae"].numbers and "log_p_given_z" not in found["alike"].numbers
    [reason] = comparable([headline(store.find(name)) for name in ("pca", "ae", "vae")])
    assert reason.startswith("likelihoods")


# -- one act, three ways ---------------------------------------------------------------------------


def call(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["vaecore", *arguments])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_command_python_and_task_find_the_same(store: Store, capsys: pytest.CaptureFixture[str],
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    capsys.readouterr()
    assert call(["fit-prior", "vae", "--components", "4", "--name", "by-command", "--store", str(store.root), "--json"],
                monkeypatch) == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert (facts["run"], facts["parent"]) == ("by-command", "vae")
    assert said.err.splitlines()[-1] == f"{background.MADE}by-command"
    by_python = vaecore.fit_prior("vae", 4, name="by-python", store=store.root)
    assert by_python.run.id == "by-python" and (by_python.run.path / "preview.png").is_file()
    one, *others = (read_weights(store.find(name).weights)[0] for name in ("vae-fitted", "by-command", "by-python"))
    assert all(torch.equal(one[key], other[key]) for other in others for key in one)
    fits = [PriorFit.of_run(store.find(name)) for name in ("vae-fitted", "by-command", "by-python")]
    assert fits[0] == fits[1] == fits[2] and facts["fit"]["validation"] == fits[0].validation  # type: ignore[union-attr]
    task = background.fitting_prior(store.find("vae"))
    assert task.command == ("fit-prior", "vae", "--store", str(store.root))
    assert background.reached((background.line("prior", 5, 20),)) == ("prior", 0.25)


def test_a_run_without_a_name_gets_one(store: Store) -> None:
    made = fit_prior(store, store.find("ae"), 3, covariance="diagonal", seed=2)
    assert "fitted" in made.id and made.config().model.prior.covariance == "diagonal"  # type: ignore[union-attr]


def test_how_far_it_is_is_told_from_the_first_code_on(store: Store) -> None:
    told: list[tuple[str, int, int]] = []
    fit_prior(store, store.find("ae"), 2, progress=lambda *said: told.append(said))
    assert list(dict.fromkeys(step for step, *_ in told)) == list(FITTING) == ["encoding", "prior", "scoring"]
    assert told[0] == ("encoding", 400, 400) and told[-1] == ("scoring", 1, 2)
    assert all(background.reached((background.line(*said),)) == (said[0], said[1] / said[2]) for said in told)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "says"), [
    ("conditional", "one mixture for all would forget them"), ("made", "none, several, or one with a law of its own"),
    ("per-x", "known only from one Gaussian")])
def test_a_model_that_it_makes_no_sense_for_is_refused(store: Store, name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        fit_prior(store, store.find(name))
    assert "Choose a run" in str(refused.value)


@pytest.mark.parametrize(("asked", "says"), [
    ({"components": 150}, "too few for 150 components"), ({"components": 0}, "components"),
    ({"covariance": "round"}, "covariance")])
def test_what_cannot_be_fitted_is_refused(store: Store, asked: dict[str, Any], says: str) -> None:
    before = sorted(each.name for each in (store.root / "runs").iterdir())
    with pytest.raises(ConfigError, match=says):
        fit_prior(store, store.find("ae"), **asked)
    assert sorted(each.name for each in (store.root / "runs").iterdir()) == before


def test_a_name_that_is_taken_is_refused_before_anything_is_fitted(store: Store, monkeypatch: pytest.MonkeyPatch
                                                                  ) -> None:
    monkeypatch.setattr("vaecore.training.fitted.load_model", lambda _: pytest.fail("the model was read"))
    with pytest.raises(StoreError, match="already a run called 'ae'"):
        fit_prior(store, store.find("vae"), name="ae")


def test_examples_that_are_none_are_refused_before_anything_is_fitted(store: Store, monkeypatch: pytest.MonkeyPatch,
                                                                      tmp_path: Path) -> None:
    monkeypatch.setattr("vaecore.training.fitted.codes_of", lambda *_: pytest.fail("it was begun"))
    shutil.copytree(store.find("ae").path, tmp_path / "runs" / "odd")
    path = tmp_path / "runs" / "odd" / "examples.safetensors"
    for target in ("/dev/zero", "/dev/null"):  # of which the one has no end
        path.unlink()
        path.symlink_to(target)
        with pytest.raises(BrokenCheckpoint, match=r"examples\.safetensors of odd cannot be used"):
            fit_prior(Store(tmp_path), Store(tmp_path).find("odd"))


def test_no_training_begins_with_it(store: Store) -> None:
    for name, way in (("vae-fitted", "standard"), ("ae-fitted", "none")):
        config = store.find(name).config()
        with pytest.raises(ConfigError, match="none to train with") as refused:
            fit(config, config.data.load())
        assert refused.value.problems[0].ways == ((f"model.prior.kind={way}",),)
    with pytest.raises(ConfigError):
        fork(store, store.find("vae-fitted"), "best", store.find("vae").config(), "forked")


def test_what_is_interrupted_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vaecore.training.fitted.save_weights", full)
    with pytest.raises(OSError, match="No space"):
        fit_prior(store, store.find("ae"), 3, name="never")
    assert not (store.root / "runs" / "never").exists() and not list((store.root / "runs").glob(".new*"))


@pytest.mark.parametrize("content", [{}, {"prior_fit": 3}, {"prior_fit": {"of": "codes"}}])
def test_a_summary_that_says_nothing_of_it_is_no_error(tmp_path: Path, content: Any) -> None:
    (tmp_path / "summary.json").write_text(json.dumps(content))
    assert PriorFit.of_run(Run(tmp_path)) is None
