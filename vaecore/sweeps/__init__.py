"""Sweeps: one configuration trained over and over with some of its fields varied, each point with several seeds."""

from vaecore.sweeps.declared import (
    Grid,
    Halving,
    Median,
    NoStopping,
    Random,
    Range,
    Search,
    Sweep,
    Values,
)
from vaecore.sweeps.keeping import kept, names
from vaecore.sweeps.state import Row, Standing, Trial, standing

__all__ = [
    "Grid",
    "Halving",
    "Median",
    "NoStopping",
    "Random",
    "Range",
    "Row",
    "Search",
    "Standing",
    "Sweep",
    "Trial",
    "Values",
    "kept",
    "names",
    "standing",
]
