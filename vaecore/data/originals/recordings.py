"""Recordings of spoken digits as log-mel pictures of 32 × 32, the highest band on top.

A recording of 8 kHz is scaled to a peak of 1 and cut into windows of 256 samples, 64 apart, the first and the last of
them half in silence; the power of its spectrum is summed in 32 mel bands, and 60 dB below the loudest become 0 to 255,
rounded down. Pillow's bilinear filter stretches time to 32 columns. Rows are in the order of the file names; takes 0 to
4 of each speaker and digit are the official test set.
"""

from __future__ import annotations

import re
import wave
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vaecore.data.base import Array
from vaecore.data.originals.members import MEMBER_BYTES, read
from vaecore.data.spoken_digits import HOP, RANGE, RATE, SIDE, WINDOW, filters

RECORDING = re.compile(r"(?:.*/)?(?P<y>\d)_(?P<speaker>[a-z]+)_(?P<index>\d+)\.wav")
TEST_TAKES = 5
SILENT = 1e-10  # power, so that silence has a logarithm


def convert(folder: Path) -> dict[str, Array]:
    """The arrays of fsdd_logmel32.npz out of recordings.zip."""
    with zipfile.ZipFile(folder / "recordings.zip") as members:
        found = [match for name in sorted(members.namelist()) if (match := RECORDING.fullmatch(name))]
        samples = [_samples(read(members, match[0], MEMBER_BYTES)) for match in found]
    speakers = sorted({match["speaker"] for match in found})
    index = np.array([int(match["index"]) for match in found], np.uint8)
    return {"x": np.stack([picture(each) for each in samples]),
            "y": np.array([int(match["y"]) for match in found], np.uint8),
            "speaker": np.array([speakers.index(match["speaker"]) for match in found], np.uint8), "index": index,
            "duration_samples": np.array([len(each) for each in samples], np.int32), "speakers": np.array(speakers),
            "split": (index < TEST_TAKES).astype(np.uint8)}


def picture(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The log-mel picture (32, 32) of a recording (T,), of the kind that `spoken_digits.sound` makes audible."""
    peak = samples.astype(np.float32) / max(1, np.abs(samples.astype(np.float32)).max())
    frames = len(samples) // HOP + 2
    padded = np.zeros((frames - 1) * HOP + WINDOW)
    padded[WINDOW // 2:WINDOW // 2 + len(samples)] = peak
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW))) ** 2
    decibels = 10 * np.log10(power @ filters().T + SILENT).T[::-1]  # (32, frames)
    levels = (np.clip((decibels - decibels.max() + RANGE) / RANGE, 0, 1) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(levels).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _samples(data: bytes) -> NDArray[np.int16]:
    with wave.open(BytesIO(data)) as recording:
        if (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) != (1, 2, RATE):
            raise ValueError("a recording is not of one channel, 16 bits and 8 kHz")
        return np.frombuffer(recording.readframes(recording.getnframes()), "<i2").astype(np.int16)
