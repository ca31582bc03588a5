"""The parts of an evaluation, each a function of a subject that returns plain numbers with their settings.

A part that a model or its data has no place for raises `ValueError`, whose words say why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vaecore.config import RunConfig
from vaecore.data import COVARIATE, Dataset, SplitName
from vaecore.data.missing import Complete
from vaecore.evaluate.classifier import classifier
from vaecore.evaluate.coherence import coherence
from vaecore.evaluate.conditional import conditional_likelihoods
from vaecore.evaluate.cost import cost
from vaecore.evaluate.disentanglement import (
    fixed_factor,
    information_gap,
    information_gap_full,
    mean_correlation,
    separated_attribute_predictability,
)
from vaecore.evaluate.judges import judge, judges, style_judge
from vaecore.evaluate.likelihood import Cancelled, Likelihood, exact_likelihood, log_likelihood
from vaecore.evaluate.naive import Estimates, estimates
from vaecore.evaluate.quality import (
    MOST,
    codes,
    codes_by_latent,
    linear_probe,
    precision_recall,
    readable,
    reconstruction,
    sample_quality,
)
from vaecore.evaluate.quality import frechet_distance as frechet
from vaecore.evaluate.settings import Part, Settings
from vaecore.evaluate.sharing import sharing, style_under_swap
from vaecore.evaluate.video import evaluate_video
from vaecore.modalities import Image, Text
from vaecore.models import Batch, Family
from vaecore.models.video.shared import VideoFamily
from vaecore.training.feed import Feed

BATCH = 100  # observations at a time under importance sampling
CODES = 20_000  # drawn for a batch of the naive estimates: so often can it be cancelled
DRAWN = 200  # observations sampled at a time
Facts = dict[str, Any]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Subject:
    """A model and the split it is judged on, with what was asked for."""

    config: RunConfig
    model: Family
    dataset: Dataset
    feed: Feed
    settings: Settings
    tell: Callable[[str, int, int], object]  # part, done, of how many
    cancelled: Callable[[], bool]

    @property
    def observed(self) -> int:
        """Observations for log p(x)."""
        return min(self.settings.observations or len(self.feed), len(self.feed))

    def told(self, part: str) -> Callable[[int, int], None]:
        """A progress callback for `part` that raises `Cancelled` when that was asked for."""
        def tell(done: int, total: int) -> None:
            self.tell(part, done, total)
            if self.cancelled():
                raise Cancelled

        return tell

    @property
    def complete(self) -> Dataset:
        """The data with nothing taken away on purpose: a judge does not depend on what the model had to do without."""
        missing = getattr(self.config.data, "missing", None)
        if missing is None or isinstance(missing, Complete):
            return self.dataset
        return self.config.data.model_copy(update={"missing": Complete()}).load()

    def several(self) -> None:
        """Raise `ValueError` for a model of one modality."""
        if len(self.model.modalities) < 2:
            raise ValueError("this model has one modality.")

    def still(self) -> None:
        """Raise `ValueError` for a model of clips."""
        if isinstance(self.model, VideoFamily):
            raise ValueError("it is of single observations, and this is a model of clips, which the part Video judges.")

    def batches(self, size: int) -> Iterator[Batch]:
        """The observations for log p(x), `size` at a time."""
        for start in range(0, self.observed, size):
            yield self.feed.at(torch.arange(start, min(start + size, self.observed)))

    def at(self, split: SplitName) -> Feed:
        """Another split of the same data."""
        return Feed(self.dataset, split, torch.device("cpu"))


# -- log p(x) --------------------------------------------------------------------------------------


def likelihood(subject: Subject) -> Facts:
    """log p(x) by importance sampling, or exactly where the family knows it; of fewer observations if cancelled."""
    if subject.config.model.exact:
        return _listed(_exact(subject))
    if isinstance(subject.model, VideoFamily):
        raise ValueError("importance sampling would need a code for each frame of a clip, and its weights would be "
                         "useless; the evidence is the bound.")
    found = log_likelihood(
        subject.model, subject.batches(BATCH), subject.settings.importance_samples, seed=subject.settings.seed,
        progress=lambda done: subject.tell("likelihood", done, subject.observed), cancelled=subject.cancelled)
    return _listed(found)


@torch.inference_mode()
def _exact(subject: Subject) -> Likelihood:
    generator = torch.Generator().manual_seed(subject.settings.seed)
    values: list[torch.Tensor] = []
    for batch in subject.batches(BATCH):
        if subject.cancelled():
            break
        values.append(subject.model.elbo(batch, generator).total_reconstruction())
        subject.tell("likelihood", sum(map(len, values)), subject.observed)
    if not values:
        raise Cancelled
    return exact_likelihood(torch.cat(values))


def _listed(found: Likelihood) -> Facts:
    return {**asdict(found), "curve": [[k, value] for k, value in found.curve.items()],
            "estimator": "importance sampling" if found.samples else "in one pass"}


def naive(subject: Subject) -> Facts:
    """The lecture's (13) and (14), printed and corrected, as means; of fewer observations if cancelled."""
    if subject.config.model.exact:
        raise ValueError("this family knows log p(x) exactly, so there is nothing to estimate.")
    subject.still()
    samples = subject.settings.naive_samples
    generator = torch.Generator().manual_seed(subject.settings.seed)
    found: list[Estimates] = []
    done = 0
    for batch in subject.batches(max(1, min(BATCH, CODES // samples))):
        if subject.cancelled():
            break
        found.append(estimates(subject.model, batch, samples, generator))
        done += len(found[-1].elbo)
        subject.tell("naive", done, subject.observed)
    if not found:
        raise Cancelled
    means = {one.name: float(torch.cat([getattr(each, one.name) for each in found]).mean())
             for one in fields(Estimates)}
    return {"estimates": means, "samples": samples, "observations": done}


def conditionals(subject: Subject) -> Facts:
    """log p(x_m | the others) of each modality."""
    subject.several()
    tell = subject.told("conditionals")
    return asdict(conditional_likelihoods(
        subject.model, subject.batches(BATCH), subject.settings.importance_samples, seed=subject.settings.seed,
        progress=lambda done: tell(done, subject.observed), cancelled=subject.cancelled))


# -- quality ---------------------------------------------------------------------------------------


def quality_of_reconstruction(subject: Subject) -> Facts:
    """MSE, PSNR and SSIM by modality."""
    subject.still()
    if not subject.model.latents:
        raise ValueError("this family has no code to reconstruct from.")
    found = reconstruction(subject.model, subject.feed, progress=subject.told("reconstruction"))
    if not found:
        raise ValueError("these are errors of pixels and numbers, and this data set is text.")
    return {name: asdict(each) for name, each in found.items()}


def quality_of_samples(subject: Subject) -> Facts:
    """Fréchet distance, precision and recall of samples, and the same distance between two sets of real ones."""
    subject.still()
    name = next((name for name, modality in subject.model.modalities.items() if isinstance(modality, Image)), None)
    if name is None:
        raise ValueError("samples are judged by a classifier of images, and this data set has none.")
    if subject.dataset.splits["train"].labels is None:
        raise ValueError("samples are judged by a classifier, and this data set has no labels to train one.")
    tell, wanted = subject.told("samples"), min(subject.settings.samples, len(subject.feed), MOST)
    generated = torch.cat(list(_drawn(subject, name, wanted, tell)))
    judge = classifier(subject.complete, modality=name, progress=subject.told("classifier"))
    real = judge.features(subject.feed.first(wanted)[name])
    # Some likelihoods know no bounds: what is judged is the picture, as PSNR and SSIM do.
    found = sample_quality(judge.name, judge.accuracy, real, judge.features(generated.clamp(0, 1)))
    other: SplitName = "validation" if subject.settings.split == "test" else "test"
    again = judge.features(subject.at(other).first(wanted)[name])
    count = min(len(again), wanted)
    precision, recall = precision_recall(real[:count], again[:count])
    return {**asdict(found), "modality": name, "pixels": "means of p(x|z)" if subject.model.latents else "draws",
            "seed": subject.settings.seed, "classifier_digest": judge.digest,
            "classifier_weights": judge.weights, "classifier_tested": judge.tested,
            "floor": {"frechet": frechet(real[:count], again[:count]), "precision": precision, "recall": recall,
                      "observations": count, "split": other}}


def _drawn(subject: Subject, name: str, wanted: int, tell: Callable[[int, int], None]) -> Iterator[torch.Tensor]:
    """Images from the model; a conditional prior is given the covariates of the real ones."""
    generator = torch.Generator().manual_seed(subject.settings.seed)
    known = subject.feed.first(wanted).get(COVARIATE) if subject.model.covariate is not None else None
    tell(0, wanted)
    for start in range(0, wanted, DRAWN):
        rows = slice(start, min(start + DRAWN, wanted))
        with torch.inference_mode():
            part = subject.model.sample(rows.stop - start, generator, None if known is None else known[rows])
        yield part[name]
        tell(rows.stop, wanted)


# -- codes -----------------------------------------------------------------------------------------


def probe(subject: Subject) -> Facts:
    """Accuracy with which a linear classifier, trained on codes of the training split, reads the label from others."""
    subject.still()
    split, known = subject.settings.split, subject.dataset.splits
    labels, train_labels = known[split].labels, known["train"].labels
    if not subject.model.latents:
        raise ValueError("this family has no code to read from.")
    if labels is None or train_labels is None:
        raise ValueError("this data set has no labels.")
    if split == "train":
        raise ValueError("the probe learns from the training split: judge on test or validation.")
    tell = subject.told("probe")
    tell(0, 3)
    train = codes(subject.model, subject.at("train")).mean
    tell(1, 3)
    there = codes(subject.model, subject.feed).mean
    tell(2, 3)
    train_labels, labels = read(subject, "train", train_labels), read(subject, split, labels)
    assert train_labels is not None and labels is not None
    found = linear_probe(train, train_labels[:len(train)], there, labels[:len(there)])
    reads = getattr(subject.model, "reads_covariate", False) and subject.dataset.splits["train"].covariate is None
    given = {"given": readable(subject.model)} if len(subject.model.modalities) > 1 else {}
    return {**asdict(found), "encoder_reads_label": bool(reads), **given}


def read(subject: Subject, split: SplitName, labels: Labels | None) -> Labels | None:
    """Labels (N,) of a split, -1 where nothing that codes are judged by is observed: such a code is the prior's."""
    observed = subject.dataset.splits[split].observed
    if observed is None or labels is None:
        return labels
    names = readable(subject.model)
    return np.where(observed[:, [name in names for name in subject.model.modalities]].any(1), labels, -1)


# -- several modalities ----------------------------------------------------------------------------


def coherence_of_subsets(subject: Subject) -> Facts:
    """Whether what is generated from each subset of modalities is of the class of what was given."""
    subject.several()
    labels = subject.dataset.splits[subject.settings.split].labels
    if labels is None:
        raise ValueError("this data set has no labels to be coherent with.")
    judged, without = judges(subject.complete, progress=subject.told("classifier"))
    found = coherence(subject.model, subject.feed, labels, judged, seed=subject.settings.seed,
                      limit=subject.settings.samples, progress=subject.told("coherence"))
    return {**asdict(found), "not_judged": without}


def shared_and_private(subject: Subject) -> Facts:
    """What linear models read from each latent: the label, and the continuous factors behind the data."""
    subject.several()
    split, known, names = subject.settings.split, subject.dataset.splits, subject.dataset.factors
    if not subject.model.latents:
        raise ValueError("this family has no code to read from.")
    if split == "train":
        raise ValueError("the probes learn from the training split: judge on test or validation.")
    factors = {part: known[part].factors for part in ("train", split)}

    def continuous(part: SplitName) -> dict[str, Any]:
        found = factors[part]
        return {} if found is None else {name: found[:, place] for place, (name, values) in enumerate(names.items())
                                         if not values}

    tell = subject.told("sharing")
    train, there = (codes_by_latent(subject.model, feed) for feed in (subject.at("train"), subject.feed))
    found = sharing(train, read(subject, "train", known["train"].labels), continuous("train"), there,
                    read(subject, split, known[split].labels), continuous(split), progress=tell)
    return {**asdict(found), "given": readable(subject.model)}


def style(subject: Subject) -> Facts:
    """Whether the style stays and the class changes when what is shared is exchanged."""
    subject.several()
    part = subject.dataset.splits[subject.settings.split]
    if "style" not in subject.dataset.factors or part.factors is None or part.labels is None:
        raise ValueError("it needs data whose style is known, as styled-digits.")
    if not subject.model.latents:
        raise ValueError("this family has no code to exchange.")
    modality = "styled"
    data, tell = subject.complete, subject.told("classifier")
    return asdict(style_under_swap(
        subject.model, subject.feed, part.labels, part.factors[:, list(subject.dataset.factors).index("style")],
        modality, "style", judge(data, modality, progress=tell), style_judge(data, modality, "style", progress=tell),
        seed=subject.settings.seed, limit=subject.settings.samples, progress=subject.told("style")))


def variance(subject: Subject) -> Facts:
    """Shares of each modality's variance that joint and individual parts explain."""
    subject.several()
    explained = getattr(subject.model, "explained", None)
    if explained is None:
        raise ValueError("only linear families tell apart what is joint, individual and left over.")
    tell = subject.told("variance")
    tell(0, 1)
    with torch.inference_mode():
        return {"modalities": explained(subject.feed.first(MOST)), "observations": min(MOST, len(subject.feed))}


# -- known factors ---------------------------------------------------------------------------------


def disentanglement(subject: Subject) -> Facts:
    """MIG, SAP, the beta-VAE score and MCC against the known factors; one that does not apply says why."""
    subject.still()
    factors, values = subject.dataset.splits[subject.settings.split].factors, subject.dataset.factors
    if not subject.model.latents:
        raise ValueError("this family has no code to compare with factors.")
    if factors is None or not values:
        raise ValueError("the factors behind this data set are not known.")
    q, seed = codes(subject.model, subject.feed), subject.settings.seed
    mean, known = q.mean, factors[:len(q.mean)]
    scores: dict[str, Callable[[], object]] = {
        "mig": lambda: information_gap(mean, known, values),
        "sap": lambda: separated_attribute_predictability(mean, known, values, seed=seed),
        "beta_vae": lambda: fixed_factor(mean, known, values, seed=seed),
        "mcc": lambda: mean_correlation(mean, known, values, kind="posterior means")}
    if (logvar := q.logvar) is not None:
        scores["mig_full"] = lambda: information_gap_full(mean, logvar, known, values, seed=seed)
    found: Facts = {}
    tell = subject.told("disentanglement")
    for place, (name, score) in enumerate(scores.items()):
        tell(place, len(scores))
        try:
            found[name] = asdict(score())  # type: ignore[call-overload]
        except ValueError as error:
            found[name] = {"not_applicable": str(error)}
    return found


# -- clips -----------------------------------------------------------------------------------------


def video(subject: Subject) -> Facts:
    """PSNR, SSIM, best of N, diversity, blur, bound by frame and calibration of futures."""
    model, settings = subject.model, subject.settings
    if not isinstance(model, VideoFamily):
        raise ValueError("this is no model of clips.")
    part = subject.dataset.splits[settings.split]
    count = min(settings.video_clips or len(part), len(part))
    if part.sources is not None:  # neighbouring windows show the same scene, so all of the split is judged by a few
        part = part.part(np.linspace(0, len(part) - 1, count).round().astype(np.int64))
    clips = torch.from_numpy(np.ascontiguousarray(part.arrays[model.modality][:count]))
    tell = subject.told("video")
    tell(0, count)
    found = evaluate_video(model, clips, None if part.events is None else part.events[:count],
                           futures=settings.futures, horizon=settings.horizon, seed=settings.seed,
                           sources=part.sources, progress=tell, cancelled=subject.cancelled)
    return asdict(found)


# -- cost ------------------------------------------------------------------------------------------


def cost_of_use(subject: Subject) -> Facts:
    """Passes and seconds to infer and to sample."""
    subject.still()
    if any(isinstance(modality, Text) for modality in subject.model.modalities.values()):
        raise ValueError("it is measured of images and vectors, and this data set has text.")
    tell = subject.told("cost")
    return asdict(cost(subject.model, subject.feed.first(BATCH), seed=subject.settings.seed, check=lambda: tell(0, 1)))


DONE_BY: dict[Part, Callable[[Subject], Facts]] = {
    "likelihood": likelihood, "conditionals": conditionals, "naive": naive, "reconstruction": quality_of_reconstruction,
    "samples": quality_of_samples, "probe": probe, "coherence": coherence_of_subsets, "sharing": shared_and_private,
    "style": style, "variance": variance, "disentanglement": disentanglement, "video": video,
    "cost": cost_of_use}
