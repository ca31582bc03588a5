"""What a linear method of several modalities says of itself: loadings in place of a decoder.

Shapes: D numbers of a modality, r latent size.
"""

from __future__ import annotations

import numpy as np
import torch

from vaecore.arrays import Numbers
from vaecore.data import Modality
from vaecore.explore.beliefs import largest_first
from vaecore.explore.pictures import Images
from vaecore.models.blocks.shared import LinearBlocks

ABOVE, BELOW = np.array([255.0, 150.0, 50.0]), np.array([70.0, 160.0, 255.0])  # colours of loadings, as (R, G, B)


@torch.inference_mode()
def loadings(model: LinearBlocks) -> dict[str, dict[str, Numbers]]:
    """Loadings (D, r) by latent, of each modality that it has to do with."""
    return {latent: {name: x.double().numpy() for name, x in each.items() if bool((x != 0).any())}
            for latent, each in model.loadings().items()}


def strongest(loadings: dict[str, Numbers], dimension: int, count: int = 12) -> dict[str, list[tuple[int, float]]]:
    """The features of each modality that load most on a dimension, largest first: their numbers and loadings."""
    columns = {name: each[:, dimension] for name, each in loadings.items()}
    return {name: [(d, float(column[d])) for d in largest_first(np.abs(column))[:count]]
            for name, column in columns.items()}


def loading_picture(modality: Modality, column: Numbers) -> Images:
    """Loadings of an image (D,) as a picture (H, W, 3): orange above 0, blue below, black where nothing loads.

    Of several channels each pixel shows the one that loads most: a mean would hide two that load against each other.
    """
    channels = column.reshape(modality.shape)
    column = np.take_along_axis(channels, np.abs(channels).argmax(0)[None], 0)[0]
    share = np.clip(column / max(float(np.abs(column).max()), 1e-12), -1, 1)[..., None]
    colours: Images = np.rint(np.where(share > 0, share * ABOVE, -share * BELOW)).astype(np.uint8)
    return colours
