"""The sentence VAE (Bowman et al. 2016) and the language model it is measured against.

Generation: z ~ p(z), then words one by one from an LSTM that reads z and the previous words (eq. 5 with an
autoregressive p(x|z)). Because the decoder can do without z, this is where posteriors collapse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from vaecore.data import COVARIATE
from vaecore.modalities import Modality, Text
from vaecore.models.base import Batch, Family, Given, Modalities, ModelConfig, described, only_modality
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.single.latent import GaussianLatent
from vaecore.nets.text import SentenceDecoder, SentenceEncoder, Sentences, uniform
from vaecore.probability.divergences import DivergenceChoice, KLConfig
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.likelihoods import Observation
from vaecore.probability.posteriors import Posterior
from vaecore.probability.priors import Inputs, PriorChoice, StandardConfig
from vaecore.schema import option


class _RecurrentConfig(ModelConfig):
    likelihood_name: ClassVar[str] = "words"
    reads: ClassVar[tuple[type[Modality], ...]] = (Text,)

    embedding: int = option(128, "Size of a word's embedding.", unit="units", ge=1, le=4096)
    hidden: int = option(256, "Size of the LSTM's state.", unit="units", ge=1, le=4096)
    dropout: float = option(0.0, "Share of the decoder's inputs and outputs that is set to 0 in training.",
                            unit="of units", ge=0, lt=1)
    word_keep: float = option(1.0, "Keep rate: share of previous words that the decoder may read in training; the "
                              "others are read as unknown. 0 is the inputless decoder, which never reads one.",
                              unit="of words", ge=0, le=1)
    tied: bool = option(False, "Score each next word by the embedding by which the decoder reads it (Press & Wolf "
                        "2017): far fewer weights.", title="Tied embeddings", advanced=True)
    initial_scale: float = option(0.1, "Initial weights are drawn from U(-s, s).", gt=0, le=10, advanced=True)
    embedding_scale: float = option(0.1, "Initial embeddings are drawn from U(-s, s).", gt=0, le=10, advanced=True)


class SentenceVAEConfig(_RecurrentConfig):
    """A VAE of sentences with LSTM encoder and decoder."""

    title: ClassVar[str] = "Sentence VAE"
    usual: ClassVar[Literal["", "few", "many"]] = "many"
    family: Literal["sentence-vae"] = "sentence-vae"
    latent_size: int = option(32, "Size r of the latent z.", symbol="z", unit="dimensions", ge=1, le=1024)
    prior: PriorChoice = option(StandardConfig(), "p(z): where codes come from.")
    divergence: DivergenceChoice = option(KLConfig(), "What pulls codes towards the prior.")

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return SentenceVAE(modalities, self, covariate)


class LanguageModelConfig(_RecurrentConfig):
    """The decoder of a sentence VAE without a latent: exact likelihoods, the baseline it is measured against."""

    title: ClassVar[str] = "Language model"
    has_kl: ClassVar[bool] = False
    exact: ClassVar[bool] = True
    family: Literal["language-model"] = "language-model"

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return LanguageModel(modalities, self)


class SentenceVAE(GaussianLatent):
    """Pseudo-inputs of a VampPrior are rows of word embeddings, of the longest length."""

    encoder: SentenceEncoder

    def __init__(self, modalities: Given, config: SentenceVAEConfig | None = None, covariate: Modality | None = None,
                 **fields: Any) -> None:
        config, modalities = described(SentenceVAEConfig, config, fields, modalities)
        text = only_modality(modalities)[1]
        inputs = Inputs((*text.shape, config.embedding), bounded=False, observed=text.shape, dtype=torch.long)
        super().__init__(modalities, config.latent_size, config.prior, config.divergence, inputs, covariate)
        [self.longest] = text.shape
        words = len(text.vocabulary)
        extra = covariate.size if self.reads_covariate and covariate else 0
        self.encoder = SentenceEncoder(words, config.embedding, config.hidden, 2 * config.latent_size, extra)
        self.decoder = SentenceDecoder(words, config.embedding, config.hidden, config.latent_size, config.dropout,
                                       config.word_keep, tied=config.tied)
        uniform(nn.ModuleList([self.encoder, self.decoder]), config.initial_scale, config.embedding_scale)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """What training maximises: the ELBO of equation (9), or (40) with another divergence than the KL."""
        x = batch[self.modality]  # (B, T)
        q = self.posterior(x, batch[COVARIATE] if self.reads_covariate else None)  # q(z|x)
        elbo = self.evidence(batch, {"z": q}, generator)
        if self.latent_divergence is None:
            return Objective([(1.0, elbo)])
        return Objective([(1.0, elbo)], divergence=self.divergence(batch, {"z": q}, generator))

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """The two terms of equation (9); p(x|z) is a product over words, each given z and the words before it."""
        x, q = batch[self.modality], posteriors["z"]
        assert isinstance(q, DiagonalGaussian)
        z = q.rsample(generator)  # (1, B, r)
        log_prob = self.decoder.log_prob(x, z[0], generator)
        p_z = self.latent_prior(self.posterior, None if self.covariate is None else batch[COVARIATE], z.device)
        return Evidence({self.modality: log_prob}, {"z": p_z.kl(q, z)})

    def posterior(self, x: Tensor, u: Tensor | None = None) -> DiagonalGaussian:
        return DiagonalGaussian.bounded(self.encoder(x, u))

    def pseudo_inputs(self, x: Tensor) -> Tensor:
        return self.encoder.embedding(x)  # type: ignore[no-any-return]

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        return {self.modality: Sentences(self.decoder, z["z"], self.longest)}


class LanguageModel(Family):
    """log p(x) itself is the objective: there is nothing to bound."""

    def __init__(self, modalities: Given, config: LanguageModelConfig | None = None, **fields: Any) -> None:
        config, modalities = described(LanguageModelConfig, config, fields, modalities)
        super().__init__(modalities)
        self.modality, text = only_modality(modalities)
        [self.longest] = text.shape
        self.decoder = SentenceDecoder(len(text.vocabulary), config.embedding, config.hidden, 0, config.dropout,
                                       config.word_keep, tied=config.tied)
        uniform(self, config.initial_scale, config.embedding_scale)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """log p(x) itself, equation (3): every word given those before it."""
        log_prob = self.decoder.log_prob(batch[self.modality], None, generator)
        return Objective([(1.0, Evidence({self.modality: log_prob}, {}))])

    @property
    def latents(self) -> dict[str, int]:
        return {}

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        return {}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        return {self.modality: Sentences(self.decoder, None, self.longest)}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        return Evidence({self.modality: self.decoder.log_prob(batch[self.modality], None, generator)}, {})
