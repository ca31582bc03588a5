"""Observations to images, and images to pictures: grids with crisp pixels, as PNG.

Small images are enlarged by whole numbers, so that their pixels stay crisp; sheets larger than a screen are made
smaller, so that none takes megabytes.
"""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vaecore.modalities import grey

Images = NDArray[np.uint8]  # (B, H, W) grey or (B, H, W, 3) colour
Picture = NDArray[np.uint8]  # (H, W) grey, (H, W, 2) grey and opacity, (H, W, 3) colour, (H, W, 4) colour and opacity
INK, PALE = (27, 29, 42), (120, 124, 140)
CHEQUERS = (112, 160)  # grey levels behind what is transparent: neither black nor white is lost on both
SQUARES = 8  # of the chequerboard along the shorter side
MAGENTA = 5 / 6  # hue of the first of several channels: of two the other is green, which no colour-blindness confuses
SCREEN = 1100  # pixels across a page
MOST_STRIPES = 512  # of a vector
SAVED, MOST_ENLARGED = 2000, 4  # pixels across a saved sheet, and how large one of them becomes, unless asked otherwise


def as_images(x: torch.Tensor) -> Images:
    """Observations (B, *shape) as uint8 images; a vector becomes one row of grey."""
    if x.ndim == 2:  # vectors
        return grey(x[:, None].detach().numpy())
    return in_colour((x * 255).round().clamp(0, 255).to(torch.uint8).numpy())


def in_colour(pixels: NDArray[np.uint8]) -> Images:
    """What is seen of images of any number of channels, uint8 (B, C, H, W): (B, H, W) grey or (B, H, W, 3) colour.

    One channel is grey, three are red, green and blue, four are these with their opacity, over a chequerboard. Of two,
    and of more than four, each has a colour of its own, evenly around the circle of hues from magenta, and the
    brightest counts: one channel alone is seen in its colour, and all of them together as white. No image's colours
    depend on the others beside it.
    """
    channels = pixels.shape[1]
    if channels == 1:
        return np.ascontiguousarray(pixels[:, 0])
    if channels == 3:
        return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    if channels == 4:
        return _over_chequers(pixels.transpose(0, 2, 3, 1))
    seen = np.zeros((len(pixels), *pixels.shape[2:], 3), np.uint8)
    for channel, colour in enumerate(hues(channels)):
        np.maximum(seen, np.rint(pixels[:, channel, :, :, None] * colour).astype(np.uint8), out=seen)
    return seen


def hues(channels: int) -> NDArray[np.float64]:
    """Colours of so many channels, (C, 3) from 0 to 1: evenly around the circle, from magenta."""
    return np.array([colorsys.hsv_to_rgb((MAGENTA + channel / channels) % 1, 1, 1) for channel in range(channels)]
                    ).round(6)


def _over_chequers(images: NDArray[np.uint8]) -> Images:
    """Images (B, H, W, 4) over a chequerboard of two greys, (B, H, W, 3)."""
    height, width = images.shape[1:3]
    side = max(1, min(height, width) // SQUARES)
    odd = (np.arange(height)[:, None] // side + np.arange(width) // side) % 2
    behind = np.asarray(CHEQUERS, np.float32)[odd][..., None]
    opacity = images[..., 3:] / np.float32(255)
    seen: Images = np.rint(images[..., :3] * opacity + behind * (1 - opacity)).astype(np.uint8)
    return seen


def grid(images: Images, columns: int, *, gap: int = 1, background: int | None = None, fill: bool = False
         ) -> Picture:
    """(B, H, W[, 3]) laid out in rows of `columns`, with a gap in pixels between them: one image.

    The gap lets the page shine through, unless a grey level is given for it. `fill` keeps the width of a
    full row where there are fewer images.
    """
    count, height, width = images.shape[:3]
    columns = max(1, columns if fill else min(columns, count))
    rows = -(-count // columns)
    size = rows * (height + gap) - gap, columns * (width + gap) - gap
    sheet = np.full((*size, *images.shape[3:]), background or 0, np.uint8)
    opacity = np.full((*size, 1), 0 if background is None else 255, np.uint8)
    for index, image in enumerate(images):
        y, x = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = image
        opacity[y : y + height, x : x + width] = 255
    if opacity.all():
        return sheet
    return np.concatenate([sheet.reshape(*size, -1), opacity], -1)


def stacked(rows: Sequence[Images], *, gap: int = 1) -> Picture:
    """Rows of images of any sizes, (B, H, W[, 3]) each, so that what belongs together stands in one column."""
    height, width = (max(row.shape[axis] for row in rows) for axis in (1, 2))
    return grid(np.concatenate([_framed(row, height, width) for row in rows]), len(rows[0]), gap=gap)


def striped(blocks: Sequence[Images], *, width: int = 640, height: int = 8) -> Picture:
    """Vectors (B, 1, D) of several modalities, a stripe each observation and the modalities side by side.

    At most `width` pixels wide: neighbouring numbers of longer ones are averaged.
    """
    gap = max(1, sum(block.shape[2] for block in blocks) // 80)
    space = np.full((len(blocks[0]), gap), 255, np.uint8)
    parts = [part for block in blocks for part in (block[:, 0], space)][:-1]
    sheet = Image.fromarray(np.concatenate(parts, 1))
    size = min(width, sheet.width), len(blocks[0]) * height
    narrow = sheet.resize((size[0], sheet.height), Image.Resampling.BOX)
    return np.asarray(narrow.resize(size, Image.Resampling.NEAREST))


def crossed(body: Images, left: Images, top: Images, *, gap: int = 1, apart: int = 4) -> Images:
    """One picture with opacity: `body` (R, C, H, W[, 3]) with `left` (R, ...) at its left and `top` (C, ...) above."""
    rows, columns, height, width = body.shape[:4]

    def place(number: int, size: int) -> int:
        return 0 if number == 0 else size + apart + (number - 1) * (size + gap)

    def coloured(image: Images) -> Images:
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, -1)

    sheet: Images = np.zeros((place(rows, height) + height, place(columns, width) + width, 4), np.uint8)
    cells = [(0, 1 + c, image) for c, image in enumerate(top)] + [(1 + r, 0, image) for r, image in enumerate(left)]
    cells += [(1 + r, 1 + c, body[r, c]) for r in range(rows) for c in range(columns)]
    for r, c, image in cells:
        y, x = place(r, height), place(c, width)
        sheet[y:y + height, x:x + width, :3] = coloured(image)
        sheet[y:y + height, x:x + width, 3] = 255
    return sheet


def _framed(images: Images, height: int, width: int) -> Images:
    """Images (B, h, w[, 3]) in colour, scaled by the largest whole number that fits and centred on black."""
    scale = max(1, min(height // images.shape[1], width // images.shape[2]))
    images = images.repeat(scale, 1).repeat(scale, 2)
    colour = images if images.ndim == 4 else np.repeat(images[..., None], 3, 3)
    above, left = (height - colour.shape[1]) // 2, (width - colour.shape[2]) // 2
    framed: Images = np.zeros((len(colour), height, width, 3), np.uint8)
    framed[:, above : above + colour.shape[1], left : left + colour.shape[2]] = colour
    return framed


def legible(images: Images) -> Images:
    """Images as they are; vectors, one row of numbers each, as stripes tall enough to see.

    Of a vector of more than `MOST_STRIPES` numbers neighbours are averaged: each number would be less than a pixel.
    """
    if images.shape[1] > 1:
        return images
    stripes = few_stripes(images)
    return np.repeat(stripes, max(1, stripes.shape[2] // 2), axis=1)


def few_stripes(vectors: Images) -> Images:
    """Vectors (B, 1, D) as at most `MOST_STRIPES` numbers each, of which each is the mean of neighbours."""
    width = vectors.shape[2]
    if width <= MOST_STRIPES or vectors.ndim > 3:
        return vectors
    edges = np.linspace(0, width, MOST_STRIPES + 1).astype(int)
    sums = np.add.reduceat(vectors.astype(np.float32), edges[:-1], axis=2)
    means: Images = np.rint(sums / np.diff(edges)).astype(np.uint8)
    return means


def sheet(images: Images, columns: int) -> Picture:
    """Images or vectors (B, H, W[, 3]) as one picture, in rows of `columns`."""
    return grid(legible(images), columns)


def png(image: Picture, scale: int = 1) -> bytes:
    """One picture as PNG, each pixel drawn as `scale` x `scale`, so that it stays crisp."""
    return _bytes(_scaled(image, scale))


def on_screen(image: Picture, width: int = SCREEN, *, most: int = 1) -> bytes:
    """One picture as PNG for a page, at most `width` pixels wide: enlarged up to `most` times, or made smaller."""
    return _bytes(_narrowed(_scaled(image, min(most, scale_for(image, width))), width))


def to_save(image: Picture, scale: int | None = None) -> bytes:
    """A sheet as PNG for a file, each pixel drawn as `scale` x `scale`.

    Without a scale it is up to four times as large, as far as it fits 2,000 pixels; it is never made smaller.
    """
    return png(image, scale or min(MOST_ENLARGED, scale_for(image, SAVED)))


def fitted(image: Picture, side: int) -> int:
    """The width at which a picture fits a square of this side, its aspect kept."""
    height, width = image.shape[:2]
    return max(1, round(side * min(1.0, int(width) / int(height))))


def scale_for(image: Picture, width: int) -> int:
    """The whole-number scale that brings a picture closest to `width` pixels without passing it."""
    return max(1, width // int(image.shape[1]))


def labelled(rows: Sequence[tuple[str, Images]], heads: Sequence[str] = (), *, width: int = 1400) -> bytes:
    """A PNG for slides: rows of images with their labels at the left, and `heads` over the columns."""
    font = ImageFont.load_default(24)
    strips = [Image.fromarray(grid(images, len(images))) for _, images in rows]
    left = 32 + max([int(font.getlength(label)) for label, _ in rows], default=0)
    scaled = [_fitted(strip, width) for strip in strips]
    top = 40 if heads else 0
    sheet = Image.new("RGB", (left + max(s.width for s in scaled), top + sum(s.height + 8 for s in scaled)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, head in enumerate(heads):
        draw.text((left + scaled[0].width * (index + 0.5) / len(heads), 8), head, PALE, font, "ma")
    y = top
    for (label, _), strip in zip(rows, scaled, strict=True):
        draw.text((left - 16, y + strip.height / 2), label, INK, font, "rm")
        sheet.paste(strip, (left, y), strip.getchannel("A") if "A" in strip.getbands() else None)
        y += strip.height + 8
    return _bytes(sheet)


def _scaled(image: Picture, scale: int) -> Image.Image:
    picture = Image.fromarray(image)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    return picture


def _fitted(strip: Image.Image, width: int) -> Image.Image:
    scale = max(1, width // strip.width)
    enlarged = strip.resize((strip.width * scale, strip.height * scale), Image.Resampling.NEAREST)
    return _narrowed(enlarged, width)


def _narrowed(picture: Image.Image, width: int) -> Image.Image:
    """A picture at most `width` pixels wide, its aspect kept; each pixel is the mean of those that it stands for."""
    if picture.width <= width:
        return picture
    height = max(1, round(picture.height * width / picture.width))
    return picture.resize((width, height), Image.Resampling.BOX)


def _bytes(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()
