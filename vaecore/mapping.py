"""What a latent map is asked to be: which observations, and how their codes come into the plane. No torch in here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from vaecore.schema import Strict, option, problem

Part = Literal["test", "validation", "train", "kept"]
Method = Literal["dims", "pca", "umap"]
ENDINGS = (".png", ".csv", ".npz")  # of a map that is written to a file
MAX_OBSERVATIONS = 70_000  # of one map: MNIST and its like, whole
STEPS = {"encoding": "Encoding", "projecting": "Projecting"}  # what making a map consists of, and how far it tells
TITLES: dict[str, str] = {"dims": "Two dimensions", "pca": "Principal components", "umap": "UMAP"}


def folder() -> Path:
    """Where maps are kept that were made: in the cache."""
    from vaecore.data.base import cache_folder  # numpy, for which a list of verbs does not wait

    return cache_folder() / "maps"


class Settings(Strict):
    """Observations and method of a map.

    Declared here only: the options of `vaecore map` and of the task in the background are read from these.
    """

    split: Part = option("test", "Which observations are mapped: a part of the data set, or the test observations kept "
                         "with the checkpoint.", title="Observations")
    method: Method = option("dims", "How codes come into the plane: two of their dimensions, principal components, or "
                            "UMAP.", title="Method")
    across: int = option(-1, "Dimension on the horizontal axis of `dims`; -1 takes the most informative.", ge=-1,
                         title="Across")
    up: int = option(-1, "Dimension on the vertical axis of `dims`; -1 takes the most informative that is left.", ge=-1,
                     title="Up")
    neighbors: int = option(15, "Neighbours that UMAP keeps near each other: few show fine structure, many the whole.",
                            ge=2, le=200, title="Neighbours")
    min_dist: float = option(0.1, "How close UMAP may lay two points, of a spread of 1.", ge=0, le=0.99,
                             title="Least distance")
    seed: int = option(0, "Seed of UMAP. The same seed gives the same map on the same machine.", ge=0, le=2**31 - 1,
                       title="Seed")
    limit: int = option(MAX_OBSERVATIONS, "At most so many observations, the first of the split.", unit="observations",
                        ge=3, le=MAX_OBSERVATIONS, title="Observations at most")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.across == self.up >= 0:
            raise problem("up", self.up, "both axes are the same dimension.", "Choose two different dimensions.")
        return self

    def words(self) -> dict[str, str]:
        """Every field as a word that is read back as its value."""
        return {name: str(value) for name, value in self.model_dump(mode="json").items()}
