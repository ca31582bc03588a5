"""The ELBO by its terms at one code: the model's own values, and beside them what a reader can add up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vaecore.arrays import Numbers
from vaecore.data import COVARIATE, END, PAD
from vaecore.explore.sentences import SentenceCheckpoint
from vaecore.explore.single import Checkpoint
from vaecore.explore.terms.entries import Code, Dimension, Part, Reckoned, Term, Way
from vaecore.explore.terms.formulas import closed, filled, formula, latent_symbol, number, observed, plain, signed
from vaecore.lecture.sources import Source, source_of
from vaecore.models import Family
from vaecore.models.evidence import Evidence
from vaecore.models.multimodal.dmvae import SHARED
from vaecore.models.multimodal.shared import Multimodal
from vaecore.models.video.sv2p import SV2P
from vaecore.models.video.svg import SVG
from vaecore.nets.text import SentenceDecoder, Sentences
from vaecore.probability import likelihoods
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian, Point, StandardNormal, gaussian_kl, gaussian_log_prob
from vaecore.probability.likelihoods import Observation
from vaecore.probability.posteriors import Posterior, PosteriorMixture

DRAWS = 128  # codes behind a Monte-Carlo estimate
Batch = dict[str, Tensor]


def noise(seed: int) -> torch.Generator:
    """A generator of that seed."""
    return torch.Generator().manual_seed(seed)


def rows_of(opened: Checkpoint | SentenceCheckpoint, rows: slice) -> Batch:
    """Test observations that travel with a run, as its model reads them."""
    [name] = opened.model.modalities
    if isinstance(opened, SentenceCheckpoint):
        texts = [opened.batch(text)[name][0] for text in opened.examples[rows]]
        return {name: pad_sequence(texts, batch_first=True, padding_value=PAD)}
    batch = {name: opened.examples[rows]}
    return batch if opened.covariates is None else batch | {COVARIATE: opened.covariates[rows]}


@dataclass(frozen=True)
class At(DiagonalGaussian):
    """A posterior whose draw is known: `code` (B, r)."""

    code: Tensor

    def rsample(self, generator: torch.Generator | None = None, n_samples: int = 1) -> Tensor:
        return self.code.expand(n_samples, *self.code.shape)


def elbo_terms(model: Family, batch: Batch, code: Code, seed: int) -> Reckoned:
    """The ELBO of a batch of one, or of a family with a point for a code its reconstruction."""
    generator, posteriors = noise(seed), model.encode(batch)
    held = {name: held_at(q, code, generator) for name, q in posteriors.items()}
    found = model.evidence(batch, held, generator)
    prior = model.prior(batch)
    several = isinstance(model, Multimodal)
    terms = [_reconstruction(model, batch, name, value, held, several, seed)
             for name, value in found.reconstruction.items()]
    terms += [_kl(held[name], name, value, prior[name], several, seed) for name, value in found.kl.items()]
    whole = (source_of(type(model).evidence), source_of(Evidence.elbo))
    sampled = code == "mean" and any(term.equations == (39,) for term in terms)
    if not found.kl:
        return Reckoned("Reconstruction", 12, formula(terms, ""), tuple(terms), codes_of(held), whole,
                        "This family's code is a point: it has no KL, and its reconstruction is no bound of log p(x).")
    left = rf"\text{{ELBO}}({', '.join(observed(name, several) for name in found.reconstruction)})"
    return Reckoned("ELBO", equation_of(model), formula(terms, left), tuple(terms), codes_of(held), whole,
                    "At the mean, log q - log p is no estimate of the KL: draw a code." if sampled else "")


def equation_of(model: Family) -> int:
    """The lecture's number of a family's ELBO."""
    if isinstance(model, SV2P):
        return 29 if model.one_code else 31
    if isinstance(model, SVG):
        return 35 if model.prior_moves else 33
    if not isinstance(model, Multimodal):
        return 9
    return {"JMVAE": 19, "MVAE": 24, "DMVAE": 27}.get(type(model).__name__, 21)


def held_at(q: Posterior, code: Code, generator: torch.Generator) -> Posterior:
    """The posterior with the code that is looked at, one of each component where it is a mixture."""
    if isinstance(q, Point):
        return q
    if isinstance(q, PosteriorMixture):
        return _HeldMixture(q.means, q.logvars, q.weights, tuple(
            At(part.mean, part.logvar, part.mean if code == "mean" else part.rsample(generator)[0])
            for part in q.components))
    return At(q.mean, q.logvar, q.mean if code == "mean" else q.rsample(generator)[0])


@dataclass(frozen=True)
class _HeldMixture(PosteriorMixture):
    held: tuple[At, ...] = ()

    @property
    def components(self) -> list[DiagonalGaussian]:
        return list(self.held)


def codes_of(held: Mapping[str, Posterior]) -> dict[str, Numbers]:
    return {name: (q.code if isinstance(q, At) else q.mean)[0].double().numpy() for name, q in held.items()}


def _reconstruction(model: Family, batch: Batch, name: str, value: Tensor, held: Mapping[str, Posterior],
                    several: bool, seed: int) -> Term:
    """log p(x|z) of a modality at the code, and its mean over codes of the posterior."""
    ways: list[Way] = []
    parts: list[Part] = []
    code = [source_of(type(model).evidence)]
    if not any(isinstance(q, PosteriorMixture) for q in held.values()):
        at = {latent: q.code if isinstance(q, At) else q.mean for latent, q in held.items()}
        p = model.decode(at)[name]
        code = [source_of(type(p).log_prob), *beneath(p), *code]
        ways.append(Way("at this z", float(value), None, filled(p, batch[name])))
        if isinstance(p, Sentences):
            words = model.modalities[name].vocabulary
            parts = [Part("the end" if number == END else words[number], float(log_prob)) for number, log_prob in zip(
                batch[name][0].tolist(), p.by_word(batch[name])[0], strict=True)]
        if any(isinstance(q, At) for q in held.values()):
            ways.append(_over_codes(model, batch[name], name, held, seed))
    else:
        ways.append(Way("at one code of each component, weighed", float(value)))
    given = ", ".join(map(latent_symbol, held)) if not several else r"\vec{z}" if "z" in held else ", ".join(
        latent_symbol(latent) for latent in held if latent == SHARED or plain(name) in latent_symbol(latent))
    what = f"the {plain(name)}" if several else "x"
    return Term(f"reconstruction {name}" if several else "reconstruction",
                rf"\log p_\theta({observed(name, several)}|{given})", 1.0, float(value),
                f"How well the code explains {what}: the log-density that the decoder gives it.", tuple(ways), (11, 12),
                tuple(code), parts=tuple(parts), parted="word" if parts else "")


def _over_codes(model: Family, x: Tensor, name: str, held: Mapping[str, Posterior], seed: int) -> Way:
    """E_q log p(x|z) as equation (11) has it, with many codes instead of one."""
    generator = noise(seed + 1)
    z = {latent: DiagonalGaussian(q.mean, q.logvar).rsample(generator, DRAWS)[:, 0] if isinstance(q, At)
         else q.mean.expand(DRAWS, -1) for latent, q in held.items()}
    scores = torch.cat([model.decode({latent: codes[rows] for latent, codes in z.items()})[name].log_prob(
        x.expand(len(rows), *x.shape[1:])) for rows in torch.split(torch.arange(DRAWS), model.at_once(DRAWS))])
    return mean_over(f"mean of {DRAWS} codes, (11)", scores)


def mean_over(name: str, values: Tensor) -> Way:
    """A Monte-Carlo estimate with its standard error, of values (K,)."""
    values = values.double()
    return Way(name, float(values.mean()), float(values.std() / math.sqrt(len(values))))


def beneath(p: Observation) -> list[Source]:
    """What a likelihood's `log_prob` calls that has the formula itself."""
    if isinstance(p, likelihoods.BernoulliPixels):
        return [source_of(likelihoods._bernoulli)]
    if isinstance(p, likelihoods.GaussianPixels):
        return [source_of(gaussian_log_prob if p.logvar.ndim else likelihoods._of_squares)]
    if isinstance(p, Sentences):
        return [source_of(SentenceDecoder.by_word)]
    return []


def _kl(q: Posterior, name: str, value: Tensor, prior: Density, several: bool, seed: int) -> Term:
    """KL(q || p) of a latent: in closed form by dimension where both are Gaussians, else from the code."""
    symbol = latent_symbol(name)
    given = r"\vec{x}" if not several else r"\vec{x}^{(1:M)}"
    latex = rf"\text{{KL}}(q_\phi({symbol}|{given}) || p({symbol}))"
    says = f"What the code costs: how far q is from the prior, over {value.shape[-1]} dimensions."
    total = float(value.double().sum())
    if not isinstance(q, At):
        return Term(f"KL {name}", latex, -1.0, total, "What the codes cost: the mean of the KL of the components.",
                    (Way("closed form, mean of the components", total),), (15, 16),
                    (source_of(DiagonalGaussian.kl_from_standard), source_of(Evidence.total_kl)))
    plain = DiagonalGaussian(q.mean, q.logvar)
    many = plain.rsample(noise(seed + 1), DRAWS)
    sampled = (plain.log_prob(many) - prior.log_prob(many))[:, 0]
    at, under = float(plain.log_prob(q.code)), float(prior.log_prob(q.code))
    single = Way("at this z alone", at - under, None,
                 rf"\log q_\phi({symbol}|{given}) - \log p({symbol}) = {number(at)} {signed(-under)}")
    estimate = mean_over(f"mean of {DRAWS} codes", sampled)
    if isinstance(prior, StandardNormal | DiagonalGaussian):
        equation, code = (16, DiagonalGaussian.kl_from_standard) if isinstance(prior, StandardNormal) else (
            15, gaussian_kl)
        exact = Way(f"closed form, ({equation})", total, None, closed(q, prior))
        return Term(f"KL {name}" if several else "KL", latex, -1.0, total, says, (exact, estimate, single), (equation,),
                    (source_of(code), source_of(type(prior).kl), source_of(Evidence.total_kl)), "", tuple(
                        Dimension(j, float(q.mean[0, j]), math.exp(0.5 * float(q.logvar[0, j])), float(value[0, j]))
                        for j in range(value.shape[1])))
    here = replace(single, value=total) if abs(single.value - total) < 1e-3 else Way("at this z", total)
    return Term("KL", latex, -1.0, total,
                "What the code costs. This prior is no single Gaussian, so there is no closed form: it is taken at the "
                "code, and in the mean over codes it is the KL.", (here, estimate), (39,),
                (source_of(type(prior).kl), source_of(type(prior).log_prob), source_of(DiagonalGaussian.log_prob)))
