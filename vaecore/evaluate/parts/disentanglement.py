"""MIG, SAP, beta-VAE score and MCC, where the factors behind the data are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from vaecore.evaluate.part import Part, Speed, coded, still
from vaecore.evaluate.results import Declared, Result, group, number, of, row
from vaecore.untrusted import Number

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject

A_PAIR = 3e-5  # seconds, for an observation with one latent and one factor
CodeKind = Literal["posterior means", "posterior samples"]


class InformationGap(Result):
    """MIG, and the information (nats) between each latent and factor that it is made of."""

    score: float = number(default=...)
    factors: dict[str, Number] = group(default={})  # the gap of each, as a share of its entropy
    information: dict[str, list[Number]] = group(default={})  # of each factor with every latent, nats
    entropy: dict[str, Number] = group(default={})  # nats
    estimator: Literal["histogram", "full data set"] = "histogram"
    bins: int | None = None
    codes: CodeKind = "posterior means"
    observations: int | None = None


class Separation(Result):
    """SAP, and how well each latent alone predicts each factor."""

    score: float = number(default=...)
    factors: dict[str, Number] = group(default={})  # the gap of each
    prediction: dict[str, list[Number]] = group(default={})  # of each factor by every latent
    measures: dict[str, Literal["R²", "balanced accuracy above chance"]] = group(default={})
    codes: CodeKind = "posterior means"
    train: int | None = None  # observations that classifiers are fitted to
    test: int | None = None  # observations that all are judged on


class FixedFactor(Result):
    """The beta-VAE score: how often a linear classifier names the factor that pairs of observations share."""

    score: float = number(default=...)  # test accuracy
    chance: float = number()  # 1 / factors
    factors: tuple[str, ...] = ()
    pairs: int | None = None  # averaged to one point
    train: int | None = None  # points
    test: int | None = None
    codes: CodeKind = "posterior means"
    observations: int | None = None  # from which pairs are drawn


class Correlation(Result):
    """MCC, and which latent stands for which factor."""

    pearson: float = number(default=...)
    spearman: float = number()
    matching: dict[str, int | None] = group(default={})  # the latent of each factor, None without one
    correlations: dict[str, Number] = group(default={})  # of each factor with its latent, Pearson, signed
    codes: CodeKind = "posterior means"
    latents: int | None = None
    factors: int | None = None
    observations: int | None = None

    @property
    def score(self) -> float:
        """The one that is told beside the others."""
        return self.pearson


class NotApplicable(Result):
    """Why a score has no place here."""

    not_applicable: str


class Disentanglement(Result):
    """Every score, or why it does not apply; None for one that was not tried."""

    mig: InformationGap | NotApplicable | None = number(
        "MIG", "Mutual information gap: of each factor, the information of the best latent less that of the second, as "
        "a share of the factor's entropy. From histograms of 20 bins.", digits=3, default=None)
    mig_full: InformationGap | NotApplicable | None = number(
        "MIG, all posteriors", "The same with the estimator of Chen et al. (2018).", digits=3, default=None)
    sap: Separation | NotApplicable | None = number(
        "SAP", "How much better the best latent predicts each factor than the second best.", digits=3, default=None)
    beta_vae: FixedFactor | NotApplicable | None = number(
        "β-VAE score", "How often a linear classifier names the factor that pairs share.", digits=3, default=None)
    mcc: Correlation | NotApplicable | None = number(
        "MCC", "Mean |correlation| of latents and factors under the best one-to-one matching.", digits=3, default=None)

    def scores(self) -> Iterator[tuple[Declared, float]]:
        """Scores that apply, each with its declaration."""
        for name in type(self).model_fields:
            if (found := getattr(self, name)) is not None and not isinstance(found, NotApplicable):
                yield of(type(self), name), found.score

    def reasons(self) -> Iterator[tuple[str, str]]:
        """Why the others do not, by their title."""
        for name in type(self).model_fields:
            if isinstance(found := getattr(self, name), NotApplicable):
                yield of(type(self), name).title, found.not_applicable


def disentanglement(subject: Subject) -> Disentanglement:
    """MIG, SAP, the beta-VAE score and MCC against the known factors; one that does not apply says why."""
    from vaecore.evaluate.disentanglement import (
        fixed_factor,
        information_gap,
        information_gap_full,
        mean_correlation,
        separated_attribute_predictability,
    )
    from vaecore.evaluate.quality import codes

    factors, values = subject.dataset.splits[subject.settings.split].factors, subject.dataset.factors
    assert factors is not None  # or it has no place
    q, seed = codes(subject.model, subject.feed), subject.settings.seed
    mean, known = q.mean, factors[:len(q.mean)]
    scores: dict[str, Callable[[], Result]] = {
        "mig": lambda: information_gap(mean, known, values),
        "sap": lambda: separated_attribute_predictability(mean, known, values, seed=seed),
        "beta_vae": lambda: fixed_factor(mean, known, values, seed=seed),
        "mcc": lambda: mean_correlation(mean, known, values, kind="posterior means")}
    if (logvar := q.logvar) is not None:
        scores["mig_full"] = lambda: information_gap_full(mean, logvar, known, values, seed=seed)
    found: dict[str, Result] = {}
    tell = subject.told("disentanglement")
    for place, (name, score) in enumerate(scores.items()):
        tell(place, len(scores))
        try:
            found[name] = score()
        except ValueError as error:
            found[name] = NotApplicable(not_applicable=str(error))
    return Disentanglement(**found)


def of_known_factors(subject: Subject) -> None:
    """Data whose factors are known."""
    if subject.dataset.splits[subject.settings.split].factors is None or not subject.dataset.factors:
        raise ValueError("the factors behind this data set are not known.")


def seconds(subject: Subject, speed: Speed) -> float:
    from vaecore.evaluate.quality import MAX_OBSERVATIONS

    count = min(MAX_OBSERVATIONS, len(subject.feed))
    pairs = sum(subject.model.latents.values()) * len(subject.dataset.factors)
    return count * speed.read + count * pairs * A_PAIR


def lines(found: Disentanglement, evaluation: Evaluation) -> Iterator[str]:
    for each, score in found.scores():
        yield row(each.name.replace("_", " "), score, f"of {evaluation.settings.split}, 1 is best")


PART = Part("disentanglement", "Disentanglement", "MIG, SAP, β-VAE score and MCC, where the factors behind the data "
            "are known.", Disentanglement, disentanglement,
            (still, coded("compare with factors"), of_known_factors), lines, seconds=seconds)
