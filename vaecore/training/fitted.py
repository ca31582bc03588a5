"""A prior fitted to a trained model: a mixture of Gaussians over the codes of its training split (Ghosh et al. 2020).

What comes of it is a finished run of its own, whose weights are its parent's, bit by bit, and whose prior is the
mixture. It took no step of training: its numbers are those of the same encoder and decoder under another prior. Of a
VAE the codes are draws of q(z|x), whose law the prior should have; of an autoencoder they are its points.
Shapes: N codes, r latent size.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaecore import __version__, permission
from vaecore.config import RunConfig
from vaecore.data import Dataset, SplitName
from vaecore.files import BrokenFile, opened, trouble, write_json_atomic
from vaecore.models import Family
from vaecore.models.base import Autoencoding
from vaecore.models.capabilities import ChoosesDivergence, ChoosesPrior
from vaecore.models.single.latent import GaussianLatent
from vaecore.nets.convolutional import channels_last
from vaecore.probability.full_covariance import FullMixture
from vaecore.probability.gaussian import DiagonalGaussian, GaussianMixture, StandardNormal
from vaecore.probability.mixture_fit import Covariance, fit_mixture
from vaecore.probability.priors import Fitted, FittedConfig
from vaecore.provenance import Provenance
from vaecore.schema import parse, problem
from vaecore.store import COPY_AGAIN, EXAMPLES, MAX_EXAMPLES_BYTES, Run, Store, StoreError
from vaecore.training.checkpoints import (
    WEIGHTS,
    BrokenCheckpoint,
    check_origin,
    check_words,
    load_model,
    save_weights,
    step_of,
)
from vaecore.training.feed import Feed
from vaecore.training.session import EVALUATION_SEED
from vaecore.training.validation import EVALUATED_AT_ONCE, Evaluation, evaluate
from vaecore.untrusted import Sane, Untrusted, Whole, Word

MOST_CODES = 100_000  # of the training split, evenly spaced where it has more
MOST_NUMBERS = 20_000_000  # of the covariances of all components
CPU = torch.device("cpu")
OLD_FACTS = ("data", "sizes", "rate", "in_sample", "steps_per_epoch")  # of a summary, that stay as they are


class PriorFit(Untrusted):
    """How a prior was fitted, and how likely it makes codes that it has not seen: nats a code, as summary.json says."""

    of: Word  # what the codes are, in words
    codes: Whole  # of the training split
    components: Whole
    covariance: Word
    seed: Whole = 0
    steps: Whole = 0  # of expectation-maximisation
    converged: bool = True
    training: Sane  # of the codes it was fitted to
    validation: Sane
    gaussian: Sane  # of the validation split under the one Gaussian with mean and covariance of the training codes
    standard: Sane  # of the validation split under N(0, I)

    @classmethod
    def of_run(cls, run: Run) -> PriorFit | None:
        """How the prior of a run was fitted; None where it was not, or nothing readable says so."""
        try:
            return cls.kept(run.summary()["prior_fit"])
        except (KeyError, ValueError, StoreError):
            return None

    def sentence(self) -> str:
        """What came of it, in words."""
        return (f"{self.components} Gaussian{'s' * (self.components != 1)} of {self.covariance} covariance over "
                f"{self.codes:,} {self.of}: {self.validation:.2f} nats a code of the validation split, where one "
                f"Gaussian has {self.gaussian:.2f} and N(0, I) {self.standard:.2f}.")


Progress = Callable[[str, int, int], object]  # the step of `FITTING`, what of it is done, of how much


def fit_prior(store: Store, run: Run, components: int = 10, *, covariance: Covariance = "full", seed: int = 0,
              name: str = "", progress: Progress | None = None) -> Run:
    """A new finished run with the weights of `run`, whose prior is a mixture fitted to the codes of its training split.

    Its numbers on validation and test split are found anew under that prior; `vaecore evaluate` finds the rest. The
    same seed gives the same mixture. Raises `ConfigError` for a model that this makes no sense for, `StoreError` for a
    name, `BrokenCheckpoint` for files that cannot be read, `DataUnavailable` where the data are not here.
    """
    permission.require("fit a prior")
    if name:
        store.require_free(name)
    start, used = time.monotonic(), time.process_time()
    choice = parse(FittedConfig, {"components": components, "covariance": covariance})
    before = run.config()
    config = with_prior(before, choice, run.id)
    model = load_model(run.path)
    check_origin(run)
    examples = _examples(run)
    dataset = before.data.load()
    check_words(run.path, dataset)
    size = sum(model.latents.values())
    if covariance == "full" and components * size ** 2 > MOST_NUMBERS:
        raise problem("covariance", covariance, f"{components} covariances of {size} dimensions are "
                      f"{components * size ** 2:,} numbers.", "Use diagonal.")
    tell = progress or (lambda *_: None)
    codes = codes_of(model, dataset, "train", seed, lambda done, most: tell("encoding", done, most))
    unseen = codes_of(model, dataset, "validation", seed)
    try:
        found = fit_mixture(codes, components, covariance, seed=seed,
                            progress=lambda done, most: tell("prior", done, most))
    except ValueError as error:
        raise problem("components", components, str(error), "Use fewer components, or diagonal covariances.") from None
    fit = PriorFit(
        of="codes of the encoder" if model.point_codes else "draws of q(z|x)", codes=len(codes),
        components=components, covariance=covariance, seed=seed, steps=found.steps, converged=found.converged,
        training=_mean(found.density, codes), validation=_mean(found.density, unseen),
        gaussian=_mean(FullMixture.gaussian_of(codes), unseen), standard=_mean(StandardNormal(size), unseen))
    new = under(model, config, found.density)
    evaluations: dict[str, Evaluation] = {}
    scored: tuple[SplitName, ...] = ("validation", "test")
    for done, split in enumerate(scored):
        tell("scoring", done, len(scored))
        evaluations[split] = evaluate(new, Feed(dataset, split, CPU), EVALUATION_SEED)

    def fill(folder: Path) -> None:
        _write(folder, run, examples, config, new, dataset, fit, evaluations,
               {"seconds": round(time.monotonic() - start, 3), "cpu_seconds": round(time.process_time() - used, 3)})

    return store.create(config, name, parent={"run": run.id, "weights": "best", "step": step_of(run.weights)},
                        fill=fill)


def with_prior(config: RunConfig, prior: FittedConfig, run: str) -> RunConfig:
    """The configuration of `run` with a fitted prior; raises `ConfigError` for a model that none can be fitted to."""
    model = config.model
    remedy = "Choose a run of an autoencoder, PCA, or a VAE with an unconditional prior."
    if not isinstance(model, ChoosesPrior):
        raise problem("model.family", model.family, f"{run} is of the family {model.title}, which has not one code "
                      "that a prior could be fitted to, but none, several, or one with a law of its own.", remedy)
    if model.prior.conditional:
        raise problem("model.prior.kind", model.prior.tag, f"the prior of {run} is another for each label or "
                      "covariate, and one mixture for all would forget them.", remedy)
    if isinstance(model, ChoosesDivergence) and model.divergence.gaussian:
        raise problem("model.divergence.kind", model.divergence.tag, f"{run} is pulled to its prior by a distance that "
                      "is known only from one Gaussian.", "Choose a run with kl, mmd, sliced or critic.")
    return config.model_copy(update={"model": model.model_copy(update={"prior": prior})})


@torch.no_grad()
def codes_of(model: Family, dataset: Dataset, split: SplitName, seed: int = 0,
             progress: Callable[[int, int], object] | None = None) -> Tensor:
    """A code of each observation of a split, (N, r): a draw of q(z|x), or the point where it is one."""
    feed, generator = Feed(dataset, split, CPU), torch.Generator().manual_seed(seed)
    rows = torch.arange(feed.kept)
    if len(rows) > MOST_CODES:
        rows = torch.linspace(0, len(rows) - 1, MOST_CODES, dtype=torch.double).round().long()
    found = []
    for part in torch.split(rows, model.at_once(EVALUATED_AT_ONCE)):
        [q] = model.encode(feed.at(part)).values()
        found.append(q.rsample(generator)[0] if isinstance(q, DiagonalGaussian) else q.mean)
        if progress:
            progress(sum(map(len, found)), len(rows))
    return torch.cat(found)


@torch.no_grad()
def under(model: Family, config: RunConfig, density: FullMixture | GaussianMixture) -> Family:
    """A model of `config` with encoder and decoder of another, and a mixture that was fitted as its prior."""
    with torch.device("meta"):
        new = config.model.build(model.modalities, model.covariate)
    assert isinstance(new, GaussianLatent | Autoencoding) and isinstance(config.model, ChoosesPrior)
    assert isinstance(config.model.prior, FittedConfig)
    prior = Fitted(density.mean.shape[1], config.model.prior)
    prior.hold(density)
    own = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("latent_prior.")}
    new.load_state_dict(own | prior.state_dict(prefix="latent_prior."), assign=True)
    channels_last(new)
    return new.eval()


def _mean(density: FullMixture | GaussianMixture | StandardNormal, codes: Tensor) -> float:
    return float(density.log_prob(codes.double()).mean())


def _examples(run: Run) -> bytes:
    """The file of its test observations, which the new run has too."""
    try:
        with opened(run.path / EXAMPLES) as file:
            data = file.read(MAX_EXAMPLES_BYTES + 1)
        if len(data) > MAX_EXAMPLES_BYTES:
            raise BrokenFile("it is too large")
    except (OSError, BrokenFile) as error:
        raise BrokenCheckpoint(f"{EXAMPLES} of {run.id} cannot be used ({trouble(error)}). {COPY_AGAIN}.") from None
    return data


def _write(folder: Path, parent: Run, examples: bytes, config: RunConfig, model: Family, dataset: Dataset,
           fit: PriorFit, evaluations: Mapping[str, Evaluation], took: Mapping[str, float]) -> None:
    """All that a finished run has, into a folder that nobody sees yet."""
    save_weights(folder / WEIGHTS, model, config, 0)
    (folder / EXAMPLES).write_bytes(examples)
    Provenance.of(config.data, dataset).write(folder)
    told = {split: found.as_dict() for split, found in evaluations.items()}
    before = parent.summary()
    summary: dict[str, Any] = {
        **{name: before[name] for name in OLD_FACTS if name in before},
        "parameters": model.parameter_count, "device": "cpu", "threads": torch.get_num_threads(),
        "torch": torch.__version__, "vaecore": __version__, "total_steps": 0, "step": 0, "epoch": 0.0,
        **took, "prior_fit": fit.model_dump(), **told}
    write_json_atomic(folder / "summary.json", summary)
    line = {"kind": "evaluation", "step": 0, "epoch": 0.0, **told["validation"], "seconds": took["seconds"],
            "samples_per_second": 0.0, "evaluation_seconds": 0.0}
    (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
