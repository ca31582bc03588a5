"""By which law p(x|z) of each modality is drawn, in a word: what a browser must know besides its mean and sigma."""

from __future__ import annotations

import torch

from vaecore.models import Family
from vaecore.probability.likelihoods import (
    BernoulliPixels,
    CategoricalLabel,
    DiscretisedLogisticPixels,
    GaussianPixels,
    LaplacePixels,
    Observation,
)

LAWS: dict[type[Observation], str] = {BernoulliPixels: "bernoulli", GaussianPixels: "gaussian",
                                      LaplacePixels: "laplace", DiscretisedLogisticPixels: "logistic",
                                      CategoricalLabel: "categorical"}


@torch.inference_mode()
def laws(model: Family) -> dict[str, str | None]:
    """The law of each modality of a model with a code; None for one that a browser does not draw."""
    found = model.decode({name: torch.zeros(1, size) for name, size in model.latents.items()})
    return {name: LAWS.get(type(found[name])) if name in found else None for name in model.modalities}
