"""Families by name. A new one is a file beside these and a member of the union below."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from vaecore.models.base import Batch, Family, Modalities, ModelConfig, show_choice
from vaecore.models.blocks.cca import MultisetCCA, MultisetCCAConfig
from vaecore.models.blocks.jive import JIVE, JIVEConfig
from vaecore.models.blocks.pls import MultiblockPLS, MultiblockPLSConfig
from vaecore.models.evidence import Evidence, KLCost, Objective
from vaecore.models.multimodal.concatenated import ConcatenatedVAE, ConcatenatedVAEConfig
from vaecore.models.multimodal.dmvae import DMVAE, DMVAEConfig
from vaecore.models.multimodal.jmvae import JMVAE, JMVAEConfig
from vaecore.models.multimodal.mmvae import MMVAE, MMVAEConfig, MoPoE, MoPoEConfig
from vaecore.models.multimodal.multimodal_vae import MultimodalVAEConfig
from vaecore.models.multimodal.mvae import MVAE, MVAEConfig
from vaecore.models.multimodal.separate import SeparateVAEs, SeparateVAEsConfig
from vaecore.models.multimodal.shared import MultimodalVAE, SharedLatentConfig
from vaecore.models.single.autoencoder import AE, AEConfig
from vaecore.models.single.ica import ICA, ICAConfig
from vaecore.models.single.linear_ae import LinearAE, LinearAEConfig
from vaecore.models.single.made import MADE, MADEConfig
from vaecore.models.single.pca import PCA, PCAConfig
from vaecore.models.single.pixelcnn import PixelCNN, PixelCNNConfig
from vaecore.models.single.rbm import RBM, RBMConfig
from vaecore.models.single.sentence_vae import LanguageModel, LanguageModelConfig, SentenceVAE, SentenceVAEConfig
from vaecore.models.single.vae import VAE, VAEConfig
from vaecore.models.video.conditional_wasserstein import ConditionalWasserstein, ConditionalWassersteinConfig
from vaecore.models.video.prednet import PredNet, PredNetConfig
from vaecore.models.video.recurrent_predictor import RecurrentPredictor, RecurrentPredictorConfig
from vaecore.models.video.sv2p import SV2P, SV2PConfig
from vaecore.models.video.svg import SVG, SVGFixedPriorConfig, SVGLearnedPriorConfig
from vaecore.models.video.video_pixel_network import VideoPixelNetwork, VideoPixelNetworkConfig

Model = Annotated[VAEConfig | AEConfig | LinearAEConfig | PCAConfig | ICAConfig | MADEConfig | PixelCNNConfig
                  | RBMConfig | SentenceVAEConfig | LanguageModelConfig
                  | MultimodalVAEConfig | DMVAEConfig | SeparateVAEsConfig | ConcatenatedVAEConfig
                  | MultisetCCAConfig | JIVEConfig | MultiblockPLSConfig
                  | RecurrentPredictorConfig | SVGFixedPriorConfig | SVGLearnedPriorConfig | SV2PConfig
                  | PredNetConfig | VideoPixelNetworkConfig | ConditionalWassersteinConfig,
                  Field(discriminator="family")]
FAMILIES: dict[str, type[ModelConfig]] = {
    member.model_fields["family"].default: member for member in get_args(get_args(Model)[0])}

for _module in [each for each in globals().values() if isinstance(each, type) and issubclass(each, Family)]:
    if _module is not Family:
        show_choice(_module)

__all__ = ["AE", "DMVAE", "FAMILIES", "ICA", "JIVE", "JMVAE", "MADE", "MMVAE", "MVAE", "PCA", "RBM", "SV2P", "SVG",
           "VAE", "AEConfig", "Batch", "ConcatenatedVAE", "ConcatenatedVAEConfig", "ConditionalWasserstein",
           "ConditionalWassersteinConfig", "DMVAEConfig", "Evidence", "Family", "ICAConfig", "JIVEConfig",
           "JMVAEConfig", "KLCost", "LanguageModel", "LanguageModelConfig", "LinearAE", "LinearAEConfig",
           "MADEConfig", "MMVAEConfig", "MVAEConfig", "MoPoE", "MoPoEConfig", "Modalities", "Model", "ModelConfig",
           "MultiblockPLS", "MultiblockPLSConfig", "MultimodalVAE", "MultimodalVAEConfig", "MultisetCCA",
           "MultisetCCAConfig", "Objective", "PCAConfig", "PixelCNN", "PixelCNNConfig", "PredNet", "PredNetConfig",
           "RBMConfig", "RecurrentPredictor", "RecurrentPredictorConfig", "SV2PConfig", "SVGFixedPriorConfig",
           "SVGLearnedPriorConfig", "SentenceVAE", "SentenceVAEConfig", "SeparateVAEs", "SeparateVAEsConfig",
           "SharedLatentConfig", "VAEConfig", "VideoPixelNetwork", "VideoPixelNetworkConfig"]
