"""Pictures of one's own: what is understood of folders, zips and arrays, value by value."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vaecore.data import DATASETS, SPLITS, Dataset, DataUnavailable
from vaecore.data.own import images
from vaecore.data.own.images import Images
from vaecore.data.own.pictures import decoding, folder, stacks
from vaecore.data.own.pictures.decoding import MAX_PICTURE_BYTES
from vaecore.data.own.pictures.fits import placed
from vaecore.schema import ConfigError, parse

Levels = NDArray[np.uint8]


def loaded(path: Path, **fields: Any) -> Dataset:
    return parse(Images, {"path": str(path), **fields}).load()


def refused(path: Path, *said: str, **fields: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(path, **fields)
    assert all(part in str(caught.value) for part in said), str(caught.value)
    return str(caught.value)


def whole(dataset: Dataset) -> list[tuple[bytes, str]]:
    """Every picture with its class, in no order."""
    found = []
    for split in dataset.splits.values():
        labels = [-1] * len(split) if split.labels is None else split.labels.tolist()
        found += [(image.tobytes(), dataset.classes[label] if label >= 0 else "") for image, label in zip(
            split.arrays["image"], labels, strict=True)]
    return sorted(found)


def noise(count: int, *shape: int, seed: int = 0) -> Levels:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def written(folder: Path, pictures: Levels, ending: str = "png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:03}.{ending}")
    return folder


def test_a_folder_of_classes_pairs_pictures_and_labels(tmp_path: Path) -> None:
    cats, dogs = noise(20, 28, 20), noise(10, 28, 20, seed=1)
    written(tmp_path / "cat", cats)
    written(tmp_path / "dog", dogs)
    dataset = loaded(tmp_path)
    assert DATASETS["images"] is Images and dataset.name == "images"
    assert dataset.modalities["image"].shape == (1, 28, 20) and dataset.classes == ("cat", "dog")
    assert [len(dataset.splits[split]) for split in SPLITS] == [24, 3, 3] and dataset.split_by == "by seed 0"
    assert whole(dataset) == sorted([(x.tobytes(), "cat") for x in cats] + [(x.tobytes(), "dog") for x in dogs])


@pytest.mark.parametrize("packed", ["folder", "zip", "npy", "npz"])
def test_the_same_pictures_however_they_come(tmp_path: Path, packed: str) -> None:
    x = noise(30, 12, 9, 3)
    match packed:
        case "folder":
            path = written(tmp_path / "own", x)
        case "zip":
            written(tmp_path / "own", x)
            path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "own"))
        case "npy":
            np.save(path := tmp_path / "own.npy", x)
        case _:
            np.savez_compressed(path := tmp_path / "own.npz", pictures=x)
    dataset = loaded(path)
    assert dataset.modalities["image"].shape == (3, 12, 9)
    assert whole(dataset) == sorted((each.transpose(2, 0, 1).tobytes(), "") for each in x)
    assert dataset.done == () and dataset.left_out == ()


def test_nothing_chosen_and_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match="No pictures are chosen"):
        Images().load()
    refused(tmp_path / "none", "is not there", "Give the path of a folder of pictures")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "is a folder without pictures", ".png")
    with pytest.raises(ConfigError, match="is a folder without pictures"):  # and not that it has changed
        Images(path=str(tmp_path / "empty")).resolve().load()
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    refused(tmp_path / "empty.zip", "is a zip without pictures")


# -- one picture, value by value -------------------------------------------------------------------


def one_of(tmp_path: Path, picture: Image.Image, name: str = "a.png", fields: dict[str, Any] | None = None,
           **saving: Any) -> tuple[Levels, Dataset]:
    """The picture (C, H, W) as it is read, from a folder of copies of it."""
    tmp_path.mkdir(exist_ok=True)
    for number in range(3):
        picture.save(tmp_path / f"{number}{name}", **saving)
    dataset = loaded(tmp_path, **(fields or {}))
    image: Levels = dataset.splits["train"].arrays["image"][0].astype(np.uint8)
    return image, dataset


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


CORNERS = np.array([[10, 20, 30], [40, 50, 60]], np.uint8)  # upright
STORED = {1: CORNERS, 2: CORNERS[:, ::-1], 3: CORNERS[::-1, ::-1], 4: CORNERS[::-1], 5: CORNERS.T,
          6: CORNERS.T[::-1], 7: CORNERS.T[::-1, ::-1], 8: CORNERS.T[:, ::-1]}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("ending", ["a.png", "a.tiff", "a.webp"])
def test_pictures_are_turned_as_their_exif_says(tmp_path: Path, orientation: int, ending: str) -> None:
    more = {"lossless": True} if ending == "a.webp" else {}
    image, dataset = one_of(tmp_path, Image.fromarray(np.ascontiguousarray(STORED[orientation])), ending,
                            exif=exif(orientation), **more)
    assert image.tolist() == [CORNERS.tolist()]
    turned = [said for said in dataset.done if "EXIF" in said]
    assert turned == ([] if orientation == 1 or ending == "a.tiff" else ["3 pictures turned as their EXIF says"])


def test_the_order_of_channels(tmp_path: Path) -> None:
    red = np.zeros((4, 5, 3), np.uint8)
    red[..., 0], red[..., 2] = 200, 7
    image, _ = one_of(tmp_path / "png", Image.fromarray(red))
    assert image.shape == (3, 4, 5) and image[:, 0, 0].tolist() == [200, 0, 7]
    for name, array in (("last", red), ("first", red.transpose(2, 0, 1))):
        np.save(tmp_path / f"{name}.npy", np.stack([array] * 3))
        assert loaded(tmp_path / f"{name}.npy").splits["train"].arrays["image"][0, :, 0, 0].tolist() == [200, 0, 7]


def test_brightness_weighs_colours_as_pillow_does(tmp_path: Path) -> None:
    x = noise(1, 9, 7, 3)[0]
    image, dataset = one_of(tmp_path, Image.fromarray(x), fields={"channels": "grey"})
    assert image[0].tolist() == np.asarray(Image.fromarray(x).convert("L")).tolist()
    assert dataset.done == ("3 pictures in colour made grey",)


@pytest.mark.parametrize(("background", "cover", "expected"), [
    ("black", 51, [20, 40, 0]), ("white", 51, [224, 244, 204]), ("#0a141e", 51, [28, 56, 24]),
    ("white", 0, [255, 255, 255]), ("black", 255, [100, 200, 0])])
def test_alpha_is_laid_on_a_colour(tmp_path: Path, background: str, cover: int, expected: list[int]) -> None:
    """(100, 200, 0) that is 51/255 = 1/5 opaque: a fifth of it, and four fifths of what lies behind."""
    x = np.tile(np.array([100, 200, 0, cover], np.uint8), (4, 4, 1))
    x[0, 0] = 0, 0, 0, 0
    image, dataset = one_of(tmp_path, Image.fromarray(x), fields={"background": background})
    assert image[:, 1, 1].tolist() == expected
    assert dataset.done == (f"3 pictures with transparent parts laid on {background}",)


def test_alpha_may_stay_a_channel(tmp_path: Path) -> None:
    x = noise(3, 6, 5, 4)
    written(tmp_path / "own", x)
    np.save(tmp_path / "own.npy", x)
    for path in (tmp_path / "own", tmp_path / "own.npy"):
        for channels in ("colour+alpha", "as they are"):
            dataset = loaded(path, channels=channels)
            assert dataset.modalities["image"].shape == (4, 6, 5)
            assert whole(dataset) == sorted((each.transpose(2, 0, 1).tobytes(), "") for each in x)
    opaque, _ = one_of(tmp_path / "rgb", Image.fromarray(x[0, ..., :3]), fields={"channels": "colour+alpha"})
    assert (opaque[3] == 255).all() and opaque[:3].tolist() == x[0, ..., :3].transpose(2, 0, 1).tolist()


@pytest.mark.parametrize(("drawn", "paper"), [(0, 255), (255, 0)])
def test_what_is_drawn_on_nothing_shows(tmp_path: Path, drawn: int, paper: int) -> None:
    x = np.zeros((8, 8, 2), np.uint8)
    x[..., 0] = drawn
    x[2:4, 2:4, 1] = 255
    image, _ = one_of(tmp_path, Image.merge("LA", [Image.fromarray(x[..., each].copy()) for each in range(2)]))
    assert image.shape == (1, 8, 8) and image[0, 2, 2] == drawn and image[0, 0, 0] == paper


@pytest.mark.parametrize(("largest", "bits"), [(4080, 12), (1000, 10), (16000, 14), (65535, 16), (257, 10), (255, 0)])
def test_sixteen_bits_are_scaled_by_what_all_pictures_use(tmp_path: Path, largest: int, bits: int) -> None:
    """Not picture by picture: the dark one stays darker than the bright one."""
    dark, bright = np.full((4, 4), largest // 4, np.uint16), np.full((4, 4), largest // 2, np.uint16)
    dark[0, 0], bright[0, 0] = 0, largest
    for number, picture in enumerate([dark, bright] * 3):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    np.save(tmp_path / "own.npy", np.stack([dark, bright] * 3))
    full = 2**bits - 1 if bits < 16 else 257 * 255
    for path in (tmp_path, tmp_path / "own.npy"):
        dataset = loaded(path, split="order")
        found = sorted({int(x[0, 1, 1]) for split in dataset.splits.values() for x in split.arrays["image"]})
        wanted = [largest // 4, largest // 2] if not bits else [
            largest // 4 >> 8, largest // 2 >> 8] if bits == 16 else [
            round(largest // 4 * 255 / full), round(largest // 2 * 255 / full)]
        assert found == wanted
        said = f"16 bits, of which {bits} are used" if bits < 16 else "16 bits (0 to 65,535) made 8"
        assert any(said in each for each in dataset.done) == bool(bits)


@pytest.mark.parametrize(("values", "levels", "said"), [
    ([0, 0.5, 1], [0, 128, 255], "numbers from 0 to 1 read as shares"), ([0.1, 0.5], [26, 128], "from 0 to 1"),
    ([0, 128, 255], [0, 128, 255], "numbers from 0 to 255 read as grey levels"),
    ([-1, 0, 1], [0, 128, 255], "numbers from -1 to 1"), ([0, 1, 0.0], [0, 255, 0], "black and white"),
    ([-1000, 0, 3000], [0, 64, 255], "numbers stretched: -1,000 to 3,000 became 0 to 255")])
def test_numbers_of_any_range(tmp_path: Path, values: list[float], levels: list[int], said: str) -> None:
    x = np.resize(np.array(values, np.float32), (6, 4, 3))
    np.save(tmp_path / "own.npy", x)
    for number, picture in enumerate(x):
        Image.fromarray(picture).save(tmp_path / f"{number}.tiff")
    for path in (tmp_path / "own.npy", tmp_path):
        dataset = loaded(path)
        assert set(np.unique(dataset.splits["train"].arrays["image"]).tolist()) == set(levels)
        assert any(said in each for each in dataset.done), dataset.done


def test_masks_of_0_and_1_are_black_and_white(tmp_path: Path) -> None:
    x = noise(6, 5, 4) // 128
    written(tmp_path / "png", x)
    for path in ("png", "own.npy", "bool.npy"):
        if path != "png":
            np.save(tmp_path / path, x.astype(bool) if path == "bool.npy" else x)
        dataset = loaded(tmp_path / path)
        assert whole(dataset) == sorted(((255 * each).tobytes(), "") for each in x)
        assert dataset.done == ("pictures of 0 and 1 read as black and white",)


def test_a_single_bright_pixel_makes_no_mask_of_the_others(tmp_path: Path) -> None:
    x = noise(6, 5, 4) // 128
    x[5, 0, 0] = 2
    assert whole(loaded(written(tmp_path, x))) == sorted((each.tobytes(), "") for each in x)


def test_other_kinds_of_files(tmp_path: Path) -> None:
    """Palettes, one bit, CMYK, and the first frame of an animation."""
    palette = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8))
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image, _ = one_of(tmp_path / "palette", palette)
    assert image.tolist() == [[[255, 0], [0, 255]], [[0, 255], [0, 0]], [[0, 0], [255, 0]]]
    image, _ = one_of(tmp_path / "bit", Image.fromarray(np.array([[True, False], [False, True]])))
    assert image.tolist() == [[[255, 0], [0, 255]]]
    cmyk = Image.fromarray(np.full((8, 8, 3), (200, 100, 50), np.uint8)).convert("CMYK")
    image, _ = one_of(tmp_path / "cmyk", cmyk, "a.tiff")
    assert image[:, 0, 0].tolist() == [200, 100, 50]
    frames = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (40, 200)]
    image, dataset = one_of(tmp_path / "gif", frames[0], "a.gif", save_all=True, append_images=frames[1:])
    assert (image == 40).all() and "3 pictures of several frames, of which the first is taken" in dataset.done


def test_large_photographs_are_decoded_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quicker, and nearly the same; their size is that of the file, also where they lie on their side."""
    y, x = np.mgrid[:1200, :1600]
    photo = np.stack([y * 255 // 1200, x * 255 // 1600, (x + y) % 256 // 8], -1).astype(np.uint8)
    tmp_path.joinpath("own").mkdir()
    for number, turn in enumerate((1, 6, 8)):
        Image.fromarray(photo).save(tmp_path / "own" / f"{number}.jpg", exif=exif(turn), quality=95)
    small = loaded(tmp_path / "own", size=(60, 80), fit="stretch", split="order")
    assert loaded(tmp_path / "own").modalities["image"].shape == (3, 256, 192)  # two of three are upright
    monkeypatch.setattr(decoding, "LARGE", 10**9)
    slow = loaded(tmp_path / "own", size=(60, 80), fit="stretch", split="order")
    for split in SPLITS:
        one, other = (each.splits[split].arrays["image"].astype(int) for each in (small, slow))
        assert 0 < np.abs(one - other).max() <= 6


def test_colours_of_sixteen_bits_are_told_of(tmp_path: Path) -> None:
    """Pillow reads the upper half of each."""
    rows = b"".join(b"\0" + row.tobytes() for row in np.full((4, 5, 3), (0x1234, 0xff00, 0x00ff), ">u2"))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    data = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(data)
    dataset = loaded(tmp_path)
    assert dataset.splits["train"].arrays["image"][0, :, 0, 0].tolist() == [0x12, 0xff, 0]
    assert dataset.done == ("3 pictures in colours of 16 bits, of which only the upper 8 are read: an .npy keeps them "
                            "all",)


def test_grey_stored_in_colour_is_grey(tmp_path: Path) -> None:
    x = noise(4, 6, 6)
    dataset = loaded(written(tmp_path / "rgb", np.repeat(x[..., None], 3, 3)))
    assert whole(dataset) == sorted((each.tobytes(), "") for each in x)
    assert dataset.done == ("4 pictures stored in colour are grey, and kept so",)
    Image.fromarray(np.full((6, 6, 3), (1, 2, 3), np.uint8)).save(tmp_path / "rgb" / "9.png")
    assert loaded(tmp_path / "rgb").modalities["image"].shape == (3, 6, 6)


@pytest.mark.parametrize("channels", [2, 5, 16])
def test_many_channels_stay_as_they_are(tmp_path: Path, channels: int) -> None:
    x = noise(6, 20, 18, channels)
    np.save(tmp_path / "last.npy", x)
    np.save(tmp_path / "first.npy", x.transpose(0, 3, 1, 2))
    for name in ("last", "first"):
        dataset = loaded(tmp_path / f"{name}.npy")
        assert dataset.modalities["image"].shape == (channels, 20, 18)
        assert whole(dataset) == sorted((each.transpose(2, 0, 1).tobytes(), "") for each in x)
        assert loaded(tmp_path / f"{name}.npy", size=(10, 12)).modalities["image"].shape == (channels, 10, 12)
        refused(tmp_path / f"{name}.npy", f"{channels} channels", "as they are", channels="grey")


# -- sizes -----------------------------------------------------------------------------------------


def dotted(height: int, width: int, row: int, column: int, side: int) -> Levels:
    x = np.full((height, width), 30, np.uint8)
    x[row:row + side, column:column + side] = 230
    return x


def centre(image: Levels) -> tuple[float, float]:
    """The centre of what is bright (H, W), in pixels."""
    weights = np.clip(image.astype(float) - 100, 0, None)
    return (float(np.average(np.arange(image.shape[0]) + 0.5, weights=weights.sum(1))),
            float(np.average(np.arange(image.shape[1]) + 0.5, weights=weights.sum(0))))


@pytest.mark.parametrize(("fit", "expected"), [
    # A dot with its centre at (20, 60) of 40 x 80, brought to 40 x 40.
    ("pad", (10 + 20 / 2, 60 / 2)),  # half as large, with 10 rows above
    ("crop", (20, 60 - 20)),  # as large, 20 columns cut off at the left: the dot lies on the right edge
    ("stretch", (20, 60 / 2))])
def test_where_a_dot_comes_to_lie(tmp_path: Path, fit: str, expected: tuple[float, float]) -> None:
    column = 56 if fit != "crop" else 46
    expected = expected if fit != "crop" else (20, 50 - 20)
    written(tmp_path, np.stack([dotted(40, 80, 16, column, 8)] * 3))
    image = loaded(tmp_path, size=40, fit=fit, background="black").splits["train"].arrays["image"][0, 0]
    assert image.shape == (40, 40) and centre(image) == pytest.approx(expected, abs=0.1)
    outside = image[[0, 9, 30, 39]]
    assert (outside == 0).all() if fit == "pad" else (outside > 0).all()
    assert image[20, 5] == 30  # the picture itself is not changed


@pytest.mark.parametrize(("found", "size", "padded"), [
    ((28, 20), (64, 64), (0, 9, 64, 46)), ((105, 105), (64, 64), (0, 0, 64, 64)),
    ((10, 1000), (32, 32), (15, 0, 1, 32)),
    ((256, 192), (28, 20), (0, 0, 27, 20)), ((1, 1), (5, 7), (0, 1, 5, 5))])
def test_where_padded_pictures_lie(found: tuple[int, int], size: tuple[int, int], padded: tuple[int, int, int, int]
                                   ) -> None:
    assert placed(found, size) == padded


def test_sizes_that_are_found(tmp_path: Path) -> None:
    written(tmp_path / "a", noise(5, 28, 20))
    written(tmp_path / "b", noise(3, 64, 64))
    dataset = loaded(tmp_path)
    assert dataset.modalities["image"].shape == (1, 28, 20)
    assert "3 of 8 pictures (2 sizes) scaled to fit in: 28 × 20" in dataset.done
    assert loaded(tmp_path, size=64).modalities["image"].shape == (1, 64, 64)
    assert [parse(Images, {"size": typed}).size for typed in (64, "64", "28, 20", "28x20", "28 × 20")] == [
        (64,), (64,), *[(28, 20)] * 3]
    assert loaded(tmp_path, size=(0, 40)).modalities["image"].shape == (1, 56, 40)
    assert loaded(tmp_path, size=(14, 0)).modalities["image"].shape == (1, 14, 10)
    refused(tmp_path, "data.fit", "3 pictures", "000.png is 64 × 64", "pad, crop or stretch", fit="as they are")
    refused(tmp_path, "size", "257 is too large. Use at most 256", size=257)
    refused(tmp_path, "size", "at most 2", size=(1, 2, 3))


def test_where_no_size_is_common_the_middle_ones_are_taken(tmp_path: Path) -> None:
    for count in range(20):  # heights 20 to 39, widths 59 to 40
        written(tmp_path / f"{count}", noise(1, 20 + count, 59 - count))
    written(tmp_path / "x", noise(1, 39, 40))  # the only size that two share: it stands for none of the others
    dataset = loaded(tmp_path)
    assert dataset.modalities["image"].shape == (1, 30, 49)
    assert "the middle of 20 heights and widths taken, 30 × 49: no size is common" in dataset.done


@pytest.mark.parametrize(("found", "shape"), [((105, 105), (105, 105)), ((256, 192), (256, 192)),
                                              ((300, 400), (192, 256)), ((2000, 30), (256, 4))])
def test_pictures_that_are_too_large_are_made_smaller(tmp_path: Path, found: tuple[int, int], shape: tuple[int, int]
                                                      ) -> None:
    dataset = loaded(written(tmp_path, noise(3, *found)))
    assert dataset.modalities["image"].shape == (1, *shape)
    assert any("made smaller" in said for said in dataset.done) == (found != shape)


def test_beside_padded_pictures_lies_their_paper(tmp_path: Path) -> None:
    for name, paper in (("light", 250), ("dark", 3)):
        x = np.full((4, 10, 20), paper, np.uint8)
        x[:, 4:6, 8:12] = 128
        dataset = loaded(written(tmp_path / name, x), size=20)
        assert dataset.splits["train"].arrays["image"][0, 0, 0, 0] == (255 if paper > 127 else 0)
        assert f"4 pictures of another aspect padded with {'white' if paper > 127 else 'black'}" in dataset.done
    image = loaded(tmp_path / "dark", size=20, background="#010203", channels="colour").splits["test"].arrays["image"]
    assert image[0, :, 0, 0].tolist() == [1, 2, 3]
    kept = loaded(tmp_path / "dark", size=20, channels="colour+alpha").splits["test"].arrays["image"]
    assert kept[0, :, 0, 0].tolist() == [0, 0, 0, 0] and kept[0, 3, 10, 10] == 255
    refused(tmp_path / "dark", "background", "'mauvish' is no colour", background="mauvish")


@pytest.mark.parametrize("channels", ["grey", "colour"])
@pytest.mark.parametrize("colour", [False, True])
def test_transparent_pictures_are_padded_with_what_lies_behind_them(tmp_path: Path, channels: str, colour: bool
                                                                    ) -> None:
    base = np.full((10, 20, 3 if colour else 1), 200, np.uint8)
    cover = np.zeros((10, 20, 1), np.uint8)
    cover[:, 10:] = 255
    written(tmp_path, np.stack([np.concatenate([base, cover], 2)] * 3))
    image = loaded(tmp_path, size=20, channels=channels, background="#0a0a0a").splits["train"].arrays["image"][0]
    assert image.shape == (3 if channels == "colour" else 1, 20, 20)
    assert (image[:, :5] == 10).all() and (image[:, 6:14, :8] == 10).all() and (image[:, 6:14, 12:] == 200).all()


# -- classes, groups, splits -----------------------------------------------------------------------


def table(folder: Path, text: str, name: str = "labels.csv") -> None:
    (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("form", ["{}.png", "{}", "./{}.png"])
def test_labels_from_a_table_beside(tmp_path: Path, delimiter: str, form: str) -> None:
    x = noise(30, 6, 5)
    written(tmp_path, x)
    lines = [delimiter.join((form.format(f"{n:03}"), f"'{n % 3}'")) for n in range(29, -1, -1)]
    table(tmp_path, delimiter.join(("file name", "kind")) + "\n" + "\n".join(lines) + "\n")
    dataset = loaded(tmp_path)
    assert dataset.classes == ("'0'", "'1'", "'2'") and dataset.left_out == ()
    assert whole(dataset) == sorted((each.tobytes(), f"'{n % 3}'") for n, each in enumerate(x))


def test_a_table_without_a_header(tmp_path: Path) -> None:
    x = noise(4, 6, 5)
    written(tmp_path, x)
    table(tmp_path, "".join(f"{n:03}.png,{'ab'[n % 2]}\n" for n in range(4)))
    assert whole(loaded(tmp_path)) == sorted((each.tobytes(), "ab"[n % 2]) for n, each in enumerate(x))


def test_what_a_table_lacks_or_has_too_much(tmp_path: Path) -> None:
    written(tmp_path, noise(5, 6, 5))
    table(tmp_path, "file,label,weight,note\n000.png,a,1,x\n"
          "001.png,b,2,y\n002.png,,3,z\n003.png,a,1,x\nnone.png,b,1,x\n")
    dataset = loaded(tmp_path)
    assert dataset.classes == ("a", "b") and [label for _, label in whole(dataset)].count("") == 2
    assert list(dataset.left_out) == [
        "1 row of labels.csv whose picture is not there: 'none.png' in line 6",
        "columns of labels.csv: weight, note; data.label names the one of classes",
        "nothing is said in labels.csv of 1 picture: 004.png"]
    assert loaded(tmp_path, label="weight").classes == ("1", "2", "3")
    refused(tmp_path, "data.label", "no column of that name", "label, weight, note", label="kind")


@pytest.mark.parametrize(("text", "said"), [
    ("file,label\nx.png,a\n", "names none of the pictures, such as '000.png'"),
    ("file,label\n000.png,a,b\n", "has 3 cells in line 2, but 2"),
    ("file,label\n000.png,a\n001.png,b\n000.png,b\n", "names '000.png' twice, in lines 2 and 4"),
    ("file,label,split\n000.png,a,tran\n", "has 'tran' in line 2, column 'split'"), ("\n", "is empty"),
    ('file,label\n"000.png,a\n', "cannot be read as a table")])
def test_tables_that_are_refused(tmp_path: Path, text: str, said: str) -> None:
    written(tmp_path, noise(3, 6, 5))
    table(tmp_path, text)
    refused(tmp_path, "labels.csv", said)


def test_the_same_name_in_two_folders_needs_its_path(tmp_path: Path) -> None:
    x, y = noise(2, 6, 5), noise(2, 6, 5, seed=1)
    written(tmp_path / "one", x)
    written(tmp_path / "two", y)
    table(tmp_path, "file,label\none/000.png,a\none/001.png,b\ntwo/000.png,b\ntwo/001.png,c\n")
    assert whole(loaded(tmp_path)) == sorted(zip([each.tobytes() for each in (*x, *y)], "abbc", strict=True))
    table(tmp_path, "file,label\n000.png,a\n001.png,b\n")
    refused(tmp_path, "names none of the pictures")


@pytest.mark.parametrize(("folders", "sizes", "split_by"), [
    (("train", "test"), [16, 4, 20], "by the data's own split; validation from its training pictures by seed 0"),
    (("train", "val"), [16, 20, 4], "by the data's own split; test from its training pictures by seed 0"),
    (("Training", "validation", "testing"), [20, 20, 20], "by the data's own split")])
def test_folders_may_be_the_split(tmp_path: Path, folders: tuple[str, ...], sizes: list[int], split_by: str) -> None:
    known = {}
    for seed, name in enumerate(folders):
        for place, kind in enumerate("ab"):
            x = noise(10, 6, 5, seed=2 * seed + place)
            written(tmp_path / name / kind, x)
            known |= {each.tobytes(): (name, kind) for each in x}
    dataset = loaded(tmp_path, held_out=0.2)
    assert [len(dataset.splits[split]) for split in SPLITS] == sizes and dataset.split_by == split_by
    assert dataset.classes == ("a", "b")
    for split in SPLITS:
        part = dataset.splits[split]
        assert part.labels is not None
        for image, label in zip(part.arrays["image"], part.labels, strict=True):
            folder, kind = known[image.tobytes()]
            assert kind == "ab"[label] and (split[:3] == folder[:3].lower() or folder == "train")
    assert loaded(tmp_path, split="seed").split_by == "by seed 0"


def test_groups_are_not_torn_apart(tmp_path: Path) -> None:
    x = noise(60, 6, 5)
    written(tmp_path, x)
    table(tmp_path, "file,label,patient\n" + "".join(f"{n:03}.png,{n % 2},{n // 5}\n" for n in range(60)))
    patients = {each.tobytes(): n // 5 for n, each in enumerate(x)}
    for seed in range(5):
        dataset = loaded(tmp_path, split_seed=seed)
        assert dataset.split_by == f"by group 'patient' (12 of them), seed {seed}"
        parts = [{patients[each.tobytes()] for each in dataset.splits[split].arrays["image"]} for split in SPLITS]
        assert len(set.union(*parts)) == 12 == sum(map(len, parts)) and [len(part) for part in parts] == [10, 1, 1]
        assert [len(dataset.splits[split]) for split in SPLITS] == [50, 5, 5]
    assert loaded(tmp_path, split="seed").split_by == "by seed 0"
    refused(tmp_path, "data.group", "'label' has 2 groups", "3 splits", group="label", label="patient")
    refused(tmp_path, "data.group", "no column of that name", group="animal")


def test_folders_may_be_the_groups(tmp_path: Path) -> None:
    for number in range(6):
        written(tmp_path / f"stack {number}", noise(4 + number, 6, 5, seed=number))
    dataset = loaded(tmp_path, group="folder", held_out=0.2)
    assert dataset.split_by.startswith("by group 'folder' (6 of them)")
    held = [set(dataset.splits[split].labels.tolist()) for split in SPLITS]  # type: ignore[union-attr]
    assert not held[0] & held[1] and not held[1] & held[2] and len(set.union(*held)) == 6


@pytest.mark.parametrize("kind", ["keras", "medmnist", "split"])
def test_archives_that_bring_their_split(tmp_path: Path, kind: str) -> None:
    x, y = noise(40, 6, 5), np.arange(40) % 4 + 1
    match kind:
        case "keras":
            arrays = {"x_train": x[:30], "y_train": y[:30], "x_test": x[30:], "y_test": y[30:]}
        case "medmnist":
            arrays = {"train_images": x[:20], "train_labels": y[:20, None], "val_images": x[20:30],
                      "val_labels": y[20:30, None], "test_images": x[30:], "test_labels": y[30:, None]}
        case _:
            arrays = {"images": x, "labels": y, "split": np.repeat(["train", "val", "test"], [20, 10, 10])}
    np.savez(tmp_path / "own.npz", **arrays)
    dataset = loaded(tmp_path / "own.npz", held_out=0.2)
    assert whole(dataset) == sorted((each.tobytes(), str(label)) for each, label in zip(x, y, strict=True))
    assert dataset.classes == ("1", "2", "3", "4") and dataset.split_by.startswith("by the data's own split")
    assert sorted(each.tobytes() for each in dataset.splits["test"].arrays["image"]) == sorted(
        each.tobytes() for each in x[30:])


def test_names_and_gaps_of_labels_in_an_archive(tmp_path: Path) -> None:
    x, y = noise(12, 6, 5), np.array([0, 1, 2, -1] * 3)
    np.savez(tmp_path / "a.npz", images=x, labels=y, names=["rose", "daisy", "tulip"])
    dataset = loaded(tmp_path / "a.npz")
    assert dataset.classes == ("rose", "daisy", "tulip")  # in their order, not that of the alphabet
    assert whole(dataset) == sorted((each.tobytes(), ["rose", "daisy", "tulip", ""][label])
                                    for each, label in zip(x, y, strict=True))
    np.savez(tmp_path / "b.npz", images=x, labels=np.array([7, 100, 20, 7] * 3))
    assert loaded(tmp_path / "b.npz").classes == ("7", "20", "100")
    np.savez(tmp_path / "c.npz", images=x, labels=np.where(y < 0, np.nan, y + 1.0))
    assert loaded(tmp_path / "c.npz").classes == ("1", "2", "3")
    np.savez(tmp_path / "d.npz", images=x, labels=y, names=["rose", "daisy"])
    refused(tmp_path / "d.npz", "'labels'", "has a label 2, but only 2 classes have names")
    np.savez(tmp_path / "e.npz", images=x, labels=y[:5])
    refused(tmp_path / "e.npz", "'labels'", "has shape (5,), but there are 12 pictures")
    np.savez(tmp_path / "f.npz", images=x, labels=y, weights=np.zeros(12), patient=np.arange(12) // 3)
    dataset = loaded(tmp_path / "f.npz")
    assert dataset.left_out == ("array 'weights', which is float64 of shape (12,)",)
    assert dataset.split_by == "by group 'patient' (4 of them), seed 0"
    np.savez(tmp_path / "g.npz", images=x, labels=y[:5], y=np.arange(12) / 1.0, split=np.arange(12) % 3 / 1.0)
    dataset = loaded(tmp_path / "g.npz")
    assert dataset.split_by.startswith("by the data's own split")
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [4, 4, 4]
    np.savez(tmp_path / "h.npz", images=x, labels=y[:5], y=np.full(12, 3))
    assert any(said.startswith("the labels from array 'y'") for said in loaded(tmp_path / "h.npz").left_out)


def test_labels_that_say_nothing_or_too_much_are_left_out(tmp_path: Path) -> None:
    x = noise(300, 3, 3)
    np.savez(tmp_path / "a.npz", images=x, labels=np.zeros(300, int))
    dataset = loaded(tmp_path / "a.npz")
    assert dataset.splits["train"].labels is None
    assert dataset.left_out == ("the labels from array 'labels': all are '0'",)
    np.savez(tmp_path / "a.npz", images=x, labels=np.arange(300))
    dataset = loaded(tmp_path / "a.npz")
    assert dataset.classes == () and "300 classes, and at most 256" in dataset.left_out[0]


# -- IDX, stacks -----------------------------------------------------------------------------------


def idx(path: Path, array: NDArray[Any], packed: bool = False) -> None:
    kind = {"uint8": 8, "int8": 9, "int16": 0xB, "int32": 0xC, "float32": 0xD, "float64": 0xE}[array.dtype.name]
    data = (struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
            + array.astype(array.dtype.newbyteorder(">")).tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if packed else data)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_files_with_their_labels_beside(tmp_path: Path, packed: bool, dotted: bool) -> None:
    x, y = noise(20, 7, 5), (np.arange(20) % 3).astype(np.uint8)
    names = [name + ".gz" * packed for name in ("own-images-idx3-ubyte", "own-labels-idx1-ubyte")]
    images, labels = (tmp_path / (name.replace("-idx", ".idx") if dotted else name) for name in names)
    idx(images, x, packed)
    assert loaded(images).classes == ()
    idx(labels, y, packed)
    expected = sorted((each.tobytes(), str(label)) for each, label in zip(x, y, strict=True))
    assert whole(loaded(images)) == whole(loaded(tmp_path)) == expected
    idx(labels, y[:19], packed)
    refused(images, "19 labels for 20 pictures")


def test_the_folder_that_torchvision_leaves(tmp_path: Path) -> None:
    x, y = noise(70, 28, 28), (np.arange(70) % 10).astype(np.uint8)
    raw = tmp_path / "MNIST" / "raw"
    for name, rows in (("train", slice(60)), ("t10k", slice(60, 70))):
        for what, array, rank in (("images", x, 3), ("labels", y, 1)):
            for packed in (False, True):
                idx(raw / (f"{name}-{what}-idx{rank}-ubyte" + ".gz" * packed), array[rows], packed)
    for path in (tmp_path / "MNIST", raw, tmp_path):
        dataset = loaded(path)
        assert [len(dataset.splits[split]) for split in SPLITS] == [54, 6, 10]
        assert sorted(each.tobytes() for each in dataset.splits["test"].arrays["image"]) == sorted(
            each.tobytes() for each in x[60:])
        assert whole(dataset) == sorted((each.tobytes(), str(label)) for each, label in zip(x, y, strict=True))


@pytest.mark.parametrize("kind", ["int16", "int32", "float32", "float64"])
def test_idx_files_of_other_numbers(tmp_path: Path, kind: str) -> None:
    x = np.arange(90).reshape(3, 6, 5).astype(kind)
    idx(tmp_path / "a-idx3", x)
    assert whole(loaded(tmp_path / "a-idx3")) == sorted((each.astype(np.uint8).tobytes(), "") for each in x)


@pytest.mark.parametrize(("data", "said"), [
    (b"\0\0\x08\x03\0\0\0\x05", "is cut off"), (b"\x89PNG\r\n", "does not begin as IDX files do"),
    (struct.pack(">HBB3I", 0, 8, 3, 5, 4, 4) + bytes(79), "ends after 79 of 80 bytes|declares to be"),
    (struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 2**31), "declares to be|bytes, compressed")])
def test_idx_files_that_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    for name, content in (("a-images-idx3-ubyte", data), ("a-images-idx3-ubyte.gz", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=f"a-images-idx3-ubyte.*({said})"):
            loaded(tmp_path / name)


def test_a_stack_of_slices(tmp_path: Path) -> None:
    """The pages of a TIFF, of 12 bits: scaled together, and split in their order."""
    z, y, x = np.meshgrid(np.arange(40), np.arange(32), np.arange(24), indexing="ij")
    volume = (4000 * np.exp(-((z - 20) ** 2 + (y - 16) ** 2 + (x - 12) ** 2) / 100)).astype(np.uint16)
    pages = [Image.fromarray(page) for page in volume]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    dataset = loaded(tmp_path / "stack.tif")
    expected = np.rint(volume * (255 / 4095)).astype(np.uint8)
    assert whole(dataset) == sorted((each.tobytes(), "") for each in expected)
    assert dataset.split_by == "in order, the last 4 for test: neighbours in a stack are alike"
    held = sorted(each.tobytes() for each in dataset.splits["test"].arrays["image"])
    assert held == sorted(each.tobytes() for each in expected[36:])
    assert loaded(tmp_path / "stack.tif", split="seed").split_by == "by seed 0"
    np.save(tmp_path / "stack.npy", volume)
    assert whole(loaded(tmp_path / "stack.npy")) == whole(dataset)
    assert whole(loaded(tmp_path)) == whole(dataset)  # the folder of that one file


def test_slices_of_one_stack_of_several_stay_together(tmp_path: Path) -> None:
    x = noise(50, 8, 6)
    for number in range(5):
        pages = [Image.fromarray(page) for page in x[10 * number:10 * number + 10]]
        pages[0].save(tmp_path / f"{number}.tif", save_all=True, append_images=pages[1:])
    dataset = loaded(tmp_path)
    assert dataset.split_by == "by group 'file' (5 of them), seed 0"
    stack_of = {each.tobytes(): n // 10 for n, each in enumerate(x)}
    held = [{stack_of[each.tobytes()] for each in dataset.splits[split].arrays["image"]} for split in SPLITS]
    assert [len(each) for each in held] == [3, 1, 1] and len(set.union(*held)) == 5
    for number in (2, 3, 4):
        (tmp_path / f"{number}.tif").unlink()
    assert loaded(tmp_path).split_by.startswith("in order")


def test_large_arrays_are_read_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of these, or what is compressed, would not fit."""
    monkeypatch.setattr(stacks, "MAX_ARRAYS_BYTES", 3000)
    x, y = noise(40, 12, 9), noise(40, 12, 9, seed=1)
    expected = sorted((each.tobytes(), "") for each in x)
    np.save(tmp_path / "own.npy", x)
    np.savez(tmp_path / "own.npz", images=x)
    idx(tmp_path / "own-images-idx3-ubyte", x)
    for name in ("own.npy", "own.npz", "own-images-idx3-ubyte"):
        assert whole(loaded(tmp_path / name)) == expected
    np.savez(tmp_path / "two.npz", train_images=x, test_images=y[:20])
    assert whole(loaded(tmp_path / "two.npz")) == sorted((each.tobytes(), "") for each in (*x, *y[:20]))
    np.savez_compressed(tmp_path / "packed.npz", images=x)
    refused(tmp_path / "packed.npz", "'images'", "has 4,320 bytes, compressed", "uncompressed", "at most 3,000")
    idx(tmp_path / "packed-images-idx3-ubyte.gz", x, packed=True)
    refused(tmp_path / "packed-images-idx3-ubyte.gz", "4,320 bytes, compressed")
    np.save(tmp_path / "columns.npy", np.asfortranarray(x))
    refused(tmp_path / "columns.npy", "column by column", "ascontiguousarray")
    np.savez_compressed(tmp_path / "bomb.npz", images=x[:5], a=np.zeros(2400, np.uint8), b=np.zeros(300, np.uint16))
    assert any("'b'" in said or "'a'" in said for said in loaded(tmp_path / "bomb.npz").left_out)


# -- what is left out, and what is refused ---------------------------------------------------------


def test_one_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    x = noise(12, 30, 30)
    written(tmp_path, x)
    whole_file = (tmp_path / "003.png").read_bytes()
    (tmp_path / "003.png").write_bytes(whole_file[: len(whole_file) // 2])
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "text.png").write_text("I am no picture.")
    dataset = loaded(tmp_path)
    assert len(whole(dataset)) == 11
    assert dataset.left_out[0] == "1 file that is no picture: notes.txt"
    assert "2 pictures: 003.png is damaged or cut off" in dataset.left_out[1]
    assert "text.png is no picture that can be read" in dataset.left_out[1]
    for number in range(4, 8):
        (tmp_path / f"{number:03}.png").write_bytes(b"")
    refused(tmp_path, "has 13 pictures, of which too many cannot be read: 6 pictures: 003.png", "and 1 more")


def test_what_systems_leave_behind_is_not_seen(tmp_path: Path) -> None:
    x = noise(5, 6, 5)
    written(tmp_path / "own" / "a", x)
    for name in (".DS_Store", "Thumbs.db", "__MACOSX/._000.png", "a/.hidden.png", "desktop.ini"):
        (tmp_path / "own" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "own" / name).write_bytes(b"\0\1\2")
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "own"))
    for path in (tmp_path / "own", packed):
        dataset = loaded(path)
        assert dataset.left_out == () and len(whole(dataset)) == 5 and dataset.classes == ()


def test_pipes_and_links_do_not_hang(tmp_path: Path) -> None:
    written(tmp_path / "own", noise(5, 6, 5))
    os.mkfifo(tmp_path / "own" / "pipe.png")
    (tmp_path / "own" / "broken.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "own" / "circle.png").symlink_to(tmp_path / "own" / "circle.png")
    (tmp_path / "own" / "again").symlink_to(tmp_path / "own")
    written(tmp_path / "elsewhere", noise(1, 6, 5, seed=9))
    (tmp_path / "own" / "linked.png").symlink_to(tmp_path / "elsewhere" / "000.png")
    dataset = loaded(tmp_path / "own")
    assert len(whole(dataset)) == 6
    [said] = dataset.left_out
    assert said.startswith("4 files: ") and "pipe.png a device or a pipe" in said and "again a link to a folder" in said
    assert "broken.png a link to nowhere" in said and "circle.png a link to nowhere, or in a circle" in said
    refused(tmp_path / "own" / "pipe.png", "is a device or a pipe")
    refused(Path("/dev/zero"), "is a device or a pipe")
    assert not Images.recognises(tmp_path / "own" / "pipe.png") and not Images.recognises(Path("/dev/zero"))


def test_a_large_picture_and_a_bomb_are_left_out(tmp_path: Path) -> None:
    written(tmp_path, noise(9, 6, 5))
    Image.new("1", (10_000, 10_000)).save(tmp_path / "large.png")
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    rest = zlib.compress(bytes(1000))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", len(rest)) + b"IDAT" + rest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = loaded(tmp_path, held_out=0.2)
    [said] = dataset.left_out
    assert "bomb.png declares far more than the 50 megapixels" in said
    assert "large.png has 100 megapixels" in said or "large.png declares far more" in said


def test_archives_that_are_hostile(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.fromarray(noise(1, 6, 5)[0]).save(picture, "PNG")
    with zipfile.ZipFile(tmp_path / "own.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.png", "b.png", "./c.png", "d.png", "e.png"):
            archive.writestr(name, picture.getvalue())
        archive.writestr("../out.png", picture.getvalue())
        archive.writestr("/etc/out.png", picture.getvalue())
        archive.writestr("C:\\out.png", picture.getvalue())
        archive.writestr("bomb.png", bytes(MAX_PICTURE_BYTES + 1))
    dataset = loaded(tmp_path / "own.zip")
    assert len(whole(dataset)) == 5
    assert dataset.left_out[0].startswith("3 files: ") and dataset.left_out[0].count("leads out of the folder") == 3
    assert "bomb.png declares 200,000,001 bytes" in dataset.left_out[1]
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for name in ("a.png", "b.png", "c.png", "d.png"):
            archive.writestr(name, picture.getvalue())
        archive.writestr("labels.csv", "file,label\na.png,x\n")
    damaged = (tmp_path / "bad.zip").read_bytes()
    (tmp_path / "bad.zip").write_bytes(damaged.replace(b"a.png,x", b"a.png,y"))
    refused(tmp_path / "bad.zip", "bad.zip/labels.csv", "cannot be read (Bad CRC-32")
    place = damaged.index(picture.getvalue()) + 40
    (tmp_path / "bad.zip").write_bytes(damaged[:place] + b"\xff" + damaged[place + 1:])
    assert "bad.zip/a.png cannot be read (Bad CRC-32" in loaded(tmp_path / "bad.zip").left_out[0]
    (tmp_path / "cut.zip").write_bytes((tmp_path / "own.zip").read_bytes()[:-40])
    refused(tmp_path / "cut.zip", "is no zip that can be read")
    (tmp_path / "text.zip").write_text("hello")
    refused(tmp_path / "text.zip", "is no zip that can be read")


def test_what_a_zip_declares_is_bounded_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "own", noise(5, 6, 5))
    path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "own"))
    monkeypatch.setattr(folder, "MAX_UNZIPPED_BYTES", 100)
    refused(path, "declares", "bytes of files", "at most 100")
    monkeypatch.setattr(folder, "MAX_ENTRIES", 4)
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda _: pytest.fail("it was read"))
    refused(path, "has 5 files in it", "at most 4")
    refused(tmp_path / "own", "more than 4 files in it", "one .npy")


@pytest.mark.parametrize(("arrays", "said"), [
    ({"images": np.array([object()] * 3)}, "'images' in .*own.npz' holds Python objects, a pickle, which is never"),
    ({"images": noise(3, 6, 5), "labels": np.array(["a", None, 1])}, "'labels' in .*own.npz' holds Python objects"),
    ({"images": np.zeros((5, 36), np.uint8)}, r"'images' in .*own.npz' is uint8 of shape \(5, 36\).*reshape each row"),
    ({"a": noise(3, 6, 5), "b": noise(3, 6, 5)}, "several arrays that could be the pictures: a, b.*'images'"),
    ({"labels": np.arange(4)}, "has no array of pictures: 'labels' int64"),
    ({"images": np.zeros((3, 6, 5), complex)}, "complex128"), ({"images": noise(0, 6, 5)}, r"\(0, 6, 5\)"),
    ({"images": noise(1, 40, 30, 3)[0]}, "one picture in colour"), ({"images": noise(2, 6, 5)}, "has 2 pictures"),
    ({"images": noise(3, 40, 30, 20)}, "short enough for channels"),
    ({"images": np.full((3, 6, 5), 7.5)}, "7.5 throughout"),
    ({"images": noise(3, 6, 5), "split": [0, 1, 3]}, "'split' in .*own.npz' has '3' for picture 2"),
    ({"images": noise(3, 6, 5), "split": [0, 1, np.inf]}, "'split' in .*own.npz' has 'inf' for picture 2"),
    ({"images": noise(3, 6, 5), "labels": [0, np.inf, 3]}, "'labels' in .*own.npz' has inf for picture 1.*whole"),
    ({"images": noise(3, 6, 5), "labels": [0, 1], "y": [0, 1, 2.5]}, "'y' in .*own.npz' has 2.5 for picture 2"),
    ({}, "no array of pictures")])
def test_archives_of_arrays_that_are_refused(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(ConfigError, match=said):
        loaded(tmp_path / "own.npz")


def test_arrays_that_are_damaged(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", noise(9, 6, 5))
    data = (tmp_path / "own.npy").read_bytes()
    for content, said in ((data[:-1], "declares to be"), (data[:50], "no array that can be read"), (b"", "is empty"),
                          (b"hello", "no array that can be read")):
        (tmp_path / "own.npy").write_bytes(content)
        refused(tmp_path / "own.npy", "own.npy", said)
    np.save(tmp_path / "objects.npy", np.array([{}]))
    refused(tmp_path / "objects.npy", "holds Python objects, a pickle")
    np.save(tmp_path / "columns.npy", np.asfortranarray(noise(9, 6, 5)))
    assert whole(loaded(tmp_path / "columns.npy")) == sorted((each.tobytes(), "") for each in noise(9, 6, 5))
    x = np.random.default_rng(0).random((9, 6, 5))
    x[4, 0, 0] = np.nan
    np.save(tmp_path / "nan.npy", x)
    dataset = loaded(tmp_path / "nan.npy")
    assert len(whole(dataset)) == 8
    assert dataset.left_out == ("1 picture: picture 4 (the first is 0) holds numbers that are not finite: correct it",)
    np.savez(tmp_path / "own.npz", images=noise(9, 6, 5))
    (tmp_path / "own.npz").write_bytes((tmp_path / "own.npz").read_bytes()[:200])
    refused(tmp_path / "own.npz", "is no .npz that can be read")


# -- identity --------------------------------------------------------------------------------------


def test_a_moved_folder_is_the_same_data_and_a_changed_one_is_not(tmp_path: Path) -> None:
    x = noise(6, 6, 5)
    written(tmp_path / "own" / "a", x)
    config = Images(path=str(tmp_path / "own")).resolve()
    files = sorted((tmp_path / "own" / "a").iterdir())
    lines = "".join(f"a/{file.name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in files)
    assert config.digest == hashlib.sha256(lines.encode()).hexdigest()
    (tmp_path / "own").rename(tmp_path / "moved")
    (tmp_path / "moved" / "notes.txt").write_text("no part of it")
    (tmp_path / "moved" / ".DS_Store").write_text("nor this")
    moved = config.model_copy(update={"path": str(tmp_path / "moved")})
    assert whole(moved.load()) == sorted((each.tobytes(), "") for each in x)
    Image.fromarray(x[0] ^ 1).save(tmp_path / "moved" / "a" / "000.png")
    with pytest.raises(ConfigError, match="has changed since this run was made"):
        moved.load()
    written(tmp_path / "moved" / "a", x)
    moved.load()
    (tmp_path / "moved" / "a" / "000.png").rename(tmp_path / "moved" / "a" / "zzz.png")
    with pytest.raises(ConfigError, match="has changed since this run was made"):
        moved.load()


def test_digests_of_large_files_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(folder, "MAPPED_FROM", 1)
    written(tmp_path / "own", noise(6, 6, 5))
    for file in (tmp_path / "own").iterdir():
        os.utime(file, (1e9, 1e9))
    config = Images(path=str(tmp_path / "own"))
    read: list[str] = []
    digest = folder._digest
    monkeypatch.setattr(folder, "_digest", lambda file: read.append(file.name) or digest(file))
    first = config.fingerprint()
    assert len(read) == 6 and config.fingerprint() == first and len(read) == 6
    Image.fromarray(noise(1, 6, 5, seed=5)[0]).save(tmp_path / "own" / "002.png")
    assert config.fingerprint() != first and read[6:] == ["002.png"]
    # Changed a moment ago: another change could come at the same tick of the clock, so it is read again.
    now = config.fingerprint()
    assert read[7:] == ["002.png"]
    for broken in ("[]", "{", '{"000.png": 3}'):
        for kept in (tmp_path / "cache" / "digests").iterdir():
            kept.write_text(broken)
        assert config.fingerprint() == now


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "own", noise(6, 6, 5))
    np.save(tmp_path / "own.npy", noise(6, 6, 5))
    for path, changing in ((tmp_path / "own", tmp_path / "own" / "003.png"), (tmp_path / "own.npy",) * 2):
        opened = folder.OnDisk.open

        def other(self: folder.OnDisk, changing: Path = changing, opened: Any = opened) -> Any:
            file = opened(self)
            if self.place == changing:
                changing.write_bytes(changing.read_bytes() + b"more")
            return file

        with monkeypatch.context() as patch:
            patch.setattr(folder.OnDisk, "open", other)
            refused(path, changing.name, "changed while it was read", "once nothing writes to it")


def test_many_pictures_come_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    x = noise(40, 6, 5)
    written(tmp_path / "own", x)
    (tmp_path / "own" / "bad.png").write_text("none")
    plain = loaded(tmp_path / "own")
    for module in (images, folder):
        monkeypatch.setattr(module, "MAPPED_FROM", 1)
    monkeypatch.setattr(images, "SURVEY_KEPT_FROM", 1)
    kept = loaded(tmp_path / "own")
    assert len(list((tmp_path / "cache" / "arrays").glob("*.npy"))) == 2
    decoded = decoding.decoded
    read: list[int] = []
    monkeypatch.setattr("vaecore.data.own.pictures.piles.decoded", lambda *a, **k: read.append(1) or decoded(*a, **k))
    again = loaded(tmp_path / "own")
    assert len(read) <= 2  # one for the shape, and the one that cannot be read to say why
    for split in SPLITS:
        for other in (kept, again):
            assert (other.splits[split].arrays["image"] == plain.splits[split].arrays["image"]).all()
    assert kept.left_out == again.left_out == plain.left_out
    assert (loaded(tmp_path / "own", size=4).splits["test"].arrays["image"].shape == (4, 1, 4, 4))


def test_what_looks_like_pictures(tmp_path: Path) -> None:
    written(tmp_path / "own" / "a" / "b", noise(1, 6, 5))
    np.save(tmp_path / "images.npy", noise(3, 6, 5))
    np.save(tmp_path / "vectors.npy", np.zeros((3, 6)))
    np.savez(tmp_path / "images.npz", x=noise(3, 6, 5))
    np.savez(tmp_path / "vectors.npz", x=np.zeros((3, 6)), y=np.arange(3))
    idx(tmp_path / "train-images-idx3-ubyte", noise(3, 6, 5))
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "own")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "broken.zip").write_text("x")
    (tmp_path / "broken.npz").write_text("x")
    (tmp_path / "empty").mkdir()
    found = {path.name for path in tmp_path.iterdir() if Images.recognises(path)}
    assert found == {"own", "images.npy", "images.npz", "train-images-idx3-ubyte", "packed.zip"}
    assert not Images.recognises(tmp_path / "none")


# -- the cases that people brought -----------------------------------------------------------------


def test_pictures_of_scikit_learn(tmp_path: Path) -> None:
    """Two more inputs of our own: photographs in tiles of unequal sizes by class, and digits in 17 grey levels."""
    from sklearn.datasets import load_digits, load_sample_images

    rng = np.random.default_rng(0)
    for name, photo in zip(("china", "flower"), load_sample_images().images, strict=True):
        (tmp_path / "tiles" / name).mkdir(parents=True)
        for number in range(20):
            height, width = rng.integers(100, 200, 2)
            y, x = rng.integers(0, 200, 2)
            Image.fromarray(photo[y:y + height, x:x + width]).save(tmp_path / "tiles" / name / f"{number}.jpg")
    dataset = loaded(tmp_path / "tiles", size=(64, 48), fit="crop")
    assert dataset.modalities["image"].shape == (3, 64, 48) and dataset.classes == ("china", "flower")
    digits = load_digits()
    np.savez(tmp_path / "digits.npz", images=digits.images, target=digits.target, feature_names=digits.feature_names)
    dataset = loaded(tmp_path / "digits.npz")
    assert dataset.classes == tuple("0123456789") and dataset.size("train") == 1437
    assert dataset.done == ("numbers from 0 to 255 read as grey levels",)


def test_from_a_folder_to_an_opened_run(tmp_path: Path, start: Callable[..., Path]) -> None:
    """28 × 20, as faces often are: trained for a few steps, opened, and opened still when the folder has moved."""
    import vaecore

    x = noise(60, 28, 20)
    for name, part in (("cat", x[:30] // 2), ("dog", x[30:])):
        written(tmp_path / "own" / name, part)
    run = start({"data": {"name": "images", "path": str(tmp_path / "own"), "size": "28x20"},
                 "model": {"family": "vae", "latent_size": 2, "network": {"kind": "conv", "channels": [4, 4]}},
                 "training": {"epochs": 1, "batch_size": 16}})
    data = json.loads((run / "config.json").read_text())["data"]
    assert data["size"] == [28, 20] and data["digest"] == Images(path=str(tmp_path / "own")).fingerprint()
    (tmp_path / "own").rename(tmp_path / "moved")
    found = vaecore.load(run)
    assert found.examples.shape == (6, 1, 28, 20) and sorted(set(found.labels.tolist())) == [0, 1]
    moved = parse(Images, {**data, "path": str(tmp_path / "moved")}).load()
    assert (moved.splits["test"].arrays["image"] == np.rint(255 * found.examples.numpy())).all()
