"""Data of several modalities: what belongs together, what is missing, and how a feed serves it."""

from __future__ import annotations

import gzip
import io
import os
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from vaecore.data import DATASETS, MNIST, OBSERVED, SPLITS, Dataset, DataUnavailable, Split, captions
from vaecore.data.base import one_hot, standardised
from vaecore.data.digit_views import DigitViews
from vaecore.data.digits import Digits
from vaecore.data.halves import Halves
from vaecore.data.image_label import ImageLabel
from vaecore.data.missing import AtRandom, ByBlock, Complete, Unpaired, masked
from vaecore.data.omics import Omics
from vaecore.data.planted_blocks import PlantedBlocks
from vaecore.data.published import SYSTEM
from vaecore.data.spoken_digits import (
    EXPECTED,
    RATE,
    SpokenDigits,
    _spectrum,
    filters,
    recordings,
    sound,
    wav,
)
from vaecore.data.styled_digits import StyledDigits, in_style, partners
from vaecore.data.text import words
from vaecore.data.translations import Translations
from vaecore.schema import ConfigError, parse
from vaecore.training.feed import Feed

DATA = Path(os.environ.get("VAECORE_DATA", ""))


def needs(file: str) -> Any:
    return pytest.mark.skipif(not (DATA / file).is_file(), reason=f"VAECORE_DATA has no {file}")


FSDD, MFEAT, BRCA = "fsdd/fsdd_logmel32.npz", "mfeat/mfeat.npz", "tcga_brca/tcga_brca.npz"
MULTI30K = "multi30k/train.cs.gz"
ALL: list[Any] = [  # what, its modalities (a text is as long as its longest sentence), sizes of the splits
    pytest.param(ImageLabel(source="embedded"), {"image": ("image", (1, 28, 28)), "label": ("label", (10,))},
                 (4_000, 500, 500), id="image-label"),
    pytest.param(Halves(images="digits"), {"left": ("image", (1, 8, 4)), "right": ("image", (1, 8, 4))},
                 (1_297, 250, 250), id="halves"),
    pytest.param(StyledDigits(), {"digit": ("image", (1, 28, 28)), "styled": ("image", (3, 28, 28))},
                 (4_000, 500, 500), id="styled-digits"),
    pytest.param(SpokenDigits(source="embedded"), {"image": ("image", (1, 28, 28)), "speech": ("image", (1, 32, 32))},
                 (4_000, 500, 500), id="spoken-digits", marks=needs(FSDD)),
    pytest.param(DigitViews(), {"fac": ("vector", (216,)), "fou": ("vector", (76,)), "kar": ("vector", (64,)),
                                "mor": ("vector", (6,)), "pix": ("image", (1, 16, 15)), "zer": ("vector", (47,))},
                 (1_600, 200, 200), id="digit-views", marks=needs(MFEAT)),
    pytest.param(Omics(), {"expression": ("vector", (645,)), "methylation": ("vector", (574,)),
                           "mirna": ("vector", (423,))}, (248, 50, 50), id="omics", marks=needs(BRCA)),
    pytest.param(Translations(train_limit=500), {"en": ("text", None), "de": ("text", None)}, (500, 1_014, 1_000),
                 id="translations", marks=needs(MULTI30K)),
    pytest.param(PlantedBlocks(samples=500), {f"block {m}": ("vector", (10,)) for m in (1, 2, 3)}, (500, 50, 50),
                 id="planted-blocks")]
DTYPES = {"image": np.uint8, "vector": np.float32, "label": np.float32, "text": np.int32}


@pytest.mark.parametrize(("config", "modalities", "sizes"), ALL)
def test_modalities_and_splits(config: Any, modalities: dict[str, Any], sizes: tuple[int, ...]) -> None:
    dataset, again = config.load(), config.load()
    assert DATASETS[config.name] is type(config) and dataset.name == config.name
    assert type(config).title and dataset.source and config.resolve().resolve() == config.resolve()
    found = {name: (m.kind, None if m.kind == "text" else m.shape) for name, m in dataset.modalities.items()}
    assert found == modalities
    seen: list[set[bytes]] = []
    for split, size in zip(SPLITS, sizes, strict=True):
        part = dataset.splits[split]
        assert len(part) == size and list(part.arrays) == list(modalities) and part.observed is None
        for name, array in part.arrays.items():
            assert array.shape == (size, *dataset.modalities[name].shape)
            assert array.dtype == DTYPES[dataset.modalities[name].kind] and array.any()
            np.testing.assert_array_equal(array, again.splits[split].arrays[name])
            torch.from_numpy(array)
        if part.labels is not None:
            assert part.labels.shape == (size,) and part.labels.dtype == np.int64
        if part.factors is not None:
            assert part.factors.shape == (size, len(dataset.factors)) and part.factors.dtype == np.float64
        together = np.concatenate([array.reshape(size, -1) for array in part.arrays.values()], 1)
        seen.append({row.tobytes() for row in together})
    twice = (seen[0] & seen[1]) | (seen[0] & seen[2]) | (seen[1] & seen[2])
    assert len(twice) <= (6 if config.name == "digit-views" else 0)  # that file itself has six digits twice
    limited = config.model_copy(update={"train_limit": 40}).load()
    assert [len(limited.splits[split]) for split in SPLITS] == [40, *sizes[1:]]
    assert parse(type(config), config.model_dump(mode="json")) == config


@pytest.mark.parametrize(("config", "modalities", "sizes"), ALL)
def test_only_the_training_set_has_gaps(config: Any, modalities: dict[str, Any], sizes: tuple[int, ...]) -> None:
    whole = config.load()
    for missing in ({"kind": "pairing", "paired": 0.25}, {"kind": "random", "missing": 0.5},
                    {"kind": "block", "blocks": 5, "missing": 0.6}):
        dataset = parse(type(config), {**config.model_dump(mode="json"), "missing": missing}).load()
        observed = dataset.splits["train"].observed
        assert observed is not None and observed.any(1).all()
        for m, array in enumerate(dataset.splits["train"].arrays.values()):
            assert not array[~observed[:, m]].any() and array[observed[:, m]].any()
        for split in ("validation", "test"):
            assert dataset.splits[split].observed is None
            for name, array in dataset.splits[split].arrays.items():
                np.testing.assert_array_equal(array, whole.splits[split].arrays[name])
        if missing["kind"] == "pairing":
            paired = round(0.25 * sizes[0])
            assert observed.all(1).sum() == paired
            assert len(observed) == paired + len(modalities) * (sizes[0] - paired)


# -- what is missing -------------------------------------------------------------------------------


def plain(count: int = 1_000, modalities: int = 3) -> Split:
    """Every number of observation n is n + 1, in every modality."""
    rows = np.arange(1, count + 1)
    return Split({f"m{m}": np.tile(rows[:, None], (1, 2 + m)).astype(np.float32) for m in range(modalities)},
                 labels=rows % 7, factors=rows[:, None].astype(float))


@pytest.mark.parametrize("paired", [0.0, 0.013, 0.5, 1.0])
def test_a_fraction_is_paired_and_the_rest_is_torn_apart(paired: float) -> None:
    torn = Unpaired(paired=paired).apply(plain())
    together = round(1_000 * paired)
    observed = np.ones((len(torn), 3), bool) if torn.observed is None else torn.observed
    assert (observed.sum(1) == 3).sum() == together and (observed.sum(1) == 1).sum() == 3 * (1_000 - together)
    assert torn.labels is not None and torn.factors is not None
    for m in range(3):  # each observation is there once in each modality, with its label and factor
        has = observed[:, m]
        values = np.asarray(torn.arrays[f"m{m}"])[has, 0]
        assert sorted(values.tolist()) == list(range(1, 1_001))
        np.testing.assert_array_equal(torn.labels[has], values.astype(int) % 7)
        np.testing.assert_array_equal(torn.factors[has, 0], values)
        assert not np.asarray(torn.arrays[f"m{m}"])[~has].any()
    if 0 < paired < 1:
        assert 0.3 * together < observed.all(1)[: len(observed) // 2].sum() < 0.7 * together  # in random order
        assert (Unpaired(paired=paired, seed=1).apply(plain()).arrays["m0"] != torn.arrays["m0"]).any()
    np.testing.assert_array_equal(Unpaired(paired=paired).apply(plain()).arrays["m1"], torn.arrays["m1"])


def test_modalities_are_missing_at_random() -> None:
    mask = AtRandom(missing=0.4).apply(plain(20_000)).observed
    assert mask is not None and mask.any(1).all()
    # Where none would be left one is: 0.4^3 of the rows, a third of them for each modality.
    np.testing.assert_allclose(mask.mean(0), 0.6 + 0.4**3 / 3, atol=5 * 0.5 / np.sqrt(20_000))
    np.testing.assert_array_equal(mask, AtRandom(missing=0.4).apply(plain(20_000)).observed)
    assert (mask != AtRandom(missing=0.4, seed=1).apply(plain(20_000)).observed).any()
    assert AtRandom(missing=0).apply(plain()).observed is None and Complete().apply(plain()).observed is None


def test_blocks_lack_the_same_modalities() -> None:
    mask = ByBlock(blocks=7, missing=0.5).apply(plain(1_000)).observed
    assert mask is not None and mask.any(1).all()
    changes = np.flatnonzero((mask[1:] != mask[:-1]).any(1)) + 1
    edges = {int(np.ceil(1_000 * block / 7)) for block in range(1, 7)}
    assert len(changes) > 0 and set(changes.tolist()) <= edges


def test_what_is_observed_already_is_only_made_less() -> None:
    first = np.array([[1, 1, 0], [0, 1, 0], [1, 1, 1]], bool)
    once = masked(plain(3), first)
    twice = masked(once, np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]], bool))
    assert twice.observed is not None  # the second observation would have nothing left, so it keeps what it had
    assert twice.observed.tolist() == [[True, False, False], [False, True, False], [True, True, True]]
    assert masked(plain(3), np.ones((3, 3), bool)).observed is None


def test_bad_choices_are_named() -> None:
    for values, field in (({"kind": "pairing", "paired": 2}, "missing.paired"), ({"kind": "few"}, "missing.kind"),
                          ({"kind": "random", "missing": 1}, "missing.missing")):
        with pytest.raises(ConfigError, match=field):
            parse(PlantedBlocks, {"missing": values})


# -- what is in the modalities ---------------------------------------------------------------------


def test_one_hot_and_standardised() -> None:
    assert one_hot(np.array([2, -1, 0]), 3).tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    x = np.array([[1, 5.0], [3, 5.0], [100, 6.0]])
    np.testing.assert_allclose(standardised(x, x[:2]), [[-1, 0], [1, 0], [98, 1]])


def test_a_label_goes_with_its_image() -> None:
    config = ImageLabel(source="embedded", pixels="binary-dynamic", train_limit=300)
    dataset, mnist = config.load(), MNIST(source="embedded", pixels="binary-dynamic", train_limit=300).load()
    assert dataset.dynamic
    for split in SPLITS:
        part = dataset.splits[split]
        np.testing.assert_array_equal(part.arrays["image"], mnist.splits[split].arrays["image"])
        np.testing.assert_array_equal(part.arrays["label"].argmax(1), mnist.splits[split].labels)
        np.testing.assert_array_equal(part.arrays["label"].sum(1), 1)


def test_auto_becomes_the_copy_that_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    for config in (ImageLabel(), Halves(), StyledDigits(source="auto"), SpokenDigits()):
        assert config.resolve().source == "embedded"
    for config in (ImageLabel(source="full"), Halves(source="full"), StyledDigits(source="full")):
        with pytest.raises(DataUnavailable, match="VAECORE_DATA"):
            config.load()
    for cls, file in ((SpokenDigits, FSDD), (DigitViews, MFEAT), (Omics, BRCA)):
        with pytest.raises(DataUnavailable, match=rf"VAECORE_DATA at a folder that holds {file} \(arrays "):
            cls(**({"source": "embedded"} if cls is SpokenDigits else {})).load()


@pytest.mark.skipif(not (DATA / "fashion-mnist").is_dir() and not Path(SYSTEM["fashion-mnist"]).is_dir(),
                    reason="Fashion-MNIST is not installed")
def test_clothing() -> None:
    assert "Fashion-MNIST" in ImageLabel(images="fashion-mnist").load().source
    assert len(Halves(images="fashion-mnist", cut="top-bottom").load().splits["train"]) == 50_000


def test_halves_make_the_image() -> None:
    for cut, axis in (("left-right", 3), ("top-bottom", 2)):
        whole = Digits(pixels="binary-fixed").load().splits["test"].arrays["image"]
        halves = Halves(images="digits", cut=cut, pixels="binary-fixed").load()
        assert list(halves.modalities) == cut.split("-")
        np.testing.assert_array_equal(np.concatenate(list(halves.splits["test"].arrays.values()), axis), whole)


def test_partners_are_others_of_the_same_class() -> None:
    labels = np.random.default_rng(0).integers(0, 5, 400)
    labels[:1] = 9  # alone
    found = partners(labels, np.random.default_rng(1))
    assert sorted(found.tolist()) == list(range(400)) and found[0] == 0
    np.testing.assert_array_equal(labels[found], labels)
    assert (found[1:] != np.arange(1, 400)).all()


@pytest.mark.parametrize("style", ["coloured", "rotated", "thick"])
def test_a_style_is_known_and_deterministic(style: Any) -> None:
    dataset = StyledDigits(style=style).load()
    mnist = MNIST(source="embedded").load()
    assert dataset.factors == {"style": 0}
    for index, split in enumerate(SPLITS):
        part, plain_part = dataset.splits[split], mnist.splits[split]
        assert part.factors is not None and plain_part.labels is not None
        np.testing.assert_array_equal(part.arrays["digit"], plain_part.arrays["image"])
        others = plain_part.arrays["image"][partners(plain_part.labels, np.random.default_rng([0, index]))]
        np.testing.assert_array_equal(part.arrays["styled"], in_style(style, others, part.factors[:, 0]))
    other = StyledDigits(style=style, seed=1).load().splits["test"]
    assert (other.arrays["styled"] != dataset.splits["test"].arrays["styled"]).any()
    assert (other.factors != dataset.splits["test"].factors).all()


def test_a_colour_is_read_off_by_a_line() -> None:
    dataset = StyledDigits().load()
    read = {split: dataset.splits[split].arrays["styled"].mean((2, 3)) for split in SPLITS}
    line = LinearRegression().fit(read["train"], dataset.splits["train"].factors)
    assert line.score(read["test"], dataset.splits["test"].factors) > 0.9
    brightest = dataset.splits["train"].arrays["styled"].max((2, 3)).max(1)
    assert brightest.min() > 100  # none is too dark to be seen


def test_styles_do_what_they_say() -> None:
    image = np.zeros((3, 1, 28, 28), np.uint8)
    image[:, 0, 4:24, 13:15] = 255  # an upright stroke
    turned = in_style("rotated", image, np.array([0.0, 90.0, 30.0]))
    np.testing.assert_array_equal(turned[0], image[0])
    np.testing.assert_array_equal(turned[1, 0], image[1, 0].T)
    down, across = np.nonzero(turned[2, 0] > 127)
    assert across[down < 9].mean() < 12 < 15 < across[down > 18].mean()  # counter-clockwise: its top is to the left
    widths = [np.count_nonzero(thick[0, 14] > 127) for thick in in_style("thick", image, np.array([0.0, 1.0, 2.0]))]
    assert widths == [2, 4, 6]
    amounts = np.linspace(0, 2, 30)
    ink = in_style("thick", image[:1].repeat(30, 0), amounts).mean((1, 2, 3))
    assert (np.diff(ink) > 0).all() and np.diff(ink).max() < 3 * np.diff(ink).mean()  # continuously
    blue, _, red = in_style("coloured", image, np.array([0.0, 0.5, 1.0])).max((2, 3)).astype(int)
    assert blue.tolist() == [26, 76, 255] and red.tolist() == [255, 76, 26]


def test_planted_blocks_follow_their_model() -> None:
    config = PlantedBlocks(blocks=2, features=4, joint_rank=2, individual_rank=1, noise=0.3, samples=50_000)
    dataset, parameters = config.load(), config.parameters()
    assert list(dataset.modalities) == ["block 1", "block 2"]
    assert list(dataset.factors) == ["joint 1", "joint 2", "block 1: 1", "block 2: 1"]
    assert [(w.shape, v.shape) for w, v in parameters] == [((4, 2), (4, 1))] * 2
    train = dataset.splits["train"]
    scores = train.factors
    assert scores is not None
    for m, (w, v) in enumerate(parameters):
        noise = train.arrays[f"block {m + 1}"] - scores[:, :2] @ w.T - scores[:, 2 + m, None] @ v.T
        np.testing.assert_allclose(np.cov(noise.T), 0.09 * np.eye(4), atol=0.003)
    np.testing.assert_allclose(np.cov(scores.T), np.eye(4), atol=0.03)
    x = np.concatenate([train.arrays["block 1"], train.arrays["block 2"]], 1)
    (w1, v1), (w2, v2) = parameters
    loadings = np.block([[w1, v1, np.zeros((4, 1))], [w2, np.zeros((4, 1)), v2]])
    expected = loadings @ loadings.T + 0.09 * np.eye(8)
    np.testing.assert_allclose(np.cov(x.T), expected, atol=0.06 * np.abs(expected).max())
    np.testing.assert_array_equal(config.parameters()[1][0], w2)
    np.testing.assert_array_equal(config.model_copy(update={"samples": 10, "noise": 0.0}).parameters()[1][0], w2)
    joint = PlantedBlocks(individual_rank=0, samples=20).load()
    assert list(joint.factors) == ["joint 1", "joint 2"]
    wide = np.concatenate([w for pair in PlantedBlocks(features=1_000, joint_rank=4).parameters() for w in pair], 1)
    assert np.abs((wide**2).mean(0) - np.tile([0.25] * 4 + [1], 3)).max() < 0.15
    with pytest.raises(ConfigError, match=r"data\.samples: .*50,000,000 numbers.*Use at most 3,125"):
        PlantedBlocks(blocks=16, features=1_000, samples=10_000).load()
    with pytest.raises(ConfigError, match=r"data\.joint_rank: .*only noise"):
        PlantedBlocks(joint_rank=0, individual_rank=0).load()


@needs(MFEAT)
def test_six_views_of_a_digit() -> None:
    dataset = DigitViews().load()
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert train.labels is not None and test.labels is not None
    assert train.arrays["pix"].max() == 255 and set(np.unique(train.arrays["pix"])) == {0, 42, 85, 128, 170, 212, 255}
    for name, array in train.arrays.items():
        x, y = (a.reshape(len(a), -1).astype(float) for a in (array, test.arrays[name]))
        if name != "pix":
            np.testing.assert_allclose(x.mean(0), 0, atol=1e-4)
            np.testing.assert_allclose(x.std(0), 1, atol=1e-4)
        means = np.stack([x[train.labels == digit].mean(0) for digit in range(10)])
        nearest = ((y[:, None] - means) ** 2).sum(-1).argmin(1)
        assert (nearest == test.labels).mean() > (0.6 if name == "mor" else 0.7)  # all are views of that digit
    assert len(set(train.labels[:50].tolist())) == 10


@needs(BRCA)
def test_omics() -> None:
    scaled, raw = Omics().load(), Omics(scale="raw").load()
    for name, x in raw.splits["train"].arrays.items():
        centre, spread = x.mean(0, dtype=float), x.std(0, dtype=float)
        for split in SPLITS:
            np.testing.assert_allclose(scaled.splits[split].arrays[name],
                                       (raw.splits[split].arrays[name] - centre) / spread, atol=1e-3)
    counts = sum(np.bincount(np.asarray(split.labels), minlength=3) for split in raw.splits.values())
    assert sorted(np.asarray(counts).tolist()) == [82, 93, 173]
    assert 0 <= raw.splits["test"].arrays["methylation"].min() <= raw.splits["test"].arrays["methylation"].max() <= 1


def npz(**arrays: Any) -> bytes:
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)
    return data.getvalue()


def test_published_archives_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    path = tmp_path / BRCA
    path.parent.mkdir()
    good = {"expression": np.ones((348, 645), np.float32), "methylation": np.ones((348, 574), np.float32),
            "mirna": np.ones((348, 423), np.float32), "cluster": np.arange(348) % 3}
    path.write_bytes(npz(**good))
    assert len(Omics().load().splits["train"]) == 248
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("expression.npy", bytes(70 * 2**20))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**45, 645)})
    liar = io.BytesIO()
    with zipfile.ZipFile(liar, "w") as members:
        members.writestr("expression.npy", header.getvalue())
    monkeypatch.setattr("pickle.load", lambda *_, **__: pytest.fail("unpickled"))
    for content in (b"", npz(**good)[:-50], npz(**good)[:1000], bomb.getvalue(), liar.getvalue(),
                    npz(**{**good, "mirna": np.ones((348, 422), np.float32)}),
                    npz(**{**good, "mirna": np.full((348, 423), np.nan, np.float32)}),
                    npz(**{**good, "mirna": np.full((348, 423), None)}), npz(expression=good["expression"])):
        path.write_bytes(content)
        with pytest.raises(DataUnavailable, match=r"tcga_brca\.npz cannot be read \(.*Fetch it again"):
            Omics().load()
    path.write_bytes(npz(**{**good, "cluster": np.arange(348) % 4}))
    with pytest.raises(DataUnavailable, match="labels that are not 0 to 2"):
        Omics().load()


# -- speech ----------------------------------------------------------------------------------------


@needs(FSDD)
def test_speech_is_of_the_same_digit_and_never_of_another_split() -> None:
    dataset = SpokenDigits(source="embedded").load()
    with np.load(DATA / FSDD, allow_pickle=False) as file:
        found = {name: file[name] for name in EXPECTED}
    by_picture = {x.tobytes(): i for i, x in enumerate(found["x"])}
    heard: dict[str, set[int]] = {}
    for split in SPLITS:
        part = dataset.splits[split]
        rows = np.array([by_picture[x.tobytes()] for x in part.arrays["speech"][:, 0]])
        np.testing.assert_array_equal(found["y"][rows], part.labels)
        heard[split] = set(rows.tolist())
    assert (found["split"][list(heard["test"])] == 1).all() and (found["split"][list(heard["train"])] == 0).all()
    assert set(found["index"][list(heard["validation"])].tolist()) == set(range(5, 10))
    assert found["index"][list(heard["train"])].min() == 10
    assert [len(heard[split]) for split in SPLITS] == [2_400, 300, 300]  # all recordings are used
    assert dataset.paired_anew == ("speech",) and "2400 / 300 / 300" in dataset.source
    pairs = parse(SpokenDigits, {"source": "embedded", "missing": {"kind": "pairing"}}).load()
    assert pairs.paired_anew == ()
    other = SpokenDigits(source="embedded", seed=1).load().splits["test"].arrays["speech"]
    assert (other != dataset.splits["test"].arrays["speech"]).any()


def test_recordings_are_used_about_equally_often() -> None:
    spoken = np.array([0, 1, 0, -1, 1, 0, -1])
    chosen = recordings(np.array([0, 1] * 50), spoken, np.random.default_rng(0))
    np.testing.assert_array_equal(spoken[chosen], [0, 1] * 50)
    counts = np.bincount(chosen, minlength=7)
    assert counts[[3, 6]].sum() == 0 and counts[[0, 2, 5]].min() >= 16 and (counts[[1, 4]] == 25).all()


def peaks() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Frequencies of the mel bands in Hz, the lowest first, with both ends."""
    low, high = 2595 * np.log10(1 + np.array([80, 4000]) / 700)
    return np.asarray(700 * (10 ** (np.linspace(low, high, 34) / 2595) - 1))


@pytest.mark.parametrize(("row", "first", "last"), [(31, 0, 32), (20, 8, 16), (8, 24, 32), (1, 0, 8)])
def test_a_sound_is_where_its_picture_is(row: int, first: int, last: int) -> None:
    picture = np.zeros((32, 32), np.uint8)
    picture[row, first:last] = 255
    samples, rate = sound(picture, 1.0)
    assert rate == RATE == 8_000 and samples.shape == (8_000,) and samples.dtype == np.float32
    assert np.abs(samples).max() == pytest.approx(0.9)
    power, frequencies = np.abs(np.fft.rfft(samples)) ** 2, np.fft.rfftfreq(8_000, 1 / 8_000)
    band = 31 - row
    inside = (frequencies > peaks()[band] - 20) & (frequencies < peaks()[band + 2] + 20)
    assert power[inside].sum() > 0.95 * power.sum()
    times, energy = np.arange(8_000) / 250, samples.astype(float) ** 2
    assert energy[(times >= first - 0.6) & (times < last + 0.6)].sum() > 0.98 * energy.sum()
    if last - first < 32:
        middle = (times * energy).sum() / energy.sum()
        assert first + 1 < middle < last - 1
    np.testing.assert_array_equal(sound(picture, 1.0)[0], samples)


def logmel(samples: Any) -> Any:
    """A log-mel picture as the README of the data describes it."""
    window = np.sqrt(np.hanning(257)[:-1])
    bands = filters() @ np.abs(_spectrum(np.pad(samples.astype(float), 128), window)) ** 2
    columns = (np.arange(32) + 0.5) / 32 * bands.shape[1] - 0.5
    bands = np.stack([np.interp(columns, np.arange(bands.shape[1]), band) for band in bands])
    decibels = 10 * np.log10(np.maximum(bands, 1e-12))
    return np.clip((decibels - decibels.max() + 60) / 60 * 255, 0, 255)[::-1]


@needs(FSDD)
def test_a_sound_has_the_picture_it_was_made_of() -> None:
    with np.load(DATA / FSDD, allow_pickle=False) as file:
        pictures = file["x"][::600]
    samples = [sound(picture, 1.0)[0] for picture in pictures]
    for picture, sounds in zip(pictures, samples, strict=True):
        assert np.corrcoef(logmel(sounds).ravel(), picture.ravel().astype(float))[0, 1] > 0.95


def test_sounds_are_bounded() -> None:
    assert not sound(np.zeros((32, 32), np.uint8))[0].any()  # silent
    assert sound(np.full((32, 32), 255, np.uint8), 1e-9)[0].shape == (64,)
    assert len(sound(np.full((32, 32), 255, np.uint8), 4.0)[0]) == 32_000
    for seconds in (0, -1, 5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="at most 4 s"):
            sound(np.zeros((32, 32), np.uint8), seconds)
    for bad in (np.zeros((1, 32, 32), np.uint8), np.zeros((32, 32))):
        with pytest.raises(ValueError, match="uint8 of shape"):
            sound(bad)
    samples = np.array([0, 0.5, -0.5, 2, -2], np.float32)
    with wave.open(io.BytesIO(wav(samples)), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (1, 2, 8_000, 5)
        assert np.frombuffer(file.readframes(5), "<i2").tolist() == [0, 16_383, -16_383, 32_767, -32_767]


# -- translations ----------------------------------------------------------------------------------


@needs(MULTI30K)
def test_captions_are_translations_of_each_other() -> None:
    dataset = Translations(languages=("fr", "en")).load()
    assert list(dataset.modalities) == ["fr", "en"]
    assert dataset.source == "Multi30k captions in French and English: 29,000 / 1,014 / 1,000; " \
        "3 of 31,014 sentences of fr (under 0.1%) cut to 40 words"
    train = dataset.splits["train"]
    said = [words(train.arrays[name][0], dataset.modalities[name].vocabulary) for name in ("fr", "en")]
    assert said == ["deux jeunes hommes blancs sont dehors près de buissons.",
                    "two young, white males are outside near many bushes."]
    assert dataset.modalities["fr"].vocabulary != dataset.modalities["en"].vocabulary


def test_translations_that_do_not_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "multi30k"
    folder.mkdir()
    text = {"en": "A dog runs.\nA dog barks.\n", "de": "Ein Hund läuft.\nEin Hund bellt.\n"}
    for split in captions.FILES.values():
        for language, lines in text.items():
            (folder / f"{split}.{language}.gz").write_bytes(gzip.compress(lines.encode()))
    config = Translations(least_count=1)
    assert [len(split) for split in config.load().splits.values()] == [2, 2, 2]
    (folder / "val.de.gz").write_bytes(gzip.compress(b"Ein Hund.\n"))
    with pytest.raises(DataUnavailable, match=r"val\.en\.gz and val\.de\.gz in .*multi30k are not translations line by "
                                              r"line: they have 2 and 1 lines.*Fetch both again"):
        config.load()
    (folder / "val.de.gz").write_bytes(gzip.compress("Büsche\n\n".encode("latin-1")))
    with pytest.raises(DataUnavailable, match=r"val\.de\.gz in .* is damaged \(.*0xfc"):
        config.load()
    with pytest.raises(DataUnavailable, match=r"train\.en\.gz.*test_2016_flickr\.cs\.gz into multi30k/.*VAECORE_DATA"):
        Translations(languages=("en", "cs")).load()
    with pytest.raises(ConfigError, match=r"data\.languages: a language is named twice"):
        Translations(languages=("en", "en")).load()
    for bad in (["en"], ["en", "de", "fr", "cs", "en"], ["en", "it"]):
        with pytest.raises(ConfigError, match="languages"):
            parse(Translations, {"languages": bad})


# -- feeding ---------------------------------------------------------------------------------------

CPU = torch.device("cpu")


def feed(**changes: Any) -> tuple[Feed, Dataset]:
    dataset = parse(ImageLabel, {"source": "embedded", "train_limit": 200, **changes}).load()
    return Feed(dataset, "train", CPU), dataset


def test_batches_say_who_is_observed() -> None:
    whole, _ = feed()
    assert OBSERVED not in whole.batch(torch.arange(5), torch.Generator()) and OBSERVED not in whole.first(5)
    part, dataset = feed(missing={"kind": "random", "missing": 0.5})
    indices = torch.tensor([7, 3, 150])
    for batch, rows in ((part.batch(indices, torch.Generator()), indices), (part.at(indices), indices),
                        (part.first(9), torch.arange(9)), (part.all(), torch.arange(200))):
        observed = dataset.splits["train"].observed
        assert observed is not None and batch[OBSERVED].dtype == torch.bool
        np.testing.assert_array_equal(batch[OBSERVED].numpy(), observed[rows.numpy()])
        assert not batch["image"][~batch[OBSERVED][:, 0]].any() and not batch["label"][~batch[OBSERVED][:, 1]].any()
    assert OBSERVED not in Feed(dataset, "validation", CPU).first(5)


def test_pixels_are_drawn_anew_and_labels_are_not() -> None:
    drawn, dataset = feed(pixels="binary-dynamic")
    generator = torch.Generator().manual_seed(0)
    first, second = (drawn.batch(torch.arange(200), generator) for _ in range(2))
    assert set(first["image"].unique().tolist()) == {0.0, 1.0} and (first["image"] != second["image"]).any()
    for batch in (first, second, drawn.all()):
        np.testing.assert_array_equal(batch["label"].numpy(), dataset.splits["train"].arrays["label"])
    grey = torch.from_numpy(dataset.splits["train"].arrays["image"]) / 255
    assert float((first["image"] - grey).mean().abs()) < 0.01


def anew(count: int = 400, observed: Any = None) -> Dataset:
    """Observation n has label n % 4 in both modalities, and the number n."""
    rows = np.arange(count)
    both = np.stack([rows % 4, rows], 1).astype(np.float32)
    plain_set = PlantedBlocks(blocks=2, features=2, samples=20).load()
    split = Split({"block 1": both, "block 2": both}, labels=rows % 4)
    split = split if observed is None else masked(split, observed)
    return Dataset("anew", "", plain_set.modalities, {"train": split, "validation": split, "test": split},
                   paired_anew=("block 2",))


def test_each_visit_draws_another_partner_of_the_same_label() -> None:
    dataset = anew()
    served, indices = Feed(dataset, "train", CPU), torch.arange(400)
    generator = torch.Generator().manual_seed(5)
    visits = [served.batch(indices, generator) for _ in range(200)]
    for batch in visits:
        torch.testing.assert_close(batch["block 1"][:, 1], indices.float())
        torch.testing.assert_close(batch["block 2"][:, 0], indices.float() % 4)
    drawn = torch.stack([batch["block 2"][:, 1] for batch in visits])  # (200, 400)
    assert (drawn[0] != drawn[1]).float().mean() > 0.95
    assert (drawn == indices).float().mean() == pytest.approx(0.01, abs=0.003)  # itself as often as any other
    counts = torch.bincount(drawn.flatten().long(), minlength=400)
    assert counts.min() > 120 and counts.max() < 290  # about 200 each
    again = torch.Generator().manual_seed(5)
    for batch in visits[:3]:
        torch.testing.assert_close(served.batch(indices, again)["block 2"], batch["block 2"])
    state = generator.get_state()  # a resumed training goes on as the first would have
    after = served.batch(indices, generator)["block 2"]
    resumed = torch.Generator()
    resumed.set_state(state)
    torch.testing.assert_close(Feed(dataset, "train", CPU).batch(indices, resumed)["block 2"], after)


def test_partners_are_drawn_in_training_only() -> None:
    dataset = anew()
    for split in ("validation", "test"):
        batch = Feed(dataset, split, CPU).batch(torch.arange(400), torch.Generator())
        torch.testing.assert_close(batch["block 2"][:, 1], torch.arange(400.0))
    torch.testing.assert_close(Feed(dataset, "train", CPU).all()["block 2"][:, 1], torch.arange(400.0))


def test_a_partner_has_what_it_is_asked_for() -> None:
    observed = np.ones((400, 2), bool)
    observed[100:, 1] = False  # the second modality of the first hundred only,
    observed[np.arange(400) % 4 == 3, 1] = False  # and of no observation of label 3
    served = Feed(anew(observed=observed), "train", CPU)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        batch = served.batch(torch.arange(400), generator)
        has = torch.from_numpy(observed[:, 1])
        drawn = batch["block 2"][has]
        torch.testing.assert_close(drawn[:, 0], torch.arange(400.0)[has] % 4)
        assert drawn[:, 1].max() < 100
        assert not batch["block 2"][~has].any()  # what is missing stays zeros, whoever might have lent it
        np.testing.assert_array_equal(batch[OBSERVED].numpy(), observed)


def test_what_an_observation_never_had_is_no_piece_of_it() -> None:
    """Torn apart with a mask of its own: pieces of one modality each, and none twice."""
    mask = np.ones((100, 3), bool)
    mask[:50, 2] = False
    split = masked(Split({name: np.ones((100, 2), np.float32) for name in "abc"}), mask)
    torn = Unpaired(paired=0.0).apply(split)
    assert torn.observed is not None and len(torn) == 250
    assert (torn.observed.sum(1) == 1).all()
    assert torn.observed.sum(0).tolist() == [100, 100, 50]
