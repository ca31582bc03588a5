"""A run in numbers, read from its files. No torch: Home paints before it is imported."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import StrictBool

from pages.shared.checkpoints import names
from vaecore.evaluate.evaluation import Evidence
from vaecore.evaluate.meaning import word
from vaecore.store import Run, StoreError
from vaecore.untrusted import LARGEST_NUMBER, Untrusted, Whole, Word

PIXELS = {"binary-fixed": "black and white, drawn once", "binary-dynamic": "black and white, drawn anew"}

BOUND_HELP = ("Evidence lower bound (ELBO) on the test set, in nats per {one}: log p(x|z) less KL, a lower bound on "
              "log p(x). Higher is better, among runs of the same data, pixels and likelihood.")
CODE_HELP = ("log p(x|z) on the test set, in nats per {one}, at the code of each {one}. This family has no KL and no "
             "prior, so this is no bound on log p(x) and does not compare with a VAE's ELBO.")
EXACT_HELP = ("log p(x) on the test set, in nats per {one}: what the family knows itself, not a bound. Evaluate says "
              "whether log Z was estimated and whether pixels are grey. Higher is better.")
MSE_HELP = ("Mean squared error of the reconstruction on the test set, for each pixel (0 black, 1 white) or number. "
            "Of standardised numbers it is in variances of their columns: 1 is no better than their means. Lower is "
            "better.")
PERPLEXITY_HELP = ("exp(−ELBO / tokens): among how many equally likely words the model chooses each next one. The end "
                   "of a sentence counts as a word. Lower is better, among models with the same vocabulary.")
ACTIVE_HELP = ("Latent dimensions in use, of all there are: those whose code varies by more than 0.01 (in variance) "
               "from one observation to the next. The others carry nothing.")


# -- what the files hold, which may come from anywhere ---------------------------------------------


class Data(Untrusted):
    """The data set's fields in `config.json`."""

    pixels: Word = ""
    source: Word = ""
    tokens: Word = ""
    vocabulary_size: Whole | None = None
    least_count: Whole | None = None
    train_limit: Whole | None = None

    @property
    def vocabulary(self) -> str:
        """Which words of a text count; empty for what is not text."""
        if self.vocabulary_size is None or self.least_count is None:
            return ""
        unit = "characters" if self.tokens == "characters" else "words"
        limit = f"{self.train_limit:,}" if self.train_limit else "all"
        return f"{unit} found {self.least_count} times or more in {limit} sentences, {self.vocabulary_size:,} at most"


class Choice(Untrusted):
    """A choice among several kinds."""

    kind: Word = ""


class Model(Untrusted):
    """The model's fields in `config.json`."""

    latent_size: Whole | None = None
    likelihood: Choice = Choice()


class Config(Untrusted):
    """`config.json`."""

    data: Data = Data()
    model: Model = Model()


class About(Untrusted):
    """`about.json`."""

    observation: Word = "observation"
    likelihood: Word = ""
    multimodal: StrictBool = False
    has_kl: StrictBool = True
    exact: StrictBool = False


class Summary(Untrusted):
    """`summary.json`: what was found when training ended."""

    data: Word = ""
    step: Whole | None = None
    parameters: Whole | None = None
    seconds: float = math.nan
    test: Evidence = Evidence()


def sane(value: float | None) -> float | None:
    """The number; None where it is none, or beyond all that is ours."""
    return value if value is not None and abs(value) < LARGEST_NUMBER else None


# -- in numbers ------------------------------------------------------------------------------------


class Figure(NamedTuple):
    """A number as a card shows it."""

    label: str
    value: str
    help: str


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
    about, (family, known) = About.kept(run.about()), names(run)
    config, found = Config.kept(values), Summary.kept(summary)
    data, test, pixels = config.data, found.test, config.data.pixels
    copy = re.sub(r" from .*?(?=: \d)", "", found.data)  # where the maker kept it says nothing here
    copy = copy.replace(" / ", "\u00a0/\u00a0")
    words = ["" if known in copy else known, copy or data.source, PIXELS.get(pixels, "")]
    errors = list(test.mse.values())
    return Headline(
        id=run.id, family=family, data=" · ".join(word for word in words if word),
        one=about.observation or "observation",
        latent_size=sum(map(len, test.code_mean.values())) or config.model.latent_size, steps=found.step,
        bound=sane(test.elbo), reconstruction=sane(test.reconstructed), kl=sane(test.rate),
        # Over several modalities, the mean of an error in pixels and one in something else means nothing.
        mse=None if about.multimodal or not errors else sane(sum(errors) / len(errors)),
        perplexity=None if about.multimodal else next((value for _, value, _ in test.perplexities.values()), None),
        active=test.active, parameters=found.parameters, seconds=sane(found.seconds),
        has_kl=bool(test.kl) if "kl" in test.model_fields_set else about.has_kl,
        likelihood=config.model.likelihood.kind or about.likelihood, exact=about.exact,
        scored_on=(known, copy, pixels, data.vocabulary),
        read=read if isinstance(read := values.get("data"), dict) else {}, problem=problem)


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
