"""A run's numbers in the words of cards and tables; `vaecore/library/headline.py` computes them. No torch."""

from __future__ import annotations

from typing import NamedTuple

from vaecore.evaluate.meaning import ACTIVE, PERPLEXITY
from vaecore.library.headline import Headline

BOUND_HELP = ("Evidence lower bound (ELBO) on the test set, in nats per {one}: log p(x|z) less KL, a lower bound on "
              "{bounded}. Higher is better, among runs of the same data, pixels and likelihood.")
CODE_HELP = ("log p(x|z) on the test set, in nats per {one}, at the code of each {one}. This family has no KL and no "
             "prior, so this is no bound on log p(x) and does not compare with a VAE's ELBO.")
EXACT_HELP = ("log p(x) on the test set, in nats per {one}: what the family knows itself, not a bound. Evaluate says "
              "whether log Z was estimated and whether pixels are grey. Higher is better.")
MSE_HELP = ("Mean squared error of the reconstruction on the test set, for each pixel (0 black, 1 white) or number. "
            "Of standardised numbers it is in variances of their columns: 1 is no better than their means. Lower is "
            "better.")
PERPLEXITY_HELP = f"{PERPLEXITY} Lower is better, among models with the same vocabulary."
ACTIVE_HELP = f"{ACTIVE} The others carry nothing."


class Figure(NamedTuple):
    """A number as a card shows it."""

    label: str
    value: str
    help: str


def bound_name(facts: Headline) -> str:
    """What the test number is called."""
    return f"Test {facts.word}"


def bound_help(facts: Headline) -> str:
    """What the test number is, in sentences."""
    words = BOUND_HELP if facts.has_kl else EXACT_HELP if facts.exact else CODE_HELP
    bounded = "log p(x|u), as its prior reads a label or covariate u" if facts.given else "log p(x)"
    return words.format(one=facts.one, bounded=bounded)


def active(facts: Headline) -> str:
    """How many dimensions of the code are in use, of how many."""
    return "–" if facts.active is None else f"{facts.active} of {facts.latent_size or '?'}"


def short(count: int | None) -> str:
    """A count in few letters: 850 k, 1.2 M."""
    if count is None:
        return "–"
    for size, unit in ((1_000_000, " M"), (1_000, " k")):
        if count >= size:
            return f"{count / size:.{0 if count >= 100 * size else 1}f}{unit}"
    return str(count)
