"""Experiments: several runs that differ in what is to be seen, queued together and looked at side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vaecore.config import RunConfig, changed, preset
from vaecore.store import Run, Store


@dataclass(frozen=True)
class Experiment:
    """A question, and the runs that answer it by label."""

    name: str
    title: str
    question: str
    source: str
    runs: Callable[[], Mapping[str, RunConfig]]


GAMMAS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
GAMMA_LATENT = 16


def gamma_runs(gammas: tuple[float, ...] = GAMMAS) -> dict[str, RunConfig]:
    """One VAE on digits for each fixed gamma, and one that learns it."""
    start = changed(preset("vae-mlp-mnist"), [
        "data.source=embedded", f"model.latent_size={GAMMA_LATENT}", "training.epochs=60",
        "training.beta.kind=constant",
        "training.learning_rate=0.003", "training.rate.kind=cosine",  # enough for a learned gamma to arrive
        "training.evaluate_every=10", "training.keep=last", "training.snapshots=0", "training.checkpoints=0"])
    fixed = {f"gamma-{gamma:g}": changed(start, ["model.likelihood.kind=gaussian",
                                                 f"model.likelihood.sigma={gamma**0.5:.6g}"]) for gamma in gammas}
    return {**fixed, "gamma-learned": changed(start, ["model.likelihood.kind=gaussian-learned"])}


def cyclical_runs(data: tuple[str, ...] = (), cycles: int = 4) -> dict[str, RunConfig]:
    """Beta schedule x learning-rate schedule, all else equal."""
    start = changed(preset("sentence-vae-captions"), data)
    betas = {"monotonic": ("training.beta.kind=linear", "training.beta.fraction=0.25"),
             "cyclical": ("training.beta.kind=cyclical", f"training.beta.cycles={cycles}", "training.beta.ramp=0.5")}
    rates = {"constant": ("training.rate.kind=constant",),
             "restarts": ("training.rate.kind=restarts", f"training.rate.cycles={cycles}")}
    return {f"{beta}-{rate}": changed(start, (*betas[beta], *rates[rate])) for beta in betas for rate in rates}


def lagging_runs() -> dict[str, RunConfig]:
    """The lecture's picture: the same data and seed, plainly and aggressively."""
    return {kind: preset(f"lagging-{kind}") for kind in ("basic", "aggressive")}


def same_data_runs(data: tuple[str, ...] = ("data.source=embedded",)) -> dict[str, RunConfig]:
    """Images and labels five ways, with latents, networks, weights and training as alike as they can be."""
    start = changed(preset("mvae-image-label"), data)
    one = {"separate-vaes": "separate-vaes", "concatenated-vae": "concatenated-vae"}
    joint = {"jmvae-zero": ("model.posterior.kind=joint", "model.posterior.alpha=0"),
             "jmvae-kl": ("model.posterior.kind=joint", "model.posterior.alpha=0.1"), "mvae": ()}
    return {**{label: changed(start, [f"model.family={family}"]) for label, family in one.items()},
            **{label: changed(start, settings) for label, settings in joint.items()}}


EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in (
    Experiment("lagging", "The lagging encoder", "Does the encoder follow where the decoder leads?",
               "He, Spokoyny, Neubig & Berg-Kirkpatrick (2019)", lagging_runs),
    Experiment("gamma", "Collapse by γ", "From which observation variance on is it cheaper to ignore the code?",
               "Dai, Wang & Wipf (2020), Proposition 2 of the lecture", gamma_runs),
    Experiment("cyclical", "Cyclical annealing, two by two", "Is it the cycles of β, or those of the learning rate?",
               "Fu et al. (2019)", cyclical_runs),
    Experiment("same-data", "Five ways to model a pair", "A joint VAE, two VAEs of one modality each, one VAE of both "
               "joined end to end: what is the difference?", "Lecture, before equation (17)", same_data_runs),
)}


def create(store: Store, experiment: Experiment) -> list[Run]:
    """Its runs as folders of the store, ready to be queued; each one's `about.json` names the experiment."""
    taken = {run.id for run in store.runs()}
    runs = []
    for label, config in experiment.runs().items():
        name = label if label.startswith(experiment.name) else f"{experiment.name}-{label}"
        name = next(n for n in (name, *(f"{name}-{i}" for i in range(2, 10_000))) if n not in taken)
        runs.append(store.create(config, name, experiment=experiment.name))
    return runs


def members(store: Store, experiment: Experiment) -> list[Run]:
    """The store's runs that belong to an experiment, oldest first, the shipped ones before them."""
    return [run for run in (*store.gallery(), *reversed(store.runs()))
            if run.about().get("experiment") == experiment.name]
