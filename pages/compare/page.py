"""Compare: runs side by side. What differs, their numbers and curves, the same images and the same codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from pages.components.curves import Panel, Series, live_curves
from pages.shared import checkpoints, history, lines, pictures
from pages.shared.headline import PERPLEXITY_HELP, Headline, comparable, headline
from pages.shared.words import escaped
from vaecore.store import Run, StoreError
from vaecore.views import CLIP, CODELESS, SENTENCE, SINGLE, Opened, View, views_of

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint, Codeless
    from vaecore.explore.pictures import Images
    from vaecore.explore.sentences import SentenceCheckpoint

T = TypeVar("T", bound=Opened)
MAX_COMPARED = 12
MAX_IMAGES = 20
OWN_IMAGES = 10  # of a model without a code, which may take a pass for each pixel
MOST_SENTENCES, OWN = 8, 3
TEMPERATURE = 0.7
UNSET = "–"  # a field that a run does not have
SECTIONS = ("data", "model", "training", "seed")


def numbers(facts: list[Headline]) -> None:
    """Headline numbers, a row a run."""
    import pandas as pd

    st.subheader("Numbers", anchor=False, help="On the test set, with the weights that were kept.")
    frame = pd.DataFrame([{
        "run": f.id, "family": f.family, "data": f.data, "r": f.latent_size, "steps": f.steps,
        "ELBO": f.bound if f.has_kl else None, "log p(x)": f.bound if not f.has_kl and f.exact else None,
        "log p(x|z)": f.reconstruction if not f.has_kl and not f.exact else None,
        "reconstruction": f.reconstruction if f.has_kl else None, "KL": f.kl, "MSE": f.mse,
        "perplexity": f.perplexity, "active": f.active if f.has_code else None, "parameters": f.parameters,
        "seconds": f.seconds} for f in facts]).set_index("run")
    for column, sentences in (("MSE", True), ("perplexity", False)):  # only where a run can have one
        if all((f.one == "sentence") == sentences for f in facts):
            frame = frame.drop(columns=column)
    unsaid = [name for name in ("ELBO", "log p(x)", "log p(x|z)", "reconstruction") if frame[name].isna().all()]
    frame = frame.drop(columns=unsaid)  # a word of none of these families
    number = st.column_config.NumberColumn
    st.dataframe(frame, height="content", placeholder=UNSET, column_config={
        "run": st.column_config.TextColumn("Run", pinned=True, help="The run's name: its folder."),
        "family": st.column_config.TextColumn("Family", help="Kind of model."),
        "data": st.column_config.TextColumn("Data", width="medium", help="Data set, and which copy of it was used."),
        "r": number("Latent size", help="Dimensions r of the latent code."),
        "steps": number("Steps", format="localized", help="Updates of the weights; 0 where solved in closed form."),
        "log p(x)": number("Test log p(x)", format="%.2f", help="In nats per observation, of families that know it "
                           "themselves. Higher is better."),
        "ELBO": number("Test ELBO", format="%.2f", help="In nats per observation: log p(x|z) less KL. Higher is "
                       "better. Empty for families without a prior, which have no such bound."),
        "log p(x|z)": number("Test log p(x|z)", format="%.2f", help="In nats per observation, at its code, of families "
                             "without a prior: no bound on log p(x), and not to be set against an ELBO."),
        "reconstruction": number("Reconstruction", format="%.2f", help="E log p(x|z) in nats per observation: the ELBO "
                                 "without its KL. Higher is better. Positive where the likelihood is a density that "
                                 "exceeds 1."),
        "KL": number("KL", format="%.2f", help="KL of q(z|x) from the prior, in nats per observation: what the code "
                     "tells about an observation. Empty for families without a prior."),
        "MSE": number("MSE", format="%.4f", help="Mean squared error of the reconstruction, for each pixel or number. "
                      "Of standardised numbers in variances of their columns. Comparable between likelihoods, on the "
                      "same data."),
        "perplexity": number("Perplexity", format="%.2f", help=PERPLEXITY_HELP + " Empty for images."),
        "active": number("Active", help="Latent dimensions whose code varies by more than 0.01 (in variance)."),
        "parameters": number("Parameters", format="localized", help="Numbers learned from the data."),
        "seconds": number("Training", format="%.1f s", help="Seconds of training, evaluations included."),
    })
    if reasons := comparable(facts):
        st.warning("Numbers in nats are not comparable here: the runs differ in "
                   f"{escaped(', in '.join(reasons))}. "
                   "Each is right on its own; set only runs of the same data, pixels or words, and likelihood against "
                   "each other.", icon=":material/balance:")
    if len({f.has_kl for f in facts if not f.exact}) > 1:
        st.caption("A VAE's ELBO and an autoencoder's log p(x|z) are different things: only the first pays for its "
                   "code. Compare their MSE.")
    for problem in (f.problem for f in facts if f.problem):
        st.warning(escaped(problem), icon=":material/broken_image:")


def fields(runs: list[Run]) -> None:
    """The configuration's fields that differ, a row a field."""
    import pandas as pd

    from vaecore.config import complete, differences

    st.subheader("What differs", anchor=False, help="Only the fields of the configurations that are not alike.")
    found = differences(complete(run.values()) for run in runs)
    if not found:
        st.caption("Nothing: these runs have the same configuration." if len(runs) > 1 else
                   "Choose another run to see what differs.")
        return
    rows = {name: [_said(value) for value in values] for name, values in sorted(found.items(), key=_section)}
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=[run.id for run in runs]).rename_axis("field")
    st.dataframe(frame, height="content", column_config={
        "field": st.column_config.TextColumn("Field", pinned=True, help="The name to use with `--set`, too.")})
    if any(UNSET in values for values in rows.values()):
        st.caption(f"{UNSET} where a run has no such field.")


def curves(runs: list[Run]) -> None:
    """Validation curves, one over the other."""
    import numpy as np

    st.subheader("Curves", anchor=False, help="On the validation set, at each evaluation during training.")
    evaluated = {run.id: history.in_words(run) for run in runs}
    last = max([rows[-1]["step"] for rows in evaluated.values() if rows], default=0.0)
    panels = []
    for title, name, unit, help in (
            ("ELBO", "elbo", "nats", "log p(x|z) less KL, per observation."),
            ("log p(x)", "log_p", "nats", "Per observation, of families that know it themselves."),
            ("log p(x|z)", "log_p_given_z", "nats", "At the code of each observation, of families without a prior: no "
             "bound on log p(x), and not to be set against an ELBO."),
            ("Reconstruction", "reconstruction", "nats", "E log p(x|z), per observation. Higher is better."),
            ("KL", "kl", "nats", "KL of q(z|x) from the prior, per observation."),
            ("MSE", "mse", "", "Mean squared error of the reconstruction."),
            ("Perplexity", "perplexity", "", PERPLEXITY_HELP)):
        series = []
        for run, rows in evaluated.items():
            points = [(row["step"], row[name]) for row in rows if name in row]
            if len(points) == 1 and last > 0:  # solved at once: a level to hold the others against
                points = [(0.0, points[0][1]), (last, points[0][1])]
            if points:
                x, y = np.asarray(points, float).T
                series.append(Series(run, x, y, run=run))
        if series:
            panels.append(Panel(title, series, unit=unit, help=help))
    if not panels:
        st.caption("None of these runs has been evaluated yet.")
        return
    live_curves(panels, key="compare-curves")
    st.caption("A run that was evaluated only once, such as a closed form, is drawn as a level line.")


@st.fragment
def images(loaded: list[Checkpoint]) -> None:
    """The same test images through each run."""
    from vaecore.explore import reconstruct_same

    first = loaded[0]
    st.subheader("The same images", anchor=False, help="Test images, each encoded and decoded again by every run.")
    fitting = [one for one in loaded if one.shape == first.shape]
    most = min(MAX_IMAGES, len(first.examples))
    count = st.slider("Images", 1, most, min(10, most), key="count-images", width=300,
                      help="How many test images to reconstruct.") if most > 1 else 1
    rows = reconstruct_same(fitting, count)
    _rows([("Test images", f"of {first.run.id}"), *[(one.run.id, "") for one in fitting]], rows, "compare-images")
    for one in loaded:
        if one.shape != first.shape:
            st.caption(f"{escaped(one.run.id)} is left out: it takes {_size(one)}, and the test images have "
                       f"{_size(first)}.")


@st.fragment
def codes(loaded: list[Checkpoint]) -> None:
    """The same codes through each decoder."""
    from vaecore.explore import decode_same

    st.subheader("The same codes", anchor=False, help="One bank of noise, turned into codes by each "
                 "run's own prior, and decoded.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.slider("Codes", 2, MAX_IMAGES, 10, key="count-codes", width=300, help="How many codes to decode.")
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="seed-codes", width=150,
                               help="The same seed draws the same noise.")
    rows = decode_same(loaded, count, seed=int(seed))
    _rows([(one.run.id, f"r = {one.size}" + ("" if one.has_prior else ", no prior")) for one in loaded], rows,
          "compare-codes")
    note = ("Each column is one draw of noise, sent through each run's own prior: the same place in a Gaussian, the "
            "same share of a mixture's components, the same test image's label or covariate where a prior has one. "
            "Axes of two latent spaces have nothing to do with each other, so they are paired by rank: the first "
            "number goes to each run's most informative dimension, the second to the next, and so on. A column need "
            "not show the same thing twice.")
    if len({one.size for one in loaded}) > 1:
        note += " A run with a smaller latent leaves the last numbers out."
    if any(one.fitted for one in loaded):
        note += " Without a prior, a code is drawn from a Gaussian fitted to the codes of data."
    st.caption(note)


@st.fragment
def own_samples(models: list[Codeless]) -> None:
    """What models without a code draw."""
    st.subheader("Samples of their own", anchor=False, help="Drawn by each run that has no latent code.")
    names, have = escaped(", ".join(one.run.id for one in models)), "has" if len(models) == 1 else "have"
    st.caption(f"{names} {have} no latent code, so there is nothing to encode the same images into and no code to "
               "decode: here is what is drawn without one.")
    seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="seed-own", width=150, help="The same seed draws the same.")
    rows = [_drawn(str(one.run.path), checkpoints.stamps(one.run), int(seed), one) for one in models]
    _rows([(one.run.id, "no code") for one in models], rows, "compare-samples")


@st.cache_data(max_entries=64, show_spinner="Drawing, pixel by pixel …")
def _drawn(path: str, stamps: tuple[int, ...], seed: int, _model: Codeless) -> Images:  # noqa: ARG001 (the cache's key)
    return _model.sample(OWN_IMAGES, seed)


@st.fragment
def sentences(loaded: list[SentenceCheckpoint]) -> None:
    """The same test sentences through each text model, and sentences of their own."""
    first, coded = loaded[0], [one for one in loaded if one.has_code]
    if coded and first.examples:
        st.subheader("The same sentences", anchor=False, help="Test sentences, each encoded and written again by every "
                     "run: the likeliest next word each time.")
        most = min(MOST_SENTENCES, len(first.examples))
        count = st.slider("Sentences", 1, most, min(4, most), key="count-sentences", width=300,
                          help=f"How many test sentences of {escaped(first.run.id)} to reconstruct.") if most > 1 else 1
        for sentence in first.examples[:count]:
            lines.show([lines.plain(sentence, "test sentence", faded=True),
                        *(lines.plain(one.reconstruct(sentence), one.run.id) for one in coded)], label=12, size=1.15)
    if len(coded) < len(loaded):
        st.caption("A language model has no code, so it reconstructs nothing.")
    st.subheader("Sentences of their own", anchor=False, help="Drawn by each run: a code from the prior, then words at "
                 "temperature 0.7.")
    for one in loaded:
        lines.show([lines.plain(text, "" if place else one.run.id) for place, text in
                    enumerate(one.sample(OWN, TEMPERATURE))], label=12, size=1.15)


def opened(runs: list[Run], view: View[T]) -> list[T]:
    """Those of the runs that a view shows, opened."""
    return [one for run in runs if view in views_of(run) and (one := checkpoints.opened(run, view)) is not None]


def _rows(labels: list[tuple[str, str]], rows: list[Images], name: str) -> None:
    from vaecore.explore.pictures import grid, labelled, legible, on_screen

    strips = [legible(row) for row in rows]
    pictures.rows([pictures.Labelled(label, on_screen(grid(strip, len(strip))), note)
                   for (label, note), strip in zip(labels, strips, strict=True)], name.replace("-", " "), label=12)
    lines = [(label, strip) for (label, _), strip in zip(labels, strips, strict=True)]
    pictures.download(lambda: labelled(lines), name, key=f"png-{name}", label="PNG with labels")


def _size(checkpoint: Checkpoint) -> str:
    [modality] = checkpoint.model.modalities.values()
    return f"{modality.plural} of {modality.described.removesuffix(' each')}"


def _section(field: tuple[str, object]) -> int:
    section = field[0].partition(".")[0]
    return SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)


def _said(value: object) -> str:
    return UNSET if value is None else f"{value:g}" if isinstance(value, float) else str(value)


st.title("Compare", anchor=False)
chosen = checkpoints.pick_several("Runs", page="compare", most=MAX_COMPARED, help=f"Up to {MAX_COMPARED} runs; the "
                                  "address of this page keeps them, so it can be passed on.")
readable, facts = [], []
for run in chosen:
    try:
        facts.append(headline(run))
        readable.append(run)
    except StoreError as error:
        st.error(escaped(str(error)), icon=":material/broken_image:")
if readable:
    numbers(facts)
    fields(readable)
    curves(readable)
    loaded, codeless, texts = opened(readable, SINGLE), opened(readable, CODELESS), opened(readable, SENTENCE)
    if loaded:
        images(loaded)
        codes(loaded)
    if codeless:
        own_samples(codeless)
    if texts:
        sentences(texts)
    if clips := [run for run in readable if CLIP in views_of(run)]:
        st.subheader("Futures", anchor=False)
        st.caption("The same clip and the same noise through each of them: Several checkpoints, on the page Video.")
        checkpoints.explore_link(clips[0])
elif checkpoints.with_weights() and not chosen:
    st.info("Choose two runs or more to compare.", icon=":material/info:")
