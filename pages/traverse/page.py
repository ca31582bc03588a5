"""Traverse: move through the latent space of a checkpoint and see what its decoder draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import checkpoints, pictures
from pages.shared.words import escaped
from pages.traverse import by_column, drawing, grid, interpolation, prior, reconstructions, samples
from pages.traverse.code import Code
from pages.traverse.information import information
from vaecore.views import CODELESS, SINGLE, STILL, view_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from vaecore.explore import Checkpoint
    from vaecore.store import Run

FIRST = 12  # sliders in sight; the rest are folded away
WIDTH = 560  # CSS pixels of the decoded image
MANY = 32  # folded sliders
VECTORS = ("This data set holds vectors, not pictures: each stripe is one number of the vector. Middle grey is 0, "
           "white +3, black −3.")
STANDARD = " They are standardised: 0 is the mean of a column, and 1 its standard deviation."

# On a phone the picture comes first and stays in sight while the sliders move beneath it.
LAYOUT = """<style>
@media (max-width: 640px) {
  .st-key-bench [data-testid="stColumn"]:has(.st-key-decoded) {
    order: -1; position: sticky; top: 3.2rem; z-index: 5; background: BACKGROUND;
  }
  .st-key-original, .st-key-below-numbers { display: none; }
  .st-key-numbers { max-height: 5.8rem; overflow-y: auto; }
  .st-key-decoded img { max-width: 55vw !important; max-height: 45vh; object-fit: contain; margin: 0 auto; }
}
</style>"""


@st.fragment
def scrub(checkpoint: Checkpoint) -> None:
    """The sliders and the image they decode to. Nothing else runs when a slider moves."""
    from vaecore.explore.pictures import fitted, legible, png, scale_for

    code = Code.of(checkpoint)
    with st.container(key="bench"):
        left, right = st.columns([5, 4], gap="large")
        with left:
            buttons(checkpoint, code)
            sliders(checkpoint, code)
        image = legible(checkpoint.decode(code.codes()))[0]
        with right, st.container(key="decoded", width=WIDTH):
            pictures.show(png(image), "The image decoded from the sliders", width=fitted(image, WIDTH))
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                st.caption(code.origin, width="content")
                pictures.download(lambda: png(image, scale_for(image, 896)), f"{checkpoint.run.id}-code",
                                  key="png-code")
            if checkpoint.vector is not None:
                by_column.numbers(checkpoint, checkpoint.vector, code)
            elif code.example is not None:
                with st.container(key="original", gap="xsmall"):
                    st.caption(f"Test image {code.example} itself:")
                    original = legible(checkpoint.originals([code.example]))[0]
                    pictures.show(png(original), f"Test image {code.example}", width=fitted(original, 112))


def buttons(checkpoint: Checkpoint, code: Code) -> None:
    """Ways to set all sliders at once."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("Reset to 0", icon=":material/restart_alt:", on_click=code.reset, key="reset",
                  help="All sliders to the middle: the prior's mean, or the mean code of the data without a prior.")
        st.button("Random draw from the prior" if checkpoint.has_prior else "Random draw", icon=":material/casino:",
                  on_click=code.draw, key="draw",
                  help=("A code drawn from N(0, I)." if checkpoint.standard else
                        "A code drawn from the prior of this model; see the tab Prior." if checkpoint.has_prior else
                        "A code drawn by the law that this model gives its sources." if not checkpoint.fitted else
                        "A code drawn from a Gaussian fitted to the codes of the data: this family has no prior."))
        last = len(checkpoint.examples) - 1
        if last > 0:
            st.number_input(f"Test {code.noun}", 0, last, 0, key="example", width=130, on_change="ignore",
                            help=f"Which of the {last + 1} test {code.noun}s that travel with this checkpoint to "
                                 "encode.")
        st.button("Start from it", icon=":material/image:", on_click=code.encode, key="encode",
                  help=f"Encode this test {code.noun} and set the sliders to its code" +
                  (", the mean of q(z|x)." if checkpoint.has_prior else "."))


def sliders(checkpoint: Checkpoint, code: Code) -> None:
    """One for each dimension, the most informative first; those that carry nothing are folded away."""
    order, active = checkpoint.order, checkpoint.active
    used, unused = [d for d in order if active[d]], [d for d in order if not active[d]]
    if not used:
        st.warning("This model has collapsed: no latent dimension carries anything, so every slider leaves the image "
                   "as it is. A smaller β, or a slower KL annealing, keeps dimensions alive.",
                   icon=":material/trending_flat:")
    if checkpoint.kl is None and checkpoint.rate is not None:
        st.caption(f"The KL of this prior is known only in all: {checkpoint.rate:.2f} nats. Dimensions are ordered by "
                   "the spread of their codes.")
    columns = st.columns(2, gap="medium")
    half = -(-len(used[:FIRST]) // 2)
    for place, dimension in enumerate(used[:FIRST]):
        with columns[place >= half]:
            slider(checkpoint, code, dimension)
    for dimensions, label, faded in ((used[FIRST:], "more dimensions", False), (unused, "unused dimensions", True)):
        if dimensions:
            fold = st.expander(f"{len(dimensions)} {label if len(dimensions) > 1 else label[:-1]}",
                               key=f"fold-{faded}", on_change="rerun")
            if fold.open:
                with fold:
                    if faded:
                        st.caption("The decoder does not listen to these: their code hardly varies from one image to "
                                   "the next.")
                    for dimension in dimensions[:MANY]:
                        slider(checkpoint, code, dimension, faded)
                    if len(dimensions) > MANY:
                        st.caption(f"The {MANY} most informative of them.")


def slider(checkpoint: Checkpoint, code: Code, dimension: int, faded: bool = False) -> None:
    """One dimension of the code."""
    words = f"**z{dimension}** · {information(checkpoint, dimension)}"
    unit = "standard deviations of the prior" if checkpoint.has_prior else "standard deviations of the data's codes"
    low, high = code.bounds(dimension)
    st.slider(f":gray[{words}]" if faded else words, low, high, step=0.05, format="%.2f",
              key=code.prepare(dimension), on_change=code.take, args=(dimension,),
              help=f"Latent dimension {dimension}, in {unit}. " + (
                  "KL: what this dimension tells about an image on average, in nats." if checkpoint.kl is not None
                  else "Spread: the standard deviation of the codes of data."))


@st.fragment
def views(checkpoint: Checkpoint) -> None:
    """What takes more than one decoding. Only the open tab runs."""
    named: dict[str, Callable[[Checkpoint], None]] = {
        "All dimensions": grid.panel, "Reconstructions": reconstructions.panel, "Interpolate": interpolation.panel,
        "Samples": samples.panel, "Prior": prior.panel}
    if checkpoint.vector is None:
        named["Draw"] = drawing.panel
    if (vector := checkpoint.vector) is not None:
        named |= {"Columns": lambda c: by_column.movement(c, vector, Code.of(c)), "Rows": by_column.scores}
    for tab, draw in zip(st.tabs(list(named), key="view", on_change="rerun"), named.values(), strict=True):
        if tab.open:
            with tab:
                draw(checkpoint)


def coded(run: Run) -> bool:
    """Whether there is a code to move through; says on the page where there is none."""
    found = view_of(run) is not CODELESS
    if not found:
        st.info(f"{escaped(run.id)} has no latent code to move through: its family draws without one. Families shows "
                "its samples beside those of others.", icon=":material/info:")
        st.page_link("families/page.py", label="See its samples in Families", icon=":material/account_tree:")
    return found


title, choice = st.columns([1, 2], vertical_alignment="bottom")
title.title("Traverse", anchor=False)
with choice:
    run = checkpoints.pick("Checkpoint", among=checkpoints.with_weights(*STILL), help="What to look at: your own runs, "
                           "newest first, then the gallery. Models of text are opened in Sentences.")
if run is not None and coded(run) and (loaded := checkpoints.opened(run, SINGLE)) is not None:
    background = st.get_option(f"theme.{st.context.theme.type or 'light'}.backgroundColor") or "Canvas"
    st.html(LAYOUT.replace("BACKGROUND", background))
    if loaded.vector is not None:
        st.caption(VECTORS + (STANDARD if loaded.vector.scale else ""))
    scrub(loaded)
    views(loaded)
