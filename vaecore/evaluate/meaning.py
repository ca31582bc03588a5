"""What a number is: exact, a bound, an estimate, or no log p at all. Command line and pages read it from here.

Exactness belongs to family, pixels and log Z together. A family may know log p(x) in closed form and yet have a
normaliser that annealed importance sampling estimated; and a Bernoulli likelihood of grey pixels is the log p of no
observation, whatever the family. All numbers are maximised: ELBO and log p, never their negatives. No torch in here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from vaecore.training import ACTIVE as THRESHOLD

Kind = Literal["exact", "bound", "estimate", "no log p"]
GREY = {"bernoulli", "usual ones"}  # likelihoods that score pixels as black or white; the second, of several modalities
DENSITIES = {"gaussian", "gaussian-learned", "gaussian-optimal", "gaussian-per-pixel", "laplace",
             "independent sources"}
# What numbers that many pages show are, in a sentence each.
ACTIVE = (f"Latent dimensions in use: whose posterior mean varies by more than {THRESHOLD:g} (in variance) from one "
          "observation to the next; where each observation has a prior of its own, whose KL exceeds "
          f"{THRESHOLD:g} nats.")
PERPLEXITY = ("exp(−log p(x) / tokens): among how many equally likely words the model chooses each next one. The "
              "end of a sentence counts as a word. Of a model with a code it is from the ELBO, and so at least the "
              "true one.")
MAX_EXPONENT = 700.0  # beyond it exp() is no double


@dataclass(frozen=True)
class Meaning:
    """What one number is: its kind, how it is called, and a sentence that says so."""

    kind: Kind
    name: str
    words: str


def word(*, has_kl: bool, exact: bool) -> str:
    """What a family's number is called, in nats, higher is better: a bound, log p itself, or of a code's decoding."""
    return "ELBO" if has_kl else "log p(x)" if exact else "log p(x|z)"


def evidence_meaning(facts: Mapping[str, Any]) -> Meaning:
    """What `evidence.elbo` of an evaluation is."""
    has_kl, exact, error = facts.get("has_kl") is True, facts.get("exact") is True, log_z_error(facts)
    name = word(has_kl=has_kl, exact=exact)
    if has_kl:
        given = facts.get("conditional") is True
        below = ("Lower bound on the mean log p of black and white draws of these grey pixels"
                 if grey(facts) else "Lower bound on a log density at pixels that are 0 or 1, which is no log p"
                 if density_of_two_values(facts) else f"Lower bound on log p(x{'|u' if given else ''})")
        normaliser = f" The prior's log Z is estimated, with a standard error of {error:.2g}." if error else ""
        return Meaning("bound", f"{name}, given u" if given else name,
                       f"{below}: reconstruction less KL. Higher is better.{normaliser}")
    if not exact:
        return Meaning("no log p", name, "At the code of each observation. This family learns without a prior, so it "
                                         "is no bound on log p(x) and does not compare with an ELBO.")
    return _direct(facts)


def likelihood_meaning(facts: Mapping[str, Any]) -> Meaning:
    """What `likelihood.log_likelihood` of an evaluation is."""
    if facts.get("exact") is True:
        return _direct(facts)
    given = "log p(x|u)" if facts.get("conditional") is True else "log p(x)"
    if density_of_two_values(facts):
        return _density()
    if grey(facts):
        return Meaning("no log p", f"{given} of grey", "Not a log p: a Bernoulli likelihood is one of black and white "
                       "pixels, and these are grey. It compares with runs of the same grey pixels alone. Choose black "
                       "and white ones (data.pixels) for log p(x).")
    error = log_z_error(facts)
    return Meaning("estimate", given, "By importance sampling: an estimate from below that rises with K."
                   + (f" The prior's log Z is estimated too; its error of {error:.2g} is in the interval." if error
                      else ""))


def _direct(facts: Mapping[str, Any]) -> Meaning:
    """Of a family that knows log p(x) without a code."""
    error = log_z_error(facts)
    if density_of_two_values(facts):
        return _density()
    if grey(facts):
        return Meaning("no log p", "log p(x) of grey", "Not a log p: this family knows log p of black and white "
                       "pixels, and these are grey. It compares with runs of the same grey pixels alone. Choose black "
                       "and white ones (data.pixels) for log p(x).")
    if error:
        return Meaning("estimate", "log p(x)", f"Exact but for log Z, whose estimate has a standard error of "
                       f"{error:.2g} and tends to be too low, so that log p(x) tends to be too high. That error is in "
                       "the interval.")
    return Meaning("exact", "log p(x)", "Exact: no samples, no bound. Higher is better.")


def _density() -> Meaning:
    return Meaning("no log p", "log density", "Not a log p: this likelihood is a density of real numbers, and these "
                   "pixels are 0 or 1. It may exceed 0, and rises without end as its noise shrinks. It does not "
                   "compare with log p of black and white pixels.")


def log_z_error(facts: Mapping[str, Any]) -> float:
    """Standard error of an estimated log normaliser in nats; 0 where it is exact or there is none."""
    found = facts.get("log_z")
    error = found.get("standard_error") if isinstance(found, Mapping) else None
    return float(error) if isinstance(error, int | float) and math.isfinite(error) and error > 0 else 0.0


def grey(facts: Mapping[str, Any]) -> bool:
    """Whether pixels between black and white are scored by a Bernoulli likelihood."""
    found = facts.get("grey_pixels")
    if isinstance(found, bool):
        return found
    return facts.get("pixels") == "grey" and str(facts.get("likelihood_name")) in GREY  # of an older evaluation


def density_of_two_values(facts: Mapping[str, Any]) -> bool:
    """Whether black and white pixels are scored by a density of real numbers."""
    return str(facts.get("pixels")).startswith("binary") and facts.get("likelihood_name") in DENSITIES


def explained(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`facts` of an evaluation with `meaning` of its numbers, and an estimated log Z's error in the interval of log p.

    Given what it returned, it changes nothing. What is damaged is left as it is.
    """
    found = dict(facts)
    found["meaning"] = {"evidence": asdict(evidence_meaning(facts)), "likelihood": asdict(likelihood_meaning(facts))}
    likelihood, error = facts.get("likelihood"), log_z_error(facts)
    if error and isinstance(likelihood, Mapping) and likelihood.get("log_z_error") != error:
        found["likelihood"] = {**likelihood, **_widened(likelihood, error), "log_z_error": error}
    return found


def _widened(likelihood: Mapping[str, Any], error: float) -> dict[str, Any]:
    """The interval and standard error with `error`, common to all observations, added in quadrature."""
    mean, interval, spread = (likelihood.get(name) for name in ("log_likelihood", "interval", "standard_error"))
    more: dict[str, Any] = {}
    if not error or not isinstance(mean, int | float):
        return more
    if isinstance(interval, list | tuple) and len(interval) == 2 and all(isinstance(v, int | float) for v in interval):
        from vaecore.probability.intervals import two_sided  # here: what only lists answers without it

        common = two_sided() * error
        more["interval"] = [mean - math.hypot(mean - interval[0], common),
                            mean + math.hypot(interval[1] - mean, common)]
    if isinstance(spread, int | float):
        more["standard_error"] = math.hypot(spread, error)
    return more


# -- by modality -----------------------------------------------------------------------------------


def perplexities(evidence: Any) -> dict[str, float | None]:
    """exp(cost / tokens) of each text by its name; None where it is beyond any number.

    Of the only modality the cost is -ELBO. Of several it is -E log p(text|z), so it is given the code: no share of a
    KL that pays for all modalities belongs to one of them. What is damaged is left out.
    """
    if not isinstance(evidence, Mapping):
        return {}
    tokens, reconstruction = evidence.get("tokens"), evidence.get("reconstruction")
    if not isinstance(tokens, Mapping) or not isinstance(reconstruction, Mapping):
        return {}
    found: dict[str, float | None] = {}
    for name, count in tokens.items():
        gain: Any = reconstruction.get(name) if len(reconstruction) > 1 else evidence.get("elbo")
        if not (_number(count) and _number(gain)) or count <= 0:
            continue
        exponent = -gain / count
        found[name] = math.exp(exponent) if exponent < MAX_EXPONENT else None
    return found


def perplexity_name(modality: str, evidence: Mapping[str, Any]) -> str:
    """"perplexity", or of several modalities whose it is and that it is given the code."""
    return "perplexity" if len(evidence["reconstruction"]) < 2 else f"perplexity of {modality}|z"


def by_modality(title: str, values: Any) -> dict[str, float]:
    """Numbers of each modality under `title`, which names the modality where there are several."""
    known = {name: float(value) for name, value in values.items() if _number(value)} if isinstance(values, Mapping) \
        else {}
    return {title if len(known) < 2 else f"{title} of {name}": value for name, value in known.items()}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
