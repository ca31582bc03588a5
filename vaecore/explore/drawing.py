"""Pictures that a visitor brings, drawn or uploaded, brought into the form of a data set's images.

What is done to an upload depends on the data: `Ink` says of images that are drawn on plain paper how they look, and
only for those a picture is inverted, and its ink found and cropped. Photographs stay as they are.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vaecore.data.own.pictures.levels import bits_used, in_eight_bits

Grey = NDArray[np.uint8]

BOX = 20 / 28  # of a side: MNIST fits each digit into 20 of its 28 pixels
INK = 32  # of 255: what is fainter is the soft edge of a stroke
SMALLEST_INK = 1 / 8  # of the longer side: ink that reaches no further is a dot, not a digit
LEAST_FOUND = 1 / 32  # of the longer side of a sheet, from which dust is taken away
MAX_PICTURE_BYTES = 5_000_000  # of a file
PIXELS = 20_000_000  # of an upload
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
PLAIN = 0.9  # of the images of a data set have an edge of paper, if it is drawn as ink
SEARCHED = 512  # pixels of the longer side in which ink is searched for
LEAST_CONTRAST = 40  # levels of ink against its paper


def as_digit(ink: Grey, size: tuple[int, int] = (28, 28), box: float = BOX, least: float = SMALLEST_INK) -> Grey | None:
    """White ink on black, uint8 (h, w), as MNIST was made: uint8 (H, W), or None for a sheet that is as good as blank.

    The ink is cropped, scaled with its aspect ratio kept until it fits into `box` of the size, and placed with its
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
    if max(bottom - top, right - left) < least * max(ink.shape):
        return None
    ink = ink[top:bottom, left:right]
    high, wide = ink.shape
    pixel = max(high / (box * height), wide / (box * width))  # side of a pixel of the result, in those of the ink
    y, x = (_window(ink.sum(axis, dtype=np.int64), pixel * n) for axis, n in ((1, height), (0, width)))
    # One resampling of a window with fractional edges does crop, scale and shift: each further one would blur. The
    # window must lie within the picture, hence the black around.
    margin = int(np.ceil(pixel * max(height, width))) + 1
    picture = Image.fromarray(np.pad(ink, margin))
    window = (margin + x, margin + y, margin + x + pixel * width, margin + y + pixel * height)
    return np.asarray(picture.resize((width, height), Image.Resampling.HAMMING, box=window)).copy()


def _window(mass: NDArray[np.int64], length: float) -> float:
    """Where a window of this length begins that has the centre of mass (n,) in its middle.

    It is moved so far that all of the ink lies within: a heavy end and a long tail would else lose the tail.
    """
    n = len(mass)
    centre = float(np.average(np.arange(n) + 0.5, weights=mass))
    return min(max(centre - length / 2, n - length), 0.0)


@dataclass(frozen=True)
class Ink:
    """How images that are drawn on plain paper look."""

    light: bool  # whether the paper is
    box: float  # the longer side of what is drawn, as a share of the image's: the median

    @classmethod
    def of(cls, images: Grey) -> Ink | None:
        """Ink of grey images of the data, uint8 (N, C, H, W).

        None of colour, and of photographs, whose edges are no paper.
        """
        if images.ndim != 4 or images.shape[1] != 1 or not len(images):
            return None
        edges = np.concatenate([images[:, 0, 0], images[:, 0, -1], images[:, 0, :, 0], images[:, 0, :, -1]], 1)
        edge = np.median(edges, 1)
        light = bool((edge > 255 - INK).mean() >= PLAIN)
        if not light and (edge < INK).mean() < PLAIN:
            return None
        extents = [max(found) for image in images[:, 0] if (found := _extent(255 - image if light else image))]
        return cls(light, float(np.median(extents))) if extents else None


class Upload(NamedTuple):
    """An uploaded picture as it is read, uint8 (C, H, W), and what was done to it besides fitting it, in words."""

    pixels: Grey
    done: tuple[str, ...]


def from_upload(data: bytes, shape: tuple[int, int, int], ink: Ink | None = None, *, as_is: bool = False) -> Upload:
    """An uploaded picture as uint8 (C, H, W); of an animation the first frame.

    It is grey for C = 1, in colour for C = 3, in colour with its opacity for C = 4. For other numbers of channels, of
    which a picture knows nothing, each holds its grey levels. PNG, JPEG, WebP, BMP or GIF of at most 5 MB and 20
    megapixels, cut to the aspect ratio around its middle and resized. What is transparent becomes paper where there is
    no opacity: white, or black under light grey ink. 16 bits of which only 8 to 14 are used are stretched to those.

    Where the data are drawn as `ink`, one on the other kind of paper, as its edge tells, is inverted, and one whose ink
    does not lie as it does in the data is searched for it: a scanner's dark edge and the shade of the paper are taken
    away, and what is drawn is cropped and placed. With `as_is` nothing of that is done, and nothing is stretched.
    Raises ValueError that names fault and remedy.
    """
    channels, height, width = shape
    if min(shape) < 1:
        raise ValueError(f"A picture cannot become an image of shape {shape}: each side is at least 1.")
    grey, clear = channels not in (3, 4), channels == 4  # clear: what is transparent stays so
    if not data:
        raise ValueError("The file is empty: choose another, or save the picture again.")
    if len(data) > MAX_PICTURE_BYTES:
        raise ValueError(f"The file has {len(data) / 1e6:.1f} MB, and at most {MAX_PICTURE_BYTES / 1e6:.0f} MB are "
                         "read: make the picture smaller, or save it as JPEG.")
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
        small, bits = _in_eight_bits(picture, stretched=not as_is)
        layers = _fitted(small, (width, height), grey=grey)
        fitted = np.asarray(layers.convert("RGBA") if clear else _flat(layers, grey=grey))
        whole = None
        if channels == 1 and ink is not None and not as_is:
            share = min(1, SEARCHED / max(small.size))
            extents = max(1, round(small.width * share)), max(1, round(small.height * share))
            whole = np.asarray(_flat(_fitted(small, extents, grey=True), grey=True))
    except Exception as error:  # and as much for a broken body
        raise ValueError("The picture is damaged or cut off: save it again, or choose another.") from error
    done = [f"stretched: of its 16 bits {bits} are used"] if bits < 16 else []
    if not grey:
        return Upload(np.ascontiguousarray(fitted.transpose(2, 0, 1)), tuple(done))
    if channels > 1:
        return Upload(fitted[None].repeat(channels, 0),
                      (*done, f"its grey levels put into each of {channels} channels"))
    if whole is None or ink is None:
        return Upload(fitted.copy()[None], tuple(done))
    drawn, more = _as_ink(fitted, whole, ink)
    return Upload((255 - drawn if ink.light else drawn)[None], (*done, *more))


# -- ink on paper ----------------------------------------------------------------------------------


def _as_ink(fitted: Grey, whole: Grey, ink: Ink) -> tuple[Grey, list[str]]:
    """White on black (H, W), from a picture at its final size and the whole of it, and what was done, in words."""
    edge = np.concatenate([fitted[0], fitted[-1], fitted[:, 0], fitted[:, -1]])
    on_light = bool(np.median(edge) > 127)
    inverted = ["inverted: its paper is light, and the data's is dark" if on_light else
                "inverted: its paper is dark, and the data's is light"] if on_light != ink.light else []
    plain = 255 - fitted if on_light else fitted.copy()
    aspect = (whole.shape[1] / whole.shape[0]) / (fitted.shape[1] / fitted.shape[0])
    if 0.9 < aspect < 1.1 and _lies_as(plain, ink.box):
        return plain, inverted
    sheet, cut = _without_dark_edge(whole)
    found = _found(sheet)
    digit = None if found is None else as_digit(found[0], (fitted.shape[0], fitted.shape[1]), ink.box,
                                                      LEAST_FOUND)
    if found is None or digit is None:
        return plain, inverted
    on_light = found[1]
    inverted = ["inverted: its paper is light, and the data's is dark" if on_light else
                "inverted: its paper is dark, and the data's is light"] if on_light != ink.light else []
    return digit, [*(["a dark edge cut off"] if cut else []), *inverted,
                   "what is drawn found, cropped and placed as in the data"]


def _extent(image: Grey) -> tuple[float, float] | None:
    """Height and width of the ink, white on black, as shares of the image; None of a blank one."""
    rows, columns = (np.flatnonzero((image >= INK).any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return (int(np.ptp(rows)) + 1) / image.shape[0], (int(np.ptp(columns)) + 1) / image.shape[1]


def _lies_as(image: Grey, box: float) -> bool:
    """Whether white ink on black lies as it does in the data: about as large, about in the middle, on clean paper."""
    extent = _extent(image)
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    if extent is None or np.mean(edge >= INK) > 0.5 * box or not 0.75 * box <= max(extent) <= min(1.0, 1.3 * box):
        return False
    y, x = (np.average(np.arange(n) + 0.5, weights=image.sum(1 - axis, dtype=np.int64)) / n
            for axis, n in enumerate(image.shape))
    return bool(max(abs(y - 0.5), abs(x - 0.5)) < 0.12)


def _without_dark_edge(sheet: Grey) -> tuple[Grey, bool]:
    """A light sheet (h, w) without rows and columns at its sides that are dark all along, and whether there were."""
    paper = float(np.median(sheet))
    if paper <= 127:
        return sheet, False
    bounds = []
    for axis, length in enumerate(sheet.shape):
        dark = np.quantile(sheet, 0.75, 1 - axis) < 0.6 * paper
        most = length // 3
        first = int(np.flatnonzero(dark[:most])[-1]) + 1 if dark[:most].any() and dark[0] else 0
        last = int(np.flatnonzero(dark[length - most:])[0]) + length - most if dark[length - most:].any() and dark[
            -1] else length
        soft = max(1, length // 100)  # the edge's own soft edge
        bounds.append((first + soft if first else 0, last - soft if last < length else length))
    (top, bottom), (left, right) = bounds
    return sheet[top:bottom, left:right], (bottom - top, right - left) != sheet.shape


def _found(sheet: Grey) -> tuple[Grey, bool] | None:
    """What is drawn on a sheet (h, w) as white on black, and whether the paper was light; None where nothing shows.

    The shade of the paper is a surface of the second degree, fitted to what does not stand out from it.
    """
    from scipy import ndimage

    values = sheet.astype(np.float64)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in sheet.shape), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1).reshape(-1, 6)
    flat, kept = values.ravel(), np.ones(values.size, bool)
    aside = flat - np.median(flat)
    spread = 0.0
    for _ in range(8):
        spread = max(2.0, 1.4826 * float(np.median(np.abs(aside[kept]))))
        kept = np.abs(aside) <= 3 * spread
        surface = basis @ np.linalg.lstsq(basis[kept], flat[kept], rcond=None)[0]
        aside = flat - surface
    away = np.abs(aside) > max(3 * spread, LEAST_CONTRAST / 2)
    light = bool(np.abs(aside[away & (aside < 0)]).sum() > aside[away & (aside > 0)].sum())
    ink = (-aside if light else aside).clip(0).reshape(sheet.shape)
    contrast = float(np.sort(ink, None)[-max(1, ink.size // 500):].mean())
    if contrast < max(LEAST_CONTRAST, 6 * spread):
        return None
    low = max(0.15 * contrast, 3 * spread)
    drawn = (255 * ((ink - low) / (0.9 * contrast - low)).clip(0, 1)).round().astype(np.uint8)
    parts, count = ndimage.label(drawn >= INK, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    for side in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):  # a shadow along a side is nothing that was drawn
        along = np.bincount(side, minlength=count + 1)
        sizes[along > 0.5 * len(side)] = 0
    if not sizes.any():
        return None
    dust = np.flatnonzero(sizes < 0.05 * sizes.max())
    drawn[np.isin(parts, dust[dust > 0])] = 0
    return drawn, light


# -- files -----------------------------------------------------------------------------------------


def _in_eight_bits(picture: Image.Image, *, stretched: bool) -> tuple[Image.Image, int]:
    """One of 16 bits, which Pillow would clip to 255 instead of scaling, in 8, and how many of the 16 it was taken to
    use; others as they are."""
    if not picture.mode.startswith("I"):
        return picture, 16
    values = np.asarray(picture).clip(0, 65535)
    bits = bits_used(int(values.max())) if stretched else 16
    return Image.fromarray(in_eight_bits(values, bits)), bits


def _fitted(picture: Image.Image, size: tuple[int, int], *, grey: bool) -> Image.Image:
    """The middle of the picture at this width and height, in mode L, RGB or RGBA.

    It comes before all else that needs a picture of this size: a large one in several copies takes much memory.
    """
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
