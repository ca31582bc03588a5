"""What a model of several modalities generates, or is given, in a form that can be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.data.text import words
from vaecore.explore.pictures import Images, as_images
from vaecore.modalities import Modality, Text, Vector


@dataclass(frozen=True)
class Generated:
    """N observations of one modality that a model made.

    Images in uint8, probabilities of a label (N, D), numbers of a vector (N, D), or sentences.
    """

    modality: Modality
    values: NDArray[Any]
    sentences: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The likeliest class of each, (N,); of labels only."""
        return np.asarray(self.values.argmax(1), np.int64)

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The numbers of vectors (N, D) in the file's units; of vectors only."""
        assert isinstance(self.modality, Vector)
        return self.modality.in_units(self.values)

    @property
    def images(self) -> Images:
        """The observations as pictures: a vector is one row of grey. Labels and sentences are none."""
        return self.values if self.modality.pixels else as_images(torch.as_tensor(self.values))


def shown(modality: Modality, value: Tensor) -> Generated:
    """Observations of a modality (N, *shape), as a model reads them or as a mean of p(x|z) has them."""
    if isinstance(modality, Text):
        return Generated(modality, value.numpy(), tuple(words(row, modality.vocabulary) for row in value.tolist()))
    return Generated(modality, as_images(value) if modality.pixels else value.numpy())


def joined(parts: Sequence[Generated]) -> Generated:
    """Several parts of the same modality as one."""
    if len(parts) == 1:
        return parts[0]
    return Generated(parts[0].modality, np.concatenate([part.values for part in parts]),
                     tuple(sentence for part in parts for sentence in part.sentences))
