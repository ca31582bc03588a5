"""Decoders, encoders and judges as graphs, whatever the family: what can be written down is found by trying.

Shapes: r latent size, `*shape` of one observation. A graph is of one observation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vaecore.data import COVARIATE
from vaecore.explore.export.graph import Graph, NoGraph, Shape
from vaecore.explore.judged import KeptJudge
from vaecore.modalities import Clip, Modality, Text
from vaecore.models import Family
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.likelihoods import DiscretisedLogisticPixels, GaussianPixels, LaplacePixels, Observation
from vaecore.probability.posteriors import Posterior, PosteriorMixture

What = Literal["decoder", "encoder", "judge"]
WHAT: tuple[What, ...] = ("decoder", "encoder")  # of a model itself; a judge is one of its data
JUDGE: What = "judge"
INSTEAD = "the server computes instead"


@dataclass(frozen=True)
class Network:
    """A module that takes tensors (B, *shape) in the order of `inputs` and gives some by name."""

    module: nn.Module
    inputs: Mapping[str, Shape]


def network(model: Family, what: What) -> Graph:
    """The decoder or the encoder of a model as a graph.

    A decoder takes a code (r,) by the name of each latent and gives `<modality>.mean`, and `<modality>.sigma` where
    the likelihood has one; an encoder takes the modalities, and the covariate where q(z|x, u) reads it, and gives
    `<latent>.mean` and, but of a code without a law, `<latent>.sigma`. Raises `NoGraph` where there is no such network
    or a browser cannot run it.
    """
    return graph_of(module_of(model, what), what)


def graph_of(asked: Network, what: What) -> Graph:
    """A network as a graph; raises `NoGraph` where a browser cannot run it."""
    try:
        return Graph.of(asked.module, asked.inputs)
    except NoGraph:
        raise
    except Exception as error:  # torch.export raises errors of its own of many kinds
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
        raise NoGraph(f"Its {what} cannot be written down for a browser ({line}): {INSTEAD}.") from error


def module_of(model: Family, what: What) -> Network:
    """What of a model is written down, which the server can run as well.

    Raises `NoGraph`, with the reason in words, for a model that has no such network.
    """
    title = type(model).__name__
    if any(isinstance(modality, Clip) for modality in model.modalities.values()):
        raise NoGraph(f"{title} models clips: each frame is drawn from those before it, which only a roll-out does.")
    if not model.latents:
        raise NoGraph(f"{title} has no code: what it draws is drawn number by number, each given those before it.")
    if what == "decoder":
        read = [name for name, modality in model.modalities.items() if not isinstance(modality, Text)]
        if not read:
            raise NoGraph(f"{title} writes sentences: word by word, each given those before it, on the server.")
        return Network(_Decoding(model, read), {name: (size,) for name, size in model.latents.items()})
    if any(isinstance(modality, Text) for modality in model.modalities.values()):
        raise NoGraph(f"{title} reads sentences, word by word: on the server.")
    shapes = {name: modality.shape for name, modality in model.modalities.items()}
    covariate = _read_covariate(model)
    return Network(_Encoding(model), shapes | ({} if covariate is None else {COVARIATE: covariate.shape}))


def judging(judge: KeptJudge, shape: Shape) -> Network:
    """A judge as what is written down: it takes one observation by its modality's name, and gives `logits` (K,)."""
    return Network(_Judging(judge.network), {judge.modality: shape})


def _read_covariate(model: Family) -> Modality | None:
    return model.covariate if model.reads_covariate else None


class _Decoding(nn.Module):
    def __init__(self, model: Family, read: list[str]) -> None:
        super().__init__()
        self.model, self.latents, self.read = model, list(model.latents), read

    def forward(self, *codes: Tensor) -> dict[str, Tensor]:
        observations = self.model.decode(dict(zip(self.latents, codes, strict=True)))
        found = {}
        for name in self.read:
            observation = observations[name]
            found[f"{name}.mean"] = observation.mean
            if (sigma := sigma_of(observation)) is not None:
                found[f"{name}.sigma"] = sigma.expand_as(observation.mean)
        return found


class _Encoding(nn.Module):
    def __init__(self, model: Family) -> None:
        super().__init__()
        self.model = model
        self.names = [*model.modalities, *([COVARIATE] if model.reads_covariate else [])]

    def forward(self, *observed: Tensor) -> dict[str, Tensor]:
        found = {}
        for name, posterior in self.model.encode(dict(zip(self.names, observed, strict=True))).items():
            found[f"{name}.mean"] = posterior.mean
            if (sigma := spread_of(posterior)) is not None:
                found[f"{name}.sigma"] = sigma
        return found


class _Judging(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": self.network(x)}


def sigma_of(observation: Observation) -> Tensor | None:
    """The standard deviation of p(x|z), which broadcasts against its mean; None where the mean says it."""
    if isinstance(observation, GaussianPixels):
        return (0.5 * observation.logvar).exp()
    if isinstance(observation, LaplacePixels):
        return math.sqrt(2) * observation.scale
    if isinstance(observation, DiscretisedLogisticPixels):
        return math.pi / math.sqrt(3) * observation.log_scale.exp()
    return None


def spread_of(posterior: Posterior) -> Tensor | None:
    """The standard deviation of q(z|x) in each dimension (B, r), of a mixture that of the whole; None of a point."""
    if isinstance(posterior, DiagonalGaussian):
        return (0.5 * posterior.logvar).exp()
    if isinstance(posterior, PosteriorMixture):
        square = (posterior.weights[..., None] * (posterior.means.square() + posterior.logvars.exp())).sum(0)
        return (square - posterior.mean.square()).clamp(min=0).sqrt()
    return None


@torch.inference_mode()
def computed(asked: Network, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the network gives for inputs (B, *shape) by name, computed here."""
    found: dict[str, Tensor] = asked.module(*(given[name] for name in asked.inputs))
    return {name: value.float() for name, value in found.items()}
