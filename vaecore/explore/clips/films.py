"""Clips as files: GIF, WebP, MP4, and a contact sheet with all frames beside each other.

Shapes: T frames in uint8 (T, C, H, W), C 1 or 3, as `VideoCheckpoint.pictures` gives them. Pixels are enlarged by a
whole number and stay crisp. Tracks that are shown together run side by side on one clock; one that ends early keeps
its last frame.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Frames = NDArray[np.uint8]

MOST_TRACKS, MOST_FRAMES = 64, 1000
MAX_FILE_SIDE = 4096  # pixels a side of a file
MAX_FILM_PIXELS = 400_000_000  # of all frames of a GIF or WebP together: they stay in memory while it is written
SAMPLED = 16  # frames that the palette of a GIF is made from
GIVEN, BACK, INK = (255, 170, 60), (24, 24, 32), (230, 230, 235)  # colours of the frame around what is given, ...
GAP = 2  # pixels of the clips, between two of them


@dataclass(frozen=True)
class Strip:
    """One track: what it is, its frames (T, C, H, W), and the frame of the clock at which it begins."""

    title: str
    frames: Frames
    start: int = 0


def gif(tracks: Sequence[Strip], *, rate: float, context: int = 0, scale: int | None = None, gap: int = GAP) -> bytes:
    """The tracks side by side as an animated GIF that loops; those frames that were given have a coloured border.

    The border is `gap` pixels of the clips wide.

    A frame lasts a whole number of hundredths of a second, and at least two of them: what is shorter, viewers play
    slowly. Without a `scale` it is at most 8, and one with which the file has at most 400 million pixels. Raises
    `ValueError` for nothing to show, too much of it, and for a rate that is none.
    """
    _checked(tracks, rate)
    length = _length(tracks)
    sampled = np.unique(np.linspace(0, length - 1, SAMPLED).round().astype(int)).tolist()
    palette = _common(_sheets(tracks, context, scale, sampled, gap, most=MAX_FILM_PIXELS), len(sampled))
    # One by one: all sheets in full colour would take gigabytes.
    shown = (Image.fromarray(sheet).quantize(palette=palette, dither=Image.Dither.NONE)
             for sheet in _sheets(tracks, context, scale, range(length), gap, most=MAX_FILM_PIXELS))
    file = io.BytesIO()
    next(shown).save(file, "GIF", save_all=True, append_images=shown, duration=10 * max(2, round(100 / rate)), loop=0,
                     disposal=1, optimize=False)
    return file.getvalue()


def webp(tracks: Sequence[Strip], *, rate: float, context: int = 0, scale: int | None = None, gap: int = GAP
         ) -> bytes:
    """The tracks side by side as an animated WebP that loops, in all colours, its pixels as they are.

    Raises `ValueError` as `gif` does.
    """
    _checked(tracks, rate)
    shown = (Image.fromarray(sheet)
             for sheet in _sheets(tracks, context, scale, range(_length(tracks)), gap, most=MAX_FILM_PIXELS // 3))
    file = io.BytesIO()
    next(shown).save(file, "WEBP", save_all=True, append_images=shown, duration=max(1, round(1000 / rate)), loop=0,
                     lossless=True, quality=20, method=0)
    return file.getvalue()


def mp4(tracks: Sequence[Strip], *, rate: float, context: int = 0, scale: int | None = None, gap: int = GAP) -> bytes:
    """Clips side by side as an MP4 (H.264), which plays in every browser.

    Raises `ValueError` as `gif` does, and where the library or its encoder is not there.
    """
    _checked(tracks, rate)
    try:
        import av
    except ImportError:
        raise ValueError("MP4 needs PyAV, which is not installed. Save a GIF, or `pip install \"vaecore[video]\"`."
                         ) from None
    from fractions import Fraction

    file = io.BytesIO()
    try:
        with av.open(file, "w", format="mp4") as container:
            stream = None
            for sheet in _sheets(tracks, context, scale, range(_length(tracks)), gap, even=True):
                if stream is None:
                    stream = container.add_stream("h264", rate=Fraction(rate).limit_denominator(1000))
                    stream.height, stream.width = sheet.shape[:2]
                    stream.pix_fmt = "yuv420p"
                    stream.options = {"crf": "17", "preset": "veryfast"}
                    stream.codec_context.thread_count = 1
                for packet in stream.encode(av.VideoFrame.from_ndarray(sheet, format="rgb24")):
                    container.mux(packet)
            assert stream is not None
            for packet in stream.encode():
                container.mux(packet)
    except av.FFmpegError as error:
        raise ValueError(f"The MP4 cannot be written here ({error}). Save a GIF.") from None
    return file.getvalue()


def contact_sheet(tracks: Sequence[Strip], *, context: int = 0, columns: int = 30, width: int = 1600) -> bytes:
    """A PNG: a row for each track, a column for each frame, those that were given with a coloured border.

    Of longer clips `columns` frames are shown, evenly spread, with their numbers, from 1, above them.
    Raises `ValueError` as `gif` does.
    """
    _checked(tracks, 1.0)
    length = _length(tracks)
    count = max(1, min(columns, length))
    chosen = np.unique(np.linspace(0, length - 1, count).round().astype(int))
    height, wide = _size(tracks)
    titled = any(track.title for track in tracks)
    font = ImageFont.load_default(12)
    left = 8 + int(max(font.getlength(track.title[:60]) for track in tracks)) if titled else 0
    top = 18 if titled else 0
    scale = max(1, min((width - left) // (len(chosen) * (wide + 2 * GAP)), 8))
    cell = (height + 2 * GAP) * scale, (wide + 2 * GAP) * scale
    size = left + len(chosen) * cell[1], top + len(tracks) * cell[0]
    if max(size) > 4 * MAX_FILE_SIDE:
        raise ValueError(f"A sheet of {size[0]:,} x {size[1]:,} pixels is too large. Show fewer frames or tracks.")
    sheet = Image.new("RGB", size, BACK)
    draw = ImageDraw.Draw(sheet)
    for column, t in enumerate(chosen if titled else ()):
        draw.text((left + (column + 0.5) * cell[1], top - 4), str(t + 1), INK, font, "ms")
    for row, track in enumerate(tracks):
        draw.text((4, top + (row + 0.5) * cell[0]), track.title[:60], INK, font, "lm")
        for column, t in enumerate(chosen):
            if track.start <= t < track.start + len(track.frames):
                picture = _framed(track.frames[t - track.start], height, wide, scale, GAP, given=t < context)
                sheet.paste(Image.fromarray(picture), (left + column * cell[1], top + row * cell[0]))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


# -- parts -----------------------------------------------------------------------------------------


def _checked(tracks: Sequence[Strip], rate: float) -> None:
    if not tracks or not any(len(track.frames) for track in tracks):
        raise ValueError("There is no frame to save. Roll a future out first.")
    if len(tracks) > MOST_TRACKS:
        raise ValueError(f"{len(tracks)} clips do not fit into a file. Choose at most {MOST_TRACKS}.")
    for track in tracks:
        x = track.frames
        if x.ndim != 4 or x.dtype != np.uint8 or x.shape[1] not in (1, 3):
            raise ValueError(f"'{track.title}' has frames of shape {x.shape} in {x.dtype}. Give uint8 (T, C, H, W).")
        if track.start < 0 or track.start + len(x) > MOST_FRAMES:
            raise ValueError(f"'{track.title}' ends at frame {track.start + len(x):,}. Save at most {MOST_FRAMES:,}.")
    if not 0.1 <= rate <= 240:
        raise ValueError(f"{rate:g} frames a second cannot be played. Use 0.1 to 240.")


def _size(tracks: Sequence[Strip]) -> tuple[int, int]:
    return max(track.frames.shape[2] for track in tracks), max(track.frames.shape[3] for track in tracks)


def _length(tracks: Sequence[Strip]) -> int:
    return max(track.start + len(track.frames) for track in tracks)


def _sheets(tracks: Sequence[Strip], context: int, scale: int | None, times: Iterable[int], gap: int, *,
            even: bool = False, most: int | None = None) -> Iterator[Frames]:
    """All tracks at frames `times` of the clock, (H, W, 3), in rows that come near a square screen; with `most`, as
    large as lets the whole clock have so many pixels."""
    height, width = _size(tracks)
    columns = min(len(tracks), max(1, round((1.6 * len(tracks) * (height + 2 * gap) / (width + 2 * gap)) ** 0.5)))
    columns = len(tracks) if len(tracks) <= 4 else columns
    rows = -(-len(tracks) // columns)
    least = rows * (height + 2 * gap), columns * (width + 2 * gap)
    fits = MAX_FILE_SIDE if most is None else int((most / (least[0] * least[1] * _length(tracks))) ** 0.5)
    chosen = max(1, min(8, 960 // max(least), fits)) if scale is None else scale
    if not 1 <= chosen <= 32 or max(least) * chosen > MAX_FILE_SIDE:
        raise ValueError(f"A picture of {least[1] * chosen:,} x {least[0] * chosen:,} pixels is too large. Use a scale "
                         f"of at most {max(1, MAX_FILE_SIDE // max(least))}, or choose fewer clips.")
    if chosen > fits:
        remedy = f"Use a scale of at most {fits}" if fits else "Choose fewer clips"
        raise ValueError(f"{_length(tracks):,} pictures of {least[1] * chosen:,} x {least[0] * chosen:,} pixels are "
                         f"too many for a GIF or WebP. {remedy}, or save an MP4.")
    cell = (height + 2 * gap) * chosen, (width + 2 * gap) * chosen
    size = [rows * cell[0], columns * cell[1]]
    if even:
        size = [side + side % 2 for side in size]
    for t in times:
        sheet: Frames = np.empty((*size, 3), np.uint8)
        sheet[:] = BACK
        for place, track in enumerate(tracks):
            if len(track.frames) and t >= track.start:
                frame = track.frames[min(t - track.start, len(track.frames) - 1)]
                y, x = (place // columns) * cell[0], (place % columns) * cell[1]
                sheet[y:y + cell[0], x:x + cell[1]] = _framed(frame, height, width, chosen, gap, given=t < context)
        yield sheet


def _framed(frame: Frames, height: int, width: int, scale: int, gap: int, *, given: bool) -> Frames:
    """A frame (C, h, w) enlarged and centred, with a border around it: (.., .., 3)."""
    picture: Frames = np.empty((height + 2 * gap, width + 2 * gap, 3), np.uint8)
    picture[:] = GIVEN if given else BACK
    picture[gap:gap + height, gap:gap + width] = 0
    y, x = gap + (height - frame.shape[1]) // 2, gap + (width - frame.shape[2]) // 2
    picture[y:y + frame.shape[1], x:x + frame.shape[2]] = frame.transpose(1, 2, 0)
    return picture.repeat(scale, 0).repeat(scale, 1)


def _common(sheets: Iterator[Frames], count: int) -> Image.Image:
    """A palette for all frames, from `count` of them: one of each frame's own would make still parts flicker."""
    if count == 1:
        return Image.fromarray(next(sheets)).quantize(256)
    small = []
    for sheet in sheets:
        height, width = sheet.shape[:2]
        side = max(1, round(width / 4)), max(1, round(height / 4))
        small.append(np.asarray(Image.fromarray(sheet).resize(side, Image.Resampling.NEAREST)))
    return Image.fromarray(np.concatenate(small)).quantize(256)
