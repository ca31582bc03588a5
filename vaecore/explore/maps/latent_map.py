"""A latent map: the codes of a split laid into the plane, and what is asked of places and points in it.

Shapes: N observations, Q places, r latent size.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaecore.explore.codes import Codes
from vaecore.explore.exported import as_csv
from vaecore.explore.maps import kept, neighbourhoods
from vaecore.explore.maps.encoded import Encoded, encode, unheard
from vaecore.explore.maps.nearest import nearest
from vaecore.explore.maps.population import Population, Rows
from vaecore.explore.maps.procrustes import Alignment
from vaecore.explore.maps.projections import Components, Plane, Points, by_dimensions, principal
from vaecore.explore.single import Checkpoint
from vaecore.files import write_bytes_atomic
from vaecore.mapping import ENDINGS, Settings
from vaecore.schema import ConfigError, problem

NEIGHBOURS = 8  # whose codes are averaged where a plane is none of the latent space
Progress = Callable[[str, int, int], object]  # "encoding" or "projecting", done, of how many


@dataclass(frozen=True)
class LatentMap:
    """N observations with their codes and their points in the plane."""

    population: Population
    settings: Settings  # with the dimensions that were taken
    encoded: Encoded
    points: Points  # (N, 2)
    plane: Plane | None  # of the latent space; None of UMAP
    components: Components | None = None  # of PCA

    def __len__(self) -> int:
        return len(self.points)

    @property
    def axes(self) -> tuple[str, str]:
        """What the axes are."""
        if self.settings.method == "dims":
            return f"z{self.settings.across}", f"z{self.settings.up}"
        if self.components is not None:
            first, second = (f"PC{place + 1}, {share:.0%} of the variance"
                             for place, share in enumerate([*self.components.shares, 0.0][:2]))
            return first, second
        return "UMAP 1", "UMAP 2"

    def place(self, codes: Codes) -> Points:
        """Where codes (Q, r) lie in the map: exactly in a plane of the latent space, of UMAP approximately."""
        if self.plane is not None:
            return self.plane.points(codes)
        return neighbourhoods.place(self.encoded.means, self.points, codes, self.settings.neighbors)

    def codes(self, places: NDArray[np.floating]) -> Codes:
        """The codes at places (Q, 2): exactly in a plane of the latent space.

        Of UMAP the mean code of the nearest points, weighted by how near they are.
        """
        if self.plane is not None:
            return self.plane.codes(places)
        near, far = nearest(self.points, places.astype(np.float32), NEIGHBOURS)
        weights = neighbourhoods.memberships(far)
        weights /= weights.sum(1, keepdims=True)
        mean: Codes = np.einsum("qk,qkr->qr", weights, self.encoded.means[near]).astype(np.float32)
        return mean

    def nearest(self, codes: Codes, k: int = 8) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows of the real observations whose codes are nearest to each of `codes`, and their distances, (Q, k)."""
        return nearest(self.encoded.means, codes, k)

    def moved(self, how: Alignment) -> LatentMap:
        """A map turned, scaled and moved, as `align` says, so that it lies on another."""
        points = how.of(self.points).astype(np.float32)
        return replace(self, points=points, plane=None if self.plane is None else self.plane.moved(how))

    @cached_property
    def labels(self) -> NDArray[np.int64] | None:
        """The label of each, (N,), -1 where it is missing."""
        labels = self.population.labels
        return None if labels is None else labels[:len(self)]

    def table(self, rows: Rows | None = None) -> str:
        """Observations as CSV: row, label, what columns of words say, place in the map, measures and code."""
        rows = np.arange(len(self)) if rows is None else np.asarray(rows, np.int64)
        before: dict[str, list[object]] = {"split": [self.population.split] * len(rows), "row": rows.tolist()}
        if self.labels is not None:
            names = self.population.class_names
            before["label"] = [names[label] if label >= 0 else "" for label in self.labels[rows].tolist()]
        for name, group in self.population.groups.items():
            before[name if name not in before else f"{name} (column)"] = [
                group.names[place] if place >= 0 else "" for place in group.places[rows].tolist()]
        numbers = {"x": self.points[:, 0], "y": self.points[:, 1], **self.encoded.measures,
                   **{f"z{d}": self.encoded.means[:, d] for d in range(self.encoded.size)}}
        columns = np.stack([np.asarray(values, np.float64)[rows] for values in numbers.values()], 1)
        return as_csv(list(numbers), columns, before)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All of it as arrays by name: rows, points, codes, measures, and labels where there are any."""
        found: dict[str, NDArray[np.generic]] = {
            "rows": np.arange(len(self)), "points": self.points, "codes": self.encoded.means, **self.encoded.measures}
        if self.labels is not None:
            found["labels"] = self.labels
            found["classes"] = np.array(self.population.class_names)
        return found

    def written(self, ending: str) -> bytes:
        """The map as a file: a picture (.png), a table (.csv) or arrays (.npz). Raises `ConfigError` for another."""
        if ending == ".csv":
            return self.table().encode()
        if ending == ".npz":
            file = io.BytesIO()
            np.savez_compressed(file, **self.arrays())  # type: ignore[arg-type]  # of arrays by any name
            return file.getvalue()
        if ending == ".png":
            from vaecore.explore.maps.drawn import drawn

            return drawn(self)
        raise problem("output", ending, "a map is written as a picture, a table or arrays.",
                      f"Give a name that ends in {', '.join(ENDINGS)}.")

    def write(self, path: Path | str) -> None:
        """Write the map to a file, as its ending says."""
        write_bytes_atomic(Path(path), self.written(Path(path).suffix.lower()))


def latent_map(checkpoint: Checkpoint, settings: Settings | None = None, progress: Progress | None = None) -> LatentMap:
    """The map of a checkpoint that `settings` ask for; codes and UMAP come from the cache where they were made before.

    Raises `DataUnavailable` where the run's data are not on this machine, `ConfigError` for dimensions that are not
    there and for UMAP without its package.
    """
    settings = settings or Settings()
    if settings.method == "umap":
        neighbourhoods.check()  # said before anything is computed
    settings = chosen(checkpoint, settings)
    population = Population.of(checkpoint, settings.split, settings.limit)
    encoded = kept.codes(population)
    if encoded is None:
        encoded = encode(population, partial(progress, "encoding") if progress else unheard)
        kept.keep_codes(population, encoded)
    laid = kept.points(population, settings) if settings.method == "umap" else None
    if settings.method == "umap" and laid is None:
        laid = neighbourhoods.project(encoded.means, settings.neighbors, settings.min_dist, settings.seed,
                                      partial(progress, "projecting") if progress else None)
        kept.keep_points(population, settings, laid)
    return lay(population, encoded, settings, laid)


def lay(population: Population, encoded: Encoded, settings: Settings, laid: Points | None = None) -> LatentMap:
    """The map of codes that are known; `laid` are the points of UMAP."""
    settings = chosen(population.checkpoint, settings)
    if settings.method == "umap":
        if laid is None:
            raise ValueError("the points of UMAP are asked of `latent_map`, which computes or reads them.")
        return LatentMap(population, settings, encoded, laid, None)
    if settings.method == "pca":
        if len(encoded) < 2:
            raise problem("method", "pca", "one code has no principal components.", "Map more observations.")
        components = principal(encoded.means)
        return LatentMap(population, settings, encoded, components.plane.points(encoded.means), components.plane,
                         components)
    plane = by_dimensions(population.checkpoint.size, settings.across, settings.up, population.checkpoint.scale()[0])
    points = encoded.means[:, [settings.across, settings.up]]
    return LatentMap(population, settings, encoded, np.ascontiguousarray(points), plane)


def chosen(checkpoint: Checkpoint, settings: Settings) -> Settings:
    """The settings with the dimensions that are left open chosen: the most informative.

    Raises `ConfigError` for dimensions that the code does not have.
    """
    if settings.method == "dims":
        if checkpoint.size < 2:
            raise problem("method", "dims", f"{checkpoint.run.id} has a code of one dimension, and a plane needs two.",
                          "Choose pca.")
        for name in ("across", "up"):
            if (value := getattr(settings, name)) >= checkpoint.size:
                raise _no_such(checkpoint, name, value)
        left = [d for d in checkpoint.order if d not in (settings.across, settings.up)]
        across = settings.across if settings.across >= 0 else left.pop(0)
        up = settings.up if settings.up >= 0 else left.pop(0)
        return settings.model_copy(update={"across": across, "up": up})
    return settings


def _no_such(checkpoint: Checkpoint, name: str, value: int) -> ConfigError:
    return problem(name, value, f"the code of {checkpoint.run.id} has dimensions 0 to {checkpoint.size - 1}.",
                   "Choose one of them.")
