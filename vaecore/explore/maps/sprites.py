"""Small pictures of all observations of a split, in pages: what a pointer shows over a point. B are observations."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vaecore.explore.maps.population import Population
from vaecore.explore.pictures import Images, legible

SMALLEST_CELL, LARGEST_CELL = 16, 64  # pixels of the longer side of a cell
PAGE = 1024  # pixels of the longer side of a page
QUALITY = 88  # of WebP: no difference is seen in a thumbnail


@dataclass(frozen=True)
class Sprites:
    """How the pages are laid out: cell n of a page is in line n // columns, column n % columns."""

    width: int  # of a cell, in pixels
    height: int
    columns: int
    count: int  # cells of a page

    @classmethod
    def of(cls, population: Population) -> Sprites:
        """Cells with the aspect of one observation.

        A picture of at most 64 pixels a side is as it is, a larger one smaller, a vector as stripes.
        """
        height, width = legible(population.images([0])).shape[1:3]
        longest = max(height, width)
        scale = min(1.0, LARGEST_CELL / longest)
        if longest < SMALLEST_CELL:
            scale = float(-(-SMALLEST_CELL // longest))  # whole pixels stay crisp
        height, width = max(1, round(height * scale)), max(1, round(width * scale))
        columns = max(1, PAGE // width)
        return cls(width, height, columns, columns * max(1, PAGE // height))

    def pages(self, count: int) -> int:
        """Pages of so many observations."""
        return -(-count // self.count)

    def page(self, population: Population, number: int) -> bytes:
        """A page as WebP; raises `LookupError` for one that is not there."""
        if not 0 <= number < self.pages(population.count):
            raise LookupError(f"there is no page {number}")
        rows = np.arange(number * self.count, min((number + 1) * self.count, population.count))
        cells = self.cells(legible(population.images(rows)))
        lines = -(-len(rows) // self.columns)
        sheet = np.zeros((lines * self.columns, *cells.shape[1:]), np.uint8)
        sheet[:len(cells)] = cells
        colours = cells.shape[3:]
        page = sheet.reshape(lines, self.columns, self.height, self.width, *colours).swapaxes(1, 2)
        pixels = np.ascontiguousarray(page).reshape(lines * self.height, self.columns * self.width, *colours)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "WEBP", quality=QUALITY, method=2)
        return file.getvalue()

    def cells(self, images: Images) -> Images:
        """Images (B, H, W[, 3]) in the size of a cell."""
        height, width = images.shape[1:3]
        if (height, width) == (self.height, self.width):
            return images
        how = Image.Resampling.BOX if height > self.height or width > self.width else Image.Resampling.NEAREST
        return np.stack([np.asarray(Image.fromarray(image).resize((self.width, self.height), how)) for image in images])
