"""What the Train page has measured: the look of a data set, whether a model fits it, the time a training takes.

Each answer is held by the configuration's JSON, outside of Streamlit's caches: these would show the bar of a
conversion again whenever what they keep is asked for. torch is imported when the first is asked for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared.checkpoints import store
from pages.shared.words import escaped
from vaecore.comparison.durations import measuring
from vaecore.memory import held
from vaecore.schema import ConfigError

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.data import DataConfig, Dataset
    from vaecore.explore.look import Look
    from vaecore.training.build import Fit
    from vaecore.training.estimate import Estimate
    from vaecore.training.fitting import Fitting

MAX_MEASURED = 50_000_000  # parameters; a larger model is not measured in the web server's memory


def look(config: RunConfig) -> Look:
    """The data set in use; raises `DataUnavailable`, or `ConfigError` for a file that cannot be used."""
    return _look(_data(config))


def dataset_of(data: DataConfig) -> Dataset:
    """A data set, loaded; raises as `look`."""
    return _dataset(json.dumps(data.model_dump(mode="json")))


def look_at(data: DataConfig) -> Look:
    """What one looks like, before there is a configuration; raises as `look`."""
    return _look(json.dumps(data.resolve().model_dump(mode="json")))


def fit(config: RunConfig) -> Fit:
    """Size of the model and number of steps; raises `ConfigError` where model, training and data do not fit."""
    return _fit(config.resolve().to_json())


def adapted(start: RunConfig, config: RunConfig, said: Collection[str]) -> tuple[RunConfig, tuple[str, ...]]:
    """What the form began with for the data that were chosen, and what was changed for them, in words.

    Raises `ConfigError` where nothing makes it fit.
    """
    from vaecore.training.fitting import adapted

    found, changes = adapted(start, config, _dataset(_data(config)), said)
    return found, tuple(f"{change}." for change in changes)


def offers(config: RunConfig) -> dict[str, list[Fitting]]:
    """What fits the data at each choice of family and model, and what does not; by the choice's dotted name."""
    from vaecore.config import Training

    training = Training(kl=config.training.kl, inference=config.training.inference)  # what fits depends on no more
    return _offers(config.model_copy(update={"training": training, "seed": 0}).resolve().to_json())


def unread(config: RunConfig) -> set[str]:
    """Fields that make no difference to this training, dotted."""
    from vaecore.training.fitting import unread

    return unread(config, _dataset(_data(config)).modalities)


def seconds(config: RunConfig) -> tuple[float, float]:
    """What it takes at least and at most: one that has to be measured takes a second or two."""
    found = estimate(config)
    return found.seconds, found.at_most


def estimate(config: RunConfig) -> Estimate:
    """How long a training takes here, by the runs of this machine or measured."""
    return _estimate(config.resolve().to_json())


def together(config: RunConfig, seeds: int) -> tuple[str, float]:
    """Why so many seeds cannot be trained stacked, empty where they can; and the seconds that all of them take then."""
    text = config.resolve().to_json()
    why, steps = _stacked(text, seeds)
    return why, steps + seeds * _estimate(text).evaluating


def _data(config: RunConfig) -> str:
    return json.dumps(config.resolve().model_dump(mode="json")["data"])


def _config(text: str) -> RunConfig:
    from vaecore.config import RunConfig

    return RunConfig.model_validate_json(text)


@held
def _dataset(data: str) -> Dataset:
    """A data set by its JSON; shows how far it is where it has to be converted."""
    from vaecore.data.converted import Progress, watched

    shown, place = 0.0, st.empty()

    def show(progress: Progress) -> None:
        nonlocal shown
        if time.monotonic() > shown + 0.25:  # here a visitor who leaves ends it, to be continued by the next one
            shown = time.monotonic()
            place.progress(progress.share, escaped(f"{str(progress)[:1].upper()}{str(progress)[1:]}"))

    with watched(show):
        found = _config(f'{{"data": {data}}}').data.load()
    place.empty()
    return found


@held
def _look(data: str) -> Look:
    from vaecore.explore.look import look

    return look(_dataset(data))


@held
def _fit(text: str) -> Fit:
    from vaecore.training.build import fit

    config = _config(text)
    return fit(config, _dataset(_data(config)))


@held
def _offers(text: str) -> dict[str, list[Fitting]]:
    from vaecore.training.fitting import FAMILY, fittings, mended, open_choices

    config = _config(text)
    dataset = _dataset(_data(config))
    found = {FAMILY: fittings(config, dataset, FAMILY)}
    with suppress(ConfigError):  # of a family that does not fit, nothing inside it can be told
        whole, _ = mended(config, dataset, {FAMILY})
        # What is chosen stays an offer: what does not fit of it is said under the field.
        found |= {path: fittings(whole, dataset, path) for path in open_choices(whole)[1:]}
    return found


@st.cache_data(max_entries=256, ttl=10, show_spinner=False)
def _estimate(text: str) -> Estimate:
    from vaecore.comparison.durations import estimate

    config = _config(text)
    return estimate(config, store=store(), dataset=_dataset(_data(config)))


@st.cache_data(max_entries=64, ttl=600, show_spinner=False)
def _stacked(text: str, seeds: int) -> tuple[str, float]:
    from vaecore.training.stacked import tried

    config = _config(text)
    with measuring:
        found = tried(config.seeded(seeds), budget=0.4)
    return found.why, found.seconds
