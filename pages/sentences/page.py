"""Sentences: what a text model makes of a sentence, of codes near it and on the way to another, and writes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import address, checkpoints, lines
from pages.shared.headline import PERPLEXITY_HELP
from pages.shared.lines import Line
from pages.shared.words import escaped
from vaecore.evaluate.results import shown
from vaecore.views import SENTENCE

if TYPE_CHECKING:
    from vaecore.explore.codes import Drawn
    from vaecore.explore.sentences import Reading, SentenceCheckpoint

ROUTES: list[Drawn] = ["straight", "spherical"]
VARIATIONS = 6
SAMPLES = 8
LIKELIEST = {"next word": 1, "sentence": 10}  # the beams of a search for it
PRESET = "lagging-basic"
# Letters this large leave no room for Streamlit's count of them, which would lie over the end of a long sentence.
LARGE = """<style>
.st-key-written input, .st-key-goal input { font-size: 1.25rem; }
:is(.st-key-written, .st-key-goal) [data-testid="InputInstructions"] { display: none; }
</style>"""


@st.fragment
def bench(checkpoint: SentenceCheckpoint) -> None:
    """A sentence, how the model reads it, and what it makes of it."""
    text = box(checkpoint, "written", "text", "Sentence", 0)
    reading, beams = read(checkpoint, text), 1
    if reading is not None:
        lines.chips(as_read(reading))
        if notes := remarks(checkpoint, reading):
            st.caption(" ".join(notes))
        if checkpoint.has_code:
            with st.container(gap=None):
                with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
                    st.markdown("Reconstruction", width="content", help="The sentence encoded, and written again from "
                                "the mean of its code q(z|x).")
                    beams = LIKELIEST[likeliest()]
                lines.show([lines.plain(checkpoint.reconstruct(text, beams=beams))], size=1.6)
        numbers(checkpoint, text)
    views(checkpoint, text if reading is not None else "", beams)


def likeliest() -> str:
    """What is written of a code here and in the tabs below."""
    return str(address.kept(
        "likeliest", st.segmented_control, "Written from a code: the likeliest", list(LIKELIEST), default="next word",
        required=True, key="likeliest", width="content",
        help="Next word: the likeliest one each time, which may lead to an unlikely end. Sentence: the likeliest one "
             f"that a search along {LIKELIEST['sentence']} ways at once finds, often shorter and plainer."))


def box(checkpoint: SentenceCheckpoint, name: str, parameter: str, label: str, first: int) -> str:
    """A line to type a sentence in, with a test sentence to begin with and a button for another."""
    from vaecore.explore.sentences import MAX_TYPED

    key = f"{name}-{checkpoint.run.id}"
    begins = checkpoint.examples[first % len(checkpoint.examples)] if checkpoint.examples else ""
    with st.container(horizontal=True, vertical_alignment="bottom", key=name):
        text = address.kept(parameter, st.text_input, label, begins, key=key, max_chars=MAX_TYPED, width="stretch",
                            placeholder="Type a sentence, then press Enter",
                            help="Type any sentence and press Enter; it is read in lower case. A word that the model "
                            "did not meet in training is read as `<unk>`.")
        if len(checkpoint.examples) > 1:
            st.button("Another", icon=":material/casino:", key=f"another-{name}", on_click=another,
                      args=(checkpoint, key), help=f"The next of the {len(checkpoint.examples)} test sentences that "
                      "travel with this run.")
    return text or ""


def another(checkpoint: SentenceCheckpoint, key: str) -> None:
    """The test sentence after the one that is shown."""
    now = st.session_state.get(key)
    place = checkpoint.examples.index(now) if now in checkpoint.examples else st.session_state.get(f"{key}-at", -1)
    st.session_state[f"{key}-at"] = place = (place + 1) % len(checkpoint.examples)
    st.session_state[key] = checkpoint.examples[place]


def read(checkpoint: SentenceCheckpoint, text: str) -> Reading | None:
    """The text as the model reads it, or what is wrong with it, on the page."""
    from vaecore.explore.sentences import UnreadableText

    try:
        return checkpoint.read(text)
    except UnreadableText as error:
        st.info(escaped(str(error)), icon=":material/edit:")
        return None


def as_read(reading: Reading) -> list[tuple[str, lines.Mark]]:
    """The words of a text, those marked that the model does not see."""
    read: list[tuple[str, lines.Mark]] = [(word, "" if known else "unknown")
                                          for word, known in zip(reading.words, reading.known, strict=True)]
    return [*read, *((word, "left out") for word in reading.left_out)]


def remarks(checkpoint: SentenceCheckpoint, reading: Reading) -> list[str]:
    """What of a text the model does not see."""
    found = []
    if count := len(reading.unknown):
        found.append(f"{count} word{'s are' if count > 1 else ' is'} not in this model's vocabulary of "
                     f"{len(checkpoint.vocabulary):,} and read as the unknown word.")
    if count := len(reading.left_out):
        found.append(f"The sentence is longer than the {checkpoint.longest} words that this model reads: the last "
                     f"{f'{count} are' if count > 1 else 'one is'} left out.")
    return found


def numbers(checkpoint: SentenceCheckpoint, text: str) -> None:
    """What the model gives to the sentence."""
    score = checkpoint.score(text)
    entries = [
        ("log p(x|z), z at its mean", shown(score.log_likelihood), "In nats: how likely the "
         "decoder finds this very sentence. Nearer to 0 is better."),
        ("KL", f"{score.kl:.2f}", "KL of q(z|x) from the prior, in nats: what the code of this sentence costs. Near "
         "0 it says nothing."),
        ("ELBO", shown(score.bound), "In nats: the mean of log p(x|z) over 64 draws of the code, less KL: a lower "
         "bound on log p(x). Higher is better."),
    ] if score.kl is not None else [
        ("log p(x)", shown(score.bound), "In nats: exact, as there is no code to sum over. Higher is better.")]
    entries += [
        ("Perplexity", shown(score.perplexity, 3), PERPLEXITY_HELP + " Here of this sentence."),
        ("Tokens", str(score.tokens), "Words, marks and numbers of the sentence, and the end symbol.")]
    with st.container(horizontal=True, gap="medium"):
        for label, value, help in entries:
            st.metric(label, value, help=help, width="content")


@st.fragment
def views(checkpoint: SentenceCheckpoint, text: str, beams: int) -> None:
    """What takes more than one sentence. Only the open tab runs."""
    named = {"Perturb": perturbation, "Interpolate": interpolation, "Samples": samples} if checkpoint.has_code \
        else {"Samples": samples}
    tabs = address.kept("view", st.tabs, list(named), key=f"view-{checkpoint.run.id}", on_change="rerun")
    for tab, draw in zip(tabs, named.values(), strict=True):
        if tab.open:
            with tab:
                draw(checkpoint, text, beams)


def perturbation(checkpoint: SentenceCheckpoint, text: str, beams: int) -> None:
    """Sentences at codes near the one above."""
    from vaecore.explore.sentences import changes

    with st.container(horizontal=True, vertical_alignment="bottom"):
        scale = address.kept("noise", st.slider, "Noise", 0.0, 3.0, 1.0, 0.05, key="scale", width=380, format="%.2f",
                             help="In standard deviations of the prior: z = mean of q(z|x) + noise · ε, with ε from "
                             "N(0, I). At 0 every line is the reconstruction.")
        seed = redraw("perturb")
    if not text:
        st.caption("Type a sentence above first.")
        return
    rebuilt = checkpoint.reconstruct(text, beams=beams)
    found = checkpoint.perturb(text, scale, VARIATIONS, seed, beams=beams)
    lines.show([lines.plain(rebuilt, "at the mean", faded=True),
                *(Line(marked(changes(one, rebuilt)), f"variation {place}") for place, one in enumerate(found, 1))])
    st.caption("Marked: where a line differs from the reconstruction.")


def interpolation(checkpoint: SentenceCheckpoint, text: str, beams: int) -> None:
    """From the sentence above to another, through the latent space."""
    from vaecore.explore.sentences import changes

    goal = box(checkpoint, "goal", "to", "To the sentence", 1)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        steps = address.kept("steps", st.slider, "Steps", 3, 11, 7, key="steps-text", width=260,
                             help="Lines on the way, both ends included.")
        path = address.kept("path", st.segmented_control, "Path", ROUTES, default="straight", required=True,
                            key="path-text", help="Straight: along the line between both codes. Spherical: along the "
                            "arc, which keeps to codes as long as the ends', likelier under a Gaussian prior.")
    if not text:
        st.caption("Type a sentence above first.")
        return
    if read(checkpoint, goal) is None:
        return
    way = checkpoint.interpolate(text, goal, steps, path, beams=beams)
    ladder = [Line(marked(changes(one, way[place - 1] if place else one)), f"{round(100 * place / (steps - 1))} %")
              for place, one in enumerate(way)]
    lines.show([lines.plain(text, "from", faded=True), *ladder, lines.plain(goal, "to", faded=True)], label=4.5)
    st.caption("Marked: where a line differs from the one before. The first and the last are reconstructions.")


def samples(checkpoint: SentenceCheckpoint, text: str, beams: int) -> None:  # noqa: ARG001 (as the other views)
    """Sentences of the model's own."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        temperature = address.kept(
            "temperature", st.slider, "Temperature", 0.0, 1.5, 0.7, 0.05, key="temperature-text", width=380,
            format="%.2f",
            help="Of the words: at 0 the likeliest next word each time, at 1 as the model believes, above 1 more "
            "daring." + (" Codes are drawn from the prior at any temperature." if checkpoint.has_code else ""))
        seed = redraw("samples")
    found = checkpoint.sample(SAMPLES, temperature, seed)
    lines.show([lines.plain(one, f"{place}") for place, one in enumerate(found, 1)], label=1.5)
    if temperature == 0 and not checkpoint.has_code:
        st.caption("Without a code, the likeliest words are always the same.")


def redraw(name: str) -> int:
    """A button for other random numbers; the seed it stands at."""
    key = f"seed-{name}"
    if st.button("Draw again", icon=":material/casino:", key=f"redraw-{name}", help="Other random numbers."):
        st.session_state[key] = st.session_state.get(key, 0) + 1
    return address.counted("seed", key)


def marked(words: list[tuple[str, bool]]) -> list[tuple[str, lines.Mark]]:
    return [(word, "changed" if differs else "") for word, differs in words]


def collapsed(checkpoint: SentenceCheckpoint) -> None:
    """A posterior that tells nothing, said plainly."""
    kl = "" if checkpoint.rate is None else f" KL on the validation set: {checkpoint.rate:.3f} nats a sentence."
    st.warning(f"The code says nothing: every sentence reconstructs to the same words.{kl}",
               icon=":material/trending_flat:")
    st.page_link("monitor/page.py", label="See in Monitor how its posterior collapsed",
                 icon=":material/monitoring:", query_params={"runs": checkpoint.run.id},
                 help="The KL of this run while it trained.")


def nothing_yet() -> None:
    """What to do where there is no text model."""
    st.info("No text model is here yet. Train one on sentences: the first takes a few minutes.",
            icon=":material/info:")
    st.page_link("train/page.py", label="Train a sentence VAE", icon=":material/model_training:",
                 query_params={"preset": PRESET}, help="Opens Train with a small sentence VAE filled in.")


title, choice = st.container(key="head").columns([1, 2], vertical_alignment="bottom")
title.title("Sentences", anchor=False)
with choice:
    run = checkpoints.pick("Run", page="sentences",
                           among=checkpoints.with_weights(SENTENCE), empty=nothing_yet, key="text-run",
                           help="Models of text: your own runs, newest first, then the gallery.")
if run is not None and (loaded := checkpoints.opened(run, SENTENCE)) is not None:
    st.html(LARGE)
    if not loaded.has_code:
        st.caption("A language model has no code: it can score a sentence and write some, but not reconstruct one.")
    elif loaded.collapsed:
        collapsed(loaded)
    bench(loaded)
    checkpoints.terms_link(loaded)
