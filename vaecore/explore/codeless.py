"""Looking at a model without a latent code: what it draws."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from vaecore.explore.opening import read_model
from vaecore.explore.pictures import Images, as_images, on_screen, sheet
from vaecore.models import Family
from vaecore.store import Run
from vaecore.views import CODELESS, Preview


@dataclass(frozen=True)
class Codeless:
    """A model that draws and has no latent code, such as an autoregressive one."""

    run: Run
    model: Family

    @classmethod
    def load(cls, run: Run) -> Codeless:
        """Open a run without a code.

        Raises `BrokenCheckpoint` or `StoreError` for files that are missing or damaged, `WrongView` for a model with a
        code.
        """
        return cls(run, read_model(run, CODELESS))

    @torch.inference_mode()
    def sample(self, count: int, seed: int = 0) -> Images:
        """Draw `count` images; it may take a pass through the model for each pixel."""
        [drawn] = self.model.sample(count, torch.Generator().manual_seed(seed)).values()
        return as_images(drawn)

    def preview(self, count: int = 8) -> Preview:
        """Samples, two rows of `count`."""
        return Preview("preview.png", on_screen(sheet(self.sample(2 * count), count), most=2))
