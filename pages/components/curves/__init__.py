"""Live line charts: `vaecore.charts.curves` thins and packs them, the browser draws them.

A page calls `live_curves(panels, key=...)` in a fragment that reruns each second. How the charts are looked at stands
in the page's address, with defaults left out, and nothing is ever sent back. The drawing is in `curves.js`, over
uPlot; `axes.js` has its arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pages.components.serve import component
from pages.shared import colours
from vaecore.charts.curves import Clock, Panel, pack


def live_curves(panels: Sequence[Panel], *, key: str, clocks: Mapping[str, Clock] | None = None,
                names: Mapping[str, str] | None = None, smoothing: float = 0.0, height: int = 260,
                columns: int = 2) -> None:
    """Draw `panels` in a grid; call again with the same `key` and more points to refresh in place.

    `smoothing` in [0, 1) is what the visitor begins with: the weight of a debiased exponential moving average, drawn
    over the raw line. Dashed series stay as they are: a validation is already a mean over its data, and there are so
    few of its values that an average would lag behind training and show a gap that is not there. Series on the right
    keep to a linear axis and stay as they are too: they are schedules and counts. `clocks` say, by run, what steps are
    in epochs and in seconds; `names` what runs are called where it is not their id.
    """
    data = pack(panels, clocks=clocks, names=names, smoothing=smoothing, height=height, columns=columns,
                places=colours.places(series.run or series.label for panel in panels for series in panel.series))
    component("curves")(key=key, data=data)
