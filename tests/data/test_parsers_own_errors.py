"""What a parser raises for a damaged file is told in words that name the file, with seeds that find it again."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from vaecore.config import changed, from_text, preset
from vaecore.data.own.aligned import Aligned
from vaecore.data.own.clip_file import read_clip
from vaecore.schema import ConfigError


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_truncated_npy_headers_are_refused_in_words(tmp_path: Path) -> None:
    """The header says that it is shorter than it is, so that it ends within a bracket or a string."""
    whole = npy(np.zeros((30, 3)))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "b.npy").write_bytes(whole)
    for length in range(1, 70, 3):
        (folder / "a.npy").write_bytes(whole[:8] + struct.pack("<H", length) + whole[10:10 + length])
        with pytest.raises(ConfigError, match=r"a\.npy"):
            Aligned(path=str(folder)).load()


def test_mutated_npy_headers_are_refused_in_words(tmp_path: Path) -> None:
    draw, whole = random.Random(0), npy(np.zeros((30, 3)))
    (tmp_path / "b.npy").write_bytes(whole)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(8, 70)] = draw.randrange(256)
        (tmp_path / "a.npy").write_bytes(data)
        try:
            Aligned(path=str(tmp_path)).load()
        except ConfigError as error:
            assert "a.npy" in str(error) or "'a'" in str(error)


@pytest.mark.parametrize("sides", [(60_000, 60_000), (65_535, 65_535), (20_000, 20_000)])
def test_a_gif_with_a_huge_screen_is_refused_in_words(sides: tuple[int, int]) -> None:
    data = b"GIF89a" + struct.pack("<HH", *sides)
    data += b"\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    with pytest.raises(ConfigError, match=r"huge\.gif"):
        read_clip(("huge.gif", data), size=8, most_frames=4, grey=True)


LONG = "0x" + "f" * 5_000  # YAML reads it, and Python does not write it out


@pytest.mark.parametrize("text", [f"seed: {LONG}", f"seed: {'9' * 5_000}", "1: 2", "? [a]\n: 1", "data: {1: 2}",
                                  "data: {null: 1}", "model: {family: [1]}", "seed: \"\\ud800\"", "[" * 2_000])
def test_odd_keys_and_endless_numbers_in_a_configuration_are_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigError):
        from_text(text)


@pytest.mark.parametrize("setting", [f"seed={LONG}", f"seed={'9' * 5_000}", "seed={1: 2}", "data..x=3", "data={[a]: 1}",
                                     "training.beta={1: {}}", "model.network.kind=[x]", f"training={'[' * 2_000}"])
def test_odd_settings_are_refused_in_words(setting: str) -> None:
    with pytest.raises(ConfigError):
        changed(preset("vae-digits"), [setting])


def test_a_family_without_a_prior_says_so() -> None:
    from vaecore.models.base import NoPrior
    from vaecore.training.build import build

    config = changed(preset("vae-digits"), ["model.family=ae"])
    with pytest.raises(NoPrior, match=r"no prior to sample from.*such as vae"):
        build(config, config.data.load()).sample(2)
