"""One file of clips, decoded: GIF, MP4, MOV, WebM, MKV, AVI, or an .npz of frames.

Nothing that a file claims is believed. Its bytes, the pixels of a frame, the frames and the pixels decoded in all are
bounded before or while they are read, frames are cut or fitted and made small one by one, so that footage of any
size never lies in memory as a whole, and nothing is unpickled. A film is opened as what its name says it is: a
playlist by another name, which could make the decoder read other files or addresses, is no film.

A film is read as players show it: turned and mirrored as it says, with square pixels, and where its frames are shown
for unequal times, at one rate.

Shapes: a clip (T, C, H, W) in uint8, C = 1 grey or 3 red, green and blue; a size is height and width.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vaecore.data import npz
from vaecore.data.base import MAX_ARRAYS_BYTES, MAX_SIDE, Array, DataUnavailable
from vaecore.data.own.file import contents
from vaecore.schema import ConfigError, problem

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "matroska", ".mkv": "matroska",
           ".avi": "avi"}  # as the decoder calls them
ENDINGS = (".gif", *FORMATS, ".npz")
MAX_FILE_SIDE = 8_192  # pixels of a frame, in a file
MAX_GIF_SIDE = 4_096  # of a frame of a GIF, of which several copies in four channels are needed
MAX_DECODED_PIXELS = 4 * 10**9  # pixels: 480 frames of 4K; what follows is left out
MAX_CLIPS = 10_000  # in an .npz
BROWSERS = 10.0  # frames a second of a GIF that does not say, as browsers show it
FASTEST = 1_000.0  # frames a second that are believed
UNEVEN = 0.6  # of a frame's time: what is shown so much earlier or later than at an even rate is resampled
WIDEST = 10.0  # a pixel, in its height, or as high as wide; what claims more is not believed

Clip = NDArray[np.uint8]
Fit = Literal["crop", "pad", "stretch"]  # how a frame comes to another aspect
Size = tuple[int, int] | None  # height and width of a frame; None: a square of its own side
Fault = Callable[[str, str], ConfigError]  # what is wrong with the file and what to do
Tell = Callable[[str], object]  # takes what was done to a file, in words
Shown = tuple[Clip | Image.Image, float, float, float]  # a frame, from when, for how long (s), and frames a second


def read_clip(source: Path | tuple[str, bytes], *, size: int | Size, most_frames: int, grey: bool, fit: Fit = "crop",
              field: str = "data.path", tell: Tell = lambda _: None) -> tuple[Clip, float]:
    """The first clip of a file, at most `most_frames` of it, (T, C, H, W), and its frames a second, 0 if unknown.

    `source` is a path, or a name and bytes, as of an upload. `size` is height and width, or the side of a square; how
    frames of another aspect come to it says `fit`: cut around their centre, whole on black, or stretched. Without a
    `size` they are cut to their central square and keep its side, up to 256. Of a long film of huge frames only the
    first are read: 480 of 4K. Frames that are shown for unequal times are repeated or left out until all are shown for
    the usual time. `tell` is told of both.
    Raises `ConfigError`, which names the file as a fault of `field`, for one that cannot be used, and `DataUnavailable`
    where the decoder of films is not installed.
    """
    clips, rate = read_clips(source, size=size, most_frames=most_frames, grey=grey, fit=fit, most_clips=1, field=field,
                             tell=tell)
    return clips[0], rate


def read_clips(source: Path | tuple[str, bytes], *, size: int | Size, most_frames: int, grey: bool, fit: Fit = "crop",
               most_clips: int = MAX_CLIPS, field: str = "data.path", tell: Tell = lambda _: None,
               left: Tell | None = None, meanwhile: Callable[[], object] = lambda: None) -> tuple[list[Clip], float]:
    """All clips of a file, at most `most_clips`, as `read_clip`: an .npz may have several.

    `left` is told in the place of `tell` which frames were left unread. `meanwhile` is called at each frame of a film,
    and what it raises ends the reading.
    """
    name, data = source if isinstance(source, tuple) else (str(source), contents(str(source), "clip"))
    framing = Framing((size, size) if isinstance(size, int) else size, grey, fit)

    def fault(message: str, remedy: str) -> ConfigError:
        return problem(field, name, f"'{name}' {message}", remedy)

    ending = Path(name).suffix.lower()
    if ending == ".npz":
        return _arrays(data, framing, most_frames, most_clips, fault), 0.0
    if ending not in ENDINGS:
        raise fault("is no clip by its name.", f"Give a file that ends in {', '.join(ENDINGS)}.")
    frames: list[Clip] = []

    def full() -> None:
        said = (f"the frames after the first {len(frames):,}: of a file {MAX_DECODED_PIXELS:,} pixels are read, so "
                "make its frames smaller to keep all")
        if left is None:
            tell(f"left out: {said}")
        else:
            left(said)

    read = _gif(data, fault, full) if ending == ".gif" else _film(data, FORMATS[ending], framing, fault, full)
    begins: list[float] = []
    rate = lasts = 0.0
    for frame, begin, lasts, rate in read:  # noqa: B007 (the last rate is that of the clip)
        meanwhile()
        begins.append(begin)
        frames.append(framed(frame, framing) if isinstance(frame, Image.Image) else frame)
        if frames[-1].shape != frames[0].shape:
            raise fault(f"changes its size at frame {len(frames) - 1:,}.", "Save it with frames of one size.")
        if len(frames) == most_frames:
            break
    if len(frames) < 2:
        what = "has one frame: a picture, not a clip." if frames else "has no frames."
        raise fault(what, "Give a clip of at least 2 frames." if ending == ".gif" else
                    "Give a clip of at least 2 frames; a film without any may have been cut off.")
    if (even := _evenly([*begins, begins[-1] + lasts], rate, most_frames)) is not None:
        chosen, rate = even
        tell(f"its {len(frames):,} frames are shown for unequal times: resampled to {len(chosen):,} at {rate:.3g} a "
             "second")
        frames = [frames[index] for index in chosen]
    return [np.stack(frames)], rate


def _evenly(times: Sequence[float], rate: float, most_frames: int) -> tuple[list[int], float] | None:
    """Which frame is shown at each moment of an even clock, and the frames a second of it: the usual time of a frame.

    `times` are those at which frames begin, and the end of the last. None where they are even, or not known.
    """
    at = np.asarray(times) - times[0]
    lengths = np.diff(at)
    if not rate or not np.isfinite(at).all() or (lengths <= 0).any():
        return None
    count = len(lengths)
    # Times in hundredths or thousandths of a second jitter around an even rate, and do not drift from it.
    drift = np.abs(at - np.linspace(0, at[-1], count + 1)).max() / (at[-1] / count)
    if drift <= UNEVEN:
        return None
    usual = max(float(np.median(lengths)), 1 / FASTEST)
    moments = (np.arange(min(most_frames, max(2, round(at[-1] / usual)))) + 0.5) * usual
    return np.searchsorted(at[1:-1], moments, "right").tolist(), 1 / usual


@dataclass(frozen=True)
class Framing:
    """What becomes of a frame: its size, whether its colours go, and how it comes to another aspect."""

    size: Size
    grey: bool
    fit: Fit = "crop"

    def of(self, width: float, height: float) -> tuple[int, int]:
        """Width and height of what a picture of this width and height becomes."""
        side = min(round(min(width, height)), MAX_SIDE)
        return (side, side) if self.size is None else (self.size[1], self.size[0])

    def shrunk(self, width: float, height: float) -> tuple[int, int]:
        """Width and height to which a picture may be scaled before it is framed, so that nothing of it is lost.

        Never more than its own, rounded: a tiny one is enlarged only when it is framed.
        """
        wanted = self.of(width, height)
        if self.fit == "stretch":
            return min(wanted[0], max(1, round(width))), min(wanted[1], max(1, round(height)))
        # At most 1 where it covers what is wanted, or fits into it.
        ratios = wanted[0] / width, wanted[1] / height
        ratio = min(1.0, max(ratios) if self.fit == "crop" else min(ratios))
        return max(1, round(width * ratio)), max(1, round(height * ratio))


def framed(image: Image.Image, framing: Framing) -> Clip:
    """A picture as a frame (C, H, W): cut around its centre, whole on black, or stretched."""
    width, height = framing.of(*image.size)
    image = image.convert("L" if framing.grey else "RGB")
    if framing.fit == "pad":
        ratio = min(width / image.width, height / image.height)
        inner = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
        whole = Image.new(image.mode, (width, height))
        whole.paste(image.resize(inner, Image.Resampling.BILINEAR), ((width - inner[0]) // 2, (height - inner[1]) // 2))
        image = whole
    elif (width, height) != image.size:
        across, down = image.size
        if framing.fit == "crop":
            across, down = (min(across, round(down * width / height)), min(down, round(across * height / width)))
            across, down = max(1, across), max(1, down)
        left, top = (image.width - across) // 2, (image.height - down) // 2
        image = image.resize((width, height), Image.Resampling.BILINEAR, (left, top, left + across, top + down))
    array = np.asarray(image, np.uint8)
    return array[None] if framing.grey else np.ascontiguousarray(array.transpose(2, 0, 1))


def _gif(data: bytes, fault: Fault, full: Callable[[], None]) -> Iterator[Shown]:
    """Its frames on white, one by one, when and for how long each is shown, and the frames a second so far.

    `full` is called where there are more than are read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below is ours
            image = Image.open(io.BytesIO(data), formats=("GIF",))
        _check_size(image.width, image.height, fault, MAX_GIF_SIDE)
        white = Image.new("RGBA", image.size, "white")
        shown = 0.0
        most = MAX_DECODED_PIXELS // (image.width * image.height)
        for index in range(most + 1):
            try:
                image.seek(index)
            except EOFError:
                return
            if index == most:
                full()
                return
            _check_size(image.width, image.height, fault, MAX_GIF_SIDE)  # a later frame may reach out of the first
            duration = float(image.info.get("duration", 0)) / 1_000
            duration = duration if duration > 0.01 else 1 / BROWSERS
            shown += duration
            yield Image.alpha_composite(white, image.convert("RGBA")), shown - duration, duration, (index + 1) / shown
    except ConfigError:
        raise
    except Image.DecompressionBombError:  # before there is an image whose size could be looked at
        raise fault(f"has a screen or a frame of more than {MAX_GIF_SIDE:,} pixels a side.",
                    "Make it smaller.") from None
    except UnidentifiedImageError:
        raise fault("is no GIF.", "Save it again as one, or as MP4.") from None
    except (OSError, EOFError, SyntaxError, ValueError, LookupError, MemoryError, TypeError, AttributeError,
            struct.error) as error:  # a damaged one makes Pillow raise any of these
        raise fault(f"is no GIF that can be read ({error}): it may be damaged or cut off.",
                    "Save it again, or as MP4.") from None


def _film(data: bytes, form: str, framing: Framing, fault: Fault, full: Callable[[], None]) -> Iterator[Shown]:
    """Its frames, small as soon as each is decoded, when and for how long each is shown, and the frames a second.

    `full` is called where there are more than are read.
    """
    try:
        import av
    except ImportError:
        raise DataUnavailable("MP4, MOV, WebM, MKV and AVI need PyAV, which is not installed: `pip install "
                              "\"vaecore[video]\"`. A GIF or an .npz needs nothing.") from None
    try:
        with av.open(io.BytesIO(data), "r", form) as container:
            if not container.streams.video:
                raise fault("has no picture in it.", "Give a film, not a sound.")
            stream = container.streams.video[0]
            _check_size(stream.codec_context.width, stream.codec_context.height, fault)
            stream.codec_context.options = {"max_pixels": str(MAX_FILE_SIDE**2)}  # whatever the container says
            stream.thread_count = 1  # each thread would hold frames of its own
            rate = float(stream.average_rate or 0)
            rate = rate if 0 < rate <= FASTEST else 0.0
            across = float(stream.sample_aspect_ratio or 1)  # width of a pixel in its height
            across = across if 1 / WIDEST <= across <= WIDEST else 1.0
            decoded = 0
            for frame in container.decode(stream):
                _check_size(frame.width, frame.height, fault)
                decoded += frame.width * frame.height
                if decoded > MAX_DECODED_PIXELS:
                    full()
                    return
                begin = math.nan if frame.time is None else frame.time
                lasts = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
                yield _small(frame, framing, across), begin, lasts or (1 / rate if rate else math.nan), rate
    except ConfigError:
        raise
    except (av.error.FFmpegError, AttributeError, TypeError, ValueError, LookupError, MemoryError, EOFError,
            OSError) as error:  # a stream without a codec has no size either
        why = getattr(error, "strerror", None) or error
        raise fault(f"is no film that can be read ({why}): it may be damaged or cut off.",
                    "Save it again as MP4 (H.264) or WebM.") from None


def _small(frame: Any, framing: Framing, across: float = 1.0) -> Clip:
    """A decoded frame as players show it, (C, H, W): scaled before it is copied out.

    `across` is the width of a pixel in its height: the shorter way is enlarged until pixels are square.
    """
    place = _placement(frame)
    turned = abs(place[0]) + abs(place[3]) < abs(place[1]) + abs(place[2])
    shown = frame.width * max(1.0, across), frame.height * max(1.0, 1 / across)
    width, height = framing.shrunk(*(shown[::-1] if turned else shown))
    width, height = (height, width) if turned else (width, height)  # as it lies in the film
    pixels = frame.reformat(width, height, "gray" if framing.grey else "rgb24", interpolation="AREA").to_ndarray()
    if framing.size is None:  # its own side, whatever rounding left of it
        side = min(round(min(shown)), MAX_SIDE)
        framing = Framing((side, side), framing.grey)
    return framed(Image.fromarray(np.ascontiguousarray(_turned(pixels, place))), framing)


def _placement(frame: Any) -> tuple[int, int, int, int]:
    """How a frame says that it is shown: what lies at (x, y) moves to (a x + c y, b x + d y), y downwards: a, b, c, d.

    Turned, as a phone held upright writes it, and mirrored.
    """
    matrix = next((bytes(each) for each in getattr(frame, "side_data", ()) if each.type.name == "DISPLAYMATRIX"), b"")
    if len(matrix) != 36:  # nine numbers of 32 bits
        quarter = round(getattr(frame, "rotation", 0) / 90) % 4
        return ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))[quarter]
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
    return a, b, c, d


def _turned(pixels: NDArray[np.uint8], place: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Pixels (H, W[, C]) placed as `_placement` says."""
    a, b, c, d = place
    if abs(a) + abs(d) < abs(b) + abs(c):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    pixels = pixels[:, ::-1] if a < 0 else pixels
    return pixels[::-1] if d < 0 else pixels


def _arrays(data: bytes, framing: Framing, most_frames: int, most_clips: int, fault: Fault) -> list[Clip]:
    """The clips of the one array in an .npz, each frame made small."""
    try:
        if (count := npz.counted(io.BytesIO(data))) > 1:
            raise fault(f"has {count:,} arrays.", "Save one array, (N, T, H, W, C) or (T, H, W, C).")
        with zipfile.ZipFile(io.BytesIO(data)) as members:
            entries = members.infolist()
            if len(entries) != 1:
                raise fault(f"has {len(entries):,} arrays.", "Save one array, (N, T, H, W, C) or (T, H, W, C).")
            if entries[0].file_size > MAX_ARRAYS_BYTES:
                raise fault(f"declares {entries[0].file_size:,} bytes.", f"Use at most {MAX_ARRAYS_BYTES:,}.")
            with npz.member(members, entries[0]) as file:
                shape = _declared(file, entries[0].file_size, fault)
            with npz.member(members, entries[0]) as file:
                found: Array = np.lib.format.read_array(file, allow_pickle=False)
    except ConfigError:
        raise
    except npz.DAMAGED as error:
        raise fault(f"is no .npz that can be read ({error}).", "Save one array with numpy.savez.") from None
    clips: NDArray[Any] = found.reshape(-1, *shape[-4:])[:most_clips, :most_frames]
    width, height = framing.of(shape[-2], shape[-3])
    total = clips.shape[0] * clips.shape[1] * width * height * (1 if framing.grey else 3)
    if total > MAX_ARRAYS_BYTES:  # tiny frames grow
        raise fault(f"would take {total:,} bytes at {width} × {height} pixels.", f"Use at most {MAX_ARRAYS_BYTES:,}.")
    return [np.stack([framed(_picture(frame, fault), framing) for frame in clip]) for clip in clips]


def _picture(frame: NDArray[Any], fault: Fault) -> Image.Image:
    """A frame (H, W, C) of an .npz, alone: whole arrays of masks and of float32 would take many times the file."""
    if frame.dtype.kind == "f":
        if not ((frame >= 0) & (frame <= 1)).all():  # also NaN
            raise fault("has numbers that are not between 0 and 1.", "Divide them by 255, or save them as uint8.")
        frame = np.rint(frame.astype(np.float32) * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(frame[..., 0] if frame.shape[-1] == 1 else frame))


def _declared(file: IO[bytes], size: int, fault: Fault) -> tuple[int, ...]:
    """The shape that the header of an array of `size` bytes declares, if it is one of clips."""
    shape, dtype = npz.header(file)
    if dtype.kind == "O":
        raise fault("holds Python objects, a pickle, which is never loaded.", "Save an array of numbers.")
    what = f"holds {str(dtype)[:40]} of shape ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
    if dtype != np.uint8 and dtype.kind != "f":
        raise fault(f"{what}.", "Save frames as uint8, 0 to 255, or as numbers between 0 and 1.")
    if len(shape) not in (4, 5) or shape[-1] not in (1, 3) or not all(shape):
        raise fault(f"{what}.", "Save clips as (N, T, H, W, C), or one clip as (T, H, W, C), with 1 or 3 channels C.")
    if shape[-4] < 2:
        raise fault("has clips of one frame.", "Give at least 2 frames.")
    _check_size(shape[-2], shape[-3], fault)
    if len(shape) == 5 and shape[0] > MAX_CLIPS:
        raise fault(f"has {shape[0]:,} clips.", f"Use at most {MAX_CLIPS:,}.")
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > size:  # before room is made for it
        raise fault(f"{what}, but has {size:,} bytes.", "Save it again.")
    return shape


def _check_size(width: int, height: int, fault: Fault, largest: int = MAX_FILE_SIDE) -> None:
    if not (1 <= width <= largest and 1 <= height <= largest):
        raise fault(f"has frames of {width:,} × {height:,} pixels.", f"Use at most {largest:,} × {largest:,}.")
