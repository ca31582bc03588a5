"""The codes of a split and what is measured of each are the model's own, and kept until the weights change."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vaecore.data import DataUnavailable
from vaecore.evaluate.likelihood import log_likelihood
from vaecore.explore import Checkpoint
from vaecore.explore.maps import Population, Selection, Settings, encode, kept, latent_map, log_likelihoods
from vaecore.explore.maps.latent_map import LatentMap, chosen
from vaecore.explore.maps.sprites import Sprites
from vaecore.schema import ConfigError
from vaecore.training.checkpoints import save_weights


@pytest.fixture(scope="module")
def found(vae: Checkpoint) -> LatentMap:
    return latent_map(vae)


# -- codes and measures ----------------------------------------------------------------------------


def test_every_measure_is_what_the_model_says(vae: Checkpoint) -> None:
    observed = Population.of(vae)
    encoded = encode(observed)
    batch = observed.batch(np.arange(observed.count))
    with torch.inference_mode():
        q = vae.model.encode(batch)["z"]
        evidence = vae.model.evidence(batch, {"z": q}, torch.Generator().manual_seed(0))  # of one batch: the same noise
        decoded = vae.model.decode({"z": q.mean})["image"].mean
    assert observed.count == len(encoded) == len(vae.run.config().data.load().splits["test"])
    np.testing.assert_allclose(encoded.means, q.mean.numpy(), atol=1e-6)
    np.testing.assert_allclose(encoded.measures["kl"], evidence.total_kl().numpy(), rtol=1e-5)
    np.testing.assert_allclose(encoded.measures["elbo"], evidence.elbo().numpy(), rtol=1e-4)
    np.testing.assert_allclose(encoded.measures["reconstruction"], evidence.total_reconstruction().numpy(), rtol=1e-4)
    np.testing.assert_allclose(encoded.measures["error"],
                               (decoded - batch["image"]).square().flatten(1).mean(1).numpy(), rtol=1e-4)
    np.testing.assert_allclose(encoded.measures["spread"], q.logvar.exp().mean(1).sqrt().numpy(), rtol=1e-5)


def test_the_kept_examples_have_the_codes_of_the_checkpoint(vae: Checkpoint) -> None:
    encoded = encode(Population.of(vae, "kept"))
    np.testing.assert_allclose(encoded.means, vae.encode(slice(None)), atol=1e-6)
    assert len(encoded) == 64


def test_a_family_without_a_prior_has_no_kl(make: Callable[..., Checkpoint]) -> None:
    pca = make({"model": {"family": "pca", "latent_size": 3}}, "pca")
    encoded = encode(Population.of(pca, "kept"))
    assert set(encoded.measures) == {"reconstruction", "error"}
    with pytest.raises(ValueError, match="no prior"):
        log_likelihoods(Population.of(pca, "kept"), np.arange(3))


def test_what_is_broken_off_is_the_first_so_many(vae: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(vae.model), "at_once", lambda *_: 10)
    observed, told = Population.of(vae, "kept"), []
    part = encode(observed, lambda done, of: told.append((done, of)), cancelled=lambda: len(told) == 3)
    assert len(part) == 30 and told == [(10, 64), (20, 64), (30, 64)]
    np.testing.assert_array_equal(part.means, encode(observed).means[:30])


def test_log_likelihoods_have_the_mean_of_an_evaluation(vae: Checkpoint) -> None:
    observed = Population.of(vae)
    mine = log_likelihoods(observed, np.arange(50), 20, seed=3)
    theirs = log_likelihood(vae.model, [observed.batch(np.arange(50))], 20, seed=3)
    assert mine.mean() == pytest.approx(theirs.log_likelihood, rel=1e-5)


def test_other_data_than_those_of_the_run_are_refused(vae: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vae.model.modalities, "image", type(vae.model.modalities["image"])("image", (1, 9, 9)))
    with pytest.raises(DataUnavailable, match="another form"):
        Population.of(vae)


# -- the cache -------------------------------------------------------------------------------------


def test_codes_are_kept_until_the_weights_change(here: Checkpoint) -> None:
    observed = Population.of(here)
    assert kept.codes(observed) is None
    first = latent_map(here).encoded
    again = kept.codes(observed)
    assert again is not None
    np.testing.assert_array_equal(again.means, first.means)
    np.testing.assert_array_equal(again.measures["kl"], first.measures["kl"])
    assert kept.codes(Population.of(here, "validation")) is None and kept.codes(Population.of(here, limit=10)) is None
    with torch.no_grad():
        for parameter in here.model.parameters():
            parameter += 0.01
    save_weights(here.run.weights, here.model, here.run.config(), 1)
    changed = Checkpoint.load(here.run)
    assert kept.codes(Population.of(changed)) is None
    assert not np.allclose(latent_map(changed).encoded.means, first.means)


def test_a_damaged_file_is_made_again(here: Checkpoint) -> None:
    good = latent_map(here).encoded.means
    for content in (b"", b"\x08" + b"\0" * 7 + b"{}      ", b"nonsense" * 9):
        for path in kept.folder().glob(f"{kept.identity(here.run)}*"):
            path.write_bytes(content)
        np.testing.assert_array_equal(latent_map(here).encoded.means, good)


def test_the_oldest_go_first(here: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    observed = Population.of(here, "kept")
    encoded = encode(observed)
    kept.keep_codes(observed, encoded)
    [first] = kept.folder().iterdir()
    os.utime(first, (1, 1))
    monkeypatch.setattr(kept, "BYTES", int(1.5 * first.stat().st_size))
    kept.keep_codes(Population.of(here, "kept", 63), encode(Population.of(here, "kept", 63)))
    assert not first.exists() and len(list(kept.folder().iterdir())) == 1


# -- the map ---------------------------------------------------------------------------------------


def test_two_dimensions_are_two_columns_of_the_codes(vae: Checkpoint, found: LatentMap) -> None:
    across, up = vae.order[:2]
    assert found.axes == (f"z{across}", f"z{up}")
    np.testing.assert_array_equal(found.points, found.encoded.means[:, [across, up]])
    np.testing.assert_allclose(found.place(found.encoded.means), found.points, atol=1e-6)
    code = found.codes(np.array([[1.5, -2]]))[0]
    assert (code[across], code[up]) == (1.5, -2) and not code[vae.order[2:]].any()
    given = latent_map(vae, Settings(across=3, up=0))
    np.testing.assert_array_equal(given.points, found.encoded.means[:, [3, 0]])


@pytest.mark.parametrize("given", [{"across": 4}, {"up": 9}])
def test_dimensions_that_are_not_there_are_named(vae: Checkpoint, given: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="dimensions 0 to 3"):
        chosen(vae, Settings(**given))
    with pytest.raises(ConfigError, match="same dimension"):
        from vaecore.schema import parse
        parse(Settings, {"across": 1, "up": 1})


def test_the_nearest_real_observation_of_a_code_is_its_own(found: LatentMap) -> None:
    rows, far = found.nearest(found.encoded.means[[5, 17]], 3)
    assert rows[:, 0].tolist() == [5, 17] and (far[:, 0] == 0).all() and (np.diff(far) >= 0).all()


def test_a_map_is_written_as_table_arrays_and_picture(found: LatentMap, tmp_path: Path) -> None:
    for ending in (".csv", ".npz", ".PNG"):
        found.write(tmp_path / f"map{ending}")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "map.csv").read_text())))
    assert len(rows) == len(found) and rows[7]["row"] == "7" and rows[7]["split"] == "test"
    assert found.labels is not None and rows[7]["label"] == str(found.labels[7])
    assert float(rows[7]["kl"]) == pytest.approx(found.encoded.measures["kl"][7], rel=1e-5)
    assert float(rows[7]["z2"]) == pytest.approx(found.encoded.means[7, 2], rel=1e-5)
    with np.load(tmp_path / "map.npz") as arrays:
        np.testing.assert_array_equal(arrays["codes"], found.encoded.means)
        np.testing.assert_array_equal(arrays["labels"], found.labels)
    with Image.open(tmp_path / "map.PNG") as picture:
        assert picture.size == (1880, 1600)
    with pytest.raises(ConfigError, match=r"\.png, \.csv, \.npz"):
        found.write(tmp_path / "map.pdf")


# -- some of it ------------------------------------------------------------------------------------


def test_a_selection_is_set_beside_the_whole(found: LatentMap) -> None:
    assert found.labels is not None
    rows = np.concatenate([np.flatnonzero(found.labels == 3)[:6], np.flatnonzero(found.labels == 1)[:2]])
    some = Selection.of(found, np.concatenate([rows, rows, [len(found), -1]]))
    assert some.rows.tolist() == sorted(rows.tolist())
    first, second = some.classes()
    assert (first.name, first.count, first.share) == ("3", 6, 0.75) and (second.name, second.count) == ("1", 2)
    assert first.among_all == pytest.approx((found.labels == 3).mean())
    kl = next(each for each in some.measures() if each.name == "kl")
    values = found.encoded.measures["kl"].astype(float)
    assert kl.mean == pytest.approx(values[rows].mean()) and kl.deviation == pytest.approx(values[rows].std())
    assert kl.mean_of_all == pytest.approx(values.mean()) and kl.deviation_of_all == pytest.approx(values.std())
    np.testing.assert_allclose(some.mean_code(), found.encoded.means[rows].mean(0), atol=1e-6)
    assert len(some.table().splitlines()) == 9
    with pytest.raises(ValueError, match="no mean code"):
        Selection.of(found, rows[:0]).mean_code()


# -- thumbnails ------------------------------------------------------------------------------------


def test_a_page_of_sprites_holds_the_observations_in_order(found: LatentMap) -> None:
    observed = found.population
    sprites = Sprites.of(observed)
    assert (sprites.width, sprites.height) == (16, 16)  # digits of 8 x 8, whole pixels
    page = np.asarray(Image.open(io.BytesIO(sprites.page(observed, 0))).convert("L")).astype(int)
    for place in (0, 1, sprites.columns, observed.count - 1):
        y, x = (16 * n for n in divmod(place, sprites.columns))
        wanted = observed.images([place])[0].repeat(2, 0).repeat(2, 1).astype(int)
        assert np.abs(page[y:y + 16, x:x + 16] - wanted).mean() < 8  # WebP is lossy
    for number in (-1, 1, 99):
        with pytest.raises(LookupError):
            sprites.page(observed, number)


def test_large_and_long_observations_fit_a_cell() -> None:
    def of(shape: tuple[int, ...]) -> Sprites:
        class Stand:
            def images(self, rows: Any) -> np.ndarray:
                return np.zeros((len(rows), *shape), np.uint8)

        return Sprites.of(Stand())  # type: ignore[arg-type]

    assert (of((256, 128, 3)).width, of((256, 128, 3)).height) == (32, 64)
    assert (of((28, 28)).width, of((28, 28)).columns, of((28, 28)).count) == (28, 36, 36 * 36)
    assert (of((1, 400)).width, of((1, 400)).height) == (64, 32)
    small = Sprites(32, 64, 32, 512).cells(np.zeros((2, 256, 128, 3), np.uint8))
    assert small.shape == (2, 64, 32, 3)


def test_where_the_data_are_not_here_a_copy_of_the_package_is_mapped(vae: Checkpoint, monkeypatch: pytest.MonkeyPatch
                                                                     ) -> None:
    from vaecore.data.digits import Digits

    dataset, wanted = vae.run.config().data.load(), Population.of(vae)

    class Shipped:
        def load(self) -> Any:
            return dataset

    def gone(_: Digits) -> None:
        raise DataUnavailable("not here")

    monkeypatch.setattr(Digits, "load", gone)
    with pytest.raises(DataUnavailable, match="not here"):
        Population.of(vae)
    monkeypatch.setattr(Digits, "shipped", lambda _: Shipped())
    assert Population.of(vae).count == wanted.count
