"""Data sets by name. A new one is a file beside these and a member of the union below."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from vaecore.data.base import (
    COVARIATE,
    EVENTS,
    OBSERVED,
    SPLITS,
    Array,
    DataConfig,
    Dataset,
    DataUnavailable,
    ImageConfig,
    Split,
    SplitName,
)
from vaecore.data.captions import Captions
from vaecore.data.characters import Characters
from vaecore.data.coloured_sprites import ColouredSprites
from vaecore.data.digit_views import DigitViews
from vaecore.data.digits import Digits
from vaecore.data.fashion_mnist import FashionMNIST
from vaecore.data.filmed import Filmed
from vaecore.data.gaussian import Gaussian
from vaecore.data.halves import Halves
from vaecore.data.image_label import ImageLabel
from vaecore.data.mnist import MNIST
from vaecore.data.moving_mnist import MovingMNIST
from vaecore.data.moving_shape import MovingShape
from vaecore.data.moving_states import MovingStates
from vaecore.data.omics import Omics
from vaecore.data.omniglot import Omniglot
from vaecore.data.own.aligned import Aligned
from vaecore.data.own.clips import OwnClips
from vaecore.data.own.images import Images
from vaecore.data.own.images_labels import ImagesLabels
from vaecore.data.own.table import Table
from vaecore.data.own.text import TextFile
from vaecore.data.planted_blocks import PlantedBlocks
from vaecore.data.plugins import BUILT_IN, follow, load_plugins, register
from vaecore.data.sentences import Sentences
from vaecore.data.sources import Sources
from vaecore.data.spoken_digits import SpokenDigits
from vaecore.data.sprites import Sprites
from vaecore.data.styled_digits import StyledDigits
from vaecore.data.synthetic_text import SyntheticText
from vaecore.data.translations import Translations
from vaecore.modalities import BEGIN, END, PAD, SPECIALS, UNKNOWN, Modality

Data = Annotated[MNIST | FashionMNIST | Omniglot | Digits | Sprites | ColouredSprites | Gaussian | Sources | Table
                 | Sentences | SyntheticText | Captions | TextFile | ImageLabel | Halves | StyledDigits | SpokenDigits
                 | DigitViews | Omics | PlantedBlocks | Translations | Aligned | MovingMNIST | MovingStates
                 | MovingShape | Characters | Filmed | OwnClips | Images | ImagesLabels,
                 Field(discriminator="name")]
DATASETS: dict[str, type[DataConfig]] = {
    member.model_fields["name"].default: member for member in get_args(get_args(Data)[0])}

__all__ = ["BEGIN", "COVARIATE", "DATASETS", "END", "EVENTS", "MNIST", "OBSERVED", "PAD", "SPECIALS", "SPLITS",
           "UNKNOWN", "Array", "Data", "DataConfig", "DataUnavailable", "Dataset", "ImageConfig", "Modality",
           "Split", "SplitName", "register"]

BUILT_IN.update(DATASETS)


def _known(kind: type[DataConfig]) -> None:
    DATASETS[str(kind.model_fields["name"].default)] = kind


follow(_known)
load_plugins()  # last: a plugin may import everything above
