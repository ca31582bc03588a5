"""Traverse: move through the latent space of a checkpoint and see what its decoder draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import checkpoints, pictures
from pages.shared.words import escaped
from pages.traverse import by_column, prior
from pages.traverse.code import Code
from vaecore.views import CODELESS, SINGLE, STILL, view_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Route
    from vaecore.store import Run

ROUTES: list[Route] = ["straight", "spherical"]
FIRST = 12  # sliders in sight; the rest are folded away
ROWS = 40  # dimensions in the grid
STEPS = 11
WIDTH = 560  # CSS pixels of the decoded image
MANY = 32  # images to reconstruct, folded sliders
WRAP = 16  # images in a row
VECTORS = ("This data set holds vectors, not pictures: each stripe is one number of the vector. Middle grey is 0, "
           "white +3, black −3.")
STANDARD = " They are standardised: 0 is the mean of a column, and 1 its standard deviation."

TEMPERATURE_HELP = ("The spread of each Gaussian that codes are drawn from is multiplied by it: at 0 all codes are "
                    "means, at 1 they follow the prior, above 1 they leave it.")

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


def information(checkpoint: Checkpoint, dimension: int) -> str:
    """What a dimension carries, in words."""
    kl = checkpoint.kl
    return f"{kl[dimension]:.2f} nats" if kl is not None else f"spread {checkpoint.spread[1][dimension]:.2f}"


@st.fragment
def views(checkpoint: Checkpoint) -> None:
    """What takes more than one decoding. Only the open tab runs."""
    named: dict[str, Callable[[Checkpoint], None]] = {
        "All dimensions": traversal, "Reconstructions": reconstructions, "Interpolate": interpolation,
        "Samples": samples, "Prior": prior.panel}
    if (vector := checkpoint.vector) is not None:
        named |= {"Columns": lambda c: by_column.movement(c, vector, Code.of(c)), "Rows": by_column.scores}
    for tab, draw in zip(st.tabs(list(named), key="view", on_change="rerun"), named.values(), strict=True):
        if tab.open:
            with tab:
                draw(checkpoint)


def traversal(checkpoint: Checkpoint) -> None:
    """Every dimension from -3 to 3, one row each."""
    import numpy as np

    from vaecore.explore.pictures import grid, labelled, legible, on_screen

    code = Code.of(checkpoint)
    middle, mine = "0", "the code above"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        base = st.segmented_control("The other dimensions stay at", [middle, mine], default=middle, required=True,
                                    key="base", help="Each row moves one dimension and holds all others: at 0, or "
                                    "where the sliders above stand.")
        if base == mine:
            st.button("Take the sliders again", icon=":material/refresh:", key="again",
                      help="Draw the grid around where the sliders stand now.")
    order, active = checkpoint.order[:ROWS], checkpoint.active
    values = np.linspace(-3, 3, STEPS)
    start = code.codes()[0] if base == mine else checkpoint.scale()[0]
    images = checkpoint.traverse(start, order, values.tolist())
    heads = [f"{value:+.1f}".replace("-", "−") if value else "0" for value in values]
    if len(order) < checkpoint.size:
        st.caption(f"The {len(order)} most informative of {checkpoint.size} dimensions.")
    notes = [information(checkpoint, dimension) for dimension in order]
    strips = [legible(row) for row in images]
    pictures.rows([pictures.Labelled(f"z{d}", on_screen(grid(strip, STEPS)), note, not active[d])
                   for d, note, strip in zip(order, notes, strips, strict=True)], "Traversal", heads=heads)
    lines = [(f"z{d}  {note}", strip) for d, note, strip in zip(order, notes, strips, strict=True)]
    pictures.download(lambda: labelled(lines, [head.replace("−", "-") for head in heads]),
                      f"{checkpoint.run.id}-traversal", key="png-traversal", label="PNG with labels")


def reconstructions(checkpoint: Checkpoint) -> None:
    """Test images over what the model makes of them."""
    from vaecore.explore.pictures import grid, labelled, legible, on_screen

    most = len(checkpoint.examples)
    count = st.slider("Images", 1, min(MANY, most), min(16, most), key="count-reconstructions", width=360,
                      help="How many test images to show.") if most > 1 else 1
    chosen = list(range(count))
    rows = [checkpoint.originals(chosen), checkpoint.reconstruct(chosen)]
    lines = [(name, legible(row[start:start + WRAP])) for start in range(0, count, WRAP)
             for name, row in zip(("Test images", "Reconstructed"), rows, strict=True)]
    pictures.rows([pictures.Labelled(name, on_screen(grid(images, min(WRAP, count), fill=True)))
                   for name, images in lines], "Reconstructions")
    pictures.download(lambda: labelled(lines), f"{checkpoint.run.id}-reconstructions", key="png-reconstructions")


def interpolation(checkpoint: Checkpoint) -> None:
    """From one test image to another, through the latent space."""
    import numpy as np

    from vaecore.explore.pictures import grid, labelled, legible, on_screen

    last = len(checkpoint.examples) - 1
    if last < 1:
        st.info("Only one test image travels with this checkpoint, so there is nothing to interpolate to.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        a = st.number_input("From test image", 0, last, 0, key="from", width=150, help="The image at the left end.")
        b = st.number_input("to test image", 0, last, 1, key="to", width=150, help="The image at the right end.")
        path = st.segmented_control("Path", ROUTES, default="straight", required=True, key="path",
                                    help="Straight: along the line between both codes. Spherical: along the arc, "
                                    "which keeps to codes as long as the ends', likelier under a Gaussian prior.")
        steps = st.slider("Steps", 3, 16, 9, key="steps", width=220, help="Images on the way, both ends included.")
    first, end = checkpoint.originals([a, b])
    way = checkpoint.interpolate(a, b, steps, path)
    strip = legible(np.stack([first, *way, end]))
    shares = [f"{100 * step // (steps - 1)} %" for step in range(steps)]
    pictures.rows([pictures.Labelled("Interpolation", on_screen(grid(strip, len(strip))), f"{path}, {steps} steps")],
                  f"Test image {a}, then decoded codes on the way, then test image {b}",
                  heads=[f"image {a}", *shares, f"image {b}"])
    pictures.download(lambda: labelled([(f"{a} to {b}", strip)], [f"image {a}", *shares, f"image {b}"]),
                      f"{checkpoint.run.id}-interpolation-{a}-{b}", key="png-interpolation")
    st.caption(f"The {last + 1} test images, counted from 0 at the top left, 16 in a row:")
    pictures.show(on_screen(grid(legible(checkpoint.originals(slice(None))), 16)), "All test images", width=760)


def samples(checkpoint: Checkpoint) -> None:
    """Codes drawn from the prior, decoded."""
    from vaecore.explore.pictures import grid, legible, on_screen, png, scale_for

    st.session_state.setdefault("seed", 0)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.slider("Images", 8, 128, 48, 8, key="count-samples", width=220, help="How many codes to draw.")
        temperature = st.slider("Temperature", 0.0, 1.5, 1.0, 0.05, key="temperature", width=220,
                                help=TEMPERATURE_HELP) if checkpoint.tempered else 1.0
        names = checkpoint.class_names
        label = st.selectbox("Label", ["any", *range(checkpoint.classes)], key=f"label-{checkpoint.run.id}", width=150,
                             format_func=lambda n: n if isinstance(n, str) else names[n],
                             help="Draw from the prior of this label. Any: labels are those of test images, drawn at "
                             "random.") if checkpoint.classes else "any"
        seed = st.number_input("Seed", 0, 2**31 - 1, key="seed", width=150,
                               help="The same seed draws the same codes.")
        st.button("Draw again", icon=":material/casino:", key="draw-again", on_click=next_seed,
                  help="The next seed.")
    if checkpoint.fitted:
        st.info("This family has no prior to sample from. These codes are drawn from a Gaussian fitted to the codes "
                "of the data, each dimension on its own, so many fall where no image was ever encoded.",
                icon=":material/info:")
    elif not checkpoint.has_prior:
        st.caption("Codes are drawn by the law that this model gives its sources.")
    elif not checkpoint.tempered:
        st.caption("This prior is no mixture of Gaussians, so samples have no temperature. Codes are chosen among "
                   "draws of N(0, I) by the learned ratio.")
    labels = None if label == "any" else [int(label)] * count
    codes = checkpoint.sample_codes(count, temperature, int(seed), labels)
    sheet = grid(legible(checkpoint.decode(codes)), 16)
    pictures.show(on_screen(sheet), f"{count} samples at temperature {temperature}", width=1000)
    with st.container(horizontal=True):
        pictures.download(lambda: png(sheet, scale_for(sheet, 1800)), f"{checkpoint.run.id}-samples-{seed}",
                          key="png-samples")
        if checkpoint.vector is not None:
            by_column.save(checkpoint, checkpoint.vector, codes, f"samples-{seed}")


def coded(run: Run) -> bool:
    """Whether there is a code to move through; says on the page where there is none."""
    found = view_of(run) is not CODELESS
    if not found:
        st.info(f"{escaped(run.id)} has no latent code to move through: its family draws without one. Families shows "
                "its samples beside those of others.", icon=":material/info:")
        st.page_link("families/page.py", label="See its samples in Families", icon=":material/account_tree:")
    return found


def next_seed() -> None:
    st.session_state["seed"] = (st.session_state.get("seed", 0) + 1) % 2**31


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
