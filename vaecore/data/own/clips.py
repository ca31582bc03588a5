"""Clips of one's own: a GIF, MP4, MOV, WebM, MKV or AVI, an .npz of frames, or a folder of such files.

Every clip is cut around its centre (or fitted whole, or stretched), made small, and cut into windows. Of three clips or
more some are held out whole, so many that their frames come near the share asked for; of fewer, or where one clip has
most of the frames, the end of each. The files stay where they are; a run remembers their digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data import npz
from vaecore.data.base import MAX_ARRAYS_BYTES, SPLITS, Dataset, Split, SplitName, kept_names
from vaecore.data.clips import FRAMES, count_windows, sources, tails, windows
from vaecore.data.converted import Progress, told
from vaecore.data.own.clip_file import ENDINGS, Clip, Fit, read_clips
from vaecore.data.own.file import FILE_LIMIT, OwnFile, contents, digest_of, wrong
from vaecore.modalities import Modality
from vaecore.schema import option, problem
from vaecore.words import counted

MAX_FILES = 200
MAX_FILES_BYTES = 2**29  # of all files
MAX_FRAMES = 5_000  # of a clip; what follows is left out
NAMED = 5  # files that are left out, by name
FITTED: dict[Fit, str] = {"crop": "cut around its centre and scaled", "pad": "scaled whole onto black bars",
                          "stretch": "stretched"}
FEWEST_WHOLE = 3  # clips, of which some can be held out
UNEVEN, LONGER = 1.5, 1.25  # held out whole are at most so many times the share, or the mean clip


class OwnClips(OwnFile):
    """Windows of your clips: `frames` (T, C, H, W), C = 1 grey or 3 in colour."""

    title: ClassVar[str] = "Clips of your own"
    observation: ClassVar[str] = "clip"
    file: ClassVar[str] = "clip, or folder of clips"
    unchosen: ClassVar[str] = "No clips are chosen. Give data.path: a film, a GIF or an .npz, or a folder of them."
    several: ClassVar[bool] = True
    endings: ClassVar[tuple[str, ...]] = ENDINGS
    upload: ClassVar[str] = "Clips"
    invitation: ClassVar[str] = "Frames are shown here once there is a clip, or the path of a folder."
    name: Literal["clips"] = "clips"
    path: str = option("", "A GIF, MP4, MOV, WebM, MKV, AVI or .npz on this machine, or a folder of them; "
                       f"{FILE_LIMIT} a file at most. An .npz has one array, (N, T, H, W, C) or (T, H, W, C), in uint8 "
                       "or between 0 and 1.")
    size: int = option(32, "Height of a frame, usually 16, 32 or 64, to which clips are scaled.", unit="pixels",
                       ge=8, le=128)
    width: int = option(0, "Width of a frame; 0 makes it as wide as it is high.", unit="pixels", ge=0, le=256)
    fit: Fit = option("crop", "How a clip of another aspect comes to that size: cut around its centre, whole on black "
                      "bars, or stretched.")
    grey: bool = option(False, "Grey levels instead of colours.")
    frames: int = option(15, "Length of the windows that a model learns from.", unit="frames", ge=2, le=100)
    test_frames: int = option(0, "Length of the windows of validation and test; 0 takes as many as in training.",
                              unit="frames", ge=0, le=200)
    stride: int = option(2, "Frames from the start of a window to that of the next.", unit="frames", ge=1, le=100)
    held_out: float = option(0.1, "Share of the frames for validation, and as much for test, in whole clips; the ends "
                             "of clips where there are fewer than three, or some are far longer than others. At least "
                             "one clip, or one window.", gt=0, le=0.4)
    split_seed: int = option(0, "Seed of which clips are held out.", ge=0, le=2**31 - 1, advanced=True)
    digest: str = digest_of("the files", "others")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether a file is a film or an .npz of one array (N, T, H, W, C), or a folder has one. Never raises."""
        if not super().recognises(path) or not path.name.lower().endswith(".npz"):
            return super().recognises(path)
        shapes = npz.declared(path)
        return shapes is None or [len(shape) for shape in shapes.values()] == [5]  # one of four may be pictures

    def files(self) -> dict[str, bytes]:
        return files(self.path)

    def load(self) -> Dataset:
        """Raises `ConfigError`, which names the file, for clips that cannot be used."""
        data = self.read()
        if 0 < self.width < 8:
            raise problem("data.width", self.width, f"{self.width} pixels are too few.", "Use 0 or at least 8.")
        longer = self.test_frames or self.frames
        if longer < self.frames:
            raise problem("data.test_frames", self.test_frames, f"windows of {longer} frames are shorter than the "
                          f"{self.frames} of training.", f"Use 0 or at least {self.frames}.")
        clips, rate, done, left_out = self._decoded(data)
        uneven = len(done)
        parts = self._split(clips, longer)
        splits: dict[SplitName, Split] = {}
        for split in SPLITS:
            length = self.frames if split == "train" else longer
            count = count_windows([len(clip) for clip in parts[split]], length, self.stride)
            total = count * length * clips[0][0].nbytes
            if total > MAX_ARRAYS_BYTES:
                raise problem("data.stride", self.stride, f"{count:,} windows would take {total:,} bytes.",
                              f"Use at least {self.stride * -(-total // MAX_ARRAYS_BYTES)}, or smaller frames.")
            splits[split] = Split({FRAMES: windows(parts[split], length, self.stride)},
                                  sources=sources(parts[split], length, self.stride))
        sizes = " / ".join(f"{len(splits[split]):,}" for split in SPLITS)
        splits["train"] = self.limited(splits["train"])
        shape = self.frames, *clips[0].shape[1:]
        total, tested = sum(map(len, clips)), sum(map(len, parts["test"]))
        whole = sum(map(len, parts.values())) == len(clips)
        held_out = counted(len(parts["test"]), "clip")
        return Dataset("clips", f"{Path(self.path).name}: {sizes} windows of {counted(len(clips), 'clip')}, "
                       f"{total:,} frames; for test "
                       f"{held_out if whole else f'the end of {held_out}'}, {tested / total:.0%} of the frames"
                       + (f"; {uneven:,} with frames shown for unequal times, resampled to one rate" if uneven else ""),
                       {FRAMES: Modality("video", shape)}, splits, rate=rate,
                       done=(f"every frame {FITTED[self.fit]} to {shape[3]} × {shape[2]} pixels (width × height)",
                             *done, f"cut into windows of {self.frames:,} frames, one every {self.stride:,}"),
                       left_out=(*left_out, *unread(self.path)),
                       split_by=f"by whole clips, drawn with seed {self.split_seed}" if whole else
                       "by time: the end of each clip is held out")

    def _decoded(self, data: Mapping[str, bytes]) -> tuple[list[Clip], float, list[str], list[str]]:
        """All clips (T, C, H, W), each long enough to learn from, their frames a second, which were resampled to an
        even rate, and what of them was left out, in words."""
        clips: list[Clip] = []
        resampled: list[str] = []
        left_out: list[str] = []
        rates: list[float] = []
        height, width = self.size, self.width or self.size
        for number, (name, content) in enumerate(data.items()):
            so_far = Progress(f"the clips of {Path(self.path).name}", number, len(data))
            told(so_far)
            # One frame more than there is room for, and no file can take much more.
            room = (MAX_ARRAYS_BYTES - sum(clip.nbytes for clip in clips)) // ((1 if self.grey else 3) * height * width)
            place = str(Path(self.path) / name) if name else self.path
            called, before = Path(place).name, len(resampled)
            unread_frames: list[str] = []
            found, rate = read_clips((place, content), size=(height, width), fit=self.fit, grey=self.grey,
                                     most_frames=min(MAX_FRAMES, max(1, room)) + 1,
                                     tell=resampled.append, left=unread_frames.append,
                                     meanwhile=partial(told, so_far))
            resampled[before:] = (f"{called}: {said}" for said in resampled[before:])
            left_out += [f"{called}: {said}" for said in unread_frames]
            if any(len(clip) > MAX_FRAMES for clip in found):
                left_out.append(f"{called}: the frames after the first {MAX_FRAMES:,}")
                found = [clip[:MAX_FRAMES] for clip in found]
            clips += found
            rates += [rate] * len(found)
            if sum(clip.nbytes for clip in clips) > MAX_ARRAYS_BYTES:
                raise wrong(self.path, f"has more than {MAX_ARRAYS_BYTES:,} bytes of frames at {height} × "
                            f"{width}.",
                            "Use fewer clips, or a smaller data.size.")
            for clip in found:
                if len(clip) < self.frames:
                    raise wrong(place, f"has {'a clip of ' if len(found) > 1 else ''}{len(clip)} frames, fewer than "
                                f"the {self.frames} of a window.",
                                f"Use a longer one, or data.frames of at most {len(clip)}.")
        return clips, float(np.median(rates)), resampled, left_out

    def _split(self, clips: Sequence[Clip], longer: int) -> dict[SplitName, list[Clip]]:
        """Clips held out whole where there are three and their lengths allow it, else their ends."""
        whole, even = self._whole(clips, longer) if len(clips) >= FEWEST_WHOLE else (None, False)
        if whole is None or not even:
            parts = tails(clips, self.held_out, longer, at_least=self.frames)
            if not all(parts):
                if whole is not None:  # no clip is long enough to be cut
                    return whole
                longest = max(map(len, clips))
                if longest >= self.frames + 2 * longer:
                    raise problem("data.held_out", self.held_out, f"of {longest} frames too few are left to learn "
                                  f"windows of {self.frames} from.", "Hold out less, or use a longer clip.")
                raise wrong(self.path, f"has {longest} frames; {self.frames} for training and {longer} each for "
                            f"validation and test are {self.frames + 2 * longer}.", "Use a longer clip, or more of "
                            f"them, or data.frames of at most {longest // 3} with data.test_frames=0.")
            return dict(zip(SPLITS, parts, strict=True))
        return whole

    def _whole(self, clips: Sequence[Clip], longer: int) -> tuple[dict[SplitName, list[Clip]], bool]:
        """Clips held out whole, so that the frames of validation and of test come near their share, and whether they
        do: where some clips are far longer than others, they may be far more."""
        lengths = [len(clip) for clip in clips]
        order = [int(index) for index in np.random.default_rng(self.split_seed).permutation(len(clips))]
        able = [index for index in order if lengths[index] >= longer]  # to be held out
        if len(able) < 2:
            raise problem("data.test_frames", self.test_frames, f"{len(able)} of the {len(clips):,} clips have "
                          f"{longer} frames; 2 are to be held out.",
                          f"Use at most {sorted(lengths)[-2]}, or longer clips.")
        wanted, most = self.held_out * sum(lengths), (len(clips) - 1) // 2  # one clip stays to learn from
        held: tuple[list[int], list[int]] = [], []

        def short(part: list[int]) -> float:
            return wanted - sum(lengths[index] for index in part)

        for index in able:
            part = max(held, key=short)  # of two equal ones validation
            if len(part) < most and lengths[index] < 2 * short(part):  # it comes nearer to the share with this clip
                part.append(index)
        for part in held:
            if not part:
                part.append(min((index for index in able if index not in held[0] + held[1]),
                                key=lambda index: abs(lengths[index] - wanted)))
        largest = max(wanted - short(part) for part in held)
        return ({"train": [clips[index] for index in order if index not in held[0] + held[1]],
                 "validation": [clips[index] for index in held[0]], "test": [clips[index] for index in held[1]]},
                largest <= max(UNEVEN * wanted, LONGER * float(np.mean(lengths))))


def files(path: str) -> dict[str, bytes]:
    """The bytes of the file at `path`, or of the clips in that folder by their names, in alphabetical order.

    Other files in a folder are left alone. Raises `ConfigError` for what has no clip, or is too large.
    """
    try:
        place = Path(path).expanduser()
        entries = list(islice(place.iterdir(), 10_000))
    except PermissionError as error:
        raise wrong(path, f"cannot be read ({error.strerror}).", "Give a path that you may read.") from None
    except (OSError, ValueError, RuntimeError):  # no folder: `contents` says what else is wrong
        return {"": contents(path, "clip, or folder of clips")}
    names = sorted(entry.name for entry in entries
                   if entry.suffix.lower() in ENDINGS and not entry.name.startswith(".") and entry.name.isprintable())
    if not names:
        raise wrong(path, "is a folder without clips.", f"Put files into it that end in {', '.join(ENDINGS)}.")
    if len(names) > MAX_FILES:
        raise wrong(path, f"has {len(names):,} clips.", f"Use at most {MAX_FILES}, or one .npz of all of them.")
    data: dict[str, bytes] = {}
    for name in names:
        data[name] = contents(str(place / name), "clip")
        if sum(map(len, data.values())) > MAX_FILES_BYTES:
            raise wrong(path, f"has clips of more than {MAX_FILES_BYTES:,} bytes.", "Use a part of them, say.")
    return data


def unread(path: str) -> list[str]:
    """What lies in the folder at `path` besides clips, in words; nothing of a file."""
    try:
        others = sorted(entry.name for entry in islice(Path(path).expanduser().iterdir(), 10_000)
                        if entry.suffix.lower() not in ENDINGS and not entry.name.startswith("."))
    except (OSError, ValueError, RuntimeError):
        return []
    if not others:
        return []
    named = ", ".join(kept_names(others[:NAMED])) + (", …" if len(others) > NAMED else "")
    return [f"{len(others):,} {'entries' if len(others) > 1 else 'entry'} of the folder that "
            f"{'are' if len(others) > 1 else 'is'} no clip by name: {named}"]
