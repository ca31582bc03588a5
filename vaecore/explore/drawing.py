"""Pictures that a visitor brings, drawn or uploaded, brought into the form of a data set's images."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Grey = NDArray[np.uint8]

BOX = 20 / 28  # of a side: MNIST fits each digit into 20 of its 28 pixels
INK = 32  # of 255: what is fainter is the soft edge of a stroke
LEAST = 1 / 8  # of the longer side: ink that reaches no further is a dot, not a digit
LARGEST = 5_000_000  # bytes of an upload
PIXELS = 20_000_000  # of an upload
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")


def as_digit(ink: Grey, size: tuple[int, int] = (28, 28)) -> Grey | None:
    """White ink on black, uint8 (h, w), as MNIST was made: uint8 (H, W), or None for a sheet that is as good as blank.

    The ink is cropped, scaled with its aspect ratio kept until it fits into 20/28 of the size, and placed with its
    centre of mass in the middle, or as near to it as the edges allow. Raises ValueError for another array or size.
    """
    if ink.dtype != np.uint8 or ink.ndim != 2:
        raise ValueError(f"ink must be uint8 (h, w), not {ink.dtype} {ink.shape}")
    height, width = size
    if height < 1 or width < 1:
        raise ValueError(f"size must be positive, not {size}")
    rows, columns = (np.flatnonzero((ink >= INK).any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    if max(bottom - top, right - left) < LEAST * max(ink.shape):
        return None
    ink = ink[top:bottom, left:right]
    high, wide = ink.shape
    pixel = max(high / (BOX * height), wide / (BOX * width))  # side of a pixel of the result, in those of the ink
    y, x = (_window(ink.sum(axis, dtype=np.int64), pixel * n) for axis, n in ((1, height), (0, width)))
    # One resampling of a window with fractional edges does crop, scale and shift: each further one would blur. The
    # window must lie within the picture, hence the black around.
    margin = int(np.ceil(pixel * max(height, width))) + 1
    picture = Image.fromarray(np.pad(ink, margin))
    box = (margin + x, margin + y, margin + x + pixel * width, margin + y + pixel * height)
    return np.asarray(picture.resize((width, height), Image.Resampling.HAMMING, box=box)).copy()


def _window(mass: NDArray[np.int64], length: float) -> float:
    """Where a window of this length begins that has the centre of mass (n,) in its middle.

    It is moved so far that all of the ink lies within: a heavy end and a long tail would else lose the tail.
    """
    n = len(mass)
    centre = float(np.average(np.arange(n) + 0.5, weights=mass))
    return min(max(centre - length / 2, n - length), 0.0)


def from_upload(data: bytes, shape: tuple[int, int, int]) -> Grey:
    """An uploaded picture as uint8 (C, H, W), grey for C = 1 and colour for C = 3; of an animation the first frame.

    PNG, JPEG, WebP, BMP or GIF of at most 5 MB and 20 megapixels, cut to the aspect ratio around its middle and
    resized. For a grey target, one that is dark on light, as its edge tells, is inverted: ink is white on black, as
    in MNIST. What is transparent becomes paper: white, or black under light grey ink. Raises ValueError that names
    fault and remedy.
    """
    channels, height, width = shape
    if channels not in (1, 3) or height < 1 or width < 1:
        raise ValueError(f"A picture cannot become an image of shape {shape}: give it 1 or 3 channels.")
    if not data:
        raise ValueError("The file is empty: choose another, or save the picture again.")
    if len(data) > LARGEST:
        raise ValueError(f"The file has {len(data) / 1e6:.1f} MB, and at most {LARGEST / 1e6:.0f} MB are read: "
                         "make the picture smaller, or save it as JPEG.")
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        pixels = picture.width * picture.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        pixels = None
    except Exception as error:  # Pillow's readers raise almost anything for a broken header
        raise ValueError("The file is not a picture that can be read here: save it as PNG or JPEG.") from error
    if pixels is None or pixels > PIXELS:  # known from the header; decoding could fill the memory
        size = f"{pixels / 1e6:.0f}" if pixels else "far too many"
        raise ValueError(f"The picture has {size} megapixels, and at most {PIXELS / 1e6:.0f} are read: "
                         "make it smaller, or crop it.")
    try:
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)  # upright, as the camera was held
        fitted = np.asarray(_flat(_fitted(picture, (width, height), grey=channels == 1), grey=channels == 1))
    except Exception as error:  # and as much for a broken body
        raise ValueError("The picture is damaged or cut off: save it again, or choose another.") from error
    if channels == 3:
        return np.ascontiguousarray(fitted.transpose(2, 0, 1))
    edge = np.concatenate([fitted[0], fitted[-1], fitted[:, 0], fitted[:, -1]])
    return (255 - fitted if np.median(edge) > 127 else fitted.copy())[None]


def _fitted(picture: Image.Image, size: tuple[int, int], *, grey: bool) -> Image.Image:
    """The middle of the picture at this width and height, in mode L, RGB or RGBA.

    It comes before all else that needs a picture of this size: a large one in several copies takes much memory.
    """
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would clip to 255 instead of scaling
        values = np.asarray(picture)
        picture = Image.fromarray((values.clip(0, 65535) >> 8).astype(np.uint8))
    mode = "RGBA" if picture.has_transparency_data else "L" if grey else "RGB"
    if picture.mode != mode:
        picture = picture.convert(mode)
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def _flat(layers: Image.Image, *, grey: bool) -> Image.Image:
    """A picture in mode L, RGB or RGBA in mode L or RGB, its transparent parts filled with paper."""
    if layers.mode == "RGBA":
        ink, alpha = layers.convert("L"), layers.getchannel("A")
        cover = np.asarray(alpha, dtype=np.float64)
        light = grey and cover.any() and np.average(np.asarray(ink), weights=cover) > 127
        paper = Image.new("RGB", layers.size, "black" if light else "white")
        paper.paste(layers, mask=alpha)
        layers = paper
    return layers.convert("L" if grey else "RGB")
