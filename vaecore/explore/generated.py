"""What a model of several modalities generates, or is given, in a form that can be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.data import Kind, Modality
from vaecore.data.text import words
from vaecore.explore.pictures import Images, as_images


@dataclass(frozen=True)
class Generated:
    """N observations of one modality: images in uint8, probabilities of a label (N, D), numbers of a vector (N, D), or
    sentences."""

    kind: Kind
    values: NDArray[Any]
    sentences: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sentences) if self.kind == "text" else len(self.values)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The likeliest class of each, (N,); of labels only."""
        return np.asarray(self.values.argmax(1), np.int64)

    @property
    def images(self) -> Images:
        """As pictures: a vector is one row of grey. Labels and sentences are none."""
        if self.kind == "image":
            return self.values
        return as_images(torch.as_tensor(self.values))


def shown(modality: Modality, value: Tensor) -> Generated:
    """Observations of a modality (N, *shape), as a model reads them or as a mean of p(x|z) has them."""
    if modality.kind == "text":
        return Generated("text", value.numpy(), tuple(words(row, modality.vocabulary) for row in value.tolist()))
    if modality.kind == "image":
        return Generated("image", as_images(value))
    return Generated(modality.kind, value.numpy())


def joined(parts: Sequence[Generated]) -> Generated:
    """Several parts of the same modality as one."""
    if len(parts) == 1:
        return parts[0]
    return Generated(parts[0].kind, np.concatenate([part.values for part in parts]),
                     tuple(sentence for part in parts for sentence in part.sentences))
