"""A latent map as a picture: points coloured by class, with axes and a legend. Shapes: N points."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vaecore.explore.maps.latent_map import LatentMap
from vaecore.explore.pictures import INK, PALE, hues

SIDE, MARGIN, LEGEND = 1600, 90, 280  # pixels
DARK = 0.75  # of full brightness, so that all hues are seen on white
GREY = (150, 154, 166)
NAMED = 24  # classes of a legend


def drawn(found: LatentMap) -> bytes:
    """The map as PNG on white, both axes in one scale."""
    labels, names = found.labels, found.population.class_names if found.labels is not None else ()
    colours = [tuple(round(255 * DARK * each) for each in colour) for colour in hues(max(1, len(names))).tolist()]
    right = LEGEND if names else 0
    picture = Image.new("RGB", (SIDE + right, SIDE), "white")
    draw = ImageDraw.Draw(picture, "RGBA")
    font = ImageFont.load_default(26)
    x, y, unit = _placed(found.points)
    radius = float(np.clip(260 / np.sqrt(len(found)), 2, 9))
    for place in np.random.default_rng(0).permutation(len(found)):  # no class lies on top of all others
        label = -1 if labels is None else int(labels[place])
        colour = colours[label] if label >= 0 else GREY
        at = (x[place] - radius, y[place] - radius, x[place] + radius, y[place] + radius)
        draw.ellipse(at, fill=(*colour, 170))
    inner = MARGIN, MARGIN, SIDE - MARGIN, SIDE - MARGIN
    draw.rectangle(inner, outline=PALE, width=2)
    across, up = found.axes
    draw.text((SIDE / 2, SIDE - MARGIN / 2), across, INK, font, "mm")
    sideways = Image.new("RGBA", (SIDE, MARGIN))
    ImageDraw.Draw(sideways).text((SIDE / 2, MARGIN / 2), up, INK, font, "mm")
    turned = sideways.rotate(90, expand=True)
    picture.paste(turned, (0, 0), turned)
    told = f"{found.population.checkpoint.run.id}: {len(found):,} {found.population.split} observations"
    draw.text((SIDE / 2, MARGIN / 2), told, INK, font, "mm")
    for place, name in enumerate(names[:NAMED]):
        top = MARGIN + 8 + 40 * place
        draw.ellipse((SIDE, top, SIDE + 22, top + 22), fill=colours[place])
        draw.text((SIDE + 36, top + 11), name[:18], INK, font, "lm")
    if unit:
        draw.line((MARGIN + 20, SIDE - MARGIN - 24, MARGIN + 20 + unit, SIDE - MARGIN - 24), fill=INK, width=3)
        draw.text((MARGIN + 20 + unit / 2, SIDE - MARGIN - 34), "1", INK, font, "mb")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _placed(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Pixels of the points, and how many are one unit: 0 where a unit is longer than the picture or too short."""
    low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
    room = SIDE - 2 * MARGIN - 40
    scale = room / max(float((high - low).max()), 1e-9)
    middle = (low + high) / 2
    x = SIDE / 2 + (points[:, 0] - middle[0]) * scale
    y = SIDE / 2 - (points[:, 1] - middle[1]) * scale
    return x, y, scale if 30 < scale < room / 2 else 0.0
