"""Pictures in files that a visitor brings, brought into the form of a data set's images; what was done is told.

What is done to a picture depends on the data: only for data that are drawn on plain paper, as `Ink` says, it is
inverted, and its ink found and cropped. Photographs stay as they are. Each thing that was done has a name, by which it
can be undone.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vaecore.data.own.pictures.levels import bits_used, in_eight_bits
from vaecore.explore.drawing import INK, Grey, Ink, as_digit, extent_of

Step = Literal["turn", "stretch", "paper", "edge", "invert", "find", "cut"]  # what can be undone
STEPS: tuple[Step, ...] = get_args(Step)
AS_IS = frozenset[Step](("stretch", "edge", "invert", "find"))  # undone, a picture is only fitted to its size
SWITCHES: dict[Step, str] = {
    "turn": "Turn it upright", "stretch": "Stretch its levels", "paper": "Fill what is transparent",
    "edge": "Cut off the dark edge", "invert": "Invert it", "find": "Find what is drawn", "cut": "Cut it to shape"}
MAX_PICTURE_BYTES = 5_000_000  # of a file
PIXELS = 20_000_000  # of an upload
LONGEST_SIDE = 1_000_000  # pixels of it: a strip of millions is a small file, and takes long to be made small
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
SEARCHED = 512  # pixels of the longer side in which ink is searched for, and of what is shown of a picture
LEAST_FOUND = 1 / 32  # of the longer side of a sheet, from which dust is taken away
LEAST_CONTRAST = 40  # levels of ink against its paper
RULED = 16  # of a sheet's side: a line that is thinner than this part of it may be ruled
LEAST_INK = 180  # of 255: what is fainter where it is brightest was drawn in pencil, or in a colour
COLOURED = 24  # levels between the channels of a pixel that is no grey, which JPEG's are by a few
SAME_ASPECT = 0.02  # by which aspects may differ without a word
ORIENTATION = 0x0112  # in EXIF

# What files are that are no picture here, by how they begin: a name says nothing.
OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "a ZIP archive, whatever its name says: unpack it, and choose a picture of it"),
    (0, b"%PDF", "a PDF: save the page as PNG"), (0, b"II*\0", "a TIFF: save it as PNG or JPEG"),
    (0, b"MM\0*", "a TIFF: save it as PNG or JPEG"), (4, b"ftypavif", "an AVIF: save it as PNG or JPEG"),
    (4, b"ftyphei", "a HEIC, as phones take them: save it as PNG or JPEG"),
    (4, b"ftypmif1", "a HEIC, as phones take them: save it as PNG or JPEG"),
    (4, b"ftyp", "a film: save a frame of it as PNG"), (0, b"\x1f\x8b", "packed by gzip: unpack it first"))


class Done(NamedTuple):
    """A thing that was done to a picture."""

    words: str
    step: Step | None = None  # by which it is undone; None of what the form of the data asks for


class Upload(NamedTuple):
    """An uploaded picture as it is read, uint8 (C, H, W), what was done to it, and what it looked like before."""

    pixels: Grey
    done: tuple[Done, ...]
    before: NDArray[np.uint8]  # (h, w), (h, w, 3) or (h, w, 4), as its file has it, small

    @property
    def said(self) -> tuple[str, ...]:
        """What was done, in words."""
        return tuple(done.words for done in self.done)

    @property
    def sentence(self) -> str:
        """What was done as one sentence; empty where nothing was."""
        said = "; ".join(self.said)
        return f"{said[:1].upper()}{said[1:]}." if said else ""


def from_upload(data: bytes, shape: tuple[int, int, int], ink: Ink | None = None, *, undone: Collection[Step] = ()
                ) -> Upload:
    """An uploaded picture as uint8 (C, H, W); of an animation the first frame.

    It is grey for C = 1, in colour for C = 3, in colour with its opacity for C = 4. For other numbers of channels, of
    which a picture knows nothing, each holds its grey levels. PNG, JPEG, WebP, BMP or GIF of at most 5 MB and 20
    megapixels, cut to the aspect ratio around its middle and resized. What is transparent becomes paper where there is
    no opacity: white, or black under light grey ink. 16 bits of which only 8 to 14 are used are stretched to those.

    Where the data are drawn as `ink`, one on the other kind of paper, as its edge tells, is inverted, and one whose ink
    does not lie as it does in the data is searched for it: a scanner's dark edge and the shade of the paper are taken
    away, and what is drawn is cropped and placed. Steps that are `undone` are left out; without "cut" the whole picture
    is shown, with paper beside it. Raises ValueError that names fault and remedy.
    """
    channels, height, width = shape
    if min(shape) < 1:
        raise ValueError(f"A picture cannot become an image of shape {shape}: each side is at least 1.")
    if unknown := sorted(set(undone) - set(STEPS)):
        raise ValueError(f"There is no step '{unknown[0]}' to undo. Choose of {', '.join(STEPS)}.")
    grey, clear = channels not in (3, 4), channels == 4  # clear: what is transparent stays so
    picture = _opened(data)
    deep = any(";16" in str(tile.args) for tile in getattr(picture, "tile", ()))
    try:
        picture.load()
        before = np.asarray(_within(_in_eight_bits(picture, deep=deep, stretched=False)[0]))
        done = [Done("of an animation the first frame")] if getattr(picture, "is_animated", False) else []
        if picture.getexif().get(ORIENTATION, 1) in range(2, 9) and "turn" not in undone:
            ImageOps.exif_transpose(picture, in_place=True)  # as the camera was held
            done.append(Done("turned upright, as its camera says", "turn"))
        upright, stretched = _in_eight_bits(picture, deep=deep, stretched="stretch" not in undone)
        seen = _within(upright)
        paper = None if clear or seen.mode != "RGBA" else _paper(seen, grey=grey, other="paper" in undone)
        done += [*stretched, *_told(seen, paper, grey=grey, filled="paper" not in undone)]
        layers = _fitted(upright, (width, height), grey=grey, whole="cut" in undone)
        fitted = np.asarray(layers.convert("RGBA") if clear else _flat(layers, paper, grey=grey))
        whole = np.asarray(_flat(seen, paper, grey=True))
    except Exception as error:  # Pillow's readers raise almost anything for a broken body
        raise ValueError("The picture is damaged or cut off: save it again, or choose another.") from error
    cut = [] if "cut" in undone else _cut(upright.width / upright.height, width / height)
    if channels == 1 and ink is not None:
        drawn, more = _as_ink(fitted, whole, ink, undone)
        kept = [] if any(each.step == "find" for each in more) else cut
        return Upload(drawn[None], (*done, *kept, *more), before)
    if not grey:
        return Upload(np.ascontiguousarray(fitted.transpose(2, 0, 1)), (*done, *cut), before)
    spread = [Done(f"its grey levels put into each of {channels} channels")] if channels > 1 else []
    return Upload(fitted[None].repeat(channels, 0), (*done, *cut, *spread), before)


def _opened(data: bytes) -> Image.Image:
    """A picture of which the header alone is read: decoding a huge one could fill the memory."""
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
    except Exception as error:
        raise ValueError(_other(data)) from error
    if pixels is None or pixels > PIXELS:
        size = f"{pixels / 1e6:.0f}" if pixels else "far too many"
        raise ValueError(f"The picture has {size} megapixels, and at most {PIXELS / 1e6:.0f} are read: "
                         "make it smaller, or crop it.")
    if max(picture.size) > LONGEST_SIDE:
        raise ValueError(f"The picture is {picture.width:,} × {picture.height:,} pixels, and its longer side may have "
                         f"{LONGEST_SIDE:,}: crop it.")
    return picture


def _other(data: bytes) -> str:
    """What a file is that is no picture here, and what to do."""
    for at, mark, words in OTHERS:
        if data[at:].startswith(mark):
            return f"The file is no picture that can be read here. It is {words}."
    if b"<svg" in data[:4096].lower():
        return ("The file is no picture that can be read here. It is an SVG, whose shapes are drawn by a program: save "
                "it as PNG or JPEG.")
    return "The file is not a picture that can be read here: save it as PNG or JPEG."


def _told(seen: Image.Image, paper: str | None, *, grey: bool, filled: bool) -> list[Done]:
    """What is said of transparent parts and of colours."""
    told = []
    if paper is not None and filled and np.asarray(seen.getchannel("A")).min() < 255:
        told.append(Done(f"its transparent parts made {paper}", "paper"))
    if grey and seen.mode != "L":
        colours = np.asarray(_flat(seen, paper, grey=False))
        if np.mean(np.ptp(colours, axis=2) > COLOURED) > 0.001:
            told.append(Done("its colours made grey"))
    return told


def _cut(aspect: float, wanted: float) -> list[Done]:
    share = min(aspect, wanted) / max(aspect, wanted)
    return [Done(f"cut to the model's shape around its middle: {share:.0%} of it is left".replace("%", " %"), "cut")
            ] if share < 1 - SAME_ASPECT else []


# -- ink on paper ----------------------------------------------------------------------------------


def _as_ink(fitted: Grey, whole: Grey, ink: Ink, undone: Collection[Step]) -> tuple[Grey, list[Done]]:
    """As the data are drawn (H, W), from a picture at its final size and the whole of it; and what was done."""
    edge = np.concatenate([fitted[0], fitted[-1], fitted[:, 0], fitted[:, -1]])
    on_light = bool(np.median(edge) > 127)
    drawn, done = 255 - fitted if on_light else fitted, []
    aspect = (whole.shape[1] / whole.shape[0]) / (fitted.shape[1] / fitted.shape[0])
    if "find" not in undone and not (0.9 < aspect < 1.1 and _lies_as(drawn, ink.box)):
        sheet, edged = (whole, False) if "edge" in undone else _without_dark_edge(whole)
        found = _found(sheet)
        digit = None if found is None else as_digit(found[0], (fitted.shape[0], fitted.shape[1]), ink.box, LEAST_FOUND)
        if found is not None and digit is not None:
            drawn, on_light = digit, found[1]
            done = [*([Done("a dark edge cut off", "edge")] if edged else []),
                    Done("what is drawn found, cropped and placed as in the data", "find")]
    light = ink.light
    if on_light != ink.light:
        if "invert" in undone:
            light = on_light
        else:
            done.append(Done("inverted: its paper is light, and the data's is dark" if on_light else
                             "inverted: its paper is dark, and the data's is light", "invert"))
    return (255 - drawn if light else drawn).copy(), done


def _lies_as(image: Grey, box: float) -> bool:
    """Whether white ink on black lies as it does in the data: as large, central, on clean paper, no fainter."""
    extent = extent_of(image)
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    if extent is None or image.max() < LEAST_INK:
        return False
    if np.mean(edge >= INK) > 0.5 * box or not 0.75 * box <= max(extent) <= min(1.0, 1.3 * box):
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
    for axis in (0, 1):  # what stands out all along a row or column, and is thin, is a ruled line and no stroke
        along = np.quantile(ink, 0.1, axis)
        thin = (along - ndimage.median_filter(along, max(3, len(along) // RULED))).clip(0)
        ink = (ink - np.expand_dims(thin, axis)).clip(0)
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


def _in_eight_bits(picture: Image.Image, *, deep: bool, stretched: bool) -> tuple[Image.Image, list[Done]]:
    """A `deep` picture, of 16 bits, in 8, and what is said of it: stretched to those bits that it uses, if it may be.

    Pillow clips grey ones to 255 instead of scaling, and reads of colours the upper 8 bits alone.
    """
    if picture.mode.startswith("I"):
        values = np.asarray(picture).clip(0, 65535)
        bits = bits_used(int(values.max())) if stretched else 16
        small = Image.fromarray(in_eight_bits(values, bits))
    elif stretched and deep:
        upper = np.asarray(picture)
        opaque = picture.mode in ("RGBA", "LA")
        levels = upper[..., :-1] if opaque else upper
        largest = int(levels.max())
        bits = bits_used(largest << 8)
        if bits == 16:
            return picture, []
        levels = in_eight_bits(np.arange(largest + 1) << 8, bits)[levels]  # by a table: large pictures take memory
        small = Image.fromarray(np.concatenate([levels, upper[..., -1:]], -1) if opaque else levels)
    else:
        return picture, []
    return small, [Done(f"stretched: of its 16 bits {bits} are used", "stretch")] if bits < 16 else []


def _within(picture: Image.Image) -> Image.Image:
    """The whole picture, its longer side at most `SEARCHED`, in mode L, RGB or RGBA."""
    share = min(1, SEARCHED / max(picture.size))
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return _in_mode(picture, grey=picture.mode in ("1", "L")).resize(size, Image.Resampling.LANCZOS, reducing_gap=3)


def _in_mode(picture: Image.Image, *, grey: bool) -> Image.Image:
    mode = "RGBA" if picture.has_transparency_data else "L" if grey else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _fitted(picture: Image.Image, size: tuple[int, int], *, grey: bool, whole: bool) -> Image.Image:
    """The middle of the picture at this width and height, or the `whole` with paper beside; in mode L, RGB or RGBA.

    It comes before all else that needs a picture of this size: a large one in several copies takes much memory.
    """
    picture = _in_mode(picture, grey=grey)
    if not whole:
        return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    share = min(size[0] / picture.width, size[1] / picture.height)
    inner = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    small = picture.resize(inner, Image.Resampling.LANCZOS)
    pixels = np.asarray(small)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    sheet = Image.new(small.mode, size, tuple(np.median(edge.reshape(len(edge), -1), 0).astype(int).tolist()))
    sheet.paste(small, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return sheet


def _paper(layers: Image.Image, *, grey: bool, other: bool) -> str:
    """The shade that transparent parts get: white, or black under light grey ink; the `other` one if that is undone."""
    cover = np.asarray(layers.getchannel("A"), dtype=np.float64)
    light = grey and cover.any() and np.average(np.asarray(layers.convert("L")), weights=cover) > 127
    return "black" if bool(light) != other else "white"


def _flat(layers: Image.Image, paper: str | None, *, grey: bool) -> Image.Image:
    """A picture in mode L, RGB or RGBA in mode L or RGB, its transparent parts filled with `paper`."""
    if layers.mode == "RGBA":
        sheet = Image.new("RGB", layers.size, paper or "white")
        sheet.paste(layers, mask=layers.getchannel("A"))
        layers = sheet
    return layers.convert("L" if grey else "RGB")
