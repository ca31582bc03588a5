"""Clips of one's own: what is read of them, what is held out, and what is said of files that cannot be used."""

from __future__ import annotations

import builtins
import io
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vaecore.data import DATASETS, DataUnavailable
from vaecore.data.clips import FRAMES
from vaecore.data.own import clip_file
from vaecore.data.own import clips as own_clips
from vaecore.data.own.clip_file import read_clip, read_clips
from vaecore.data.own.clips import OwnClips
from vaecore.schema import ConfigError


def film(count: int, width: int = 96, height: int = 64, form: str = "mp4", codec: str = "libx264", rate: int = 24
         ) -> bytes:
    """A film: white at the left of its central square, red above, and a level of blue at the right that rises."""
    file = io.BytesIO()
    with av.open(file, "w", form) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for t in range(count):
            frame = np.zeros((height, width, 3), np.uint8)
            frame[:, :width // 2] = 255
            frame[:, width // 2:, 2] = 100 * t // count
            frame[:height // 4] = 255, 0, 0
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def gif(count: int, size: tuple[int, int] = (40, 30), step: int = 10, **how: Any) -> bytes:
    """Greys that rise by `step` a frame: of frames alike Pillow would write one."""
    frames = [Image.new("RGB", size, (step * t, step * t, step * t)) for t in range(count)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], **how)
    return file.getvalue()


def reaching_out() -> bytes:
    """A GIF of 8 x 8 pixels whose second frame lies 5,000 to the right."""
    data = bytearray(gif(2, (8, 8)))
    second = data.rindex(b"\x2c\0\0\0\0\x08\0\x08\0")
    data[second + 1:second + 3] = (5_000).to_bytes(2, "little")
    return bytes(data)


def archive(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def numbered(count: int, frames: int, channels: int = 1) -> NDArray[np.uint8]:
    """Clips (N, T, 8, 8, C) whose pixels say which clip, and which frame, they are of: 50 n + t."""
    values = 50 * np.arange(count)[:, None] + np.arange(frames)
    return np.broadcast_to(values[:, :, None, None, None], (count, frames, 8, 8, channels)).astype(np.uint8)


def read(name: str, data: bytes, **how: Any) -> tuple[NDArray[np.uint8], float]:
    return read_clip((name, data), **{"size": 16, "most_frames": 100, "grey": False, **how})


# -- one file --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "form", "codec"), [("a.mp4", "mp4", "libx264"), ("b.WEBM", "webm", "libvpx"),
                                                     ("c.mov", "mov", "mpeg4")])
def test_a_film_becomes_small_squares_of_its_middle(name: str, form: str, codec: str) -> None:
    data = film(12, form=form, codec=codec)
    clip, rate = read(name, data)
    assert clip.shape == (12, 3, 16, 16) and clip.dtype == np.uint8 and rate == 24
    near = {"left": (clip[0, :, 12, 3], (255, 255, 255)), "right": (clip[0, :, 12, 12], (0, 0, 0)),
            "above": (clip[0, :, 1, 8], (255, 0, 0))}
    for found, expected in near.values():
        assert np.abs(found.astype(int) - expected).max() < 12
    assert clip[-1, 2, 12, 12] > 70  # blue has risen
    grey, _ = read(name, data, grey=True)
    assert grey.shape == (12, 1, 16, 16) and grey[0, 0, 12, 3] > 245 and grey[0, 0, 12, 12] < 10


def test_no_more_frames_are_read_than_asked_for_and_a_size_of_its_own_is_bounded() -> None:
    assert len(read("a.mp4", film(30), most_frames=7)[0]) == 7
    assert len(read("a.gif", gif(20), most_frames=7)[0]) == 7
    assert read("a.mp4", film(3), size=None)[0].shape == (3, 3, 64, 64)
    assert read("a.gif", gif(3, (600, 700)), size=None)[0].shape == (3, 3, 256, 256)
    assert read("a.mp4", film(3), size=200)[0].shape == (3, 3, 200, 200)  # enlarged


def test_footage_of_4k_is_made_small_frame_by_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    data = film(3, 3840, 2160, codec="mpeg4")
    sizes = []
    small = clip_file.framed
    monkeypatch.setattr(clip_file, "framed", lambda image, *how: (sizes.append(image.size), small(image, *how))[1])
    clip, _ = read("a.mp4", data, size=32)
    assert clip.shape == (3, 3, 32, 32)
    assert sizes == [(57, 32)] * 3  # what leaves the decoder has the size that is asked for
    monkeypatch.setattr(clip_file, "MAX_DECODED_PIXELS", 2 * 3840 * 2160)
    done: list[str] = []
    assert len(read("a.mp4", data, tell=done.append)[0]) == 2
    assert done == ["left out: the frames after the first 2: of a file 16,588,800 pixels are read, so make its frames "
                    "smaller to keep all"]


def test_frames_that_are_too_many_pixels_are_said_to_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                 ) -> None:
    (tmp_path / "a.gif").write_bytes(gif(20))
    for room, said in ((20, ()), (19, ("a.gif: the frames after the first 19: of a file 22,800 pixels",))):
        monkeypatch.setattr(clip_file, "MAX_DECODED_PIXELS", room * 40 * 30)
        dataset = OwnClips(path=str(tmp_path / "a.gif"), size=8, frames=4).load()
        assert "resampled" not in dataset.source and len(dataset.left_out) == len(said)
        assert f"1 clip, {room} frames" in dataset.source
        assert all(told.startswith(start) for told, start in zip(dataset.left_out, said, strict=True))


def test_a_film_held_upright_stands_upright() -> None:
    class Turned:
        width, height, rotation = 96, 64, 90

        def reformat(self, width: int, height: int, *_: Any, **__: Any) -> Turned:
            self.shape = height, width
            return self

        def to_ndarray(self) -> NDArray[np.uint8]:
            frame = np.zeros((*self.shape, 3), np.uint8)
            frame[:, self.shape[1] // 2:] = 255  # right, which is above once it is turned counter-clockwise
            return frame

    frame = clip_file._small(Turned(), clip_file.Framing((32, 32), False))
    assert frame.shape == (3, 32, 32) and frame[:, :14].min() == 255 and frame[:, 18:].max() == 0


def test_a_gif_says_its_rate_or_is_shown_as_browsers_show_it() -> None:
    clip, rate = read("a.gif", gif(12, duration=50))
    assert clip.shape == (12, 3, 16, 16) and rate == pytest.approx(20)
    assert np.abs(clip[:, 0, 8, 8].astype(int) - 10 * np.arange(12)).max() <= 2
    assert read("a.gif", gif(5))[1] == 10
    clear = [Image.new("RGBA", (8, 8), (0, 0, 0, 0)), Image.new("RGBA", (8, 8), (255, 0, 0, 255))]
    file = io.BytesIO()
    clear[0].save(file, "GIF", save_all=True, append_images=clear[1:], disposal=2)
    assert (read("a.gif", file.getvalue())[0][0] == 255).all()  # on white


def test_an_archive_has_clips_of_bytes_or_of_numbers() -> None:
    clips, rate = read_clips(("a.npz", archive(x=numbered(3, 6))), size=8, most_frames=5, grey=True)
    assert len(clips) == 3 and rate == 0
    assert [clip[:, 0, 0, 0].tolist() for clip in clips] == [[50 * n + t for t in range(5)] for n in range(3)]
    numbers, _ = read("a.npz", archive(x=np.full((4, 10, 30, 1), 0.5)))
    assert numbers.shape == (4, 3, 16, 16) and (numbers == 128).all()
    colour = np.zeros((4, 8, 8, 3), np.uint8)
    colour[..., 1] = 200
    assert (read("a.npz", archive(x=colour))[0][:, 1] == 200).all()


@pytest.mark.parametrize(("name", "make", "words"), [
    ("a.gif", lambda: gif(1), "has one frame: a picture, not a clip"),
    ("a.gif", lambda: gif(9)[:200], "no GIF that can be read"),
    ("a.gif", lambda: b"GIF89a" + bytes(30), "is no GIF"),
    ("a.gif", lambda: gif(2, (4_100, 2)), "frames of 4,100 × 2 pixels"),
    ("a.gif", lambda: reaching_out(), "frames of 5,008 × 8 pixels"),
    ("a.gif", lambda: film(3), "is no GIF"),
    ("a.mp4", lambda: gif(3), "no film that can be read"),
    ("a.mp4", lambda: film(9)[:1_000], "may be damaged or cut off"),
    ("a.mp4", lambda: os.urandom(3_000), "no film that can be read"),
    ("a.mp4", lambda: film(1), "has one frame"),
    ("a.webm", lambda: film(3), "no film that can be read"),
    ("a.mp4", lambda: b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n", "no film that can be read"),  # a playlist
    ("a.mp4", lambda: film(2, 8_200, 16), "frames of 8,200 × 16 pixels"),
    ("a.wmv", lambda: film(3), "is no clip by its name"),
    ("a.npz", lambda: b"PK" + bytes(99), "no .npz that can be read"),
    ("a.npz", lambda: archive(x=np.array([{}], object)), "a pickle, which is never loaded"),
    ("a.npz", lambda: archive(x=np.zeros((4, 3, 8, 8), np.uint8)), "uint8 of shape (4, 3, 8, 8)"),
    ("a.npz", lambda: archive(x=np.zeros((4, 8, 8), np.uint8)), "uint8 of shape (4, 8, 8)"),
    ("a.npz", lambda: archive(x=np.zeros((4, 8, 8, 3), int)), "int64"),
    ("a.npz", lambda: archive(x=np.zeros((4, 8, 8, 3), complex)), "complex128"),
    ("a.npz", lambda: archive(x=np.full((4, 8, 8, 1), 2.0)), "not between 0 and 1"),
    ("a.npz", lambda: archive(x=np.full((4, 8, 8, 1), np.nan)), "not between 0 and 1"),
    ("a.npz", lambda: archive(x=np.zeros((0, 8, 8, 1))), "shape (0, 8, 8, 1)"),
    ("a.npz", lambda: archive(x=np.zeros((2, 1, 8, 8, 1))), "clips of one frame"),
    ("a.npz", lambda: archive(x=np.zeros(3), y=np.zeros(3)), "has 2 arrays"),
    ("a.npz", lambda: archive(x=np.zeros((2, 1, 9_000, 1), np.uint8)), "frames of 9,000 × 1 pixels"),
])
def test_what_is_no_clip_is_said_with_file_and_remedy(name: str, make: Callable[[], bytes], words: str) -> None:
    data = make()
    with pytest.raises(ConfigError) as error:
        read(name, data, field="clip")
    [problem] = error.value.problems
    assert problem.message.startswith(f"'{name}' ") and words in problem.message and problem.remedy
    assert problem.field == "clip" and problem.value == name


def test_an_archive_is_refused_by_what_it_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_file, "MAX_ARRAYS_BYTES", 10_000)
    with pytest.raises(ConfigError, match=r"declares 64,\d+ bytes"):
        read("a.npz", archive(x=np.zeros((10, 80, 80, 1), np.uint8)))
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 64, 64, 3)})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as members:
        members.writestr("x.npy", huge.getvalue())
    with pytest.raises(ConfigError, match="but has"):
        read("a.npz", file.getvalue())


def test_an_archive_is_made_small_frame_by_frame() -> None:
    """Memory is that of the array itself, and numbers in frames that are not asked for do not matter."""
    numbers = np.full((40, 256, 256, 1), 0.5)
    numbers[5:] = 7
    data = archive(x=numbers)
    tracemalloc.start()
    clip, _ = read("a.npz", data, most_frames=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (clip == 128).all() and len(clip) == 5 and peak < 1.2 * numbers.nbytes


def test_tiny_frames_are_not_enlarged_beyond_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_file, "MAX_ARRAYS_BYTES", 5_000)
    with pytest.raises(ConfigError, match="would take 15,360 bytes at 16 × 16"):
        read("a.npz", archive(x=np.zeros((20, 2, 2, 1), np.uint8)))


def test_without_the_decoder_films_are_said_to_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data, real = film(3), builtins.__import__

    def without(name: str, *how: Any) -> Any:
        if name == "av":
            raise ImportError
        return real(name, *how)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataUnavailable, match=r"`pip install \"vaecore\[video\]\"`"):
        read("a.mp4", data)
    assert len(read("a.gif", gif(3))[0]) == 3


# -- the data set ----------------------------------------------------------------------------------


def test_a_folder_holds_out_whole_clips(tmp_path: Path) -> None:
    for index in range(4):
        (tmp_path / f"{index}.npz").write_bytes(archive(x=numbered(1, 20) + 50 * index))
    (tmp_path / "notes.txt").write_text("left alone")
    config = OwnClips(path=str(tmp_path), size=8, grey=True, frames=5, test_frames=9, stride=3)
    dataset = config.load()
    assert DATASETS["clips"] is OwnClips and dataset.modalities[FRAMES].shape == (5, 1, 8, 8)
    clips = {name: set((split.arrays[FRAMES] // 50).flatten()) for name, split in dataset.splits.items()}
    assert [len(part) for part in clips.values()] == [2, 1, 1] and len(set().union(*clips.values())) == 4
    assert [split.arrays[FRAMES].shape[:2] for split in dataset.splits.values()] == [(12, 5), (4, 9), (4, 9)]


def test_of_one_clip_the_end_is_held_out(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(archive(x=numbered(1, 50)))
    dataset = OwnClips(path=str(tmp_path / "a.npz"), size=8, grey=True, frames=5, stride=1).load()
    shown = {name: np.unique(split.arrays[FRAMES]).tolist() for name, split in dataset.splits.items()}
    assert shown == {"train": list(range(40)), "validation": list(range(40, 45)), "test": list(range(45, 50))}
    assert OwnClips(path=str(tmp_path / "a.npz"), size=8, frames=5, train_limit=3).load().size("train") == 3


def test_films_are_learned_from_at_their_rate(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(film(40, rate=12))
    dataset = OwnClips(path=str(tmp_path / "a.mp4"), size=16, frames=6).load()
    assert dataset.rate == 12 and dataset.modalities[FRAMES].shape == (6, 3, 16, 16)
    assert "1 clip, 40 frames" in dataset.source


def test_a_run_remembers_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.gif").write_bytes(gif(20))
    monkeypatch.chdir(tmp_path)
    config = OwnClips(path="a.gif", frames=4).resolve()
    assert config.path == str(tmp_path / "a.gif") and len(config.digest) == 64
    config.load()
    (tmp_path / "a.gif").write_bytes(gif(21))
    with pytest.raises(ConfigError, match="has changed since this run was made"):
        config.load()


def test_clips_that_cannot_be_used_are_said_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def message(**fields: Any) -> str:
        with pytest.raises(ConfigError) as error:
            OwnClips(**{"path": str(tmp_path), "frames": 5, "size": 8, **fields}).load()
        return str(error.value)

    with pytest.raises(DataUnavailable, match=r"Give data\.path"):
        OwnClips().load()
    assert "is a folder without clips" in message()
    assert "is not there" in message(path=str(tmp_path / "nowhere.mp4"))
    (tmp_path / "a.gif").write_bytes(gif(12))
    assert "has 12 frames, fewer than the 13 of a window. Use a longer one, or data.frames of at most 12" in message(
        frames=13)
    short = message(frames=6)
    assert "6 for training and 6 each for validation and test are 18" in short and "at most 4" in short
    OwnClips(path=str(tmp_path), frames=4, size=8).load()
    assert "Use 0 or at least 5" in message(test_frames=4)
    for name in "bcd":
        (tmp_path / f"{name}.gif").write_bytes(gif(8))
    assert "1 of the 4 clips have 10 frames; 2 are to be held out. Use at most 8" in message(test_frames=10)
    monkeypatch.setattr(own_clips, "MAX_ARRAYS_BYTES", 12 * 8 * 8 * 3 * 3)
    assert "windows would take" in message(stride=1)
    monkeypatch.setattr(own_clips, "MAX_ARRAYS_BYTES", 20 * 8 * 8 * 3)
    assert "bytes of frames at 8 × 8" in message()
    monkeypatch.setattr(own_clips, "MAX_FILES_BYTES", 1_000)
    assert "has clips of more than 1,000 bytes" in message()
    monkeypatch.setattr(own_clips, "MAX_FILES", 3)
    assert "has 4 clips" in message()


@pytest.mark.parametrize("share", [0.38, 0.4])
def test_of_clips_held_out_whole_some_are_left_to_learn_from(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(archive(clips=numbered(4, 6)))
    dataset = OwnClips(path=str(path), size=8, frames=3, held_out=share).load()
    assert all(len(dataset.splits[split]) for split in ("train", "validation", "test"))


def lengths(tmp_path: Path, *frames: int, **fields: Any) -> tuple[list[int], list[int], str]:
    """Of clips of so many frames: the frames, and the clips, of each split, and what the source says."""
    for index, count in enumerate(frames):
        values = np.full((count, 8, 8, 1), index, np.uint8)
        (tmp_path / f"{index:02d}.npz").write_bytes(archive(x=values))
    dataset = OwnClips(path=str(tmp_path), size=8, grey=True, frames=4, stride=1, **fields).load()
    parts = list(dataset.splits.values())
    shown = [[int(np.unique(part.sources[part.arrays[FRAMES][:, 0, 0, 0, 0] == n]).size) for n in range(len(frames))]
             for part in parts if part.sources is not None]
    return ([len(part) + 3 * sum(each) for part, each in zip(parts, shown, strict=True)],
            [sum(each) for each in shown], dataset.source)


@pytest.mark.parametrize("seed", range(6))
def test_splits_of_clips_are_balanced_by_frames(tmp_path: Path, seed: int) -> None:
    """A tenth of the frames is asked for: one long clip among short ones would be half of them."""
    frames, clips, source = lengths(tmp_path, 400, *[20] * 20, split_seed=seed)
    assert frames == [640, 80, 80] and clips == [13, 4, 4], "four short clips each come nearest to a tenth"
    assert "for test 4 clips, 10% of the frames" in source


@pytest.mark.parametrize("seed", range(4))
def test_of_clips_too_long_to_be_held_out_whole_the_ends_are(tmp_path: Path, seed: int) -> None:
    frames, clips, source = lengths(tmp_path, 300, 300, 20, split_seed=seed)
    assert frames == [240 + 240 + 12, 30 + 30 + 4, 30 + 30 + 4] and clips == [3, 3, 3]
    assert "for test the end of 3 clips, 10% of the frames" in source


# -- as players show it ----------------------------------------------------------------------------


def displayed(matrix: tuple[int, int, int, int], width: int = 64, height: int = 48) -> bytes:
    """A film whose upper left quarter is white, lower left one grey and right half black, with a display matrix
    (a, b, c, d): what lies at (x, y) is shown at (a x + c y, b x + d y)."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = np.zeros((height, width, 3), np.uint8)
        frame[:height // 2, :width // 2] = 255
        frame[height // 2:, :width // 2] = 128
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    data = bytearray(file.getvalue())
    place = data.index(b"tkhd") + 4 + 40  # of the matrix in a track's header, numbers of 16.16 bits
    a, b, c, d = (65_536 * each for each in matrix)
    data[place:place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return bytes(data)


@pytest.mark.parametrize(("matrix", "corners"), [
    ((1, 0, 0, 1), "WBGB"), ((-1, 0, 0, 1), "BWBG"), ((1, 0, 0, -1), "GBWB"), ((-1, 0, 0, -1), "BGBW"),
    ((0, 1, -1, 0), "GWBB"), ((0, -1, 1, 0), "BBWG"), ((0, 1, 1, 0), "WGBB"), ((0, -1, -1, 0), "BBGW")])
def test_f13_a_film_is_turned_and_mirrored_as_its_display_matrix_says(matrix: tuple[int, int, int, int], corners: str
                                                                      ) -> None:
    """Corners are upper left, upper right, lower left, lower right: white, grey and black."""
    clip, _ = read("a.mp4", displayed(matrix), grey=True)
    found = [int(clip[1, 0, y, x]) for y in (3, 12) for x in (3, 12)]
    assert np.abs(np.array(found) - [{"W": 255, "G": 128, "B": 0}[each] for each in corners]).max() < 20


@pytest.mark.parametrize(("across", "box"), [(2, (32, 64)), (0.5, (64, 32)), (1, (64, 64)), (10**6, (64, 64))])
def test_f01_pixels_are_square(across: float, box: tuple[int, int]) -> None:
    """A shape that is stored as wide as its pixels are high is shown as a square: (width, height) as stored."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        if across < 100:
            stream.codec_context.sample_aspect_ratio = Fraction(across)
        frame = np.zeros((96, 96, 3), np.uint8)
        wide, high = box[0] // 2, box[1] // 2
        frame[48 - high // 2:48 + high // 2, 48 - wide // 2:48 + wide // 2] = 255
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    clip, _ = read("a.mp4", file.getvalue(), size=96, grey=True)
    seen = clip[1, 0] > 127
    assert seen.any(0).sum() == pytest.approx(seen.any(1).sum(), abs=3)


def test_f20_frames_shown_for_unequal_times_are_resampled_to_one_rate(tmp_path: Path) -> None:
    """Nineteen frames of 0.1 s and one that is held for 3 s are 49 of 0.1 s, not 20 of 0.245 s."""
    done: list[str] = []
    clip, rate = read("a.gif", gif(20, duration=[100] * 19 + [3_000]), grey=True, tell=done.append)
    assert rate == pytest.approx(10) and len(clip) == 49
    assert np.abs(clip[:, 0, 8, 8].astype(int) - 10 * np.minimum(np.arange(49), 19)).max() <= 2
    assert done == ["its 20 frames are shown for unequal times: resampled to 49 at 10 a second"]
    assert len(read("a.gif", gif(20, duration=[100] * 19 + [3_000]), most_frames=30)[0]) == 30
    done.clear()
    assert read("a.gif", gif(12, duration=[30, 30, 40] * 4), tell=done.append)[1] == pytest.approx(30)
    assert not done, "thirty a second in hundredths of a second is even"
    (tmp_path / "a.gif").write_bytes(gif(20, duration=[100] * 19 + [3_000]))
    dataset = OwnClips(path=str(tmp_path / "a.gif"), size=8, frames=4).load()
    assert dataset.rate == pytest.approx(10) and "1 with frames shown for unequal times, resampled" in dataset.source


def test_f20_a_film_of_variable_frame_rate_is_resampled() -> None:
    """Frames at 0, 1, 2, 3 and 9, 10, 11 of 0.1 s: the fourth is held."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 64, "yuv420p", Fraction(1, 10)
        stream.codec_context.time_base = Fraction(1, 10)
        for t in (0, 1, 2, 3, 9, 10, 11):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * t, np.uint8), "rgb24")
            frame.pts, frame.time_base = t, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    done: list[str] = []
    clip, rate = read("a.mp4", file.getvalue(), grey=True, tell=done.append)
    assert rate == pytest.approx(10) and len(clip) == 12 and done
    assert np.abs(clip[:, 0, 8, 8] - 20.0 * np.array([0, 1, 2, 3, 3, 3, 3, 3, 3, 9, 10, 11])).max() < 8


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_a_film_without_a_picture_is_refused_in_words(tmp_path: Path, ending: str) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / f"sound.{ending}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 8_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(ConfigError, match=r"has no picture in it\. Give a film, not a sound\."):
        read_clip(path, size=16, most_frames=4, grey=True)


# -- other aspects ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "form", "codec"), [("a.mkv", "matroska", "libx264"), ("a.avi", "avi", "mpeg4"),
                                                     ("a.m4v", "mp4", "libx264")])
def test_mkv_and_avi_are_films_too(name: str, form: str, codec: str) -> None:
    clip, rate = read(name, film(12, form=form, codec=codec))
    assert clip.shape == (12, 3, 16, 16) and rate == pytest.approx(24, rel=0.01)
    assert clip[0, :, 12, 3].min() > 240 and clip[0, :, 12, 12].max() < 15


def test_a_clip_keeps_its_aspect_where_that_is_asked() -> None:
    data = film(3)  # 96 × 64: white left, black right, red above
    wide, _ = read("a.mp4", data, size=(16, 24))
    assert wide.shape == (3, 3, 16, 24)
    assert wide[0, :, 12, 10].min() > 240 and wide[0, :, 12, 13].max() < 15, "nothing is cut off: 3 : 2 stays 3 : 2"
    padded, _ = read("a.mp4", data, size=24, fit="pad")
    assert padded.shape == (3, 3, 24, 24) and (padded[:, :, :3] == 0).all() and (padded[:, :, 21:] == 0).all()
    assert padded[0, 0, 6, 12] > 240 and padded[0, 0, 16, 1] > 240, "red, and white to the left edge"
    stretched, _ = read("a.mp4", data, size=24, fit="stretch")
    assert stretched[0, 0, 20, 1] > 240 and stretched[0, 0, 3, 20] > 240 and stretched[0, 2, 1, 1] < 15
    tall, _ = read("a.gif", gif(3, (40, 30)), size=(32, 8))
    assert tall.shape == (3, 3, 32, 8)
    assert read("a.npz", archive(x=numbered(1, 4)), size=(12, 20), fit="pad")[0].shape == (4, 3, 12, 20)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_picture_that_fits_already_is_not_touched(fit: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    frame = clip_file.framed(Image.fromarray(pixels), clip_file.Framing((12, 20), False, fit))
    assert (frame == pixels.transpose(2, 0, 1)).all()


def test_wide_frames_are_trained_on_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(film(60))
    (tmp_path / "notes.txt").write_text("of the first day")
    data = OwnClips(path=str(tmp_path), size=16, width=32, fit="pad", frames=8).load()
    assert data.modalities[FRAMES].shape == (8, 3, 16, 32)
    assert data.done == ("every frame scaled whole onto black bars to 32 × 16 pixels (width × height)",
                         "cut into windows of 8 frames, one every 2")
    assert data.left_out == ("1 entry of the folder that is no clip by name: notes.txt",)
    assert data.split_by == "by time: the end of each clip is held out"
    with pytest.raises(ConfigError, match=r"data\.width"):
        OwnClips(path=str(tmp_path), size=16, width=4).load()


def test_clips_that_are_held_out_whole_say_by_which_seed(tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / f"{index}.gif").write_bytes(gif(20))
    data = OwnClips(path=str(tmp_path), size=16, frames=8, split_seed=3).load()
    assert data.split_by == "by whole clips, drawn with seed 3" and data.left_out == ()
