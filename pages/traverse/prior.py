"""Traverse's view of the prior: beside the codes of data, its parts one by one, and samples by label."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared import address, pictures
from pages.shared.charts import chart
from pages.shared.words import escaped
from pages.traverse import fitting
from pages.traverse.by_column import called
from vaecore.evaluate.results import UNSET
from vaecore.memory import held
from vaecore.probability.saturation import saturated
from vaecore.store import StoreError

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.prior import Components, Overfit, Pair, PriorInputs

PAGE = 48  # inputs in sight
WRAP = 16  # of them in a row, and samples of a label
DRAWN = 10  # samples of a component
MAX_LABELS = 60
KINDS = {
    "standard": ("N(0, I)", "The standard normal: every dimension has mean 0 and standard deviation 1."),
    "mixture": ("Gaussian mixture", "A weighted sum of Gaussians, whose means, spreads and weights are learned."),
    "vamp": ("VampPrior", "The average of the encoder's posteriors at pseudo-inputs, which are learned: images that "
             "nobody wrote, each to stand for many that somebody did (Tomczak & Welling 2018)."),
    "aggregated": ("Aggregated posterior", "The average of the encoder's posteriors at some training observations. "
                   "It fits these, so watch its test score: it may overfit."),
    "implicit": ("Implicit optimal prior", "N(0, I) times a learned ratio, which tends to the aggregated posterior "
                 "(Takahashi et al. 2019). Drawn here as smoothed, weighted draws."),
    "conditional": ("Conditional", "A Gaussian, or a mixture, for each label or covariate. Drawn here is its average "
                    "over those of the data."),
    "fitted": ("Gaussian mixture, fitted afterwards", "A weighted sum of Gaussians, fitted to the codes of the "
               "training split of a model that was trained without it (Ghosh et al. 2020)."),
}
PLANE_HELP = ("Blue: where codes of data lie, the average of the posteriors q(z|x), 99 % of it, darker where it is "
              "denser. Orange: lines within which half and nine tenths of the prior lie. Where they part, samples from "
              "the prior are decoded from places that no image was encoded to.")
POINTS_HELP = " A code of this model is a point: each is drawn as a small Gaussian around it."
CURVE_HELP = "The same for one latent dimension at a time: its density under the prior and under the codes of data."
AGGREGATE_HELP = ("KL(q(z)||p(z)), in nats: how far the codes of data taken together lie from the prior. 0 where both "
                  "are the same. Measured on the validation set.")
CEILING_HELP = (" Mutual information has met its ceiling, the logarithm of the observations, and may be more: then "
                "this is less.")
CONDITIONAL_HELP = " With a conditional prior it is the mean of log q(z) − log p(z|u), which says less."
INFORMATION_HELP = ("Mutual information of observation and code, in nats: how much a code tells about which "
                    "observation it came from. At most the logarithm of their number. KL = mutual information + "
                    "KL(q(z)||p(z)).")
OWN_HELP = ("Mean KL of the {count:,} training observations whose posteriors this prior averages: at most "
            "log {count:,} = {most:.2f} nats, because each has a component to itself. That of other observations is "
            "larger by what the prior has overfitted.")
OTHERS_HELP = "Mean KL of {source}, which are not in the prior, in nats."
RATE_HELP = "Mean KL of q(z|x) from the prior, in nats per observation, on the validation set."
NORMALISER_HELP = ("Logarithm of the sum of N(0, I) times the ratio, in nats. Likelihoods are less this, or they would "
                   "be too large; ± its standard error.")


def panel(checkpoint: Checkpoint) -> None:
    """All of it."""
    if not checkpoint.has_prior:
        st.info("This family has no prior: nothing says where its codes should lie.", icon=":material/info:")
        fitting.offer(checkpoint)
        return
    name, says = KINDS.get(_kind(checkpoint), ("p(z)", ""))
    st.markdown(f"**Prior: {name}.** {says}")
    figures(checkpoint)
    with st.container(key="prior-beside"):
        beside(checkpoint, _pair(str(checkpoint.run.path), _stamp(checkpoint), checkpoint))
    parts(checkpoint)
    if checkpoint.classes:
        with st.container(key="prior-labels"):
            labels(checkpoint)
    fitting.offer(checkpoint)


def figures(checkpoint: Checkpoint) -> None:
    """Numbers of the summary that compare both."""
    from vaecore.training.fitted import PriorFit

    entries = [] if checkpoint.model.point_codes else _charged(checkpoint)
    if fit := PriorFit.of_run(checkpoint.run) if _kind(checkpoint) == "fitted" else None:
        entries += [(name, _nats(value), help) for name, value, help in fitting.told(fit)]
    with st.container(horizontal=True, gap="medium"):
        for label, value, help in entries:
            if value != UNSET:
                st.metric(label, value, help=help, width="content")
    if missing := [label for label, value, _ in entries if value == UNSET]:
        st.caption(f"Not measured when this run was trained: {', '.join(missing)}. "
                   f"`vaecore diagnose {escaped(checkpoint.run.id)}` measures what is missing.")


def _charged(checkpoint: Checkpoint) -> list[tuple[str, str, str]]:
    """What the code of each observation costs under the prior: name, value and what it is."""
    from vaecore.explore.prior import normaliser

    found: Any = checkpoint.summary
    for key in ("validation", "information", checkpoint.latent):
        found = found.get(key) if isinstance(found, dict) else None
    found = found if isinstance(found, dict) else {}
    more = CONDITIONAL_HELP if checkpoint.covariates is not None else ""
    apart = _nats(found.get("aggregate_kl"))
    told, count = found.get("mutual_information"), found.get("observations")
    if apart != UNSET and isinstance(told, float) and isinstance(count, int) and saturated(told, count):
        apart, more = f"at most {apart}", CEILING_HELP + more
    entries = [("KL(q(z)||p(z))", apart, AGGREGATE_HELP + more),
               ("Mutual information", _nats(found.get("mutual_information")), INFORMATION_HELP),
               ("KL", _nats(checkpoint.rate), RATE_HELP)]
    if z := normaliser(checkpoint):
        entries.append(("log Z", f"{z[0]:.2f} ± {z[1]:.2f} nats".replace("-", "−"), NORMALISER_HELP))
    if found_own := _overfit(str(checkpoint.run.path), _stamp(checkpoint), checkpoint):
        entries += [("KL, its own", _nats(found_own.own), OWN_HELP.format(count=found_own.count,
                                                                          most=math.log(found_own.count))),
                    ("KL, others", _nats(found_own.others), OTHERS_HELP.format(source=found_own.source))]
    return entries


def beside(checkpoint: Checkpoint, both: Pair) -> None:
    """Prior and aggregated posterior, in two dimensions and in one."""
    import pandas  # noqa: F401  (Plotly looks at it, and fails on one that `warm` is just importing)

    from pages.traverse.prior_figure import curve_figure, plane_figure

    order, points = checkpoint.order, POINTS_HELP if checkpoint.model.point_codes else ""
    with st.grid(2, min_column_width=420):
        if len(order) > 1:
            with st.container():
                st.subheader("Two dimensions", anchor=False, help=PLANE_HELP + points)
                with st.container(horizontal=True):
                    x = _dimension("Across", checkpoint, order[0], "prior-x")
                    y = _dimension("Up", checkpoint, order[1], "prior-y")
                if x == y:
                    st.info("Choose two different dimensions.", icon=":material/info:")
                else:
                    chart(plane_figure(both.plane((x, y))), key="prior-plane",
                          alt=f"Prior and aggregated posterior in z{x} and z{y}")
        with st.container():
            st.subheader("One dimension", anchor=False, help=CURVE_HELP + points)
            with st.container(horizontal=True):
                one = _dimension("Dimension", checkpoint, order[0], "prior-one")
            chart(curve_figure(both.curve(one)), key="prior-curve", alt=f"Densities of z{one}")
    st.caption(f"q(z) is the average over {escaped(both.source)}. The most active dimensions come first.")


def parts(checkpoint: Checkpoint) -> None:
    """The inputs of its components, and the components one by one."""
    from vaecore.explore.prior import components, inputs

    found, given = components(checkpoint), inputs(checkpoint)
    if given is not None and found is not None:
        with st.container(key="prior-inputs"):
            grid_of_inputs(checkpoint, given, found)
    if found is not None:
        with st.container(key="prior-component"):
            component(checkpoint, found, given)


def grid_of_inputs(checkpoint: Checkpoint, given: PriorInputs, found: Components) -> None:
    """Pseudo-inputs over what each decodes to, a page at a time."""
    from vaecore.explore.pictures import grid, labelled, legible, on_screen

    count = len(given.images)
    st.subheader("Pseudo-inputs" if given.learned else "Training observations", anchor=False, help=(
        "What the prior gives to the encoder, learned with it; each gives one Gaussian of the prior. They need not "
        "look like data." if given.learned else
        "Those whose posteriors are averaged; each gives one Gaussian of the prior.")
        + " Below each, what the mean of its Gaussian decodes to.")
    pages = -(-count // PAGE)
    page = 0
    if pages > 1:
        key = f"inputs-{checkpoint.run.id}"
        page = address.kept("page", st.slider, "Page", 1, pages, 1, key=key, width=360, of_run=True,
                            help=f"{PAGE} of {count:,} at a time.") - 1
    chosen = list(range(page * PAGE, min(count, (page + 1) * PAGE)))
    place = {number: place for place, number in enumerate(found.numbers)}
    means = checkpoint.decode(found.mean[[place[number] for number in chosen]])
    wrap = min(WRAP, len(chosen))
    lines = []
    for start in range(0, len(chosen), WRAP):
        part = slice(start, start + WRAP)
        first, last = chosen[part][0], chosen[part][-1]
        lines += [(f"{first} to {last}" if last > first else str(first), legible(given.images[chosen[part]])),
                  ("decoded", legible(means[part]))]
    pictures.rows([pictures.Labelled(name, on_screen(grid(images, wrap, fill=True))) for name, images in lines],
                  "Inputs of the prior and what they decode to", label=6)
    pictures.download(lambda: labelled(lines), f"{checkpoint.run.id}-inputs-{chosen[0]}", key="png-inputs",
                      label="PNG with labels")


def component(checkpoint: Checkpoint, found: Components, given: PriorInputs | None) -> None:
    """One Gaussian of the prior: its weight, what its mean decodes to, and samples of it."""
    import numpy as np

    from vaecore.explore.pictures import grid, legible, on_screen

    count = len(found.numbers)
    key = f"component-{checkpoint.run.id}"
    st.subheader("Components one by one", anchor=False, help="The Gaussians that the prior mixes, the heaviest first. "
                 "To sample from the prior, one is drawn by its weight, then a code from it.")
    place = 0
    if count > 1:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            place = int(address.kept("component", st.number_input, f"Component, of {count:,}", 1, count, 1, key=key,
                                     width=170, of_run=True, help="1 is the heaviest.")) - 1
            for label, icon, step in (("Previous", "left", -1), ("Next", "right", 1)):
                st.button(label, icon=f":material/chevron_{icon}:", key=f"component-{label}", on_click=_step,
                          args=(key, step, count), help=f"The {label.lower()} component.")
    number, weight = found.numbers[place], float(found.weights[place])
    mean = checkpoint.decode(found.mean[[place]])
    rows = [("Mean, decoded", f"weight {100 * weight:.2g} %", mean)]
    if given is not None:
        rows.insert(0, ("Pseudo-input" if given.learned else "Training observation", f"number {number}",
                        given.images[[number]]))
    rows.append(("Samples", "of this component alone", checkpoint.decode(found.draw(place, DRAWN))))
    pictures.rows([pictures.Labelled(name, on_screen(grid(legible(images), DRAWN, fill=True)), note)
                   for name, note, images in rows], f"Component {place + 1}", label=11)
    even = bool(np.allclose(found.weights, found.weights[0]))
    st.caption("All components have the same weight." if even and count > 1 else
               f"Together the {min(count, 5)} heaviest weigh {100 * float(found.weights[:5].sum()):.0f} %.")


def labels(checkpoint: Checkpoint) -> None:
    """A row of samples for each label."""
    from vaecore.explore.pictures import grid, labelled, legible, on_screen
    from vaecore.explore.prior import by_label

    st.subheader("Samples by label", anchor=False, help="Each row is drawn from the prior of one label. Down a column "
                 "the random numbers are the same: what changes is the label.")
    seed = address.kept("draws", st.number_input, "Seed", 0, 2**31 - 1, 0, key="seed-labels", width=150,
                        help="The same seed draws the same codes.")
    rows = by_label(checkpoint, WRAP, MAX_LABELS, int(seed))
    named = checkpoint.class_names
    lines = [(f"label {label}" if named[label] == str(label) else named[label], legible(images))
             for label, images in rows]
    pictures.rows([pictures.Labelled(name, on_screen(grid(images, WRAP))) for name, images in lines],
                  "Samples by label", label=6)
    if checkpoint.classes > MAX_LABELS:
        st.caption(f"The first {MAX_LABELS} of {checkpoint.classes} labels.")
    pictures.download(lambda: labelled(lines), f"{checkpoint.run.id}-labels-{seed}", key="png-labels",
                      label="PNG with labels")


def _dimension(label: str, checkpoint: Checkpoint, first: int, key: str) -> int:
    order = checkpoint.order
    return int(address.kept(label.lower(), st.selectbox, label, order, order.index(first), width=150, of_run=True,
                            key=f"{key}-{checkpoint.run.id}", said=called, format_func=called,
                            help="A latent dimension; the most active come first."))


def _step(key: str, step: int, count: int) -> None:
    st.session_state[key] = (st.session_state.get(key, 1) - 1 + step) % count + 1


def _kind(checkpoint: Checkpoint) -> str:
    try:
        model = checkpoint.run.values().get("model")
    except StoreError:  # it went while this was open
        return ""
    prior = model.get("prior") if isinstance(model, dict) else None
    return str(prior.get("kind", "standard")) if isinstance(prior, dict) else "standard"


def _stamp(checkpoint: Checkpoint) -> int:
    """When its weights were written: new ones are another checkpoint."""
    try:
        return checkpoint.run.weights.stat().st_mtime_ns
    except OSError:  # removed just now
        return 0


def _nats(value: Any) -> str:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return f"{value:.2f} nats".replace("-", "−") if good else UNSET


@held
def _overfit(path: str, stamp: int, _checkpoint: Checkpoint) -> Overfit | None:  # noqa: ARG001 (the cache's key)
    from vaecore.explore.prior import overfit

    return overfit(_checkpoint)


@held(meanwhile=partial(st.spinner, "Encoding the data …"))
def _pair(path: str, stamp: int, _checkpoint: Checkpoint) -> Pair:  # noqa: ARG001 (the cache's key)
    from vaecore.explore.prior import pair

    return pair(_checkpoint)
