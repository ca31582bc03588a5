"""Planes: the lecture's picture of posterior collapse, and rate against distortion.

Both travel as one bytes value, packed by `vaecore.charts.plane`, and are drawn by `plane.js`. The step scrubber, play
and hover live in the browser; nothing is ever sent back. Call again with the same `key` and more data to refresh in
place.
"""

from __future__ import annotations

from collections.abc import Sequence

from pages.components.serve import component
from pages.shared import colours
from vaecore.charts.plane import Path, Spectrum, Track, pack_paths, pack_spectra, pack_tracks


def trajectory_planes(tracks: Sequence[Track], *, key: str, x_label: str, y_label: str, height: int = 420) -> None:
    """Draw each track in a square plane of at most `height` pixels, all under one step scrubber.

    The picture of He et al. (2019), figure 2: collapse is a flat line, an encoder that keeps up lies on the
    diagonal. At most `MAX_PLANES` tracks. Raises ValueError naming the track whose arrays do not fit.
    """
    component("plane")(key=key, data=pack_tracks(tracks, x_label=x_label, y_label=y_label, height=height,
                                                  places=colours.places(track.run for track in tracks)))


def paths_plane(paths: Sequence[Path], *, key: str, x_label: str, y_label: str, height: int = 420) -> None:
    """Draw all paths in one plane with lines of equal x + y, the negative ELBO of rate and distortion.

    Alemi et al. (2018). A path that begins far from where it ends is cut at the edge, and the picture says so.
    Raises ValueError naming the path whose arrays do not fit.
    """
    component("plane")(key=key, data=pack_paths(paths, x_label=x_label, y_label=y_label, height=height,
                                                 places=colours.places(path.run for path in paths)))


def spectra_plane(spectra: Sequence[Spectrum], *, key: str, height: int = 360) -> None:
    """Draw the KL of each run by dimension, the largest first, all in one plane.

    Raises ValueError naming the spectrum whose names do not fit.
    """
    component("plane")(key=key, data=pack_spectra(spectra, height=height,
                                                  places=colours.places(each.run for each in spectra)))
