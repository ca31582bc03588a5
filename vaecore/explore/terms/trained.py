"""What a run was trained by, at one code, where that is not the ELBO: (20), (24), (27), (38), (40), and L_K."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vaecore.explore.clips.checkpoint import VideoCheckpoint
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.sentences import SentenceCheckpoint
from vaecore.explore.single import Checkpoint
from vaecore.explore.terms.clips import paired_distance
from vaecore.explore.terms.elbo import Batch, elbo_terms, mean_over, noise, rows_of
from vaecore.explore.terms.entries import Code, Dimension, Reckoned, Term, Way
from vaecore.explore.terms.formulas import closed, formula, number, observed, plain, signed
from vaecore.lecture.sources import source_of
from vaecore.models import Family
from vaecore.models.evidence import Evidence, Terms
from vaecore.models.multimodal.dmvae import DMVAE
from vaecore.models.multimodal.jmvae import JMVAE
from vaecore.models.multimodal.mvae import MVAE
from vaecore.models.multimodal.shared import Multimodal
from vaecore.models.single.bounds import ImportanceWeighted
from vaecore.models.single.latent import GaussianLatent
from vaecore.models.single.vae import VAE
from vaecore.models.video.conditional_wasserstein import ConditionalWasserstein
from vaecore.probability import divergences
from vaecore.probability.gaussian import DiagonalGaussian, gaussian_kl
from vaecore.probability.importance import effective

Opened = Checkpoint | CrossModal | SentenceCheckpoint | VideoCheckpoint
FEW = 6  # codes whose weights are written out


def trained_by(opened: Opened, model: Family, batch: Batch, elbo: Reckoned, code: Code, seed: int
         ) -> Reckoned | None:
    """The objective of the run's training at its last beta; None where that is the ELBO."""
    config = opened.run.config()
    beta = config.training.beta.final() if config.model.has_kl else 1.0
    charged = "" if config.training.kl.tag in ("", "plain") else (
        f" In training the KL was charged as {config.training.kl.tag} has it; here it is the KL itself.")
    if isinstance(model, VAE) and model.weighted is not None:
        return _importance(model, batch, elbo, seed, charged)
    weights = model.weights if isinstance(model, Multimodal) else {}
    terms = [weighed(term, beta, weights) for term in elbo.terms]
    title, equation = ("beta-VAE", 38) if beta != 1 else ("The ELBO with weighted reconstructions", elbo.equation)
    left = r"\text{objective}"
    if isinstance(model, GaussianLatent) and model.latent_divergence is not None:
        assert isinstance(opened, Checkpoint | SentenceCheckpoint)
        title, equation = "With a divergence in the place of the KL", 40
        terms = [*(term for term in terms if term.factor > 0), _divergence(opened, model, batch, beta, seed)]
    elif isinstance(model, ConditionalWasserstein):
        title, equation = "With a divergence in the place of the KL", 40
        terms = [*(term for term in terms if term.factor > 0), paired_distance(model, batch, beta, seed)]
    elif isinstance(model, JMVAE) and model.alpha and len(batch) == len(model.names):
        title, equation = "JMVAE-kl", 20
        terms += _stand_ins(model, batch)
    elif isinstance(model, MVAE) and model.marginals and len(batch) > 1:
        title, equation = "MVAE: the joint ELBO and one of each modality alone", 24
        terms += [_alone(model, batch, name, code, seed, beta, weights) for name in batch]
    elif isinstance(model, DMVAE) and len(batch) > 1:
        title, equation = "DMVAE: the joint ELBO, and one whose shared code is from each modality alone", 27
        terms += _sources(model, batch, seed, beta)
    elif terms == list(elbo.terms):
        return replace(elbo, note=charged.strip()) if charged else None
    note = "" if beta == config.training.beta(0, 1_000) else f"At the last beta, {beta:g}."
    return Reckoned(title, equation, formula(terms, left), tuple(terms), elbo.codes,
                    (source_of(type(model).objective), source_of(Terms.loss)), (note + charged).strip())


def weighed(term: Term, beta: float, weights: Mapping[str, float]) -> Term:
    """A term of the ELBO as training counts it: its KL times beta, a modality's reconstruction times lambda."""
    if term.factor < 0:
        return term if beta == 1 else replace(term, factor=-beta, symbol=r"\beta")
    weight = next((w for name, w in weights.items() if term.name == f"reconstruction {name}"), 1.0)
    return term if weight == 1 else replace(term, factor=weight, symbol=r"\lambda")


def _divergence(opened: Checkpoint | SentenceCheckpoint, model: GaussianLatent, batch: Batch, beta: float, seed: int
                ) -> Term:
    """What stands in the place of the KL: of this x, or of all test observations where it compares their codes."""
    distance = model.latent_divergence
    assert distance is not None
    each = isinstance(distance, divergences.PerObservation)
    given = batch if each else rows_of(opened, slice(None))
    value = model.divergence(given, model.encode(given), noise(seed))
    assert value is not None
    found = float(value) / model.weight
    names: dict[type, tuple[str, str, Any]] = {
        divergences.MMD: (r"\text{MMD}^2(q_\phi(\vec{z}), p(\vec{z}))", "squared maximum mean discrepancy",
                          divergences.mmd),
        divergences.Sliced: (r"\text{SW}_2^2(q_\phi(\vec{z}), p(\vec{z}))", "squared sliced Wasserstein distance",
                             divergences.sliced_wasserstein),
        divergences.Critic: (r"W(q_\phi(\vec{z}), p(\vec{z}))", "distance as the critic sees it",
                             divergences.Critic.score),
        divergences.PerObservation: (r"W_2^2(q_\phi(\vec{z}|\vec{x}), p(\vec{z}))", "squared Wasserstein distance",
                                     divergences.squared_w2)}
    latex, what, beneath = names[type(distance)]
    says = f"The {what} of this posterior from the prior." if each else (
        f"The {what} of the codes of the {len(opened.examples)} test observations from as many draws of the prior: of "
        "one x alone it says nothing.")
    return Term("divergence", latex, -beta * model.weight, found, says,
                (Way("for this x" if each else f"over {len(opened.examples)} observations", found),), (40,),
                (source_of(beneath), source_of(type(distance).forward), source_of(GaussianLatent.divergence)),
                rf"{beta * model.weight:g} \cdot")


def _stand_ins(model: JMVAE, batch: Batch) -> list[Term]:
    """alpha KL(q(z|all) || q(z|x_m)) of each modality, equation (20)."""
    teacher, singles = model.encoder(batch), model.encoder.singles(batch)
    found = []
    for m, name in enumerate(model.names):
        alone = DiagonalGaussian(singles.mean[m], singles.logvar[m])
        value = gaussian_kl(teacher, alone)
        total = float(value.double().sum())
        found.append(Term(
            f"stand-in {name}",
            rf"\text{{KL}}(q_\phi(\vec{{z}}|\vec{{x}}^{{(1:M)}}) || q_\phi(\vec{{z}}|{observed(name, True)}))",
            -model.alpha, total, f"How far the encoder of the {plain(name)} alone is from the joint one.",
            (Way("closed form, (15)", total, None, closed(teacher, alone)),), (20, 15),
            (source_of(gaussian_kl), source_of(JMVAE.objective)), r"\alpha", tuple(
                Dimension(j, float(teacher.mean[0, j]), math.exp(0.5 * float(teacher.logvar[0, j])), float(value[0, j]))
                for j in range(value.shape[1]))))
    return found


def _alone(model: MVAE, batch: Batch, name: str, code: Code, seed: int, beta: float, weights: Mapping[str, float]
           ) -> Term:
    """The ELBO of one modality, from its own expert and the prior."""
    elbo = elbo_terms(model, {name: batch[name]}, code, seed)
    terms = [weighed(term, beta, weights) for term in elbo.terms]
    total = math.fsum(term.counts for term in terms)
    filled = " ".join([number(terms[0].counts), *(signed(term.counts) for term in terms[1:])])
    return Term(f"ELBO of {name}", rf"\text{{ELBO}}({observed(name, True)})", 1.0, total,
                f"What the {plain(name)} alone is explained by: prior times its expert, and only it is reconstructed.",
                (Way("reconstruction less KL", total, None, f"{filled} = {number(total)}"),), (24,),
                (source_of(MVAE.objective), source_of(Evidence.elbo)))


def _sources(model: DMVAE, batch: Batch, seed: int, beta: float) -> list[Term]:
    """The ELBO of each modality n, whose shared code comes from n alone (erratum E12), with codes of its own."""
    objective = model.objective(batch, noise(seed))
    found = []
    for name, (_, elbo) in zip(model.names, objective.elbos[1:], strict=True):
        fit = math.fsum(model.weights.get(m, 1.0) * float(value) for m, value in elbo.reconstruction.items())
        cost = beta * float(elbo.total_kl())
        found.append(Term(
            f"ELBO from {name}", rf"\text{{ELBO}}_{{\text{{{plain(name)}}}}}", 1.0, fit - cost,
            f"All modalities from a shared code that the {plain(name)} alone gave; its codes are drawn anew.",
            (Way("reconstructions less KL", fit - cost, None,
                 f"{number(fit)} - {number(cost)} = {number(fit - cost)}"),), (27,),
            (source_of(DMVAE.objective), source_of(Evidence.elbo))))
    return found


def _importance(model: VAE, batch: Batch, elbo: Reckoned, seed: int, charged: str) -> Reckoned:
    """L_K of `bounds.py` of this x with the codes that it draws."""
    assert model.weighted is not None
    q = model.encode(batch)["z"]
    assert isinstance(q, DiagonalGaussian)
    z, log_prob, prior = model.drawn(batch, q, model.weighted.samples, noise(seed), None)
    bound = ImportanceWeighted.of(q, prior, z, log_prob, None)
    value, weights = float(bound()), (bound.log_likelihood - bound.log_ratio)[:, 0].double()
    count = len(weights)
    summed = " + ".join(f"e^{{{number(float(w))}}}" for w in weights)
    filled = rf"\log \frac{{1}}{{{count}}} ({summed}) = {number(value)}" if count <= FEW else (
        rf"\log \sum_k w_k - \log {count} = {number(float(weights.logsumexp(0)))} - {number(math.log(count))} = "
        f"{number(value)}")
    term = Term("bound", rf"\log \frac{{1}}{{K}} \sum_{{k=1}}^{{{count}}} \frac{{p_\theta(\vec{{x}}|\vec{{z}}_k) "
                r"p(\vec{z}_k)}{q_\phi(\vec{z}_k|\vec{x})}", 1.0, value,
                f"The bound of {count} weighed codes; {float(effective(weights)):.1f} of them count. It lies above the "
                "ELBO.",
                (Way(f"of these {count} codes", value, None, filled),
                 *([mean_over("mean of their log weights, an ELBO", weights)] if count > 1 else [])), (10, 14),
                (source_of(ImportanceWeighted.__call__), source_of(ImportanceWeighted.of)))
    return Reckoned("Importance-weighted bound", 10, rf"\mathcal{{L}}_{{{count}}} = {term.latex}", (term,), elbo.codes,
                    (source_of(VAE.importance_weighted),), charged.strip())
