"""A checkpoint as one HTML file: live sliders, map and curves, from disk, without a server and without a network.

It is made of the dashboard's own browser modules (`bundle.py`) and of what the server would give them: the decoder as a
graph, codes, small pictures, metrics. Names and words of a run are data in it, never markup; the page's policy lets run
nothing but the one script, whose digest it names, and lets nothing be fetched.

Shapes: r latent size, n points of the map.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vaecore.charts.curves import SMOOTHING, pack
from vaecore.colours import CLASSES
from vaecore.comparison.columns import metrics_of
from vaecore.comparison.history import clocks, panels, recorded
from vaecore.data import DataUnavailable
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.export.graph import NoGraph
from vaecore.explore.export.kept import kept
from vaecore.explore.export.one_file import COMPONENTS, base64_of, drawn, one_file, ready
from vaecore.explore.maps.encoded import MEASURES, encode, ends
from vaecore.explore.maps.population import Population
from vaecore.explore.maps.projections import principal
from vaecore.explore.maps.sprites import Sprites
from vaecore.explore.opening import opened
from vaecore.explore.seen import seen
from vaecore.explore.single import Checkpoint
from vaecore.explore.told import described, hand_message, judges, travelling, verdict
from vaecore.packing import packed
from vaecore.schema import ConfigError, problem
from vaecore.store import StoreError

if TYPE_CHECKING:
    from vaecore.data import SplitName
    from vaecore.store import Run

POINTS = 3000  # of the map
MAX_FILE_BYTES = 64_000_000
MAX_JUDGE_BYTES = 2_000_000  # of the network of a judge: a page for many to have is not half a judge
MISSING = 0xFFFF  # the class of a point that has none
HEIGHT = {"map": 520, "curves": 260}  # CSS pixels


def html_page(run: Run, split: SplitName = "test", *, points: int = POINTS, components: Path = COMPONENTS) -> bytes:
    """The page of a run: its sliders, its curves, and a map of the first `points` codes of a split.

    Where the data of the run are not here, the map has the test observations that travel with it; of several
    modalities there is none. Raises `ConfigError` for a run whose decoder no browser runs, for a page that would be
    too large, and where the dashboard's files are not beside the package; what opening the run raises, besides.
    """
    ready(components, run.id)
    found = opened(run)
    if not isinstance(found, Checkpoint | CrossModal):
        raise problem("--html", run.id, "this kind of run has no code to move through.", "Choose a run with one.")
    try:
        assets = {"decoder": kept(run, "decoder").bytes}
    except NoGraph as error:
        raise problem("--html", run.id, f"a file has no server to decode. {error}", "Choose another run.") from None
    told = described(found) | {"networks": {"decoder": "asset:decoder"}, "judges": _judges(found, assets)}
    if isinstance(found, Checkpoint):
        assets["seen"] = seen(found).packed()
        told["seen"] = "asset:seen"  # where it saw data
    parts = [drawn(components, "hand", "", "", hand_message(told, travelling(found)))]
    if curves := curves_message(run):
        parts.append(drawn(components, "curves", "Training", "Training is solid, validation dashed.", curves))
    if isinstance(found, Checkpoint) and (observed := _observed(found, split, points)).count > 1:  # one is no map
        parts.append(drawn(components, "cloud", "Latent map", f"{observed.source}.",
                           map_message(observed, told, assets)))
    about = run.about()
    facts = " · ".join(str(about[name]) for name in ("family", "data") if about.get(name))
    size = ", ".join(f"{name} has {size} dimension{'s' * (size != 1)}" for name, size in found.model.latents.items())
    page = one_file(components, run.id, f"{facts} · {size}" if facts else size, parts, assets)
    if len(page) > MAX_FILE_BYTES:
        raise problem("--html", run.id, f"the page would have {len(page):,} bytes, and at most {MAX_FILE_BYTES:,} are "
                      "written.", "Choose a smaller model.")
    return page


# -- what components are told ----------------------------------------------------------------------


def curves_message(run: Run) -> bytes | None:
    """The curves' data, as `pages/components/curves` has it; None of a run that was not trained step by step."""
    records = {run.id: recorded(run, metrics_of(run.path / "metrics.jsonl"))}
    charts = panels(records)
    if all(len(line.x) < 2 for chart in charts for line in chart.series):
        return None
    return pack(charts, clocks=clocks(records), smoothing=SMOOTHING, height=HEIGHT["curves"],
                columns=min(3, len(charts)), places={run.id: 0})


def map_message(observed: Population, told: Mapping[str, Any], assets: dict[str, bytes]) -> bytes:
    """The map's data, as `pages/components/cloud` has it: codes by their two first principal components.

    What it would fetch is put into `assets`.
    """
    encoded = encode(observed)
    n, codes = len(encoded), encoded.means
    plane = principal(codes).plane
    at = plane.points(codes)
    assets["codes"] = encoded.halved()
    numbers = []
    for name, values in encoded.measures.items():
        assets[f"number-{name}"] = values.astype("<f4").tobytes()
        low, high = ends(values)
        about = MEASURES[name]
        numbers.append({"name": name, "title": about.title, "unit": about.unit, "help": about.help, "low": low,
                        "high": high, "address": f"asset:number-{name}"})
    columns: dict[str, NDArray[Any]] = {"row": np.arange(n, dtype="<u4")}
    categories = []
    if observed.labels is not None and (names := observed.class_names):
        columns["category.label"] = np.where(observed.labels[:n] < 0, MISSING, observed.labels[:n]).astype("<u2")
        categories.append({"name": "label", "title": "Class", "help": "The label of each observation.",
                           "names": list(names)})
    columns |= {"x.0": at[:, 0].astype("<f4"), "y.0": at[:, 1].astype("<f4")}
    sprites, picture = _sprites(observed, n)
    places, offset = {}, 0
    for name, values in columns.items():
        places[name] = {"type": f"{values.dtype.kind}{values.dtype.itemsize}", "offset": offset, "count": n}
        offset += -(-values.nbytes // 4) * 4
    header = {
        "key": "alone", "n": n, "split": observed.split, "noun": told["noun"], "height": HEIGHT["map"],
        "colour": "label" if categories else numbers[0]["name"] if numbers else "", "columns": places,
        "categories": categories, "maps": [{
            "run": told["run"], "title": told["run"], "method": "pca", "square": True, "size": encoded.size,
            "across": {"title": "first principal component", "unit": ""},
            "up": {"title": "second principal component", "unit": ""},
            "plane": {name: getattr(plane, name).tolist() for name in ("origin", "across", "up")},
            "codes": "asset:codes", "numbers": numbers, "hand": told, "traverse": "", "note": ""}],
        "sprites": None if sprites is None else {"address": picture, "cell": [sprites.width, sprites.height],
                                                 "columns": sprites.columns, "count": sprites.count},
        "chosen": "", "against": "", "classes": CLASSES}
    return packed(header, *columns.values())


def _judges(found: Checkpoint | CrossModal, assets: dict[str, bytes]) -> dict[str, Any]:
    """The judges of the data that have been made, are small and run in a browser; their networks go into `assets`."""
    told = {}
    for name, judge in judges(found).items():
        with contextlib.suppress(NoGraph):
            if judge is not None and len(network := kept(found.run, "judge", name).bytes) <= MAX_JUDGE_BYTES:
                assets[f"judge-{name}"] = network
                told[name] = verdict(judge) | {"address": f"asset:judge-{name}"}
    return told


def _observed(checkpoint: Checkpoint, split: SplitName, points: int) -> Population:
    try:
        return Population.of(checkpoint, split, points)
    except (DataUnavailable, ConfigError, StoreError):
        return Population.of(checkpoint, "kept", points)


def _sprites(observed: Population, n: int) -> tuple[Sprites | None, str]:
    """All small pictures on one page, and that as a data URI."""
    usual = Sprites.of(observed)
    columns = max(1, round((n * usual.height / usual.width) ** 0.5))
    if max(columns * usual.width, -(-n // columns) * usual.height) > 8192:  # pixels of a picture that any browser shows
        return None, ""
    whole = Sprites(usual.width, usual.height, columns, n)
    return whole, f"data:image/webp;base64,{base64_of(whole.page(observed, 0))}"
