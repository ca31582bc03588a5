"""Pictures in files: what each holds, upright and in numbers, as the file has it. What becomes of that, others decide.

A file of any kind may be put before this: sizes are bounded before anything is unpacked, and whatever a decoder raises
becomes an `Unreadable`, which says in words what was found and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from vaecore.data.base import Array
from vaecore.data.own.tables.cells import MAX_NUMBER

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "GIF", "PPM")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".gif", ".pgm", ".ppm", ".pbm")
PAGED = (".tif", ".tiff")  # whose pages are pictures of their own; of animations only the first frame is one
MAX_PICTURE_BYTES = 200_000_000  # of a file
MAX_PIXELS = 50_000_000  # of a picture, or of a page
MAX_PAGES = 20_000  # of a file
LARGE = 1_000_000  # pixels, from which on it pays to decode no more of them than are needed
GREY = ("1", "L", "LA", "La")  # modes
ORIENTATION = 0x0112  # in EXIF; 5 to 8 lie on their side


class Unreadable(ValueError):
    """A file or page that is no picture here; the message goes on after its name: "has 100 megapixels, …"."""


@dataclass(frozen=True)
class Pixels:
    """Pictures (n, H, W, C) as their file has them: uint8, other whole numbers, or floats.

    The last channel is how opaque each pixel is where `alpha` says so, and always uint8 then.
    """

    values: Array
    alpha: bool
    size: tuple[int, int] | None = None  # height and width in the file, where `values` are made smaller already
    turned: bool = False  # as its EXIF says
    animated: bool = False  # the first frame of several
    cut: bool = False  # colours of 16 bits, of which only the upper 8 are read


def pages(picture: Image.Image) -> int:
    """How many pictures a file has; raises `Unreadable`."""
    if picture.format != "TIFF":
        return 1
    try:
        count = int(getattr(picture, "n_frames", 1))
    except Exception as error:  # a broken file makes Pillow's readers raise almost anything
        raise _damaged(error) from None
    if count > MAX_PAGES:
        raise Unreadable(f"has {count:,} pages, and at most {MAX_PAGES:,} are read: save it in parts.")
    return count


def decoded(picture: Image.Image, page: int = 0, enough: int = 0) -> Pixels:
    """The opened picture, or a page of it, upright; raises `Unreadable`.

    Where `enough` pixels a side are enough, a large JPEG is made smaller while it is decoded, which is far quicker.
    """
    try:
        if page or picture.tell():
            picture.seek(page)
            _check_size(picture)
        paged = picture.format == "TIFF"
        animated = not paged and int(getattr(picture, "n_frames", 1)) > 1
        cut = picture.mode[:3] == "RGB" and any(";16" in str(tile.args) for tile in getattr(picture, "tile", ()))
        turn = 1 if paged else picture.getexif().get(ORIENTATION, 1)  # a TIFF is turned by Pillow when it is loaded
        size = picture.size if turn in range(5, 9) else picture.size[::-1]
        if enough and picture.width * picture.height > LARGE:
            picture.draft(None, (enough, enough))  # nothing happens to what is no JPEG
        picture.load()
        if turn in range(2, 9):
            ImageOps.exif_transpose(picture, in_place=True)
        values, alpha = _in_numbers(picture)
        return Pixels(values[None], alpha, None if paged else size, turn in range(2, 9), animated, cut)
    except Unreadable:
        raise
    except Exception as error:
        raise _damaged(error) from None


def opened(file: IO[bytes]) -> Image.Image:
    """A picture whose header is read and whose size is bounded; raises `Unreadable`."""
    try:
        picture = Image.open(file, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable(f"declares far more than the {MAX_PIXELS / 1e6:.0f} megapixels that are read: make it smaller."
                         ) from None
    except Exception:
        raise Unreadable("is no picture that can be read: save it as PNG, JPEG or TIFF.") from None
    _check_size(picture)
    return picture


def _check_size(picture: Image.Image) -> None:
    pixels = picture.width * picture.height
    if pixels > MAX_PIXELS:  # known from the header; decoding could fill the memory
        raise Unreadable(f"has {pixels / 1e6:.0f} megapixels, and at most {MAX_PIXELS / 1e6:.0f} are read: make it "
                         "smaller.")


def _damaged(error: Exception) -> Unreadable:
    return Unreadable(f"is damaged or cut off ({str(error)[:80] or type(error).__name__}): save it again.")


def check_numbers(values: Array) -> None:
    """Raise `Unreadable` for numbers with which nothing can be computed."""
    if values.dtype.kind != "f":
        return
    if not np.isfinite(values).all():
        raise Unreadable("holds numbers that are not finite: correct it.")
    if (np.abs(values) > MAX_NUMBER).any():
        raise Unreadable(f"holds numbers beyond {MAX_NUMBER:g}: divide them.")


def _in_numbers(picture: Image.Image) -> tuple[Array, bool]:
    """A decoded picture (H, W, C) in the numbers of its file, palettes, CMYK and the like as colours; and whether the
    last channel is alpha.
    """
    mode = picture.mode
    if mode[0] in "IF":
        # Numbers of more than 8 bits have no transparent colour here: a PNG's one is a number that is left as it is.
        numbers = np.asarray(picture).astype(np.float32 if mode[0] == "F" else np.int32)[..., None]
        check_numbers(numbers)
        return numbers, False
    alpha = bool(picture.has_transparency_data)
    wanted = ("LA" if alpha else "L") if mode in GREY else "RGBA" if alpha else "RGB"
    if mode != wanted:
        picture = picture.convert(wanted)
    values = np.asarray(picture)
    return (values if values.ndim == 3 else values[..., None]), alpha
