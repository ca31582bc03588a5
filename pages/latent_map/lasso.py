"""What both lassos hold: the observations, their classes and measures beside the whole map, their mean code decoded."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import cloud
from pages.latent_map.showing import Shown, show
from pages.shared import checkpoints, pictures
from pages.shared.checkpoints import TRAVERSE
from pages.shared.palette import BLUE, FAINT
from pages.shared.words import escaped

if TYPE_CHECKING:
    from vaecore.explore.maps import LatentMap, Selection
    from vaecore.explore.maps.encoded import Measure
    from vaecore.explore.maps.selection import Share

HELD = "map-held"  # in the session: which observations there are, and the lassos over them as they were sent
PICTURES, COLUMNS = 64, 16  # of a contact sheet
CLASSES = 10  # in sight
WEIGHED = 100  # observations whose log p(x) is estimated at once
SAMPLES = 100  # importance samples


@st.fragment
def shown(found: Shown) -> None:
    """The map, and below it what the lassos hold. A lasso that is let go redraws no more than this."""
    kept = st.session_state.get(HELD)
    held = kept[1] if kept and kept[0] == found.rows else ("", "")
    held = show(found, held)
    st.session_state[HELD] = (found.rows, held)
    export(found)
    both = [cloud.chosen(text, len(found), len(found.maps)) for text in held]
    cloud.keep_sets(found.here[0].population.checkpoint.run.id, found.maps[0].population.split, len(found), held)
    if not any(len(each.places) for each in both):
        st.caption("Draw a lasso to see what lies within it: Shift and drag, or the lasso button and a finger.")
        return
    for name, each in zip("AB", both, strict=True):
        if len(each.places):
            panel(name, found.maps[each.map], each.places)
    if all(len(each.places) for each in both):
        run = found.here[0].population.checkpoint.run
        st.page_link(TRAVERSE.path, label="Use the way from B to A as a direction in Traverse", icon=TRAVERSE.icon,
                     query_params={"run": run.id, "view": "Directions"}, help="The mean code of lasso A less that of "
                     "lasso B, as one more slider among its directions.")


def export(found: Shown) -> None:
    """The map as a file, and which observations it is of."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for number, one in enumerate(found.maps):
            run = one.population.checkpoint.run.id
            name = f"{run}-{one.population.split}-map"
            which = f" of {run}" if len(found.maps) > 1 else ""
            pictures.download(lambda one=one: one.written(".png"), name,  # type: ignore[misc]
                              key=f"map-png-{number}", label=f"PNG{which}", help="Save the whole map as a picture.")
            for label, ending, icon, media in (("CSV", ".csv", "table", "text/csv"),
                                               ("NPZ", ".npz", "data_array", "application/octet-stream")):
                st.download_button(
                    f"{label}{which}", lambda one=one, ending=ending: one.written(ending),  # type: ignore[misc]
                    f"{name.replace('/', '-')}{ending}", media, key=f"map{ending}-{number}",
                    icon=f":material/{icon}:", on_click="ignore", type="tertiary",
                    help="Row numbers, labels, places, measures and codes of all points.")
        st.caption(escaped(found.maps[0].population.source), width="content")


def panel(name: str, one: LatentMap, places: object) -> None:
    """What one lasso holds."""
    from vaecore.explore.maps import Selection

    some = Selection.of(one, places)  # type: ignore[arg-type]
    run = one.population.checkpoint.run.id
    with st.container(border=True, key=f"lasso-{name}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**Lasso {name}** · {len(some):,} of {len(one):,} observations · {escaped(run)}",
                        width="stretch")
            pictures.download_numbers(some.table, f"{run}-lasso-{name}", key=f"lasso-csv-{name}")
        left, right = st.columns([3, 2], gap="large")
        with left:
            sheet(name, some)
        with right:
            statistics(some)
            likelihood(name, some)


def sheet(name: str, some: Selection) -> None:
    """The observations, and their mean code decoded."""
    from vaecore.explore.pictures import fitted, grid, legible, on_screen, png

    one = some.map
    first = some.rows[:PICTURES]
    images = legible(one.population.images(first))
    pictures.show(on_screen(grid(images, COLUMNS)), f"Observations in lasso {name}", width=720)
    if len(first) < len(some):
        st.caption(f"The first {len(first)}.")
    mean = legible(one.population.checkpoint.decode(some.mean_code()[None]))[0]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width=fitted(mean, 140)):
            pictures.show(png(mean), f"The mean code of lasso {name}, decoded", width=fitted(mean, 140))
        st.caption("Their mean code, decoded", width="content")
        pictures.download(lambda: png(mean, 8), f"{one.population.checkpoint.run.id}-mean-{name}",
                          key=f"lasso-mean-{name}")


def statistics(some: Selection) -> None:
    """Classes and measures beside those of the whole map."""
    from vaecore.explore.maps import MEASURES

    if shares := some.classes():
        st.caption("Classes: their share here as a bar, in the whole map as a mark")
        st.html("".join(map(_line, shares[:CLASSES])))
        if len(shares) > CLASSES:
            st.caption(f"and {len(shares) - CLASSES} rarer ones")
    rows = [f"| {_titled(MEASURES[each.name])} | {_said(each.mean, each.deviation)} | "
            f"{_said(each.mean_of_all, each.deviation_of_all)} |" for each in some.measures()]
    if rows:
        st.markdown("\n".join(["| Mean ± sd | here | whole map |", "|---|--:|--:|", *rows]))


def likelihood(name: str, some: Selection) -> None:
    """log p(x) by importance sampling, on demand: it takes seconds."""
    checkpoint = some.map.population.checkpoint
    if not checkpoint.has_prior or checkpoint.model.point_codes:
        return
    key = f"lasso-weighed-{name}"
    stamps = checkpoints.stamps(checkpoint.run)
    asked = (checkpoint.run.id, stamps, some.map.population.split, some.rows.tobytes())
    if st.button("Estimate log p(x)", key=f"lasso-weigh-{name}", icon=":material/calculate:", type="tertiary",
                 help=f"By importance sampling with K = {SAMPLES}, of at most {WEIGHED} of them: an estimate that the "
                      "ELBO stays below."):
        st.session_state[key] = hash(asked)
    if st.session_state.get(key) == hash(asked):
        found = _weighed(str(checkpoint.run.path), stamps, some.map.population.split,
                         tuple(some.rows[:WEIGHED].tolist()), some)
        more = "" if len(some) <= WEIGHED else f" of the first {WEIGHED}"
        st.markdown(f"log p(x){more}, mean ± sd: **{_said(*found)} nats**, K = {SAMPLES}")


@st.cache_data(max_entries=64, show_spinner="Estimating log p(x) …")
def _weighed(path: str, stamps: tuple[int, ...], split: str, rows: tuple[int, ...],  # noqa: ARG001 (the cache's key)
             _some: Selection) -> tuple[float, float]:
    """Mean and standard deviation of log p(x) in nats."""
    from vaecore.explore.maps import log_likelihoods

    values = log_likelihoods(_some.map.population, _some.rows[:len(rows)], SAMPLES)
    return float(values.mean()), float(values.std())


def _said(mean: float, deviation: float) -> str:
    return f"{mean:.4g} ± {deviation:.2g}".replace("-", "−")


def _line(share: Share) -> str:
    """A class with a bar of its share here, and a mark at its share in the whole map."""
    name, whole = html.escape(share.name), f"{share.share:.1%} / {share.among_all:.1%}"
    inside = "position:absolute;border-radius:3px"
    return (f'<div style="display:flex;align-items:center;gap:.6rem;height:1.45rem;font-size:.92rem" title="{name}: '
            f'{share.count:,} here"><span style="width:6rem;overflow:hidden;white-space:nowrap;text-overflow:ellipsis">'
            f'{name}</span><span style="flex:1;position:relative;height:.85rem;background:{FAINT};border-radius:3px">'
            f'<span style="{inside};width:{100 * share.share:.1f}%;height:100%;background:{BLUE}"></span>'
            f'<span style="{inside};left:{100 * share.among_all:.1f}%;top:-.15rem;width:2px;height:1.15rem;'
            f'background:currentColor"></span></span><span style="width:8rem;text-align:right;'
            f'font-variant-numeric:tabular-nums">{whole}</span></div>')


def _titled(measure: Measure) -> str:
    """What a measure is called in a line of a table, whose bars part its columns."""
    return (measure.title + (f", {measure.unit}" if measure.unit else "")).replace("|", "\\|")
