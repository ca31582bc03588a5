"""A run in numbers, read from its files. No torch: Home paints before it is imported."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pages.shared.checkpoints import names
from vaecore.evaluate.meaning import perplexities, word
from vaecore.store import Run, StoreError

PIXELS = {"binary-fixed": "black and white, drawn once", "binary-dynamic": "black and white, drawn anew"}

BOUND_HELP = ("Evidence lower bound (ELBO) on the test set, in nats per {one}: log p(x|z) less KL, a lower bound on "
              "log p(x). Higher is better, among runs of the same data, pixels and likelihood.")
CODE_HELP = ("log p(x|z) on the test set, in nats per {one}, at the code of each {one}. This family has no KL and no "
             "prior, so this is no bound on log p(x) and does not compare with a VAE's ELBO.")
EXACT_HELP = ("log p(x) on the test set, in nats per {one}: what the family knows itself, not a bound. Evaluate says "
              "whether log Z was estimated and whether pixels are grey. Higher is better.")
MSE_HELP = ("Mean squared error of the reconstruction on the test set, for each pixel (0 black, 1 white) or number. "
            "Lower is better.")
PERPLEXITY_HELP = ("exp(−ELBO / tokens): among how many equally likely words the model chooses each next one. The end "
                   "of a sentence counts as a word. Lower is better, among models with the same vocabulary.")
ACTIVE_HELP = ("Latent dimensions in use, of all there are: those whose code varies by more than 0.01 (in variance) "
               "from one observation to the next. The others carry nothing.")
PARAMETERS_HELP = "Numbers learned from the data, in encoder and decoder together: {exact}."


@dataclass(frozen=True)
class Headline:
    """What a card or a table row says of a run; None for numbers that its files do not hold."""

    id: str
    family: str
    data: str  # in words, with the copy that was used
    one: str  # what an observation is called
    latent_size: int | None
    steps: int | None
    bound: float | None  # test ELBO, or log p(x) or log p(x|z) where there is no KL
    reconstruction: float | None  # E log p(x|z)
    kl: float | None
    mse: float | None
    perplexity: float | None  # of text
    active: int | None
    parameters: int | None
    seconds: float | None
    has_kl: bool
    exact: bool  # the reconstruction is log p(x) itself, as a language model's
    likelihood: str
    scored_on: tuple[str, str, str, str]  # data set, copy, pixels, vocabulary: what comparable ELBOs share
    read: Mapping[str, Any]  # the data set's fields, which say how it was read, split and scaled
    problem: str = ""  # summary.json cannot be read

    @property
    def has_code(self) -> bool:
        """Whether there is a latent; a language model has none."""
        return self.has_kl or not self.exact

    @property
    def bound_name(self) -> str:
        return f"Test {word(has_kl=self.has_kl, exact=self.exact)}"

    @property
    def bound_help(self) -> str:
        return (BOUND_HELP if self.has_kl else EXACT_HELP if self.exact else CODE_HELP).format(one=self.one)


def headline(run: Run) -> Headline:
    """The numbers of a run; raises `StoreError` where there is no configuration to tell what it is."""
    values = run.values()
    problem = ""
    try:
        summary = run.summary()
    except StoreError as error:
        summary, problem = {}, str(error)
    about, (family, known) = run.about(), names(run)
    pixels = _text(values, "data", "pixels")
    copy = re.sub(r" from .*?(?=: \d)", "", _text(summary, "data"))  # where the maker kept it says nothing here
    copy = copy.replace(" / ", "\u00a0/\u00a0")
    words = ["" if known in copy else known, copy or _text(values, "data", "source"), PIXELS.get(pixels, "")]
    kl, terms = _total(summary, "test", "kl"), _get(summary, "test", "kl")
    several = about.get("multimodal") is True
    elbo, reconstruction = _number(summary, "test", "elbo"), _total(summary, "test", "reconstruction")
    return Headline(
        id=run.id, family=family, data=" · ".join(word for word in words if word),
        one=_text(about, "observation") or "observation",
        latent_size=_latent_size(summary) or _whole(values, "model", "latent_size"), steps=_whole(summary, "step"),
        bound=elbo, reconstruction=reconstruction,
        # Over several modalities, the mean of an error in pixels and one in something else means nothing.
        kl=kl, mse=None if several else _mean(summary, "test", "mse"),
        perplexity=None if several else next(iter(perplexities(_get(summary, "test")).values()), None),
        active=_whole(summary, "test", "active"), parameters=_whole(summary, "parameters"),
        seconds=_number(summary, "seconds"),
        has_kl=bool(terms) if isinstance(terms, dict) else about.get("has_kl") is not False,
        likelihood=_text(values, "model", "likelihood", "kind") or _text(about, "likelihood"),
        exact=about.get("exact") is True, scored_on=(known, copy, pixels, _vocabulary(values)),
        read=data if isinstance(data := values.get("data"), dict) else {}, problem=problem)


def shown(value: float | None, digits: int = 4) -> str:
    """A number as a person reads it: so many significant digits, at least whole."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}".replace("-", "−")


def short(count: int | None) -> str:
    """A count in few letters: 850 k, 1.2 M."""
    if count is None:
        return "–"
    for size, unit in ((1_000_000, " M"), (1_000, " k")):
        if count >= size:
            return f"{count / size:.{0 if count >= 100 * size else 1}f}{unit}"
    return str(count)


def duration(seconds: float | None) -> str:
    """Seconds in words a person uses."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.1f}\u00a0s" if seconds < 10 else f"{seconds:.0f}\u00a0s"
    return f"{seconds / 60:.0f}\u00a0min" if seconds < 5400 else f"{seconds / 3600:.1f}\u00a0h"


def comparable(runs: list[Headline]) -> list[str]:
    """Why numbers of these runs in nats cannot be set against each other; empty where they can."""
    from vaecore.data.identity import reading

    reasons = []
    for what, index in (("data sets", 0), ("copies of the data", 1), ("kinds of pixels", 2), ("vocabularies", 3)):
        if index == 1 and any(run.read.get("digest") for run in runs):
            continue  # a file's name says nothing of what is in it: its digest does
        different = list(dict.fromkeys(run.scored_on[index] for run in runs if run.scored_on[index]))
        if len(different) > 1 and (index != 1 or len({run.scored_on[0] for run in runs}) == 1):
            reasons.append(f"{what} ({'; '.join(different)})")
    if not reasons and (told := reading([run.read for run in runs])):
        reasons.append(f"how the data was read, split or scaled ({told})")
    likelihoods = list(dict.fromkeys(run.likelihood for run in runs if run.likelihood))
    if len(likelihoods) > 1:
        reasons.append(f"likelihoods ({', '.join(likelihoods)})")
    return reasons


def _vocabulary(values: Any) -> str:
    """Which words of a text count, as the configuration has it; empty for what is not text."""
    size, least, limit = (_whole(values, "data", name) for name in ("vocabulary_size", "least_count", "train_limit"))
    if size is None or least is None:
        return ""
    unit = "characters" if _get(values, "data", "tokens") == "characters" else "words"
    return f"{unit} found {least} times or more in {f'{limit:,}' if limit else 'all'} sentences, {size:,} at most"


def _latent_size(summary: Any) -> int | None:
    """Dimensions of all latents together, as they were evaluated; None where they were not."""
    codes = _get(summary, "test", "code_mean")
    parts = list(codes.values()) if isinstance(codes, dict) else []
    return sum(map(len, parts)) or None if all(isinstance(part, list) for part in parts) else None


def _get(values: Any, *path: str) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _text(values: Any, *path: str) -> str:
    found = _get(values, *path)
    return found[:200] if isinstance(found, str) else ""


def _sane(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1e15 else None


def _number(values: Any, *path: str) -> float | None:
    return _sane(_get(values, *path))


def _whole(values: Any, *path: str) -> int | None:
    value = _number(values, *path)
    return None if value is None else int(value)


def _flat(values: Any, *path: str) -> list[float] | None:
    """The numbers under a dictionary of numbers or lists of numbers; None where there are none."""
    found = _get(values, *path)
    if not isinstance(found, dict) or not found:
        return None
    parts = [part for value in found.values() for part in (value if isinstance(value, list) else [value])]
    numbers = [_sane(part) for part in parts]
    return None if None in numbers else [number for number in numbers if number is not None]


def _total(values: Any, *path: str) -> float | None:
    numbers = _flat(values, *path)
    return sum(numbers) if numbers else None


def _mean(values: Any, *path: str) -> float | None:
    numbers = _flat(values, *path)
    return sum(numbers) / len(numbers) if numbers else None
