"""What papers claim, each as an experiment that could refute it. A new one is a file beside these and a line below."""

from __future__ import annotations

from vaecore.claims import (
    c01_linear,
    c02_loadings,
    c03_naive,
    c04_product,
    c05_marginals,
    c06_unpaired,
    c07_jmvae,
    c08_swap,
    c09_jive,
    c10_pixels,
    c11_three_stages,
    c12_learned_prior,
    c13_lagging,
    c14_gamma,
    c15_word_dropout,
    c16_cyclical,
    c17_vamp,
    c18_implicit,
    c19_wae,
    c20_ivae,
    c21_chains,
    c22_identity,
    c23_once_or_each_bounce,
    e07_direction,
)
from vaecore.claims.base import (
    Bench,
    Cancelled,
    Claim,
    Finding,
    Result,
    about,
    claims_folder,
    in_words,
    kept,
    minutes,
    run_claim,
)

CLAIMS: dict[str, Claim] = {module.CLAIM.id: module.CLAIM for module in (
    c01_linear, c02_loadings, c03_naive, c04_product, c05_marginals, c06_unpaired, c07_jmvae, c08_swap, c09_jive,
    c10_pixels, c11_three_stages, c12_learned_prior, c13_lagging, c14_gamma, c15_word_dropout, c16_cyclical, c17_vamp,
    c18_implicit, c19_wae, c20_ivae, c21_chains, c22_identity, c23_once_or_each_bounce, e07_direction)}

__all__ = ["CLAIMS", "Bench", "Cancelled", "Claim", "Finding", "Result", "about", "claims_folder", "in_words", "kept",
           "minutes", "run_claim"]
