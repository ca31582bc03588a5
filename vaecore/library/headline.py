"""A run in numbers, computed here once from its files: pages, tables and the command line say the same. No torch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import StrictBool

from vaecore.evaluate.evaluation import Evidence
from vaecore.evaluate.meaning import word
from vaecore.store import Run, StoreError
from vaecore.untrusted import LARGEST_NUMBER, Untrusted, Whole, Word

PIXELS = {"binary-fixed": "black and white, drawn once", "binary-dynamic": "black and white, drawn anew"}


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
        """The words of a text that count; empty for what is not text."""
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
    prior: Choice = Choice()


class Config(Untrusted):
    """What is read of `config.json`."""

    data: Data = Data()
    model: Model = Model()


class About(Untrusted):
    """What is read of `about.json`."""

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
    given: str  # "u" where likelihoods are of x given u, which the prior reads
    scored_on: tuple[str, str, str, str]  # data set, copy, pixels, vocabulary: what comparable ELBOs share
    errors: Mapping[str, float]  # MSE by modality
    perplexities: Mapping[str, float | None]  # by text; None beyond any number
    read: Mapping[str, Any]  # the data set's fields, which say how it was read, split and scaled
    problem: str = ""  # summary.json cannot be read

    @property
    def has_code(self) -> bool:
        """Whether the run has a latent; a language model has none."""
        return self.has_kl or not self.exact

    @property
    def word(self) -> str:
        """What `bound` is: "ELBO", "log p(x)" or "log p(x|z)"."""
        return word(has_kl=self.has_kl, exact=self.exact)


def headline(run: Run) -> Headline:
    """The numbers of a run; raises `StoreError` where there is no configuration to tell what it is."""
    values, problem = run.values(), ""
    try:
        summary = run.summary()
    except StoreError as error:
        summary, problem = {}, str(error)
    return told(run.id, values, run.about(), summary, problem)


def names(run: Run) -> tuple[str, str]:
    """Family and data set in words; as the configuration has them where nothing says it better.

    Raises `StoreError` for a run without a configuration.
    """
    return _names(run.values(), run.about())


def _names(values: dict[str, Any], about: dict[str, Any]) -> tuple[str, str]:
    return (_said(about, "family") or _choice(values, "model", "family"),
            _said(about, "data") or _choice(values, "data", "name"))


def _said(about: dict[str, Any], key: str) -> str:
    found = about.get(key)
    return found[:80] if isinstance(found, str) else ""


def _choice(values: dict[str, Any], part: str, tag: str) -> str:
    section = values.get(part)
    return str(section.get(tag, "?"))[:80] if isinstance(section, dict) else "?"


def told(name: str, values: dict[str, Any], words: dict[str, Any], summary: dict[str, Any], problem: str = ""
         ) -> Headline:
    """The numbers of the run called `name`, from what stands in its `config.json`, `about.json` and `summary.json`."""
    about, (family, known) = About.kept(words), _names(values, words)
    config, found = Config.kept(values), Summary.kept(summary)
    data, test, pixels = config.data, found.test, config.data.pixels
    copy = re.sub(r" from .*?(?=: \d)", "", found.data)  # where the maker kept it says nothing here
    copy = copy.replace(" / ", "\u00a0/\u00a0")
    said = ["" if known in copy else known, copy or data.source, PIXELS.get(pixels, "")]
    errors = list(test.mse.values())
    return Headline(
        id=name, family=family, data=" · ".join(filter(None, said)),
        one=about.observation or "observation",
        latent_size=sum(map(len, test.code_mean.values())) or config.model.latent_size, steps=found.step,
        bound=sane(test.elbo), reconstruction=sane(test.reconstructed), kl=sane(test.rate),
        # Over several modalities, the mean of an error in pixels and one in something else means nothing.
        mse=None if about.multimodal or not errors else sane(sum(errors) / len(errors)),
        perplexity=None if about.multimodal else next((value for _, value, _ in test.perplexities.values()), None),
        active=test.active, parameters=found.parameters, seconds=sane(found.seconds),
        has_kl=bool(test.kl) if "kl" in test.model_fields_set else about.has_kl,
        likelihood=config.model.likelihood.kind or about.likelihood, exact=about.exact,
        given="u" if config.model.prior.kind == "conditional" else "",
        scored_on=(known, copy, pixels, data.vocabulary),
        errors={name: value for name, value in test.mse.items() if sane(value) is not None},
        perplexities={name: value for name, (_, value, _) in test.perplexities.items()},
        read=read if isinstance(read := values.get("data"), dict) else {}, problem=problem)


def comparable(runs: Sequence[Headline], *, nats: bool = True) -> list[str]:
    """Why numbers of these runs cannot be set against each other; empty where they can.

    Those in `nats` compare only under one likelihood, and given the same.
    """
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
    if nats and len(likelihoods) > 1:
        reasons.append(f"likelihoods ({', '.join(likelihoods)})")
    given = list(dict.fromkeys(run.given or "nothing" for run in runs))
    if nats and len(given) > 1:
        reasons.append(f"given ({' and '.join(given)})")
    return reasons
