"""The map itself: what the cloud is given of one checkpoint, or of two with the same observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components import cloud
from pages.components.cloud import Axis, Category, Number, Sprites
from pages.components.map_routes import codes_address, map_address
from pages.shared.checkpoints import TRAVERSE
from pages.shared.hand import described
from pages.shared.words import escaped
from vaecore.mapping import Settings
from vaecore.memory import held

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.maps import Alignment, LatentMap
    from vaecore.explore.maps.at_hand import AtHand

DIMENSIONS = 64  # of a code by which points can be coloured
LABEL = "label"
NOTES = {"dims": "", "pca": "A place is the code in the plane of both components.",
         "umap": "Between points a place is decoded as the weighted mean code of the nearest ones. Distances across a "
                 "map by UMAP, and the sizes of its islands, say little."}


@dataclass(frozen=True)
class Shown:
    """Maps of the same observations, at most two, and which observations these are."""

    key: str
    maps: Sequence[LatentMap]
    here: Sequence[AtHand]
    alignment: Alignment | None = None

    def __len__(self) -> int:
        return min(len(each) for each in self.maps)

    @property
    def rows(self) -> str:
        """Which observations these are: a lasso stays while they are the same, whatever the axes are."""
        first = self.maps[0].population
        return sha256(repr((first.split, first.source, len(self))).encode()).hexdigest()[:12]

    @property
    def element(self) -> str:
        """The component's key: what it was told of other observations means nothing to these."""
        return f"latent-map-{self.rows}"


def found(here: AtHand, there: AtHand | None, settings: Settings, *, turned: bool) -> Shown | None:
    """The map of one checkpoint, or those of two; None, and on the page why, where it cannot be laid out."""
    from vaecore.explore.maps import LatentMap
    from vaecore.schema import ConfigError

    if there is not None and (problem := _differ(here, there)):
        st.warning(problem, icon=":material/difference:")
        there = None
    chosen = [each for each in (here, there) if each is not None]
    maps = []
    for each in chosen:
        # Dimensions of one model mean nothing to another: the second has its own most informative ones.
        own = settings if each is here else settings.model_copy(update={"across": -1, "up": -1})
        try:
            maps.append(LatentMap(each.part, *_laid(each.key, own, each)))
        except ConfigError as error:
            st.error(escaped(str(error)), icon=":material/tune:")
            return None
    alignment = None
    if len(maps) > 1 and turned:
        maps[1], alignment = _turned(maps[0], maps[1])
    told = [*(each.key for each in chosen), settings.words(), turned and len(maps) > 1]
    return Shown(sha256(repr(told).encode()).hexdigest()[:16], maps, chosen, alignment)


def show(shown: Shown, held: tuple[str, str]) -> tuple[str, str]:
    """Draw the maps; both lassos as they were sent."""
    import numpy as np

    count, first = len(shown), shown.maps[0]
    categories = []
    if first.labels is not None:
        labels = first.labels[:count]
        categories.append(Category(LABEL, "Class", first.population.class_names,
                                   np.where(labels >= 0, labels, cloud.NONE).astype(np.uint16),
                                   "The label of each observation, which the model was not shown unless it reads it."))
    for number, (name, group) in enumerate(first.population.groups.items()):
        places = group.places[:count]
        categories.append(Category(f"column-{number}", name, group.names,
                                   np.where(places >= 0, places, cloud.NONE).astype(np.uint16),
                                   "A column of words of your own file."))
    sprites, here = shown.here[0].sprites, shown.here[0]
    checkpoint = here.population.checkpoint
    maps = [_packed(one, each, count, shown.alignment if number else None)
            for number, (one, each) in enumerate(zip(shown.maps, shown.here, strict=True))]
    return cloud.cloud(
        maps, np.arange(count, dtype=np.uint32), key=shown.key, element=shown.element, split=first.population.split,
        noun="row" if checkpoint.vector is not None else "image", categories=categories,
        colour=LABEL if categories else next(iter(first.encoded.measures), ""), held=held,
        sprites=Sprites(map_address(checkpoint.run, here, "sprites-{page}"), (sprites.width, sprites.height),
                        sprites.columns, sprites.count))


def _packed(one: LatentMap, here: AtHand, count: int, alignment: Alignment | None) -> cloud.Map:
    import numpy as np

    checkpoint = one.population.checkpoint
    run, method = checkpoint.run, one.settings.method
    note = NOTES[method]
    if alignment is not None:
        turned = f"{'Mirrored, turned' if alignment.mirrored else 'Turned'} by {alignment.degrees:.0f}° and scaled by "
        note = (f"{turned}{alignment.scale:.2g} onto the first map, which explains {1 - alignment.left:.0%} of it. "
                f"{note}")
    titles = one.axes if alignment is None else tuple(f"{title}, turned" for title in one.axes)
    unit = "" if method == "umap" or alignment is not None or method == "pca" else _unit(checkpoint)
    plane = None
    if one.plane is not None:
        plane = cloud.Plane(*(np.asarray(x, np.float32) for x in (one.plane.origin, one.plane.across, one.plane.up)))
    return cloud.Map(run.id, run.id, method, one.points[:count, 0], one.points[:count, 1], Axis(titles[0], unit),
                     Axis(titles[1], unit), one.encoded.size, method != "dims" or alignment is not None, plane,
                     codes_address(run, here), _numbers(run.id, here.key, here), described(checkpoint),
                     f"{TRAVERSE.address}?run={run.id}", note.strip())


def _unit(checkpoint: Checkpoint) -> str:
    return "prior σ" if checkpoint.standard else ""


def _differ(here: AtHand, there: AtHand) -> str:
    """Why two maps do not show the same observations; empty where they do."""
    import numpy as np

    mine, other = here.population, there.population
    both = min(len(here.encoded), len(there.encoded))
    same = mine.source.partition(" of ")[2] == other.source.partition(" of ")[2] or mine.split == "kept"
    if mine.labels is not None and other.labels is not None:
        same = same and np.array_equal(mine.labels[:both], other.labels[:both])
    return "" if same else escaped(f"{other.checkpoint.run.id} does not have the same observations in this split, so "
                                   "it is not shown beside the first.")


@held
def _laid(key: str, settings: Settings, _here: AtHand) -> tuple[Any, ...]:  # noqa: ARG001 (the cache's key)
    """What a map is besides its observations, which are held elsewhere; for all sessions."""
    from vaecore.explore.maps import kept
    from vaecore.explore.maps.latent_map import lay

    points = kept.points(_here.population, settings) if settings.method == "umap" else None
    # The codes may have left the cache before the map did: then only the first so many have both.
    found = lay(_here.part, _here.encoded, settings, None if points is None else points[:len(_here.encoded)])
    return found.settings, found.encoded, found.points, found.plane, found.components


def _turned(first: LatentMap, second: LatentMap) -> tuple[LatentMap, Alignment | None]:
    """The second map on the first; as it is where there is nothing to turn."""
    from vaecore.explore.maps import align

    count = min(len(first), len(second))
    try:
        alignment = align(second.points[:count], first.points[:count], mirror=True)
    except ValueError:
        return second, None
    return second.moved(alignment), alignment


@held
def _numbers(run_id: str, key: str, _here: AtHand) -> list[Number]:  # noqa: ARG001 (the cache's key)
    """What points can be coloured by: the measures, and the dimensions of the code."""
    from vaecore.explore.maps.encoded import MEASURES, ends

    run, checkpoint = _here.population.checkpoint.run, _here.population.checkpoint
    found = [Number(name, MEASURES[name].title, map_address(run, _here, f"number-{name}"), *ends(values),
                    MEASURES[name].unit, MEASURES[name].help) for name, values in _here.encoded.measures.items()]
    return found + [Number(f"z{d}", f"z{d}", map_address(run, _here, f"number-z{d}"), *ends(_here.encoded.means[:, d]),
                           "", f"Latent dimension {d} of the code.") for d in checkpoint.order[:DIMENSIONS]]
