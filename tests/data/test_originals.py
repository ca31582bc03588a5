"""From originals to arrays: small ones made here, and the published ones where `VAECORE_ORIGINALS` names a folder.

That folder has one a data set, by its name in the table, with the originals under their names there.
"""

from __future__ import annotations

import importlib
import io
import lzma
import os
import struct
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vaecore.data import download
from vaecore.data.fetching import checksum
from vaecore.data.originals import omniglot, rda, recordings, sentences, sprites, views
from vaecore.data.originals.members import read
from vaecore.data.published import PUBLISHED
from vaecore.data.spoken_digits import sound

ORIGINALS = os.environ.get("VAECORE_ORIGINALS", "")


@pytest.mark.slow
@pytest.mark.skipif(not ORIGINALS, reason="VAECORE_ORIGINALS names no folder of originals")
@pytest.mark.parametrize("name", [name for name, each in PUBLISHED.items() if each.conversion])
def test_the_published_originals_become_the_arrays_of_the_table(name: str) -> None:
    chosen, folder = PUBLISHED[name], Path(ORIGINALS) / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    made = importlib.import_module(f"vaecore.data.originals.{chosen.conversion}").convert(folder)
    assert checksum(made) == next(iter(chosen.files.values()))
    wrong = [original.file for original in chosen.originals if download.wrong(original, folder / original.file)]
    assert not wrong or name == "omniglot", "its zips may have been packed anew from the same drawings"


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def test_drawings_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = {"images_background": ["Zulu/character01/0001_02", "Zulu/character01/0001_01", "Greek/character02/0002_01"],
             "images_evaluation": ["Latin/character03/0003_20"]}
    for number, (part, drawings) in enumerate(names.items()):
        with zipfile.ZipFile(tmp_path / f"{part}.zip", "w") as members:
            members.writestr(f"{part}/README.txt", b"no drawing")
            for drawing in drawings:
                pixels = np.full((105, 105), 255, np.uint8)
                pixels[:, : 15 * (number + 1)] = 0  # ink: 4 of 28 columns, or 8
                members.writestr(f"{part}/{drawing}.png", png(pixels > 0))
    found = omniglot.convert(tmp_path)
    assert found["alphabet_names"].tolist() == ["Greek", "Latin", "Zulu"]
    assert found["alphabet"].tolist() == [0, 2, 2, 1] and found["part"].tolist() == [0, 0, 0, 1]
    assert found["drawer"].tolist() == [1, 1, 2, 20] and found["char"].tolist() == [2, 1, 1, 3]
    assert found["x"].shape == (4, 28, 28) and found["x"].dtype == np.uint8
    assert (found["x"][0, :, :4] == 255).all() and (found["x"][0, :, 4:] == 0).all()
    assert (found["x"][3, :, :8] == 255).all() and (found["x"][3, :, 8:] == 0).all()


def recorded(samples: np.ndarray[Any, Any], rate: int = 8_000) -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return data.getvalue()


def test_recordings_become_pictures_that_sound_like_them(tmp_path: Path) -> None:
    time = np.arange(4_000) / 8_000
    high, low = (8_000 * np.sin(2 * np.pi * tone * time) for tone in (3_000, 300))
    with zipfile.ZipFile(tmp_path / "recordings.zip", "w") as members:
        members.writestr("spoken/recordings/3_theo_7.wav", recorded(high))
        members.writestr("spoken/recordings/0_anna_4.wav", recorded(low[:2_000]))
    found = recordings.convert(tmp_path)
    assert found["speakers"].tolist() == ["anna", "theo"] and found["speaker"].tolist() == [0, 1]
    assert (found["y"].tolist(), found["index"].tolist(), found["split"].tolist()) == ([0, 3], [4, 7], [1, 0])
    assert found["duration_samples"].tolist() == [2_000, 4_000]
    loudest = found["x"][:, :, 16].argmax(1)
    assert loudest[0] > 20 and loudest[1] < 8, "the highest band is on top"
    heard, rate = sound(found["x"][1], 0.5)
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.fft.rfftfreq(len(heard), 1 / rate)[spectrum.argmax()] == pytest.approx(3_000, rel=0.05)
    assert recordings.picture(np.zeros(500, np.int16)).shape == (32, 32), "silence has a picture too"
    with zipfile.ZipFile(tmp_path / "recordings.zip", "w") as members:
        members.writestr("1_anna_1.wav", recorded(low, 44_100))
    with pytest.raises(ValueError, match="8 kHz"):
        recordings.convert(tmp_path)


def test_sentences_are_kept_in_order_and_once(tmp_path: Path) -> None:
    (tmp_path / "sentence-collector.txt").write_text(" B b. \n\nA “a”.\nB b.\n", encoding="utf-8")
    assert sentences.convert(tmp_path).decode() == "B b.\nA “a”.\n"


def test_views_are_read_from_their_tables(tmp_path: Path) -> None:
    for name in views.TYPES:
        (tmp_path / f"mfeat-{name}.csv").write_text("0,1,0\n1,2,0\n3,4,9\n")
    found = views.convert(tmp_path)
    assert found["y"].tolist() == [0, 9] and found["kar"].dtype == np.float32
    assert all(found[name].tolist() == [[1, 2], [3, 4]] for name in views.TYPES)


def test_tiles_of_sprites_are_where_the_code_of_the_paper_has_them(tmp_path: Path) -> None:
    sheet = np.zeros((21 * 64, 13 * 64, 4), np.uint8)
    for row, column in np.ndindex(21, 13):
        sheet[row * 64:row * 64 + 64, column * 64:column * 64 + 64] = row, column, 0, 255
    (tmp_path / "0.png").write_bytes(png(sheet))
    frames = sprites._frames(tmp_path / "0.png")
    assert frames.shape == (3, 3, 8, 64, 64, 4)
    assert frames[0, 1, :, 0, 0, :2].tolist() == [[9, column] for column in (8, 1, 2, 3, 4, 5, 6, 7)]
    assert frames[2, 2, :, 63, 63, :2].tolist() == [[15, column] for column in (0, 1, 2, 3, 4, 5, 4, 0)]


# -- what R has saved ------------------------------------------------------------------------------


def integer(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}i", *numbers)


def text(words: str) -> bytes:
    return integer(9 | 64 << 12, len(words.encode())) + words.encode()


def symbol(words: str) -> bytes:
    return integer(1) + text(words)


def matrix(numbers: np.ndarray[Any, Any]) -> bytes:
    """An R matrix: its numbers by columns, with the attribute `dim`."""
    return integer(14 | 1 << 9, numbers.size) + numbers.astype(">f8").tobytes(order="F") + integer(2 | 1 << 10) \
        + symbol("dim") + integer(13, 2, *numbers.shape) + integer(254)


def saved(blocks: dict[str, np.ndarray[Any, Any]], version: int = 2) -> bytes:
    listed = integer(19 | 1 << 9, len(blocks)) + b"".join(map(matrix, blocks.values()))
    names = integer(2 | 1 << 10) + symbol("names") + integer(16, len(blocks)) + b"".join(map(text, blocks))
    clusters = integer(14, 3) + np.array([1.0, 3.0, 2.0]).astype(">f8").tobytes()
    pairs = integer(2 | 1 << 10) + symbol("Data") + listed + names + integer(254)
    pairs += integer(2 | 1 << 10) + symbol("clusts") + clusters
    encoding = integer(5) + b"UTF-8" if version > 2 else b""
    return f"RDX{version}\nX\n".encode() + integer(version, 0, 0) + encoding + pairs + integer(254)


@pytest.mark.parametrize("version", [2, 3])
def test_what_r_has_saved_is_read_without_it(tmp_path: Path, version: int) -> None:
    blocks = {name: np.arange(6, dtype=float).reshape(2, 3) + number for number, name in enumerate(rda.BLOCKS)}
    (tmp_path / "BRCA_data.rda").write_bytes(lzma.compress(saved(blocks, version)))
    found = rda.convert(tmp_path)
    assert found["cluster"].tolist() == [0, 2, 1] and found["expression"].dtype == np.float32
    for name, ours in rda.BLOCKS.items():
        np.testing.assert_array_equal(found[ours], blocks[name].T)


def test_what_is_no_such_file_is_refused() -> None:
    whole = saved({"Expression": np.ones((2, 3))})
    for wrong, said in ((b"not R", "not saved by R"), (whole[:60], "ends before"),
                        (whole[:19] + integer(238, 0), "of type 238")):
        with pytest.raises(ValueError, match=said):
            rda.Reader(wrong).pairs()


def test_a_member_is_read_with_a_bound() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("bomb", bytes(5_000))
    with zipfile.ZipFile(data) as members:
        assert len(read(members, "bomb", 5_000)) == 5_000
        with pytest.raises(ValueError, match="bomb unpacks to more than 4,999 bytes"):
            read(members, "bomb", 4_999)
