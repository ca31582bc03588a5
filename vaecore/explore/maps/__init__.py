"""Latent maps: the codes of a split in the plane, by two dimensions, principal components or UMAP.

`latent_map(checkpoint, Settings(method="pca"))` gives a `LatentMap`; `Selection` is some of its observations, `align`
turns one map onto another, and `nearest` finds the real observations nearest to a code.
"""

from vaecore.explore.maps.encoded import MEASURES, Encoded, encode, log_likelihoods
from vaecore.explore.maps.latent_map import LatentMap, latent_map
from vaecore.explore.maps.nearest import nearest
from vaecore.explore.maps.population import Population
from vaecore.explore.maps.procrustes import Alignment, align
from vaecore.explore.maps.projections import principal
from vaecore.explore.maps.selection import Selection
from vaecore.mapping import Settings

__all__ = ["MEASURES", "Alignment", "Encoded", "LatentMap", "Population", "Selection", "Settings", "align", "encode",
           "latent_map", "log_likelihoods", "nearest", "principal"]
