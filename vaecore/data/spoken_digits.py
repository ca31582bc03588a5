"""A written and a spoken digit: MNIST with the Free Spoken Digit Dataset (6 speakers, CC BY-SA 4.0).

A recording is a log-mel picture (1, 32, 32) in uint8: 32 bands from 80 to 4,000 Hz with the highest in the top row,
time stretched to 32 columns, 60 dB from 0 to 255. The two belong together by their digit only, so that each visit in
training hears another recording of it. `sound` makes such a picture audible again.
"""

from __future__ import annotations

import io
import math
import wave
from dataclasses import replace
from functools import cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.arrays import Numbers
from vaecore.data import npz
from vaecore.data.base import SPLITS, Array, Dataset, Split, SplitName
from vaecore.data.image_label import CLASSES, Source
from vaecore.data.missing import MultimodalConfig, Unpaired
from vaecore.data.mnist import MNIST
from vaecore.modalities import Modality
from vaecore.schema import option

FILE = ("fsdd", "fsdd_logmel32.npz")
RECORDINGS, SIDE = 3_000, 32
EXPECTED = {"x": ("u", (RECORDINGS, SIDE, SIDE)), **dict.fromkeys(("y", "split", "index"), ("iu", (RECORDINGS,)))}
VALIDATION = range(5, 10)  # takes of each speaker and digit; those below 5 are the official test set

RATE = 8_000  # samples a second, as recorded
TYPICAL, MAX_SECONDS = 0.44, 4.0  # seconds: the mean recording, and the longest sound
WINDOW, HOP = 256, 64  # samples
LOWEST, HIGHEST = 80.0, 4_000.0  # Hz
RANGE = 60.0  # dB
UNMIXINGS, PASSES = 40, 24  # iterations of each of the two inversions
MOMENTUM = 0.99  # of the fast Griffin-Lim algorithm
LOUD = 0.9  # the largest sample



class SpokenDigits(MultimodalConfig):
    """Modalities `image` (1, 28, 28) and `speech` (1, 32, 32), of the same digit.

    The official test recordings are tested on; takes 5 to 9 of each speaker and digit are for validation and are not
    trained on. Where only a share is paired, the pairs stay as they are: drawn anew they would be more than that share.
    """

    title: ClassVar[str] = "Image + spoken digit"
    name: Literal["spoken-digits"] = "spoken-digits"
    source: Source = option("auto", "Which copy of MNIST: the 5,000 embedded digits, the full 70,000, or the full set "
                            "when it is here.")
    seed: int = option(0, "Seed of which recording an image is given.", ge=0, le=2**31 - 1, advanced=True)

    def resolve(self) -> SpokenDigits:
        return self.model_copy(update={"source": MNIST(source=self.source).resolve().source})

    def reads(self) -> tuple[str, ...]:
        return ("spoken-digits", *(MNIST(source=self.source).reads() if self.source == "full" else ()))

    def here(self) -> str:
        npz.located(*FILE, EXPECTED)
        return f"{MNIST(source=self.source).here()}; 3,000 recordings (FSDD)"

    def known_of(self, name: str, modality: Modality) -> Modality:
        return replace(modality, audible=True) if name == "speech" else modality

    def load(self) -> Dataset:
        """Raises `DataUnavailable` where images or recordings are not on this machine, or are damaged."""
        found, path = npz.published(*FILE, EXPECTED)
        spoken = npz.classes(found["y"], CLASSES, path)
        test, held_out = found["split"] == 1, np.isin(found["index"], VALIDATION)
        takes = {"train": ~test & ~held_out, "validation": ~test & held_out, "test": test}
        images = MNIST(source=self.source).load()
        splits: dict[SplitName, Split] = {}
        for index, name in enumerate(SPLITS):
            digits, labels = images.splits[name].arrays["image"], images.splits[name].labels
            assert labels is not None
            chosen = recordings(labels, np.where(takes[name], spoken, -1), np.random.default_rng([self.seed, index]))
            splits[name] = Split({"image": digits, "speech": found["x"][chosen][:, None]}, labels)
        splits["train"] = self.with_missing(splits["train"])
        counts = " / ".join(str(int(takes[name].sum())) for name in SPLITS)
        return Dataset("spoken-digits", f"{images.source}; {counts} recordings (FSDD)",
                       {"image": Modality("image", (1, 28, 28)),
                        "speech": self.known_of("speech", Modality("image", (1, SIDE, SIDE)))}, splits,
                       paired_anew=() if isinstance(self.missing, Unpaired) else ("speech",))


def recordings(labels: NDArray[np.int64], spoken: NDArray[np.int64], generator: np.random.Generator
               ) -> NDArray[np.int64]:
    """For each of N images with `labels` a recording of its digit (N,), all of them about equally often.

    `spoken` (R,) are the digits of the recordings, -1 of those that are not to be used.
    """
    chosen = np.zeros(len(labels), np.int64)
    for digit in np.unique(labels):
        rows, there = np.flatnonzero(labels == digit), generator.permutation(np.flatnonzero(spoken == digit))
        chosen[rows] = generator.permutation(np.resize(there, len(rows)))
    return chosen


# -- playback --------------------------------------------------------------------------------------


def sound(picture: Array, seconds: float = TYPICAL) -> tuple[NDArray[np.float32], int]:
    """Sound of a log-mel picture (32, 32) in uint8, between -1 and 1, and its samples a second.

    The mel filters are inverted by non-negative least squares (multiplicative updates of Lee & Seung 2001), the phase
    is found by the fast Griffin-Lim algorithm (Perraudin et al. 2013), and the loudest sample is 0.9. An empty picture
    is silent. Raises `ValueError` for another shape, or a duration that is not within 4 seconds.
    """
    if picture.shape != (SIDE, SIDE) or picture.dtype != np.uint8:
        raise ValueError(f"a log-mel picture is uint8 of shape (32, 32), not {picture.dtype} of {picture.shape}")
    if not 0 < seconds <= MAX_SECONDS:  # also NaN
        raise ValueError(f"a sound of {seconds} s cannot be made: give more than 0 and at most {MAX_SECONDS:g} s")
    count = max(HOP, round(seconds * RATE))
    frames = math.ceil(count / HOP) + WINDOW // HOP  # half a window before the start and after the end
    decibels = np.asarray(picture[::-1], np.float64) * (RANGE / 255) - RANGE  # the lowest band first
    columns = np.clip(np.arange(frames) * HOP / count * SIDE - 0.5, 0, SIDE - 1)  # where in the picture a frame is
    left = np.minimum(columns.astype(np.int64), SIDE - 2)
    share = columns - left
    bands = 10 ** (((1 - share) * decibels[:, left] + share * decibels[:, left + 1]) / 10)  # power (32, frames)
    power = _unmixed(np.maximum(bands - 10 ** (-RANGE / 10), 0))  # what is 60 dB down is not heard
    samples = _with_phase(np.sqrt(power))[WINDOW // 2: WINDOW // 2 + count]
    peak = np.abs(samples).max()
    return (samples * (LOUD / peak) if peak > 0 else samples).astype(np.float32), RATE


def wav(samples: NDArray[np.float32], rate: int = RATE) -> bytes:
    """A .wav file of samples (T,) between -1 and 1: one channel, 16 bits."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return data.getvalue()


@cache
def filters() -> Numbers:
    """Triangular mel filters (32, WINDOW / 2 + 1) with peak 1, the lowest first.

    A band begins where its neighbour below has its peak.
    """
    low, high = (2595 * math.log10(1 + end / 700) for end in (LOWEST, HIGHEST))  # mel
    peaks = 700 * (10 ** (np.linspace(low, high, SIDE + 2) / 2595) - 1)  # Hz, with both ends
    frequencies = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rising = (frequencies - peaks[:-2, None]) / np.diff(peaks)[:-1, None]
    falling = (peaks[2:, None] - frequencies) / np.diff(peaks)[1:, None]
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None))


def _unmixed(bands: Numbers) -> Numbers:
    """Power (F, frames) whose mel bands are `bands` (32, frames), as nearly as none of it negative allows."""
    mixing = filters()
    wanted, overlap = mixing.T @ bands, mixing.T @ mixing
    power = wanted.copy()
    for _ in range(UNMIXINGS):
        power *= wanted / np.maximum(overlap @ power, 1e-12)
    return power


def _with_phase(magnitude: Numbers) -> Numbers:
    """A signal whose short-time spectrum has nearly this magnitude (F, frames): (HOP * (frames - 1) + WINDOW,)."""
    window = np.sqrt(np.hanning(WINDOW + 1)[:-1])  # times itself, the frames at a quarter of it add up to 2
    start = np.random.default_rng(0).uniform(-np.pi, np.pi, magnitude.shape)  # the same picture, the same sound
    spectrum = previous = magnitude * np.exp(1j * start)
    for _ in range(PASSES):
        consistent = _spectrum(_signal(spectrum, window), window)
        ahead = consistent + MOMENTUM * (consistent - previous)
        spectrum, previous = magnitude * np.exp(1j * np.angle(ahead)), consistent
    return _signal(spectrum, window)


def _spectrum(signal: Numbers, window: Numbers) -> NDArray[np.complex128]:
    """Short-time spectrum (F, frames)."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, WINDOW)[::HOP]
    return np.fft.rfft(frames * window).T


def _signal(spectrum: NDArray[np.complex128], window: Numbers) -> Numbers:
    """The signal whose short-time spectrum is nearest, by overlap and add."""
    parts = np.fft.irfft(spectrum.T, WINDOW) * window / 2  # (frames, WINDOW)
    blocks = parts.reshape(len(parts), WINDOW // HOP, HOP)
    signal = np.zeros((len(parts) + WINDOW // HOP - 1, HOP))
    for block in range(WINDOW // HOP):
        signal[block:block + len(parts)] += blocks[:, block]
    return signal.ravel()
