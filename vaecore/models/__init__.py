"""Families by name. A new one is a file beside these and a member of the union below."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from vaecore.models.ae import AE
from vaecore.models.base import Batch, Evidence, Family, KLCost, Modalities, ModelConfig, Objective
from vaecore.models.concatenated import ConcatenatedVAE
from vaecore.models.conditional_wasserstein import ConditionalWasserstein
from vaecore.models.dmvae import DMVAE
from vaecore.models.ica import ICA
from vaecore.models.jive import JIVE
from vaecore.models.linear_ae import LinearAE
from vaecore.models.made import MADE
from vaecore.models.multiblock_pls import MultiblockPLS
from vaecore.models.multimodal_vae import MultimodalVAE
from vaecore.models.multiset_cca import MultisetCCA
from vaecore.models.pca import PCA
from vaecore.models.pixelcnn import PixelCNN
from vaecore.models.prednet import PredNet
from vaecore.models.rbm import RBM
from vaecore.models.recurrent_predictor import RecurrentPredictor
from vaecore.models.sentence_vae import LanguageModel, SentenceVAE
from vaecore.models.separate import SeparateVAEs
from vaecore.models.sv2p import SV2P
from vaecore.models.svg import SVGFixedPrior, SVGLearnedPrior
from vaecore.models.vae import VAE
from vaecore.models.video_pixel_network import VideoPixelNetwork

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
