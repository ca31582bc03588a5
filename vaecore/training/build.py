"""From a configuration to a data set and an untrained model that fit each other, or an error that says why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from vaecore import words
from vaecore.config import RunConfig, changed
from vaecore.data import Dataset, ImageConfig
from vaecore.data.rows import free_memory
from vaecore.modalities import Label, Modality, Vector
from vaecore.models import FAMILIES, Family
from vaecore.models.capabilities import (
    ChoosesBound,
    ChoosesDivergence,
    ChoosesLikelihood,
    ChoosesPrior,
    ChoosesStages,
)
from vaecore.models.single.principal import SOLVED_AT_ONCE
from vaecore.probability.likelihoods import DiscretisedLogisticConfig
from vaecore.probability.priors import FittedConfig, PriorConfig
from vaecore.schedules.inference import Aggressive
from vaecore.schedules.kl_cost import FreeBits, MaskedFreeBits, Plain
from vaecore.schema import ConfigError, named, problem
from vaecore.store import MAX_WEIGHTS_BYTES
from vaecore.training import device as devices

FEW = 200  # rows of numbers, below which a linear method is the first choice
HELD_BYTES = 4  # of each number in a closed form, which reads all observations at once
SOLVED_BYTES = 28  # and where their covariance is found at once: three times as float64 besides


def build(config: RunConfig, dataset: Dataset) -> Family:
    """An untrained model, its weights drawn from the seed; raises `ConfigError` where choices do not fit."""
    check(config, dataset)
    with torch.device("meta"):  # shapes only: however large it is, it can be counted
        _check_size(config.model.build(dataset.modalities, dataset.covariate))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return config.model.build(dataset.modalities, dataset.covariate)


def check(config: RunConfig, dataset: Dataset) -> None:
    """Raise `ConfigError` for what only the data can show to be wrong.

    The family comes first, as what else does not fit follows from it.
    """
    size, batch = dataset.size("train"), config.training.batch_size
    _check_family(config, dataset)
    if batch > size and not config.model.closed_form:
        raise problem("training.batch_size", batch, f"{batch:,} is more than the {size:,} training observations.",
                      f"Use at most {size:,}.", f"training.batch_size={size}")
    numbers = [m.size for m in dataset.modalities.values()] if config.model.closed_form else []
    needed = size * sum(count * (SOLVED_BYTES if count <= SOLVED_AT_ONCE else HELD_BYTES) for count in numbers)
    if needed > (free := free_memory()):
        most = max(1, size * free // needed)
        raise problem("data.train_limit", config.data.train_limit, f"{config.model.title} is solved on all {size:,} "
                      f"training observations at once, which takes {needed:,} bytes of memory, and {free:,} are free.",
                      f"Use at most {most:,}, or a family that reads them by batches.",
                      (f"data.train_limit={most}", *(["data.held_out=0.1"] if dataset.in_sample else [])))
    if isinstance(config.training.inference, Aggressive) and not config.model.has_kl:
        raise problem("training.inference.kind", "aggressive", f"{config.model.title} has no posterior that could lag "
                      "behind.", "Use together, or a family with a KL.", "training.inference.kind=together")
    stages = config.model.stages.tag if isinstance(config.model, ChoosesStages) else "one"
    if isinstance(config.training.inference, Aggressive) and stages != "one":
        raise problem("training.inference.kind", "aggressive", f"model.stages.kind={stages} already says when the "
                      "posterior learns.", "Use together, or model.stages.kind=one.",
                      "training.inference.kind=together", "model.stages.kind=one")
    if isinstance(config.model, ChoosesPrior):
        prior = config.model.prior
        if isinstance(prior, FittedConfig):
            without = "standard" if config.model.has_kl else "none"
            raise problem("model.prior.kind", prior.kind, "this prior is fitted to the codes of a model that has been "
                          "trained, and is none to train with.", f"Train with {without}, then `vaecore fit-prior RUN`; "
                          "to train further, fork the run that it was fitted to.", f"model.prior.kind={without}")
        _check_prior(prior, dataset)
        kl = config.training.kl
        if (config.model.has_kl and isinstance(kl, FreeBits | MaskedFreeBits) and kl.group == "dimension"
                and not prior.by_dimension):
            raise problem("training.kl.group", "dimension", f"the KL from the prior {prior.tag} has no closed form by "
                          "dimension, only one number for the whole latent.",
                          "Use latent, with the nats that all dimensions together have for free, or plain.",
                          "training.kl.group=latent", "model.prior.kind=standard")
    if isinstance(config.model, ChoosesDivergence) and not config.model.divergence.is_kl:
        if not isinstance(config.training.kl, Plain):
            raise problem("training.kl.kind", config.training.kl.kind, "it says what the KL costs, but "
                          f"model.divergence.kind={config.model.divergence.tag} charges no KL.",
                          "Use plain, or the divergence kl.", "training.kl.kind=plain", "model.divergence.kind=kl")
        if batch < 2:
            raise problem("training.batch_size", batch, "a distance between samples needs more than one.",
                          "Use at least 2; 100 is usual.", f"training.batch_size={min(100, size)}")
    if isinstance(config.model, ChoosesBound) and config.model.bound.codes:
        _check_weighted(config)
    steps = size // batch * config.training.epochs
    if config.model.has_kl:
        config.training.beta.check(steps)
    if not config.model.closed_form:
        config.training.rate.check(steps)
    config.model.enough(dataset.modalities, complete(dataset))
    _check_likelihood(config, dataset)


def _check_family(config: RunConfig, dataset: Dataset) -> None:
    """Raise `ConfigError` for a family that does not read these modalities, or not so many."""
    model, seen = config.model, list(dataset.modalities.values())
    several = len(seen) > 1
    fitting = [name for name, family in FAMILIES.items() if family.multimodal == several
               and all(isinstance(each, family.reads) for each in seen)]
    choose = "Choose one of " + ", ".join(fitting) + "."
    # With its own settings: a latent of 16 or a Bernoulli that was meant for images is none of a model of clips.
    another = [way for name in [usual(dataset, fitting)] if name
               for way in (f"model={{family: {name}}}", f"model.family={name}")]
    if several and not model.multimodal:
        one = config.data.as_one if any(isinstance(each, model.reads) for each in seen) else ()
        raise problem("model.family", model.family, f"{model.title} models one modality, but this data set has "
                      f"{len(seen)}: {', '.join(dataset.modalities)}.", choose, *another, *filter(None, [one]))
    if not several and model.multimodal:
        raise problem("model.family", model.family, f"{model.title} models several modalities, but this data set has "
                      "one.", "Choose a data set of several, as image-label, or another family.", *another,
                      *filter(None, [config.data.as_several]))
    if unread := [each for each in seen if not isinstance(each, model.reads)]:
        raise problem("model.family", model.family, f"{model.title} reads {_plural(model.reads)}, but this data set "
                      f"has {_plural(unread)}.", choose, *another)
    if dataset.in_sample and not model.closed_form:
        solved = usual(dataset, [name for name in fitting if FAMILIES[name].closed_form])
        raise problem("data.held_out", 0, f"{model.title} learns step by step, which observations that it is not "
                      "trained on have to judge.", "Use 0.1, or a method in closed form, as PCA or multi-set CCA.",
                      *([f"model={{family: {solved}}}"] if solved else []), "data.held_out=0.1")


def usual(dataset: Dataset, fitting: Iterable[str]) -> str:
    """The family of `fitting` that one begins with: a linear one where there are few rows of numbers; "" of none."""
    few = complete(dataset) < FEW and all(isinstance(each, Vector | Label) for each in dataset.modalities.values())
    ranked = [name for kind in (["few"] if few else []) + ["many"] for name in fitting if FAMILIES[name].usual == kind]
    return next(iter([*ranked, *fitting]), "")


def complete(dataset: Dataset) -> int:
    """Training observations that have every modality."""
    observed = dataset.splits["train"].observed
    return dataset.size("train") if observed is None else int(observed.all(1).sum())


def _check_likelihood(config: RunConfig, dataset: Dataset) -> None:
    """Raise `ConfigError` for a likelihood that is no density of these observations."""
    if not isinstance(config.model, ChoosesLikelihood):
        return
    likelihood, seen = config.model.likelihood, dataset.modalities.values()
    title = named(likelihood.tag, type(likelihood))
    if not all(isinstance(each, likelihood.describes) for each in seen):
        what = "pixels" if all(kind.pixels for kind in likelihood.describes) else _plural(likelihood.describes)
        raise problem("model.likelihood.kind", likelihood.tag, f"{title} describes {what}, but this data set has "
                      f"{_plural(seen)}.", "Use gaussian or gaussian-learned.",
                      "model.likelihood.kind=gaussian-learned")
    black = isinstance(config.data, ImageConfig) and config.data.pixels != "grey"
    if isinstance(likelihood, DiscretisedLogisticConfig) and black:
        raise problem("model.likelihood.kind", likelihood.kind, "grey levels are scored, but data.pixels is black and "
                      "white.", "Use bernoulli, or data.pixels=grey.", "model.likelihood.kind=bernoulli",
                      "data.pixels=grey")


def _check_weighted(config: RunConfig) -> None:
    """Raise `ConfigError` for a training that the importance-weighted bound does not go together with."""
    elbo, training = "model.bound.kind=elbo", config.training
    if not isinstance(training.kl, Plain):
        raise problem("training.kl.kind", training.kl.kind, "it says what the KL costs, but the importance-weighted "
                      "bound weighs codes and charges no KL.", "Use plain, or the bound elbo.",
                      "training.kl.kind=plain", elbo)
    if (end := training.beta.final()) != 1:
        raise problem("training.beta", end, f"beta ends at {end:g}, but importance weights bound log p(x) only at "
                      "beta 1; before, it may be annealed.", "Let it end at 1, or use the bound elbo.",
                      ("training.beta.kind=constant", "training.beta.value=1"), elbo)


def _check_size(model: Family) -> None:
    """Raise `ConfigError` for a model whose checkpoint would be larger than what is read."""
    learned = {name: p.numel() for name, p in model.named_parameters()}
    # A checkpoint holds each learned number with the two moments of its optimizer.
    needed = 4 * (2 * sum(learned.values()) + sum(tensor.numel() for tensor in model.state_dict().values()))
    if needed <= MAX_WEIGHTS_BYTES:
        return
    tensors = model.state_dict()
    name = max(tensors, key=lambda name: tensors[name].numel())
    largest = " x ".join(f"{n:,}" for n in tensors[name].shape)
    raise problem("model", model.parameter_count, f"a checkpoint of {model.parameter_count:,} parameters would have "
                  f"{words.size(needed)}, and at most {words.size(MAX_WEIGHTS_BYTES)} are read. The largest part is "
                  f"{name} of {largest}.", "Use smaller images, narrower layers, or a convolutional network with more "
                  "stages (model.network.channels=[]).", "model.network.kind=conv")


def _plural(kinds: Iterable[Modality | type[Modality]]) -> str:
    *names, last = sorted({kind.plural for kind in kinds})
    return f"{', '.join(names)} and {last}" if names else last


def _check_prior(prior: PriorConfig, dataset: Dataset) -> None:
    """Raise `ConfigError` for more components than data, or a covariate that some observations lack."""
    size = dataset.size("train")
    if prior.count > size:
        raise problem("model.prior.components", prior.count, f"{prior.count:,} components, but there are {size:,} "
                      "training observations.", f"Use at most {size:,}.", f"model.prior.components={size}")
    if not prior.conditional:
        return
    for split, part in dataset.splits.items():
        missing = [] if part.labels is None else np.flatnonzero(part.labels < 0).tolist()
        if part.covariate is not None:
            missing = np.flatnonzero(np.isnan(part.covariate).any(1)).tolist()
        if missing:
            first = ", ".join(str(row) for row in missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise problem("model.prior.kind", "conditional", f"the covariate is missing for {len(missing):,} of "
                          f"{len(part):,} observations of the {split} split (rows {first}, counted from 0).",
                          "Fill them in or leave those observations out, or choose a prior that needs no covariate.",
                          "model.prior.kind=standard")


@dataclass(frozen=True)
class Fit:
    """What is known of a training before its first step; a closed form takes no steps."""

    parameters: int
    steps: int
    per_epoch: int
    latents: Mapping[str, int]  # the dimensions of each


def _known(config: RunConfig, way: Iterable[str]) -> bool:
    """Whether a configuration has the fields that these settings name, and takes the values."""
    try:
        changed(config, way)
    except ConfigError:
        return False
    return True


def fit(config: RunConfig, dataset: Dataset) -> Fit:
    """Whether model, training, data and this machine go together, found without memory for the weights.

    Raises `ConfigError` where they do not.
    """
    devices.choose(config.training)
    try:
        with torch.device("meta"):  # shapes only: however large it is, it can be counted
            model = build(config, dataset)
    except ConfigError as error:  # of the ways out, those that this data set and this family have
        raise ConfigError(replace(each, ways=tuple(way for way in each.ways if _known(config, way)))
                          for each in error.problems) from None
    per_epoch = max(1, dataset.size("train") // config.training.batch_size)  # a closed form reads no batches
    learned = any(True for _ in model.parameters())
    return Fit(model.parameter_count, per_epoch * config.training.epochs if learned else 0, per_epoch, model.latents)
