"""Questions, most of them what a paper claims: each a file with what is done to answer it, and a rule that could refute
the claim. A new one is a file beside these and its name below."""

from __future__ import annotations

from importlib import import_module

from vaecore.studies.base import (
    Bench,
    Cancelled,
    Finding,
    Result,
    Study,
    about,
    in_words,
    kept,
    minutes,
    run_study,
)
from vaecore.studies.series import Member, Series, create, members

STUDIES: tuple[Study, ...] = tuple(import_module(f"{__name__}.{name}").STUDY for name in (  # as pages show them
    "c01_linear",
    "c02_loadings",
    "c03_naive",
    "c04_product",
    "c05_marginals",
    "c06_unpaired",
    "c07_jmvae",
    "c08_swap",
    "c09_jive",
    "c10_pixels",
    "c11_three_stages",
    "c12_learned_prior",
    "c13_lagging",
    "c14_gamma",
    "c15_word_dropout",
    "c16_cyclical",
    "c17_vamp",
    "c18_implicit",
    "c19_wae",
    "c20_ivae",
    "c21_chains",
    "c22_identity",
    "c23_once_or_each_bounce",
    "c24_fitted_prior",
    "c25_optimal_sigma",
    "c26_signal",
    "c27_sentences",
    "e07_direction",
    "same_data",
    "water_filling",
))
CLAIMS: dict[str, Study] = {study.id: study for study in STUDIES if study.rule}
EXPERIMENTS: dict[str, Study] = {study.series.name: study for study in STUDIES if study.series}

__all__ = ["CLAIMS", "EXPERIMENTS", "STUDIES", "Bench", "Cancelled", "Finding", "Member", "Result", "Series", "Study",
           "about", "create", "in_words", "kept", "members", "minutes", "run_study"]
