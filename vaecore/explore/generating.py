"""From what is given to codes, and from codes to observations of several modalities.

Shapes: N observations to generate, r latent size.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from vaecore.data.text import words
from vaecore.explore.generated import Generated, shown
from vaecore.explore.pictures import as_images, on_screen, png, stacked, striped
from vaecore.models import Family
from vaecore.models.blocks.shared import LinearBlocks
from vaecore.models.multimodal.shared import Multimodal
from vaecore.nets.text import Sentences
from vaecore.probability.gaussian import Point, StandardNormal
from vaecore.probability.posteriors import Posterior, PosteriorMixture
from vaecore.views import Preview


def drawn_codes(model: Family, batch: Mapping[str, Tensor], count: int, temperature: float, generator: torch.Generator
                ) -> dict[str, Tensor]:
    """Codes (N, r) a latent: from q(z | what a batch of one has), or from the prior where it has nothing."""
    if not batch:
        return {latent: temperature * p.sample(count, generator) if isinstance(p, StandardNormal) else
                p.tempered(temperature).sample(count, generator) for latent, p in model.prior().items()}
    return {latent: _draw(q, count, temperature, generator) for latent, q in model.encode(batch).items()}


def decoded(model: Family, z: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Generated]:
    """The modalities called `names` of codes (N, r) a latent: means of p(x|z), the likeliest sentences."""
    some = isinstance(model, Multimodal | LinearBlocks)
    found = model.decode(z, predict=names) if some else model.decode(z)  # type: ignore[call-arg]
    return {name: shown(model.modalities[name], p.likeliest() if isinstance(p := found[name], Sentences) else p.mean)
            for name in names}


@torch.inference_mode()
def joint_preview(model: Family, examples: Mapping[str, Tensor], count: int) -> Preview:
    """What a model draws together: from its prior, or without one from the first of the examples."""
    pictured = [name for name, modality in model.modalities.items() if modality.pictured]
    seen = [name for name in pictured if model.modalities[name].pixels] or pictured
    generator = torch.Generator().manual_seed(0)
    if prior := model.prior():
        z = {name: p.sample(count, generator) for name, p in prior.items()}
    else:  # without a prior, what it makes of test observations
        few = {name: x[:count] for name, x in examples.items()}
        z = {name: q.mean for name, q in model.encode(few).items()}
    found = model.decode(z)
    if not seen:
        lines = [words(row.tolist(), model.modalities[name].vocabulary) for place in range(3)
                 for name, p in found.items() if isinstance(p, Sentences) for row in [p.likeliest()[place]]]
        return Preview("preview.txt", "\n".join(lines).encode())
    pixels = model.modalities[seen[0]].pixels
    rows = [as_images(found[name].mean.clamp(0, 1) if pixels else found[name].mean) for name in seen]
    return Preview("preview.png", on_screen(stacked(rows[:3]), most=2) if pixels else png(striped(rows)))


def _draw(q: Posterior, count: int, temperature: float, generator: torch.Generator) -> Tensor:
    """Codes (count, r) of a posterior of one observation."""
    if isinstance(q, Point):
        return q.mean.expand(count, -1)
    if isinstance(q, PosteriorMixture):
        chosen = torch.multinomial(q.weights[:, 0], count, replacement=True, generator=generator)
        mean, logvar = q.means[chosen, 0], q.logvars[chosen, 0]
    else:
        mean, logvar = q.mean.expand(count, -1), q.logvar.expand(count, -1)
    noise = torch.randn(mean.shape, generator=generator)
    return torch.addcmul(mean, temperature * (0.5 * logvar).exp(), noise)
