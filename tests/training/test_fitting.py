"""What is said to fit data is what trains on them; what is said not to is refused with that very reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vaecore.config import RunConfig, changed, preset
from vaecore.data import DataConfig, Dataset
from vaecore.data.own.door import meant, recognised
from vaecore.named import presets
from vaecore.schema import ConfigError
from vaecore.training.build import build, fit
from vaecore.training.course import Course
from vaecore.training.feed import Feed
from vaecore.training.fitting import (
    FAMILY,
    Fitting,
    adapted,
    families,
    fittings,
    in_words,
    mended,
    open_choices,
    suited,
    unread,
)

# That a fixed point of so few observations is not reached is said, and no failure.
pytestmark = pytest.mark.filterwarnings("ignore:FastICA did not converge")

FEW = ["training.epochs=1", "training.device=cpu", "training.threads=1"]
CLIPS = ["data.clips=40", "data.test_clips=8", "data.frames=6", "data.test_frames=8"]
SHRUNK: dict[str, list[str]] = {  # a data set of every kind, and small
    "pictures": ["data.name=digits", "data.train_limit=160"],
    "black and white": ["data.name=digits", "data.train_limit=160", "data.pixels=binary-fixed"],
    "numbers": ["data.name=gaussian", "data.size=300"],
    "numbers with a covariate": ["data.name=sources", "data.segments=4", "data.per_segment=60"],
    "sentences": ["data.name=synthetic-text", "data.size=400"],
    "picture and label": ["data.name=image-label", "data.train_limit=160"],
    "blocks": ["data.name=planted-blocks", "data.samples=200"],
    "blocks with gaps": ["data.name=planted-blocks", "data.samples=200", "data.missing={kind: random}"],
    "blocks never together": ["data.name=planted-blocks", "data.samples=200",
                              "data.missing={kind: pairing, paired: 0}"],
    "clips": ["data.name=moving-shape", *CLIPS],
    "coordinates": ["data.name=moving-states", *CLIPS],
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Data of one's own: a table of 40 rows, two blocks of 40 mice, colour photographs and their classes."""
    folder, r = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    rows = r.normal(size=(40, 5)) @ r.normal(size=(5, 5))
    lines = ["a,b,c,d,e", *(",".join(f"{x:.4f}" for x in row) for row in rows)]
    (folder / "mice.csv").write_text("\n".join(lines))
    mice = r.normal(size=(40, 2))
    np.savez(folder / "mice.npz", blood=mice @ r.normal(size=(2, 6)) + r.normal(size=(40, 6)),
             genes=mice @ r.normal(size=(2, 30)) + r.normal(size=(40, 30)))
    classes = r.integers(0, 3, 90)
    photographs = np.clip(r.normal(60 + 60 * classes[:, None, None, None], 20, (90, 20, 28, 3)), 0, 255)
    np.savez(folder / "photographs.npz", picture=photographs.astype(np.uint8), kind=classes)
    for name, picture in zip(np.where(classes == 1, "grey", "bright"), photographs.astype(np.uint8), strict=True):
        place = folder / "pictures" / str(name)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place / f"{len(list(place.iterdir()))}.png")
    return {"own pictures": ["data.name=images", f"data.path={folder / 'pictures'}"],
            "own pictures and classes": ["data.name=images-labels", f"data.path={folder / 'pictures'}"],
            "a table of 40 rows": ["data.name=table", f"data.path={folder / 'mice.csv'}"],
            "two blocks of 40 mice": ["data.name=aligned", f"data.path={folder / 'mice.npz'}"],
            "photographs and classes": ["data.name=aligned", f"data.path={folder / 'photographs.npz'}"]}


OWN = ["own pictures", "own pictures and classes", "a table of 40 rows", "two blocks of 40 mice",
       "photographs and classes"]
EVERY = [*SHRUNK, *OWN]
TELLING = ["pictures", "numbers", "sentences", "blocks", "clips", "a table of 40 rows"]  # one of each shape
KINDS = [kind if kind in TELLING else pytest.param(kind, marks=pytest.mark.slow) for kind in EVERY]


@pytest.fixture
def given(own: dict[str, list[str]]) -> Callable[[str], tuple[RunConfig, Dataset]]:
    def load(kind: str) -> tuple[RunConfig, Dataset]:
        config = changed(RunConfig(), [*(SHRUNK | own)[kind], *FEW])
        return config, loaded(config.data)

    return load


@cache
def loaded(data: DataConfig) -> Dataset:
    return data.load()


def trained(config: RunConfig, dataset: Dataset) -> dict[str, torch.Tensor]:
    """What is learned in one step, or solved; raises where that does not go."""
    torch.set_num_threads(1)
    device = torch.device("cpu")
    course = Course(config, build(config, dataset), Feed(dataset, "train", device), device)
    feed = course.feed
    course.model.begin(lambda count: feed.at(torch.arange(len(feed))[:count]))
    if course.total == 0:
        assert course.model.fit(feed.all())
    else:
        course.advance(0)
        course.flush()
    return {name: tensor.clone() for name, tensor in course.model.state_dict().items()}


def refusal(config: RunConfig, dataset: Dataset) -> list[str]:
    """All that is said against it."""
    try:
        fit(config, dataset)
    except ConfigError as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_offered_trains_and_what_is_folded_away_is_refused_with_that_reason(
        kind: str, given: Callable[[str], tuple[RunConfig, Dataset]]) -> None:
    config, dataset = given(kind)
    found = families(config, dataset)
    assert any(each.fits for each in found)
    for each in found:
        judged(each, config, dataset)
    suitable, _ = suited(config, dataset)
    for path in open_choices(suitable)[1:]:
        offered = fittings(suitable, dataset, path)
        assert any(each.fits for each in offered), path
        for each in offered:
            judged(each, suitable, dataset)


def judged(each: Fitting, config: RunConfig, dataset: Dataset) -> None:
    """Building and one step say what the answer says."""
    chosen = changed(config, [each.choice])
    if each.fits:
        assert not each.reason
        assert trained(changed(config, [*each.settings, *FEW]), dataset)
        return
    assert each.reason[-1] == "."
    # What is its own, or how it is trained, does not help: the last that is said against it is the reason.
    said, seen = refusal(chosen, dataset), set()
    assert said
    while said[0] != each.reason and said[0] not in seen:
        seen.add(said[0])
        with pytest.raises(ConfigError) as caught:
            fit(chosen, dataset)
        way = next(w for w in caught.value.problems[0].ways
                   if not any(s.startswith(("data.", each.path, "model=")) for s in w))
        chosen = changed(chosen, way)
        said = refusal(chosen, dataset)
    assert said[0] == each.reason
    if each.settings:
        better = changed(config, each.settings)
        better, _ = mended(better, better.data.load(), {each.path})
        assert trained(changed(better, FEW), better.data.load())


def test_reasons_are_in_titles_and_not_in_tags(given: Callable[[str], tuple[RunConfig, Dataset]]) -> None:
    config, dataset = given("two blocks of 40 mice")
    answers = {each.tag: each for each in families(config, dataset)}
    assert answers["vae"].reason == "VAE models one modality, but this data set has 2: blood, genes."
    assert answers["svg-lp"].reason == ("SVG-LP (learned prior) models one modality, but this data set has 2: blood, "
                                        "genes.")
    assert all(answers[name].fits for name in ("cca", "jive", "multiblock-pls", "multimodal-vae"))
    config, dataset = given("numbers")
    [bernoulli] = [each for each in fittings(suited(config, dataset)[0], dataset, "model.likelihood.kind")
                   if each.tag == "bernoulli"]
    assert bernoulli.reason == "Bernoulli describes pixels, but this data set has vectors."
    assert in_words("model.network.kind=mlp") == "Network: MLP"
    assert in_words("model={family: svg-lp}") == "Family: SVG-LP (learned prior)"
    assert in_words("training.batch_size=28") == "Batch size: 28"


@pytest.mark.parametrize(("kind", "family"), [
    ("pictures", "vae"), ("numbers", "vae"), ("sentences", "sentence-vae"), ("picture and label", "multimodal-vae"),
    ("blocks", "multimodal-vae"), ("clips", "svg-lp"), ("coordinates", "svg-lp"), ("two blocks of 40 mice", "jive"),
    ("photographs and classes", "multimodal-vae")])
def test_a_family_that_fits_stays_and_else_the_usual_one_comes(
        kind: str, family: str, given: Callable[[str], tuple[RunConfig, Dataset]]) -> None:
    config, dataset = given(kind)
    assert suited(config, dataset)[0].model.tag == family
    for each in families(config, dataset):
        if each.fits:
            assert suited(changed(config, each.settings), dataset)[0].model.tag == each.tag


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_trains_on_other_data_and_says_what_was_adapted(
        name: str, given: Callable[[str], tuple[RunConfig, Dataset]]) -> None:
    others = ["own pictures", "two blocks of 40 mice", "photographs and classes", "sentences", "coordinates"]
    place = sorted(presets()).index(name)
    for kind in (others[place % 5], others[(place + 2) % 5]):
        config, dataset = given(kind)
        start = preset(name).model_copy(update={"data": config.data})
        start = changed(start, FEW)
        found, changes = suited(start, dataset)
        trained(changed(found, FEW), dataset)
        assert found.data == start.data
        assert (found == start) is not bool(changes)
        assert all(", because " in str(change) for change in changes)


def test_what_was_said_is_never_adapted(given: Callable[[str], tuple[RunConfig, Dataset]]) -> None:
    config, dataset = given("a table of 40 rows")
    with pytest.raises(ConfigError, match=r"128 is more than the \d+ training observations"):
        mended(config, dataset, {"training.batch_size"})
    with pytest.raises(ConfigError, match="a convolutional network needs images"):
        mended(config, dataset, {"model.network.kind"})
    found, changes = mended(config, dataset)
    assert found.training.batch_size == dataset.size("train")
    assert [setting for change in changes for setting in change.settings] == [
        f"training.batch_size={dataset.size('train')}", "model.likelihood.kind=gaussian-learned",
        "model.network.kind=mlp"]


def test_photographs_begin_with_a_learned_gaussian_and_digits_with_bernoulli(
        given: Callable[[str], tuple[RunConfig, Dataset]]) -> None:
    config, dataset = given("photographs and classes")
    found: Any = suited(config, dataset)[0].model
    assert found.likelihoods == {"picture": "gaussian-learned"}
    assert found.networks.image.kind == "conv"
    assert found.weights["kind"] == 3 * 20 * 28 / 16
    config, dataset = given("pictures")
    digits: Any = suited(config, dataset)[0].model
    assert digits.likelihood.kind == "bernoulli"
    grey = np.random.default_rng(0).integers(40, 200, (160, 1, 8, 8)).astype(np.uint8)
    train = replace(dataset.splits["train"], arrays={"image": grey})
    faces: Any = suited(config, replace(dataset, splits={**dataset.splits, "train": train}))[0].model
    assert faces.likelihood.kind == "gaussian-learned"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_asked_for_makes_no_difference(
        kind: str, given: Callable[[str], tuple[RunConfig, Dataset]]) -> None:
    """All fields that are hidden are given another value: the same is learned, to the bit."""
    config, dataset = given(kind)
    for each in families(config, dataset):
        if not each.fits:
            continue
        chosen = changed(config, [*each.settings, *FEW])
        hidden, learned = unread(chosen, dataset.modalities), trained(chosen, dataset)
        assert hidden <= OTHER.keys(), "another value is wanted here"
        assert ("training.precision" in hidden) == chosen.model.closed_form  # nothing is solved in half precision
        again = trained(changed(chosen, [setting for field in sorted(hidden) for setting in OTHER[field]]), dataset)
        assert all(torch.equal(again[name], learned[name]) for name in learned), f"{each.tag}: {sorted(hidden)}"


OTHER: dict[str, list[str]] = {  # another value of each field that is ever hidden
    "training.epochs": ["training.epochs=3"], "training.batch_size": ["training.batch_size=7"],
    "training.learning_rate": ["training.learning_rate=0.3"], "training.beta": ["training.beta={kind: constant}"],
    "training.kl": ["training.kl={kind: plain}"], "training.inference": ["training.inference={kind: together}"],
    "training.rate": ["training.rate={kind: cosine}"], "training.optimizer": ["training.optimizer=sgd"],
    "training.weight_decay": ["training.weight_decay=0.1"], "training.clip_norm": ["training.clip_norm=0.001"],
    "training.evaluate_every": ["training.evaluate_every=3"], "training.patience": ["training.patience=2"],
    "training.graphs": ["training.graphs=true"], "training.precision": ["training.precision=bfloat16"],
    "training.pace": ["training.pace=1000"],
    "training.keep": ["training.keep=last"], "training.snapshots": ["training.snapshots=2"],
    "training.snapshot_points": ["training.snapshot_points=5"], "training.checkpoints": ["training.checkpoints=0"],
    "data.binarisation_seed": ["data.binarisation_seed=5"], "model.sigma": ["model.sigma=0.7"],
    "model.networks.image": ["model.networks.image={kind: linear}"],
    "model.networks.vector": ["model.networks.vector={kind: linear}"],
    "model.networks.text": ["model.networks.text={hidden: 9}"], "model.starts": ["model.starts=0"],
    "model.ordering_seed": ["model.ordering_seed=3"], "model.temperatures": ["model.temperatures=7"],
    "model.ais_chains": ["model.ais_chains=7"],
    "model.prior": ["model.prior={kind: none}"]}  # of an autoencoder: what a training takes


def test_the_presets_for_data_of_ones_own_fit_what_they_are_given(own: dict[str, list[str]], tmp_path: Path) -> None:
    folder = own["own pictures"][1].removeprefix("data.path=")
    np.savez(tmp_path / "clips.npz", np.random.default_rng(0).integers(0, 255, (4, 20, 24, 24, 1)).astype(np.uint8))
    for name, path, kind in (("vae-images", folder, "images"), ("mvae-images-labels", folder, "images-labels"),
                             ("svg-clips", str(tmp_path / "clips.npz"), "clips")):
        start = preset(name)
        assert meant(start.data, path) == kind
        config = changed(start, [f"data.path={path}"]).resolve()
        dataset = config.data.load()
        found, changes = adapted(start, config, dataset)
        assert found.model.tag == start.model.tag and changes
        assert trained(changed(found, FEW), dataset)
        steps = dataset.size("train") // found.training.batch_size * found.training.epochs
        assert steps >= 1_000 or found.training.epochs == 500
        once = [setting.partition("=")[0] for change in changes for setting in change.settings]
        assert len(once) == len(set(once))  # what is changed twice is said once
        kept = adapted(start, config, dataset, {"training.epochs"})[0].training
        assert (kept.epochs, kept.batch_size) == (start.training.epochs, found.training.batch_size)


def test_a_preset_says_how_its_data_are_read_unless_they_look_other(own: dict[str, list[str]]) -> None:
    table, folder = (own[kind][1].removeprefix("data.path=") for kind in ("a table of 40 rows", "own pictures"))
    assert meant(preset("mvae-images-labels").data, folder) == "images-labels"
    assert meant(preset("vae-images").data, table) == meant(preset("vae-mnist").data, folder) == ""
    assert [kind.model_fields["name"].default for kind in recognised(folder)] == ["images"]


def test_a_free_choice_of_path_names_what_there_is() -> None:
    assert open_choices(preset("vae-mnist")) == [FAMILY, "model.network.kind", "model.likelihood.kind",
                                                 "model.prior.kind", "model.divergence.kind", "model.bound.kind"]


def test_a_way_out_that_is_offered_can_be_taken(given: Callable[[str], tuple[RunConfig, Dataset]]) -> None:
    """Characters have no field `frames`, and of several modalities a network stands under its own name."""
    clips = changed(preset("svg-lp-characters"), ["model.context=9"])
    network = ["model.networks.image.kind=conv", "model.networks.image.channels=[4, 4, 4, 4, 4, 4]"]
    several = changed(preset("mvae-image-label"), network)
    for config, kind, field, ways in ((clips, "clips", "model.context", [("model.context=5",)]),
                                      (several, "picture and label", "model.networks.image.channels",
                                       [("model.networks.image.channels=[4, 4, 4, 4, 4]",)])):
        with pytest.raises(ConfigError) as caught:
            fit(config, given(kind)[1])
        [told] = caught.value.problems
        assert told.field == field and list(told.ways) == ways
        assert all(changed(config, way) for way in told.ways)
