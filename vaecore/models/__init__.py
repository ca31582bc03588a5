"""Families by name. A new one is a file beside these and a member of the union below."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from vaecore.models.base import Batch, Evidence, Family, KLCost, Modalities, ModelConfig, Objective
from vaecore.models.blocks.cca import MultisetCCA
from vaecore.models.blocks.jive import JIVE
from vaecore.models.blocks.pls import MultiblockPLS
from vaecore.models.multimodal.concatenated import ConcatenatedVAE
from vaecore.models.multimodal.dmvae import DMVAE
from vaecore.models.multimodal.multimodal_vae import MultimodalVAE
from vaecore.models.multimodal.separate import SeparateVAEs
from vaecore.models.single.autoencoder import AE
from vaecore.models.single.ica import ICA
from vaecore.models.single.linear_ae import LinearAE
from vaecore.models.single.made import MADE
from vaecore.models.single.pca import PCA
from vaecore.models.single.pixelcnn import PixelCNN
from vaecore.models.single.rbm import RBM
from vaecore.models.single.sentence_vae import LanguageModel, SentenceVAE
from vaecore.models.single.vae import VAE
from vaecore.models.video.conditional_wasserstein import ConditionalWasserstein
from vaecore.models.video.prednet import PredNet
from vaecore.models.video.recurrent_predictor import RecurrentPredictor
from vaecore.models.video.sv2p import SV2P
from vaecore.models.video.svg import SVGFixedPrior, SVGLearnedPrior
from vaecore.models.video.video_pixel_network import VideoPixelNetwork

Model = Annotated[VAE | AE | LinearAE | PCA | ICA | MADE | PixelCNN | RBM | SentenceVAE | LanguageModel
                  | MultimodalVAE | DMVAE | SeparateVAEs | ConcatenatedVAE
                  | MultisetCCA | JIVE | MultiblockPLS
                  | RecurrentPredictor | SVGFixedPrior | SVGLearnedPrior | SV2P
                  | PredNet | VideoPixelNetwork | ConditionalWasserstein, Field(discriminator="family")]
FAMILIES: dict[str, type[ModelConfig]] = {
    member.model_fields["family"].default: member for member in get_args(get_args(Model)[0])}

__all__ = ["AE", "DMVAE", "FAMILIES", "ICA", "MADE", "PCA", "RBM", "VAE", "Batch", "ConcatenatedVAE", "Evidence",
           "Family", "KLCost", "LanguageModel", "LinearAE", "Modalities", "Model", "ModelConfig", "MultimodalVAE",
           "Objective", "PixelCNN", "SentenceVAE", "SeparateVAEs"]
