"""One evaluation drawn: its parts as cards, every number with its unit and the settings that make it mean something.

A part is drawn from its declaration (`plain`); one that wants another card has a function here under its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import streamlit as st

from pages.shared.charts import chart
from pages.shared.words import counted, escaped
from vaecore.evaluate.evaluation import Evaluation
from vaecore.evaluate.meaning import ACTIVE
from vaecore.evaluate.parts import PARTS, title
from vaecore.evaluate.parts.coherence import Judged
from vaecore.evaluate.parts.conditionals import Conditional, Conditionals
from vaecore.evaluate.parts.cost import Cost
from vaecore.evaluate.parts.disentanglement import Correlation, Disentanglement
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.evaluate.parts.naive import Naive
from vaecore.evaluate.parts.probe import Probe
from vaecore.evaluate.parts.reconstruction import Reconstructions
from vaecore.evaluate.parts.samples import Samples
from vaecore.evaluate.parts.sharing import Sharing, Told
from vaecore.evaluate.parts.style import Style, Swapped
from vaecore.evaluate.parts.variance import Variance
from vaecore.evaluate.parts.video import TITLES as FUTURES
from vaecore.evaluate.parts.video import Video, mean_of
from vaecore.evaluate.results import (
    UNSET,
    Declared,
    Result,
    finite,
    groups,
    nats,
    numbers,
    of,
    percent,
    seconds,
    shown,
    spread,
    whole,
)

GIVEN = "Given the label or covariate u of each observation, which its prior reads. "
Card = Callable[[Any, Evaluation], None]
CARDS: dict[str, Card] = {}  # of parts that are drawn in a way of their own


def card(name: str) -> Callable[[Card], Card]:
    """Draw the part of that name with a function of its result and of the evaluation it stands in."""
    def register(draw: Card) -> Card:
        CARDS[name] = draw
        return draw

    return register


def headline(facts: Evaluation) -> str:
    """An evaluation in a line: when, of what, with which settings."""
    settings = facts.settings
    observed = f"{settings.observations:,}" if settings.observations else "all"
    k = f" · K = {settings.importance_samples:,}" if "likelihood" in settings.parts and not facts.exact else ""
    return (f"{facts.date} · {settings.split}{k} · {observed} observations · seed {settings.seed}"
            + (" · partial" if facts.partial else ""))


# -- the whole -------------------------------------------------------------------------------------


def show(facts: Evaluation) -> None:
    """All parts of an evaluation; what is missing, does not apply or cannot be read in words."""
    if facts.partial:
        told = "; ".join(f"{title(part).lower()}: {what}" for part, what in facts.missing.items())
        st.warning(escaped(f"This evaluation was cancelled. Missing: {told}. Its numbers hold for what was done."),
                   icon=":material/hourglass_bottom:")
    evidence(facts)
    if (found := facts.of(Likelihood)) is not None:
        likelihood(found, facts)
    with st.grid(2, min_column_width=420, gap="medium"):
        for name, part in facts.found.items():
            if name != "likelihood":
                with st.container(border=True, gap="small"):
                    st.subheader(title(name), anchor=False)
                    CARDS.get(name, plain)(part, facts)
    for why, parts in facts.reasons().items():
        st.caption(f":material/block: {', '.join(f'**{escaped(part)}**' for part in parts)} "
                   f"{'does' if len(parts) == 1 else 'do'} not apply: {escaped(why)}")
    for name, why in facts.unreadable.items():
        st.caption(f":material/broken_image: **{title(name)}** cannot be read. {escaped(why)} Evaluate it again.")
    left = [part.title.lower() for name, part in PARTS.items() if name not in facts.settings.parts]
    if left:
        st.caption(f":material/remove: Not asked for: {', '.join(left)}.")


def evidence(facts: Evaluation) -> None:
    """The terms of the bound over the whole split."""
    found, what = facts.evidence, facts.meaning["evidence"]
    with st.container(border=True, gap="small"):
        st.subheader(title("evidence"), anchor=False,
                     help="Means over every observation of the split. Where there is a code, E log p(x|z) is estimated "
                          "with codes drawn from q(z|x), as many as in training.")
        with st.container(horizontal=True):
            st.metric(what.name, nats(found.elbo), help=f"{what.kind.capitalize()}, per observation. {what.words}")
            if facts.has_kl:
                st.metric("Reconstruction", nats(found.reconstructed), help="E log p(x|z), per observation.")
                st.metric("KL", nats(found.rate), help="Of q(z|x) from the prior, per observation: what the code "
                          "costs.")
                st.metric("Active", whole(found.active), help=ACTIVE)
            for name, (called, value, tokens) in found.perplexities.items():
                words = escaped(called)
                whole_of_it = "−log p(x)" if facts.exact else "−ELBO"
                cost = whole_of_it if words == "perplexity" else f"−E log p({escaped(name)}|z)"
                st.metric(words[0].upper() + words[1:], UNSET if value is None else f"{value:,.2f}",
                          help=f"exp({cost} / tokens), with {tokens:.2f} tokens a sentence, its end included.")
            if (log_z := facts.log_z) is not None:
                st.metric("log Z", f"{log_z.value:.3f} ± {log_z.standard_error:.3f}", help="The model's log normaliser "
                          "and its standard error, in nats. Every likelihood here contains it.")
        st.caption(escaped(" · ".join(filter(None, [
            f"{whole(facts.observations)} observations of {facts.split}", facts.data,
            facts.pixels_told, f"likelihood {facts.likelihood_name}", seed(facts),
            f"weights of step {whole(facts.step)}", facts.date, f"torch {facts.torch}", f"vaecore {facts.vaecore}"]))))


def likelihood(found: Likelihood, facts: Evaluation) -> None:
    """log p(x), its interval, how much the samples were worth, and the K curve."""
    k, what = found.samples, facts.meaning["likelihood"]
    given = GIVEN if facts.conditional else ""
    with st.container(border=True, gap="small"):
        st.subheader(what.name, anchor=False, help=what.words)
        with st.grid(2, min_column_width=420, gap="medium"):
            with st.container(gap="small"):
                with st.container(horizontal=True):
                    metric(found, "log_likelihood", what.name, before=given)
                    if found.bits_per_dimension is not None:
                        metric(found, "bits_per_dimension", before=given)
                    st.metric("95 % interval", UNSET if found.interval is None else
                              f"{found.interval[0]:.2f} to {found.interval[1]:.2f}".replace("-", "−"),
                              help="In nats, by bootstrap over the observations: what other observations of the same "
                                   "kind would have given. "
                                   + ("The bias of a small K is not in it." if k else
                                      "The error of the estimated log Z is in it." if facts.log_z else ""))
                    if k:
                        effective = finite(found.effective_samples)
                        st.metric("Effective samples", UNSET if effective is None else
                                  f"{effective:,.0f} of {k:,.0f}", help="How many equally weighted samples the K "
                                  "are worth, a mean over observations.")
                st.caption(escaped(" · ".join([f"K = {k:,.0f}" if k else what.kind.capitalize(),
                                               observed(found.observations, facts), seed(facts)])))
                if what.kind == "no log p" or (what.kind == "estimate" and not k):
                    st.caption(f":material/straighten: {what.words}")
                if (worst := finite(found.worst)) is not None:
                    st.warning(f"For one observation in twenty, the {k:,.0f} samples are worth at most {worst:.1f}. "
                               "There the estimate hangs on a few samples and is too low: use a larger K.",
                               icon=":material/scatter_plot:")
                if found.flattening:
                    st.markdown(found.flattening)
            if len(found.points) > 1 and found.interval is not None:
                import pandas  # noqa: F401  (Plotly looks at it, and fails on one that `warm` is just importing)

                from pages.shared.k_curve_figure import k_curve_figure

                chart(k_curve_figure(found.points, found.interval), key="k-curve",
                      alt="Estimate of log p(x) against the number of importance samples")


# -- from the declaration --------------------------------------------------------------------------


def plain(found: Result, facts: Evaluation) -> None:
    """Every number of a result, a table for each group in it, and what they depend on."""
    said = []
    with st.container(horizontal=True):
        for each, _ in numbers(found):
            metric(found, each.name)
            if within := spread(found, each):
                said.append(f"{each.title} {within}")
    for group, rows in groups(found):
        first = next(iter(rows.values()))
        told = numbers(first)
        table([{group.title: name, **{each.title: finite(getattr(one, each.name)) for each, _ in told}}
               for name, one in rows.items()], f"{type(found).__name__}-{group.name}",
              {group.title: st.column_config.TextColumn(help=group.help), **columns(type(first), *(
                  each.name for each, _ in told))})
    st.caption(escaped(" · ".join([*said, found.depends(facts.split, facts.seed)])))


def metric(found: Result, name: str, label: str = "", *, before: str = "", after: str = "", **how: Any) -> None:
    """A number as it was declared, under another name where `label` has one."""
    each = of(type(found), name)
    st.metric(label or each.title, each.said(getattr(found, name)), help=before + each.sentence + after, **how)


def column(each: Declared, **change: Any) -> Any:
    """A column of numbers as they were declared."""
    return st.column_config.NumberColumn(**{"format": each.format, "help": each.sentence} | change)


def columns(model: type[Result], *names: str) -> dict[str, Any]:
    """The columns of a table that has these fields of a result under their titles."""
    return {each.title: column(each) for each in (of(model, name) for name in names)}


def tabled(model: type[Result], name: str, more: str = "", **change: Any) -> Any:
    """A number's column in tables of evaluations, as it was declared; `more` is said of it there."""
    each = of(model, name).column
    assert each is not None, f"{model.__name__}.{name} has no column"
    return st.column_config.NumberColumn(**{"format": each.format, "help": each.help + more} | change)


def table(rows: Iterable[Mapping[str, Any]], key: str, config: Mapping[str, Any], *, height: int | str = "content"
          ) -> None:
    st.dataframe(list(rows), hide_index=True, height=height, placeholder=UNSET,  # type: ignore[arg-type]
                 key=key, column_config=dict(config))


def observed(count: int | None, facts: Evaluation) -> str:
    return f"{whole(count)} observations of {facts.split}"


def seed(facts: Evaluation, own: int | None = None) -> str:
    found = facts.seed if own is None else own
    return f"seed {UNSET if found is None else found}"


# -- parts with a card of their own ----------------------------------------------------------------


@card("naive")
def naive(found: Naive, facts: Evaluation) -> None:
    """The five estimates, each with a sentence."""
    import pandas as pd

    exact = facts.of(Likelihood)
    true = finite(exact.log_likelihood) if exact and exact.observations == found.observations else None
    frame = pd.DataFrame([{"Estimate": each.title, "Nats": finite(value),
                           "Above log p(x)": None if true is None else finite(value - true)}
                          for each, value in found.told()])
    number = st.column_config.NumberColumn
    st.dataframe(frame.dropna(axis=1, how="all"), hide_index=True, height="content", placeholder=UNSET, key="naive",
                 column_config={
                     "Estimate": st.column_config.TextColumn(help="Equations of the lecture, and the ELBO between."),
                     "Nats": number(format="%.2f", help="Mean per observation."),
                     "Above log p(x)": number(format="%+.2f", help="Less the estimate of log p(x) above, over the same "
                                                                   "observations, in nats.")})
    st.markdown("\n".join(f"- **{each.title}.** {escaped(each.help)}" for each, _ in found.told()))
    st.caption(escaped(f"M = {whole(found.samples)} samples · {observed(found.observations, facts)} · {seed(facts)}"))


@card("reconstruction")
def reconstruction(found: Reconstructions, facts: Evaluation) -> None:
    """Errors of decoded posterior means, a row a modality."""
    for name, each in found.modalities.items():
        with st.container(horizontal=True):
            metric(each, "mse")
            for field in ("psnr", "ssim"):
                if getattr(each, field) is not None:
                    metric(each, field)
        window = f" · SSIM window {whole(each.window)} pixels, σ {shown(each.sigma, 3)}" if each.window else ""
        st.caption(escaped(f"{name} · decoded {each.codes} · {observed(each.observations, facts)} · data range "
                           f"{shown(each.data_range, 2)}{window}"))


@card("samples")
def samples(found: Samples, facts: Evaluation) -> None:
    """How samples lie to real observations, beside how real ones lie to each other."""
    floor = found.floor
    with st.container(horizontal=True):
        for name in ("frechet", "precision", "recall"):
            metric(found, name)
    if found.frechet_interval:
        low, high = found.frechet_interval
        st.caption(f"95 % interval of the Fréchet distance: {shown(low)} to {shown(high)}, by jackknife over groups of "
                   "samples and images.")
    st.caption(escaped(
        f"Real images of {floor.split} in the place of samples would score {shown(floor.frechet)}, "
        f"{percent(floor.precision)} and {percent(floor.recall)} ({whole(floor.observations)} of each)."))
    st.caption(escaped(
        f"{whole(found.generated)} samples, as {found.pixels}, and {whole(found.real)} images of {facts.split} · k = "
        f"{whole(found.k)} neighbours · {seed(facts, found.seed)} · features of {found.features}, digest "
        f"{found.classifier_weights or found.classifier_digest}, test accuracy {percent(found.classifier_accuracy)}"))


@card("probe")
def probe(found: Probe, facts: Evaluation) -> None:
    """What a linear classifier reads from the codes."""
    with st.container(horizontal=True):
        metric(found, "accuracy")
        metric(found, "chance")
    if found.encoder_reads_label:
        st.warning("The encoder was given the label, so this says nothing of what it reads from x.",
                   icon=":material/visibility:")
    st.caption(escaped(f"{found.codes} · {whole(found.train)} codes to learn from, {whole(found.test)} of "
                       f"{facts.split} to judge · {whole(found.classes)} classes"))


# -- several modalities ----------------------------------------------------------------------------


@card("conditionals")
def conditionals(found: Conditionals, facts: Evaluation) -> None:
    """log p of each modality given the others, a row each."""
    k = found.samples
    rows = [{"Likelihood": f"log p({name} | {', '.join(each.given)})", "Nats": finite(each.log_likelihood),
             "±": finite(each.standard_error), "Effective": finite(found.effective_samples(name)),
             "How": each.method} for name, each in found.modalities.items()]
    rows.append({"Likelihood": "log p(all)", "Nats": finite(found.joint), "±": None,
                 "Effective": finite(found.effective_samples())})
    table(rows, "conditionals", {
        "Likelihood": st.column_config.TextColumn(help="Averaged: the decoder's probability over codes of "
                                                       "q(z | given), never above 1. Difference: log p(all) less log "
                                                       "p(of what is given), both by importance sampling."),
        **columns(Conditional, "log_likelihood", "standard_error"),
        "Effective": st.column_config.NumberColumn(
            format="%.1f", help=f"How many equally weighted samples the K = {k:,.0f} from q(z | given) are worth. With "
                                "few, log p(given) is too low, and the row too high.")})
    for name, each in found.modalities.items():
        if each.warning:
            st.warning(f"log p({escaped(name)} | …): {escaped(each.warning)}", icon=":material/scatter_plot:")
    st.caption(escaped(f"K = {k:,.0f} · {observed(found.observations, facts)} · {seed(facts)}"))


@card("coherence")
def coherence(found: Judged, facts: Evaluation) -> None:
    """What is generated from each subset, a row a subset and a column a modality; the judges' ceiling above."""
    with st.container(horizontal=True):
        metric(found, "joint", after=f" Of real ones it is {percent(found.joint_ceiling)}.")
        metric(found, "joint_commonest")

    def rows(kind: str) -> list[dict[str, Any]]:
        made = [{"Given": " + ".join(each.given), **{
            f"→ {name}": shares[name] for name in found.ceiling
            if finite((shares := getattr(each, kind)).get(name)) is not None}} for each in found.subsets]
        real = {"Given": "(real)", **{f"→ {name}": finite(value) for name, value in found.ceiling.items()}}
        return [row for row in made if len(row) > 1] + [real]

    config: dict[str, Any] = {"Given": st.column_config.TextColumn(
        pinned=True, help="All that is given: codes are drawn from q(z | given), everything else is unknown. The last "
                          "row are real observations, the ceiling of the judge.")}
    config |= {f"→ {name}": st.column_config.NumberColumn(
        format="percent", help=f"Share of generated observations of {name} in which the judge finds the class of what "
                               "was given.") for name in found.ceiling}
    height: int | str = "content" if len(found.subsets) < 20 else 500
    table(rows("coherence"), "coherence", config, height=height)
    with st.expander("Own reconstructions", type="compact", icon=":material/replay:", key="coherence-own"):
        table(rows("own"), "coherence-own-table", config, height=height)
        st.caption("The same of modalities that were themselves given.")
    st.caption(escaped(f"Chance {percent(found.chance)}, the share of the commonest class · {found.generated} · "
                       f"{observed(found.observations, facts)} · {seed(facts, found.seed)} · judges: "
                       + "; ".join(f"{name}: {who}" for name, who in found.judges.items())))
    for why in found.not_judged.values():
        st.caption(f":material/block: {escaped(why)}")


@card("sharing")
def sharing(found: Sharing, facts: Evaluation) -> None:
    """What linear models read from each latent, a row each."""
    factors = list(dict.fromkeys(name for each in found.latents.values() for name in each.r2))
    table([{"Latent": name, "Size": each.size, "Label": finite(each.accuracy),
            **{f"R² of {factor}": finite(each.r2.get(factor)) for factor in factors}}
           for name, each in found.latents.items()], "sharing", {
        "Latent": st.column_config.TextColumn(help=of(Sharing, "latents").help),
        "Size": st.column_config.NumberColumn(format="%d", help="Dimensions."), **columns(Told, "accuracy"),
        **{f"R² of {factor}": st.column_config.NumberColumn(
            format="%.3f", help=f"Of a linear regression of {factor} from this latent, on observations it did not "
                                "learn from; 1 is best, 0 is guessing the mean.") for factor in factors}})
    chance = f"Chance {percent(found.chance)} · " if found.chance is not None else ""
    st.caption(escaped(f"{chance}{found.codes} given {', '.join(found.given)} · {whole(found.train)} codes to learn "
                       f"from, {whole(found.test)} of {facts.split} to judge"))


@card("style")
def style(found: Style, facts: Evaluation) -> None:
    """What becomes of style and class under the swap and of the mixed pair, with the ceiling."""
    rows = [{"Image": label, "Style": finite(each.r2), "Class of i": finite(each.changed),
             "Class of j": finite(each.stayed)} for label, each in (("Swap", found.swap), ("Mixed pair", found.mixed))]
    rows.append({"Image": "(real, of j)", "Style": finite(found.ceiling), "Class of i": None,
                 "Class of j": finite(found.judge_accuracy)})
    table(rows, "style", {
        "Image": st.column_config.TextColumn(help="Decoded from two observations i and j of different classes. The "
                                                  "last row are real images: the ceilings."),
        "Style": column(of(Swapped, "r2"), label=of(Swapped, "r2").title), **columns(Swapped, "changed", "stayed")})
    what = (f"private codes ({escaped(', '.join(found.private))}) from j, the shared one from i" if found.private else
            "the whole code from i, as nothing is private")
    st.markdown(f"- **Swap.** {what[0].upper()}{what[1:]}.\n- **Mixed pair.** {escaped(found.modality)} of j and "
                "everything else of i are given together.")
    st.caption(escaped(f"{found.codes} · {whole(found.pairs)} pairs of {facts.split} · {seed(facts, found.seed)} · "
                       f"{found.regression} · {found.judge}"))


@card("variance")
def variance(found: Variance, facts: Evaluation) -> None:
    """Shares of variance by part, a row a modality."""
    rows = [{"Modality": name, **{part.capitalize(): finite(value) for part, value in each.items()}}
            for name, each in found.modalities.items()]
    names = list(dict.fromkeys(name for row in rows for name in row if name != "Modality"))
    table(rows, "variance", {name: st.column_config.NumberColumn(
        format="percent", help="Share of this modality's variance around its mean.") for name in names})
    st.caption(escaped(observed(found.observations, facts)))


# -- known factors, clips and cost -----------------------------------------------------------------


@card("disentanglement")
def disentanglement(found: Disentanglement, facts: Evaluation) -> None:
    """The scores, and which latent stands for which factor."""
    with st.container(horizontal=True):
        for each, score in found.scores():
            if finite(score) is not None:
                st.metric(each.title, each.said(score), help=f"{each.help} 1 is best.")
    matched = found.mcc if isinstance(found.mcc, Correlation) else None
    if matched:
        table([{"Factor": name, "Latent": latent, "Correlation": finite(matched.correlations.get(name))}
               for name, latent in matched.matching.items()], "matching", {
            "Latent": st.column_config.NumberColumn(format="%d", help="The dimension that stands for this factor."),
            "Correlation": st.column_config.NumberColumn(format="%.3f", help="Pearson's, of the two. 1 or −1 is "
                                                         "best.")})
    for name, why in found.reasons():
        st.caption(f":material/block: {name} does not apply: {escaped(why)}")
    if matched:
        st.caption(escaped(f"{observed(matched.observations, facts)} · {matched.codes} · {whole(matched.latents)} "
                           f"latents, {whole(matched.factors)} factors · MCC by Pearson; by Spearman "
                           f"{shown(matched.spearman, 3)} · {seed(facts)}"))


@card("video")
def video(found: Video, facts: Evaluation) -> None:
    """Predicted frames of clips: best and mean of N futures, how different and how sharp they are, and the bound."""
    import pandas as pd

    futures, rows = found.futures, []
    for name, called in FUTURES.items():
        if (each := found.metrics.get(name)) is not None and each.best_of:
            digits, curve = 4 if name == "psnr" else 3, sorted(each.best_of)
            values = {"Mean": curve[0][1], **({f"Best of {futures}": curve[-1][1]} if futures > 1 else {}),
                      "±": each.standard_error, "First frame": each.best[0] if each.best else None,
                      "Last frame": each.best[-1] if each.best else None}
            if each.copied:
                values["Copying"] = mean_of(each.copied)
            rows.append({"Metric": f"{called}, {each.unit}" if each.unit else called,
                         **{heading: shown(value, digits) for heading, value in values.items()}})
    if rows:
        text = st.column_config.TextColumn
        st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", key="evaluation-video", column_config={
            "Mean": text(help="Over frames, clips and futures."),
            "±": text(help="Standard error over clips of the best; windows of one clip count as one."),
            "Copying": text(help="What copying the last frame given would get, a mean over frames and clips: a model "
                            "that is no better has learned no motion."),
            "First frame": text(help="Of the best future, the first frame predicted."),
            "Last frame": text(help="Of the best future, the last frame predicted.")})
    with st.container(horizontal=True):
        st.metric("ELBO a frame" if facts.has_kl else "log p(x) a frame", nats(-found.bound.neg_elbo),
                  help="Of clips as long as those of training. Higher is better.")
        if facts.has_kl:
            st.metric("KL a frame", nats(found.bound.kl), help="What its code costs.")
        if futures > 1:
            st.metric("Diversity", shown(mean_of(found.diversity), 4), help="Root mean square difference of two "
                      "futures of a clip, averaged over frames: 0 where all are one.")
        if found.edge_energy:
            st.metric("Edge energy", percent(found.edge_energy[-1]), help="Of the last frame predicted, as a share of "
                      "the true one's, over all futures. Less than 100 % is blur.")
        if (prior := found.prior) is not None:
            st.metric("AUC of the prior's σ", shown(prior.auc, 3), help="The chance that the learned prior is wider at "
                      "a frame that could not be foreseen than at another one: 1 is best, 0.5 is chance. "
                      f"{whole(prior.events)} such frames of {whole(prior.frames)}.", delta_color="off",
                      delta_arrow="off",
                      delta=f"σ {shown(prior.sd_at_events, 3)} there, {shown(prior.sd_elsewhere, 3)} elsewhere")
        st.metric("Roll-out", seconds(found.seconds), delta_color="off", delta_arrow="off",
                  delta=f"first {seconds(found.first_seconds)}", help=f"All {futures:,} futures of a clip, and one "
                  f"alone, on "
                  f"{UNSET if found.threads is None else counted(found.threads, 'thread')}.")
    window = f" · SSIM window {whole(found.window)} pixels" if found.window else ""
    windows = found.sources not in (None, found.clips)
    of_clips = f"{whole(found.clips)} {f'windows of {whole(found.sources)} clips' if windows else 'clips'}"
    st.caption(escaped(f"{of_clips} · {whole(found.context)} frames given, {whole(found.horizon)} predicted, which "
                       f"alone count · the best future is chosen for each metric by its mean over frames{window} · "
                       f"{seed(facts)}"))


@card("cost")
def cost(found: Cost, _: Evaluation) -> None:
    """Passes and seconds to infer and to sample."""
    with st.container(horizontal=True):
        for name, passes in (("inference_seconds", found.inference_passes),
                             ("sampling_seconds", found.sampling_passes)):
            metric(found, name, after=f" {whole(found.together)} at a time, for each of them.", delta_color="off",
                   delta_arrow="off", delta=None if passes is None else
                   f"{passes:,.0f} {'pass' if passes == 1 else 'passes'}")
        metric(found, "first_sample_seconds")
    st.caption(escaped(f"The fastest of some tries · {whole(found.threads)} thread of {found.processor} · "
                       f"{whole(found.parameters)} parameters"))
