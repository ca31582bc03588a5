"""The ELBO of a clip by its terms, frame by frame: x_1..x_{T-1} given x_0, at one code of each frame or of the clip."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecore.explore.clips.checkpoint import VideoCheckpoint
from vaecore.explore.terms.elbo import At, Batch, beneath, codes_of, equation_of, held_at, noise
from vaecore.explore.terms.entries import Code, Part, Reckoned, Term, Way
from vaecore.explore.terms.formulas import closed, filled, formula, number, signed
from vaecore.lecture.sources import source_of
from vaecore.models.capabilities import HasLearnedPrior
from vaecore.models.evidence import Evidence
from vaecore.models.video.conditional_wasserstein import ConditionalWasserstein
from vaecore.models.video.shared import VideoFamily
from vaecore.models.video.svg import SVG
from vaecore.probability.gaussian import DiagonalGaussian, StandardNormal, gaussian_kl


def clip_terms(model: VideoFamily, batch: Batch, code: Code, seed: int) -> Reckoned:
    """The ELBO of a clip, a batch of one, whose family has a code."""
    [(latent, q)] = model.encode(batch).items()
    held = held_at(q, code, noise(seed))
    assert isinstance(held, At)
    terms = _reconstruction(model, batch, latent, held), _kl(model, batch, latent, held)
    return Reckoned("ELBO", equation_of(model), formula(terms, r"\text{ELBO}(\vec{x}_{1:T-1} | \vec{x}_0)"), terms,
                    codes_of({latent: held}), (source_of(type(model).evidence), source_of(Evidence.elbo)),
                    "The frames before are the true ones, in every term.")


@torch.inference_mode()
def predicted(opened: VideoCheckpoint, batch: Batch, reckoned: Reckoned) -> Tensor:
    """The frames after the first as they are predicted at the code that is looked at, (T-1, *frame)."""
    held = {name: torch.from_numpy(z).float()[None] for name, z in reckoned.codes.items()}
    at = {name: DiagonalGaussian(z, torch.zeros_like(z)) for name, z in held.items()}
    return opened.model.predictions(batch, at, mean=True).mean[0]


def paired_distance(model: ConditionalWasserstein, batch: Batch, beta: float, seed: int) -> Term:
    """What stands in the place of the KL of that family: of the codes and histories of this clip."""
    value = float(model.divergence(batch, model.encode(batch), noise(seed))) / model.weight
    return Term("divergence", r"D(q_\phi(\vec{z}_t, \vec{h}_t), p_\psi(\vec{z}_t, \vec{h}_t))", -beta * model.weight,
                value, "How far codes and what came before are together from the prior's. Training takes it over many "
                "clips: of one it says little.", (Way("over the frames of this clip", value),), (40,),
                (source_of(ConditionalWasserstein.divergence), source_of(type(model.measure).forward)),
                rf"{beta * model.weight:g} \cdot")


def _reconstruction(model: VideoFamily, batch: Batch, latent: str, held: At) -> Term:
    x, found = batch[model.modality], model.predictions(batch, {latent: held})
    by_frame, p = found.log_prob(x)[0], found.observation
    total = float(by_frame.double().sum())
    z = r"\vec{z}" if model.one_code else r"\vec{z}_{1:t}" if isinstance(model, SVG) else r"\vec{z}_t"
    return Term("reconstruction", rf"\sum_{{t=1}}^{{T-1}} \log p_\theta(\vec{{x}}_t|{z}, \vec{{x}}_{{0:t-1}})", 1.0,
                total, f"How well each of {len(by_frame)} frames is foreseen from those before it and the code.",
                (Way("at this z", total, None, filled(p, x[0, 1:])),), (equation_of(model), 12),
                (source_of(type(p).log_prob), *beneath(p), source_of(type(model).predictions),
                 source_of(type(model).evidence)), parts=_by_frame(by_frame), parted="frame")


def _kl(model: VideoFamily, batch: Batch, latent: str, held: At) -> Term:
    """KL of q from N(0, I), or from the prior that has read the frames before."""
    kl = model.divergences(batch, {latent: held})[latent][0]  # (T-1, r), or (1, r) of one code
    learned = model.priors(batch, {latent: held}) if isinstance(model, HasLearnedPrior) and model.prior_moves else None
    prior = StandardNormal(kl.shape[-1], kl.device) if learned is None else learned
    total, q = float(kl.double().sum()), DiagonalGaussian(held.mean, held.logvar)
    symbol, each = (r"\vec{z}", "") if model.one_code else (r"\vec{z}_t", r"\sum_{t=1}^{T-1} ")
    seen = r"\vec{x}_{0:t}" if isinstance(model, SVG) else r"\vec{x}_{0:T-1}"
    density = rf"p({symbol})" if learned is None else rf"p_\psi({symbol}|\vec{{x}}_{{0:t-1}})"
    before = "" if learned is None else " that has read the frames before"
    of_frames = "" if model.one_code else f" of each of {len(kl)} frames"
    at, under = (float(p.log_prob(held.code).double().sum()) for p in (q, prior))
    number_of = 16 if learned is None else 15
    exact = closed(_flat(q), prior if isinstance(prior, StandardNormal) else _flat(prior))
    return Term("KL", rf"{each}\text{{KL}}(q_\phi({symbol}|{seen}) || {density})", -1.0, total,
                f"What the code costs: how far q is from the prior{before}, over {kl.shape[-1]} dimensions{of_frames}.",
                (Way(f"closed form, ({number_of}), of {kl.numel():,} numbers", total, None, exact),
                 Way("at this z alone", at - under, None,
                     rf"\log q_\phi - \log p = {number(at)} {signed(-under)} = {number(at - under)}")),
                (equation_of(model), number_of),
                (source_of(DiagonalGaussian.kl_from_standard if learned is None else gaussian_kl),
                 source_of(type(model).divergences), source_of(Evidence.total_kl)),
                parts=() if model.one_code else _by_frame(kl.double().sum(1)),
                parted="" if model.one_code else "frame")


def _flat(p: DiagonalGaussian) -> DiagonalGaussian:
    """All numbers of all frames as those of one code, (1, (T-1) r)."""
    return DiagonalGaussian(p.mean.flatten(1), p.logvar.flatten(1))


def _by_frame(values: Tensor) -> tuple[Part, ...]:
    return tuple(Part(str(t), float(value)) for t, value in enumerate(values, 1))
