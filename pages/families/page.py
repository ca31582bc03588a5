"""Families: the lecture's closing question, four ways to model p(x), answered with measurements on one data set."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import address, pictures, published
from pages.shared.cards import preview
from pages.shared.checkpoints import absent, explore_link, opened, tell_unreadable, train_first, with_weights
from pages.shared.evaluation import tabled
from pages.shared.headline import short
from pages.shared.words import Colour, escaped
from vaecore.evaluate.families import APPROACHES, KINDS, Measured, approach_of, groups, ordered
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.evaluate.parts.probe import Probe
from vaecore.evaluate.parts.samples import Samples
from vaecore.evaluate.results import percent, seconds, shown
from vaecore.library.headline import headline
from vaecore.literature import of_approaches
from vaecore.store import Run
from vaecore.views import SINGLE, STILL, view_of

if TYPE_CHECKING:
    from vaecore.explore.pictures import Images

DRAWN = 16  # images of a model at a time
WORDS = {  # of each approach: name, the slide's formula, strong, weak, a preset to begin with
    "independent components": (
        "Independent components", r"p(x) = |\det W| \prod_j p(w_j^\top x)",
        "Exact likelihood, solved in seconds, and sources that mean something where the mixing is linear.",
        "Linear: samples of images are mixtures of parts. Normal sources cannot be told apart.", "ica-mnist"),
    "autoregressive": (
        "Autoregressive", r"p(x) = \prod_d p(x_d \mid x_1, \dots, x_{d-1})",
        "Exact likelihood, and usually the best one.",
        "One pass for each pixel to sample, and no latent to look at or to move through.", "pixelcnn-mnist"),
    "energy-based": (
        "Energy-based", r"p(x) = \sum_h \tfrac{1}{C(\theta)}\, e^{-E_\theta(h, x)}",
        "Any energy will do, and the hidden units are inferred exactly in one pass.",
        "The normaliser has to be estimated; learning and sampling run Markov chains.", "rbm-mnist"),
    "variational autoencoder": (
        "Variational autoencoder", r"p(x) = \int p_\theta(x \mid z)\, p(z)\, dz",
        "One pass to infer, one to sample, and a small code that can be moved through.",
        "A bound instead of the likelihood, a posterior that is only approximate and may collapse.", "vae-mnist"),
}
MARKS: dict[str, tuple[str, Colour]] = {
    "exact": ("exact", "green"), "annealed": ("log Z estimated", "orange"), "importance": ("estimate", "blue"),
    "grey": ("no log p: grey pixels", "orange"), "density": ("a density, no log p", "orange"),
    "none": ("not evaluated", "gray")}
MARK_HELP = ("Exact: the model gives log p(x) itself. Log Z estimated: exact but for the normaliser, found by annealed "
             "importance sampling, which tends to flatter the model. Estimate: by importance sampling, which on "
             "average lies below log p(x) and rises to it with the number of samples K.")

GIVEN = ("This prior is conditional, so it is the likelihood given the label, by up to the logarithm of their number "
         "larger. ")


# -- one card an approach --------------------------------------------------------------------------


def cards(found: list[Measured]) -> None:
    """The four approaches, each by its best model here."""
    with st.grid(4, min_column_width=250, gap="small"):
        for approach in APPROACHES:
            mine = [m for m in found if m.approach == approach]
            with st.container(border=True, gap="small", height="stretch"):
                card(approach, mine)


def card(approach: str, mine: list[Measured]) -> None:
    """An approach: its formula, samples of one of its models, and what was measured of that."""
    name, formula, strong, weak, preset = WORDS[approach]
    st.markdown(f"##### {name}")
    st.latex(formula)
    if not mine:
        st.caption("No model of this kind on these data yet.")
        st.page_link("train/page.py", label="Train one", icon=":material/model_training:",
                     query_params={"preset": preset}, help=f"Open Train with the preset {preset}.")
        words(strong, weak)
        return
    names = {m.run.id: m for m in mine}
    chosen = names[mine[0].run.id]
    if len(names) > 1:
        chosen = names[address.kept(parameter(approach), st.selectbox, "Model", list(names),
                                    key=f"chosen-{approach}", label_visibility="collapsed",
                                    format_func=lambda id: f"{names[id].family} · {id.removeprefix('gallery/')}",
                                    help="The models of this kind on these data, the likeliest first.")]
    else:
        st.markdown(f"{escaped(chosen.family)} · {escaped(chosen.run.id.removeprefix('gallery/'))}")
    drawings(chosen.run)
    numbers(chosen)
    words(strong, weak)
    with st.container(horizontal=True):
        if view_of(chosen.run) is SINGLE:
            explore_link(chosen.run)
        st.page_link("evaluate/page.py", label="Evaluate", icon=":material/straighten:",
                     query_params={"run": chosen.run.id}, help="All numbers of this model, with their settings.")


def words(strong: str, weak: str) -> None:
    """Strong and weak in a line each."""
    st.markdown(f":green[:material/add_circle:] {strong}\n\n:orange[:material/do_not_disturb_on:] {weak}")


def drawings(run: Run) -> None:
    """Samples as they came with the run, or drawn now and timed."""
    key = f"drawn-{run.id}"
    if (drawn := st.session_state.get(key)) is not None:
        png, taken = drawn
        pictures.show(png, f"Samples of {run.id}, drawn now", width=420)
        st.caption(f"{DRAWN} drawn here in {seconds(taken)}.")
    elif (kept := preview(run)) is not None:
        pictures.show(kept, f"Samples of {run.id}", width=420)
        st.caption("Samples from when it was trained.")
    if st.button("Draw again", key=f"draw-{run.id}", icon=":material/casino:", type="tertiary",
                 help="Draw samples now, and see how long it takes on this machine."):
        seed = st.session_state.get(f"{key}-seed", 1)
        with st.spinner("Drawing …"):
            drawn = draw(run, seed)
        if drawn is not None:
            st.session_state[key], st.session_state[f"{key}-seed"] = drawn, seed + 1
            st.rerun()


def draw(run: Run, seed: int) -> tuple[bytes, float] | None:
    """A sheet of samples, and the seconds that drawing them took; None, and said on the page, where it cannot be."""
    import time

    from vaecore.explore.pictures import grid, legible, on_screen

    if (checkpoint := opened(run, *STILL)) is None:
        return None
    start = time.perf_counter()
    images: Images = checkpoint.sample(DRAWN, seed=seed)
    taken = time.perf_counter() - start
    return on_screen(grid(legible(images), 8), most=2), taken


def numbers(m: Measured) -> None:
    """Likelihood, passes, seconds, and what the code tells."""
    mark, colour = MARKS[m.kind]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.metric({"density": "log density", "grey": "log p(x) of grey"}.get(
                      m.kind, "log p(x|label)" if m.conditional else "log p(x)"),
                  "–" if m.log_p is None else f"{m.log_p:.1f} nats".replace("-", "−"),
                  help="Per test observation" + (f", over {m.observations:,} of them" if m.observations else "")
                  + ". Higher is better, where likelihoods are of the same kind. "
                  + (GIVEN if m.conditional else "") + MARK_HELP)
        st.badge(mark, color=colour, help=KINDS[m.kind] + (f", K = {m.samples:,}" if m.samples else ""))
    with st.container(horizontal=True, gap="medium"):
        for label, passes, each, help in (
                ("Infer", m.inference_passes, m.inference_seconds, "From an observation to its code, or to log p(x) "
                 "where there is no code"),
                ("Sample", m.sampling_passes, m.sampling_seconds, "From nothing to an observation")):
            st.metric(label, seconds(each), delta_color="off", delta_arrow="off",
                      delta=None if passes is None else f"{passes:,} {'pass' if passes == 1 else 'passes'}",
                      help=f"{help}: time for each of 100 together, on one thread of the machine it was measured on, "
                           "and passes one after another.")
        st.metric("Code tells label", "no code" if m.coded is False else "–" if m.told else percent(m.probe),
                  help="Accuracy of a linear classifier that sees only the code"
                  + (f"; chance is {m.chance:.0%}." if m.chance is not None else ".")
                  + (" The encoder was given the label here, so it says nothing." if m.told else ""))
    if m.kind == "none":
        st.caption("Evaluate it to see its likelihood and its costs.")


# -- all of them -----------------------------------------------------------------------------------


def table(found: list[Measured]) -> None:
    """Every model of the four approaches on these data."""
    import pandas as pd

    st.subheader("All models on these data", anchor=False)
    frame = pd.DataFrame([{
        "Run": m.run.id, "Approach": m.approach, "Family": m.family,
        "log p(x)": None if m.kind == "density" else m.log_p,
        "±": None if m.kind == "density" else m.standard_error,
        "Which": MARKS[m.kind][0] + (f", K = {m.samples:,}" if m.samples else "")
        + (", given the label" if m.conditional else ""), "Scores": m.likelihood or None,
        "Passes to infer": m.inference_passes,
        "to infer": seconds(m.inference_seconds), "Passes to sample": m.sampling_passes,
        "to sample": seconds(m.sampling_seconds), "first sample": seconds(m.first_sample_seconds),
        "Probe": None if m.told else m.probe, "Fréchet": m.frechet, "Parameters": short(m.parameters)} for m in found])
    column, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(frame, hide_index=True, height="content", placeholder="–", key="families-table", column_config={
        "Run": text(pinned=True), "log p(x)": tabled(Likelihood, "log_likelihood", " Of the test set; empty where the "
                                                     "number is a density of real numbers."),
        "±": tabled(Likelihood, "standard_error"),
        "Which": text(help=MARK_HELP), "Scores": text(help="The likelihood. Nats of different ones do not compare."),
        "Passes to infer": column(format="localized"), "Passes to sample": column(format="localized"),
        "to infer": text("Time to infer", help="For each of 100 together, on one thread."),
        "to sample": text("Time to sample", help="For each of 100 together, on one thread."),
        "first sample": text("First sample", help="Of one alone."),
        "Probe": tabled(Probe, "accuracy", " Empty where there is no code or the encoder was given the label."),
        "Fréchet": tabled(Samples, "frechet", " Lower is better. Judged are means of p(x|z) where there is a code, "
                          "draws of pixels where there is none. Not the FID of papers.", format="%.1f")})
    floors = [m.floor for m in found if m.floor is not None]
    if floors:
        st.caption(f"Between two sets of real images the Fréchet distance is {shown(floors[0], 3)}.")


def elsewhere(run: Run) -> None:
    """What was published of each approach on these data, in the order of the cards."""
    there = of_approaches(run.values().get("data"))
    if not any(there.values()):
        return
    st.subheader("Published on these data", anchor=False, help="Log p(x) in nats of test images, as others state it, "
                 "those of the same pixels first: not of the models above, and not of their settings. ≥ is a bound. "
                 "Hover over a value for its source; Evaluate says of a model here in what it differs.")
    with st.grid(4, min_column_width=250, gap="small"):
        for approach, found in there.items():
            with st.container(gap="xsmall"):
                st.markdown(f"###### {WORDS[approach][0]}")
                published.of_kind(found, approach.replace(" ", "-"))


def kinds(found: list[Measured]) -> None:
    """A warning where likelihoods of different kinds stand side by side."""
    known = Counter(m.likelihood for m in found if m.log_p is not None and m.likelihood)
    if len(known) < 2:
        return
    common = known.most_common(1)[0][0]
    other = [m for m in found if m.log_p is not None and m.likelihood not in ("", common)]
    names = ", ".join(f"{escaped(m.run.id)} ({escaped(m.likelihood)})" for m in other[:6])
    st.info(f"Nats compare only within one kind of likelihood. Most models here score {escaped(common)} pixels; "
            f"{names} {'scores' if len(other) == 1 else 'score'} something else, such as a density of real numbers, "
            "whose nats can be positive.", icon=":material/balance:")


def enter(there: dict[str, list[Run]]) -> None:
    """A link to a run, in this page's own words: its data, and it on the card of its approach."""
    if (wanted := st.query_params.get("run")) is None:
        return
    wanted = wanted.removeprefix("runs/")
    found = [(key, run) for key, runs in there.items() for run in runs if run.id in (wanted, f"gallery/{wanted}")]
    for key, run in found[:1]:
        st.query_params["data"] = digest(key)
        st.query_params[parameter(str(approach_of(run)))] = run.id
    if not found:
        st.warning(escaped(absent(wanted)), icon=":material/link_off:")
    del st.query_params["run"]


def digest(key: str) -> str:
    """Data in the address."""
    return blake2b(key.encode(), digest_size=4).hexdigest()


def parameter(approach: str) -> str:
    """Of the model that is shown of an approach."""
    return approach.replace(" ", "-")


# -- the page --------------------------------------------------------------------------------------

with st.container(key="head"):
    st.title("Families", anchor=False)
    st.markdown("Four ways to model p(x), trained by the same commands on the same data. What does each know exactly, "
                "what does it cost to infer and to sample, and what is its code good for?", width=900)
with st.spinner("Reading the runs …", show_time=False):
    there = {key: runs for key, runs in groups(with_weights()).items() if view_of(runs[0]) in STILL}
tell_unreadable(with_weights())
if not there:
    st.info("No model of the four families is here yet. Train some on the same data, and they stand here side by side.",
            icon=":material/info:")
    train_first()
else:
    enter(there)
    data = address.kept("data", st.selectbox, "Data", list(there), key="families-data", width=620, said=digest,
                        format_func=lambda key: f"{headline(there[key][0]).data} · "
                        f"{len(there[key])} {'model' if len(there[key]) == 1 else 'models'}",
                        help="Models are compared on one data set, with the same pixels and seeds; that with most "
                             "families comes first.")
    here = ordered(there[data])
    cards(here)
    kinds(here)
    table(here)
    elsewhere(there[data][0])
