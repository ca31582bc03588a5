"""Certainty as curves: what the prior, each given modality and all together know of a latent dimension.

Drawn as SVG in an <img>: it says its size and is replaced in place, so nothing blinks while switches are moved.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from pages.cross_modal import state, switchboard
from pages.shared import address
from pages.shared.palette import INK, PALE, RUNS, scheme

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.arrays import Numbers
    from vaecore.explore.beliefs import Beliefs, Curves
    from vaecore.explore.crossmodal import CrossModal

FIRST_DIMENSIONS, MAX_DIMENSIONS = 3, 6  # dimensions shown
WIDTH, HEIGHT, FLOOR, EDGE = 460, 260, 34, 10  # of a picture, below its axis, beside it
CERTAINTY_HELP = ("1/σ², one over the variance: how certain. Under a product of experts certainties add up, so that "
                  "every modality can only make the model more certain.")
RULES = {
    "product": "A product of experts: the prior times what each given modality says. Certainty adds up.",
    "mixture": "A mixture of experts: q(z | given) is the mean of the coloured curves, drawn as the thick one. A code "
               "is drawn from one of them, so certainty does not add up.",
    "network": "One network reads everything that is given and answers with the thick curve; there are no experts to "
               "tell apart.",
    "prior": "Nothing is given, so nothing is known beyond the prior. Give a modality and watch the curves narrow.",
}


def panel(checkpoint: CrossModal, given: dict[str, Tensor]) -> None:
    """The dimensions that are narrowed most, or those that are chosen."""
    beliefs = switchboard.believed(checkpoint, given)
    if beliefs is None:
        st.info("The modalities of this model share no Gaussian latent, so there is no certainty to add up.",
                icon=":material/info:")
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        legend(beliefs, state.colours(checkpoint))
        wanted = address.kept(
            "dimensions", st.multiselect, "Dimensions", range(len(beliefs.order)), of_run=True, width=380,
            key=state.key("dimensions", checkpoint), format_func=lambda d: f"{name(beliefs)}{d}",
            max_selections=MAX_DIMENSIONS, label_visibility="collapsed",
            placeholder=f"The {min(FIRST_DIMENSIONS, len(beliefs.order))} narrowed most",
            help="Latent dimensions to draw. Left empty, those of which the given modalities tell most.")
    tints = colours(beliefs, state.colours(checkpoint))
    with st.grid(3, min_column_width=300, gap="medium"):
        for dimension in wanted or beliefs.order[:FIRST_DIMENSIONS]:
            with st.container(gap="xsmall"):
                curve(beliefs, dimension, tints)
    st.markdown(RULES[beliefs.rule], help=CERTAINTY_HELP if beliefs.rule == "product" else None)


def name(beliefs: Beliefs) -> str:
    """Of a dimension, without its number."""
    return "z" if beliefs.latent == "z" else f"{beliefs.latent} z"


def colours(beliefs: Beliefs, modalities: Mapping[str, str]) -> dict[str, str]:
    """Of each part: its modality's, or of several modalities together one that none of them has."""
    spare = list(reversed(RUNS[scheme()]))
    return {part.name: modalities.get(part.name) or spare[place % len(spare)]
            for place, part in enumerate(beliefs.parts)}


def legend(beliefs: Beliefs, modalities: Mapping[str, str]) -> None:
    """Which line is whose."""
    ink, pale = INK[scheme()], PALE[scheme()]
    entries = [("prior", f"3px dashed {pale}")]
    entries += [(label, f"3px solid {tint}") for label, tint in colours(beliefs, modalities).items()]
    if beliefs.rule != "prior":
        entries.append((beliefs.posterior.name, f"5px solid {ink}"))
    cells = "".join(f'<span style="display:flex;align-items:center;gap:.5rem"><span style="width:2rem;'
                    f'border-top:{line}"></span>{html.escape(label)}</span>' for label, line in entries)
    st.html('<div style="display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;font-size:1.05rem">'
            f"{cells}</div>", width="content")


def curve(beliefs: Beliefs, dimension: int, tints: Mapping[str, str]) -> None:
    """One dimension, and how its certainty comes about."""
    label = f"{name(beliefs)}{dimension}"
    svg = picture(beliefs.curves(dimension), tints, INK[scheme()], PALE[scheme()], beliefs.rule == "prior")
    source = base64.b64encode(svg.encode()).decode()
    terms = beliefs.certainty(dimension)
    st.html(f'<div style="font-size:1.15rem;font-weight:600">{html.escape(label)}</div>'
            f'<img src="data:image/svg+xml;base64,{source}" width="{WIDTH}" height="{HEIGHT}" decoding="sync" '
            f'alt="Densities of {html.escape(label)}" style="display:block;width:100%;height:auto">')
    if beliefs.rule == "product":
        total = terms.pop(beliefs.posterior.name)
        ink = PALE[scheme()]
        sums = " + ".join(f'<span style="white-space:nowrap;color:{tints.get(who, ink)}"><b>{shown(value)}</b> '
                          f"{html.escape(who)}</span>" for who, value in terms.items())
        st.html(f'<div style="font-size:1.02rem" title="{html.escape(CERTAINTY_HELP)}">certainty '
                f"{sums} = <b>{shown(total)}</b></div>")
    elif beliefs.rule != "prior":
        spreads = " · ".join(f'<span style="white-space:nowrap;color:{tints.get(who, "inherit")}">{html.escape(who)} '
                             f"<b>{value ** -0.5:.2f}</b></span>" for who, value in terms.items())
        st.html(f'<div style="font-size:1.02rem" title="σ, the standard deviation: how uncertain">σ: {spreads}</div>')


def shown(value: float) -> str:
    """A certainty with three digits."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def picture(curves: Curves, tints: Mapping[str, str], ink: str, pale: str, only_prior: bool) -> str:
    """The curves of one dimension as an SVG."""
    low, high = float(curves.z[0]), float(curves.z[-1])
    top = 1.06 * max(float(y.max()) for y in (curves.prior, curves.posterior, *curves.parts.values()))
    base = HEIGHT - FLOOR

    def x(value: float) -> float:
        return EDGE + (value - low) / (high - low) * (WIDTH - 2 * EDGE)

    def path(density: Numbers) -> str:
        points = (f"{x(float(z)):.1f},{base - float(y) / top * (base - 6):.1f}"
                  for z, y in zip(curves.z, density, strict=True))
        return "M" + " L".join(points)

    def line(density: Numbers, tint: str, width: float, dash: str = "") -> str:
        return (f'<path d="{path(density)}" fill="none" stroke="{tint}" stroke-width="{width}" '
                f'stroke-linejoin="round"{f" stroke-dasharray={dash!r}" if dash else ""}/>')

    step = max(1, math.ceil((high - low) / 8))
    ticks = [tick for tick in range(math.ceil(low), math.floor(high) + 1) if tick % step == 0]
    marks = "".join(f'<line x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{base}" y2="{base + 5}" stroke="{pale}"/>'
                    f'<text x="{x(t):.1f}" y="{base + 24}" text-anchor="middle">{str(t).replace("-", "−")}</text>'
                    for t in ticks)
    drawn = [f'<path d="{path(curves.posterior)} L{x(high):.1f},{base} L{x(low):.1f},{base} Z" fill="{ink}" '
             'fill-opacity=".09" stroke="none"/>']
    if not only_prior:
        drawn.append(line(curves.posterior, ink, 5.5))
    # Thin and on top: a curve that is the same as the thick one still shows its colour.
    drawn.append(line(curves.prior, pale, 2.5, "7 6"))
    drawn += [line(density, tints[part], 2.5) for part, density in curves.parts.items()]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'font-family="Source Sans 3, Source Sans Pro, Helvetica, Arial, sans-serif" font-size="17" fill="{pale}">'
            f'<line x1="{EDGE}" x2="{WIDTH - EDGE}" y1="{base}" y2="{base}" stroke="{pale}"/>{marks}{"".join(drawn)}'
            "</svg>")
