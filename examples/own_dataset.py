"""A data set class of one's own: registered here, or in every process by VAECORE_PLUGINS=examples/own_dataset.py."""

from typing import ClassVar, Literal

import numpy as np

import vaecore
from vaecore.data import SPLITS, DataConfig, Dataset, Modality, Split, register


@register
class Stripes(DataConfig):
    """Images of 8 x 8 pixels with a bright column, or a bright row."""
    title: ClassVar[str] = "Stripes"
    name: Literal["stripes"] = "stripes"

    def load(self) -> Dataset:
        columns = np.eye(8, dtype=np.uint8)[:, None].repeat(8, 1) * np.uint8(255)
        images = np.concatenate([columns, columns.swapaxes(1, 2)]).repeat(20, 0)[:, None]
        parts = zip(SPLITS, np.split(np.random.default_rng(0).permutation(320), [240, 280]), strict=True)
        splits = {split: Split({"image": images[rows]}) for split, rows in parts}
        return Dataset("stripes", "320 drawn stripes", {"image": Modality("image", (1, 8, 8))}, splits)


def main(**how: object) -> float:
    return float(vaecore.fit("vae-digits", set={"data": {"name": "stripes"}}, **how).summary["test"]["elbo"])


if __name__ == "__main__":
    main()
