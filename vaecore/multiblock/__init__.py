"""Linear methods for several blocks of variables of the same samples: multi-set CCA, JIVE and multi-block PLS.

Pure algorithms on NumPy arrays, without a configuration or a checkpoint: the families of the same names in
`vaecore.models` wrap them. A block is a matrix (n, p_m): n samples in rows, which all M blocks share, p_m variables.
"""

from vaecore.multiblock.cca import CanonicalVariates, Criterion, multiset_cca
from vaecore.multiblock.jive import Decomposition, choose_ranks, jive
from vaecore.multiblock.pls import MultiblockScores, multiblock_pls

__all__ = ["CanonicalVariates", "Criterion", "Decomposition", "MultiblockScores", "choose_ranks", "jive",
           "multiblock_pls", "multiset_cca"]
