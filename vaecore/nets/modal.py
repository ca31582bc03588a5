"""What each modality is read and written by: a network and a likelihood for its kind.

Shapes: B observations, r latent size. Texts are read and written by LSTMs, images by a network of images, labels and
vectors by fully connected layers.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from vaecore.modalities import Image, Label, Modality, Text, Vector
from vaecore.nets.base import NetworkConfig
from vaecore.nets.convolutional import ConvConfig, ResConvConfig
from vaecore.nets.mlp import LinearConfig, MLPConfig
from vaecore.nets.text import SentenceDecoder, SentenceEncoder, Sentences
from vaecore.probability.likelihoods import (
    BernoulliConfig,
    CategoricalConfig,
    DiscretisedLogisticConfig,
    GaussianFixedConfig,
    GaussianLearnedConfig,
    GaussianOptimalConfig,
    GaussianPerPixelConfig,
    Likelihood,
    LikelihoodConfig,
    Observation,
)
from vaecore.schema import ConfigError, Strict, option, problem

LIKELIHOODS: list[type[LikelihoodConfig]] = [BernoulliConfig, GaussianFixedConfig, GaussianLearnedConfig,
                                             GaussianOptimalConfig, GaussianPerPixelConfig, DiscretisedLogisticConfig,
                                             CategoricalConfig]
USUAL: dict[type[Modality], type[LikelihoodConfig]] = {
    Image: BernoulliConfig, Vector: GaussianLearnedConfig, Label: CategoricalConfig}


def tag(likelihood: type[LikelihoodConfig]) -> str:
    """What a configuration calls a likelihood."""
    return str(likelihood.model_fields["kind"].default)


def _known(name: str) -> str:
    """The name of a likelihood, a new kind's usual one too; raises `ValueError` for what is none."""
    if name not in (known := dict.fromkeys(map(tag, [*LIKELIHOODS, *USUAL.values()]))):
        raise ValueError(f"there is no likelihood '{name[:40]}'. Use one of {', '.join(known)}.")
    return name


LikelihoodName = Annotated[str, AfterValidator(_known)]


class TextNetworkConfig(Strict):
    """LSTMs that read and write sentences."""

    embedding: int = option(128, "Size of a word's embedding.", title="Text: embedding", unit="units", ge=1, le=4096)
    hidden: int = option(256, "Size of the LSTM's state.", title="Text: state", unit="units", ge=1, le=4096)
    word_keep: float = option(0.7, "Keep rate: share of previous words that the decoder may read in training. With all "
                              "of them it can do without the code, and nothing crosses to the other language.",
                              title="Text: words kept", unit="of words", ge=0, le=1)

    def encoder(self, modality: Modality, size: int) -> SentenceEncoder:
        """(B, T) -> (B, size)."""
        return SentenceEncoder(len(modality.vocabulary), self.embedding, self.hidden, size)


class ModalNetworks(Strict):
    """One network a kind of modality; each modality has its own weights."""

    image: Annotated[MLPConfig | ConvConfig | ResConvConfig | LinearConfig, Field(discriminator="kind")] = option(
        MLPConfig(hidden=(512, 256)), "Encoder and decoder of images.", title="Image network")
    vector: Annotated[MLPConfig | LinearConfig, Field(discriminator="kind")] = option(
        MLPConfig(hidden=(256,)), "Encoder and decoder of labels and vectors.", title="Label and vector network")
    text: TextNetworkConfig = option(TextNetworkConfig(), "Encoder and decoder of sentences.")

    def of(self, modality: Modality) -> NetworkConfig | TextNetworkConfig:
        """The one that reads and writes a modality."""
        network: NetworkConfig | TextNetworkConfig = getattr(self, modality.pick(NETWORKS))
        return network

    def encoder(self, modality: Modality, size: int) -> nn.Module:
        """(B, *shape) -> (B, size); raises `ConfigError` where the network does not fit."""
        with _here(modality):
            return self.of(modality).encoder(modality, size)

    def decoder(self, modality: Modality, size: int, likelihood: LikelihoodConfig | None) -> Decoder:
        """(B, size) -> p(x|z); `likelihood` is None for texts, which have none to choose.

        Raises `ConfigError` where the network does not fit.
        """
        network = self.of(modality)
        if isinstance(network, TextNetworkConfig):
            return _WritingDecoder(network, modality, size)
        assert likelihood is not None
        built = likelihood.build()
        with _here(modality):
            return _ObservingDecoder(network.decoder(modality, size, built.channels), built)


NETWORKS: dict[type[Modality], str] = {Image: "image", Vector: "vector", Label: "vector", Text: "text"}  # whose field


@contextmanager
def _here(modality: Modality) -> Iterator[None]:
    """What is refused of the network of one modality is refused where that stands among those of several."""
    try:
        yield
    except ConfigError as error:
        raise error.moved("model.network", f"model.networks.{modality.pick(NETWORKS)}") from None


class Decoder(nn.Module):
    """A decoder of one modality: codes (B, size) to p(x|z)."""

    @abstractmethod
    def forward(self, z: Tensor, generator: torch.Generator | None = None) -> Observation: ...


class _ObservingDecoder(Decoder):
    def __init__(self, network: nn.Module, likelihood: Likelihood) -> None:
        super().__init__()
        self.network, self.likelihood = network, likelihood

    def forward(self, z: Tensor, generator: torch.Generator | None = None) -> Observation:
        observation: Observation = self.likelihood(self.network(z))
        return observation


class _WritingDecoder(Decoder):
    def __init__(self, text: TextNetworkConfig, modality: Modality, size: int) -> None:
        super().__init__()
        [self.longest] = modality.shape
        self.network = SentenceDecoder(len(modality.vocabulary), text.embedding, text.hidden, size, 0.0, text.word_keep)

    def forward(self, z: Tensor, generator: torch.Generator | None = None) -> Observation:
        return Sentences(self.network, z, self.longest, generator=generator)


def likelihoods(chosen: Mapping[str, str], sigma: float, modalities: Mapping[str, Modality]
                ) -> dict[str, LikelihoodConfig | None]:
    """The likelihood of each modality: as `chosen` by name, else the usual one of its kind.

    Raises `ConfigError` for a name that is no modality, and for a likelihood that does not fit one.
    """
    check_names("model.likelihoods", chosen, modalities)
    found: dict[str, LikelihoodConfig | None] = {}
    for name, modality in modalities.items():
        fitting = {tag(each): each for each in fitting_likelihoods(modality)}
        kind = chosen.get(name, next(iter(fitting), ""))
        if kind not in fitting and (fitting or kind):
            raise problem(f"model.likelihoods.{name}", kind, f"'{kind}' does not describe {modality.plural}.",
                          f"Use {' or '.join(fitting)}." if fitting else "Leave it out: sentences are scored by word.",
                          _without("model.likelihoods", chosen, [name]))
        found[name] = fitting[kind].with_sigma(sigma) if kind else None
    return found


def fitting_likelihoods(modality: Modality) -> list[type[LikelihoodConfig]]:
    """What describes a modality, the usual choice first; none of a text, which is scored by word."""
    if not any(isinstance(modality, kind) for kind in USUAL):
        return []
    usual = modality.pick(USUAL)
    return [usual, *(each for each in LIKELIHOODS if each is not usual and isinstance(modality, each.describes))]


def check_names(field: str, values: Mapping[str, object], modalities: Mapping[str, Modality]) -> None:
    """Raise `ConfigError` for a key of `values` that is no modality."""
    for name, value in values.items():
        if name not in modalities:
            raise problem(f"{field}.{name}", value, f"this data set has no modality '{name}'.",
                          f"It has {', '.join(modalities)}.",
                          _without(field, values, [name for name in values if name not in modalities]))


def _without(field: str, values: Mapping[str, object], names: Iterable[str]) -> str:
    """The setting that takes values by name out of a field."""
    left = {name: value for name, value in values.items() if name not in names}
    return f"{field}={json.dumps(left)}"
