"""Click a term of the ELBO: its value for one x and z, its formula with the numbers put in, and its code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import address, checkpoints, pictures
from pages.shared.words import escaped
from vaecore import lecture
from vaecore.views import CLIP, CROSSMODAL, SENTENCE, SINGLE, View

if TYPE_CHECKING:
    from vaecore.explore.clips.checkpoint import VideoCheckpoint
    from vaecore.explore.terms import Opened, Reckoned, Term

# The checkpoint that shows an equation first, and whether by what it was trained with.
FIRST: dict[int, tuple[str, bool]] = {
    7: ("gallery/vae", False), 9: ("gallery/vae", False), 16: ("gallery/vae", False), 19: ("gallery/jmvae", False),
    20: ("gallery/jmvae", True), 21: ("gallery/mmvae-speech", False), 24: ("gallery/mvae", True),
    27: ("gallery/dmvae", True), 29: ("gallery/sv2p-invariant-mnist", False), 31: ("gallery/sv2p-variant-mnist", False),
    33: ("gallery/svg-fp-mnist", False), 35: ("gallery/svg-lp-mnist", False),
    38: ("gallery/vae-cyclical", False), 39: ("gallery/vae-conv-mixture", False), 40: ("gallery/wae", True)}
OPENED: tuple[View[Opened], ...] = (SINGLE, CROSSMODAL, SENTENCE, CLIP)
CODES = {"drawn": "Drawn from q(z|x)", "mean": "Its mean"}
MAX_SEED = 9_999
SIDE = 120  # CSS pixels of x and of what is decoded
MOST_FRAMES = 14  # of a clip that are shown


@st.fragment
def panel(number: int) -> None:
    """The objective of a checkpoint at one test observation and one code, a button for each term."""
    first, trained = FIRST[number]
    with st.container(border=True, key=f"terms-{number}", gap="small"):
        st.markdown(f":material/ads_click: **Click a term**, equation ({number}) at one x and one z")
        key = f"terms-run-{number}"
        among = checkpoints.with_weights(*OPENED)
        if key not in st.session_state and any(run.id == first for run in among):
            st.session_state[key] = first
        run = checkpoints.pick("Run", page=None, key=key, among=among,
                               help="Whose objective is taken apart: a VAE of images, rows, sentences, clips or "
                               "several modalities.")
        if run is None or (opened := checkpoints.opened(run, *OPENED)) is None:
            return
        from vaecore.explore.terms import without

        if (why := without(opened)) is not None:
            st.info(escaped(why), icon=":material/info:")
            return
        with st.container(key=f"taken-apart-{number}", gap="small"):
            taken_apart(opened, number, trained)


def taken_apart(opened: Opened, number: int, trained: bool) -> None:
    """What is looked at, the formula, its terms as buttons, and what the chosen one is."""
    from vaecore.explore.terms import examples, reckon

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        most = examples(opened) - 1
        x = int(address.kept("example", st.number_input, "Test observation x", 0, most, 0, key="lecture-example",
                             width=160, help="Which of the test observations that travel with the run."))
        code = address.kept("code", st.segmented_control, "Code z", list(CODES), key="lecture-code", default="drawn",
                            required=True, format_func=CODES.__getitem__,
                            help="The code at which the terms are taken.") or "drawn"
        seed = int(address.kept("seed", st.number_input, "Seed", 0, MAX_SEED, 0, key="lecture-seed", width=120,
                                disabled=code == "mean", help="Of the noise with which z is drawn: another seed, "
                                "another code."))
    several = reckon(opened, x, code="mean" if code == "mean" else "drawn", seed=seed)
    reckoned = several[0]
    if len(several) > 1:
        names = ["elbo", "trained"]
        chosen = address.kept("objective", st.segmented_control, "Objective", names, key=f"objective-{number}",
                              required=True, default=names[trained],
                              format_func=lambda name: several[names.index(name)].title,
                              help="The ELBO, or what this run was trained by.")
        reckoned = several[names.index(chosen or "elbo")]
    show_pair(opened, x, reckoned)
    st.latex(reckoned.latex)
    st.markdown(f"In all **{nats(reckoned.total)} nats** at this x and z. It is maximised.")
    if reckoned.note:
        st.caption(escaped(reckoned.note))
    chosen_term = choose(reckoned, f"term-{opened.run.id}-{reckoned.title}")
    term(next(each for each in reckoned.terms if each.name == chosen_term))


def choose(reckoned: Reckoned, key: str) -> str:
    """The term that was clicked, or that the address asks for."""
    named = {each.name: each for each in reckoned.terms}
    wanted = st.query_params.get("term")
    if wanted in named and st.session_state.get("term-url") != wanted:
        st.session_state[key] = wanted
    st.session_state.setdefault(key, next(iter(named)))

    def label(name: str) -> str:
        one = named[name]
        sign = "−" if one.factor < 0 else "+"
        return rf"{sign} ${' '.join(filter(None, [one.symbol, one.latex]))}$ = {nats(one.counts)}"

    chosen = st.pills("Terms", list(named), key=key, format_func=label, required=True,
                      help="Click one: its value, its formula with the numbers put in, and its code. In nats.") \
        or next(iter(named))
    if wanted != chosen:
        st.query_params["term"] = chosen
    st.session_state["term-url"] = chosen
    return str(chosen)


def show_pair(opened: Opened, index: int, reckoned: Reckoned) -> None:
    """x beside what the decoder makes of z, where both are pictures, clips or sentences."""
    from vaecore.explore.clips.checkpoint import VideoCheckpoint
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.pictures import on_screen
    from vaecore.explore.sentences import SentenceCheckpoint

    if isinstance(opened, VideoCheckpoint):
        return show_clip(opened, index, reckoned)
    if isinstance(opened, SentenceCheckpoint):
        [z] = reckoned.codes.values()
        [written] = opened.write(z[None].astype("float32"))
        for text, words in ((opened.examples[index], "x"), (written, "written from z")):
            st.markdown(f"{words}: **{escaped(text or '(nothing)')}**")
        return
    if isinstance(opened, CrossModal) or opened.vector is not None or "z" not in reckoned.codes:
        return
    decoded = opened.decode(reckoned.codes["z"].astype("float32")[None])
    with st.container(horizontal=True, gap="medium", key="terms-pair"):
        for picture, words in ((opened.originals([index])[0], "x"), (decoded[0], "decoded from z")):
            with st.container(width=SIDE + 20, gap="xsmall"):
                pictures.show(on_screen(picture), f"Test observation {index}: {words}", width=SIDE)
                st.caption(words)


def show_clip(opened: VideoCheckpoint, index: int, reckoned: Reckoned) -> None:
    """The frames after the first, true and as they are predicted at z."""
    from vaecore.explore.pictures import grid, on_screen
    from vaecore.explore.terms import observation, predicted

    batch = observation(opened, index)
    [x] = batch.values()
    pictures.rows([pictures.Labelled(label, on_screen(grid(opened.pictures(frames[:MOST_FRAMES]).transpose(0, 2, 3, 1),
                                                           MOST_FRAMES, fill=True), 1000, most=4))
                   for label, frames in (("x", x[0, 1:]), ("predicted at z", predicted(opened, batch, reckoned)))],
                  f"Clip {index}")


def term(one: Term) -> None:
    """A term's value, the ways to it, its dimensions, what is wrong with its printed formula, and its code."""
    with st.container(border=True, gap="small"):
        often = f", counted {abs(one.factor):g} times" if abs(one.factor) != 1 else ""
        st.markdown(f"**{nats(one.value, 3)} nats**{often}. {escaped(one.says)}")
        for way in one.ways:
            error = f" ± {way.error:.3f}" if way.error is not None else ""
            st.markdown(f"{way.name}: **{nats(way.value, 3)}{error}** nats")
            if way.latex:
                st.latex(way.latex)
        if one.dimensions:
            dimensions(one)
        if one.parts:
            parts(one)
        for each in dict.fromkeys(each for n in one.equations for each in lecture.errata(n) if each.severity == "H"):
            st.caption(f":material/edit_note: Erratum {each.id}: printed {escaped(each.printed)}. The code does what "
                       f"is correct: {escaped(each.correct)}.")
        for place, source in enumerate(one.code):
            with st.expander(f"`{source.place}`", expanded=place < 2, type="compact", icon=":material/code:"):
                st.code(source.text, language="python", wrap_lines=True)


def nats(value: float, digits: int = 2) -> str:
    """A number with the sign of mathematics, and none at zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def dimensions(one: Term) -> None:
    """What each latent dimension costs, the dearest first."""
    most = max(max(each.kl for each in one.dimensions), 1e-6)
    rows = sorted(one.dimensions, key=lambda each: -each.kl)
    st.dataframe([{"dimension": each.number, "μ": each.mean, "σ": each.sigma, "KL": each.kl} for each in rows],
                 hide_index=True, height=min(35 * len(rows) + 38, 250), width=520, column_config={
        "dimension": st.column_config.NumberColumn("Dimension", format="%d", help="Of the latent, from 0."),
        "μ": st.column_config.NumberColumn(format="%.3f", help="Mean of q(z|x)."),
        "σ": st.column_config.NumberColumn(format="%.3f", help="Standard deviation of q(z|x)."),
        "KL": st.column_config.ProgressColumn("KL (nats)", format="%.3f", min_value=0, max_value=most,
                                              help="What the dimension adds to the KL, in nats.")})


def parts(one: Term) -> None:
    """What each word or frame adds, in its order."""
    st.dataframe([{"part": each.name, "nats": each.value} for each in one.parts], hide_index=True, width=520,
                 height=min(35 * len(one.parts) + 38, 250), column_config={
        "part": st.column_config.TextColumn(one.parted.capitalize(), help="In its order; frames from 0, which is given."
                                            if one.parted == "frame" else "In its order, each given those before it."),
        "nats": st.column_config.NumberColumn("Adds (nats)", format="%.3f", help="To this term.")})
