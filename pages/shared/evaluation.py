"""One evaluation drawn: its parts as cards, every number with its unit and the settings that make it mean something.

What is drawn was read from a file that may come from anywhere: a number that is none is not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared.headline import shown
from pages.shared.words import escaped
from vaecore.evaluate.meaning import evidence_meaning, likelihood_meaning, perplexities, perplexity_name
from vaecore.evaluate.settings import NAIVE, PARTS, TITLES

Facts = dict[str, Any]
STILL = {"displayModeBar": False, "responsive": True}
FEW = 10  # effective samples, below which an estimate hangs on a handful
GIVEN = "Given the label or covariate u of each observation, which its prior reads. "
FLAT = 0.05  # nats: a K curve that still rises more per doubling of K has not flattened
MEANS = {  # of the five estimates, in one sentence each
    "prior_printed": "Mean of log p(x|z) over z from the prior. It tends to something below log p(x), whatever M.",
    "prior_corrected": "The mean inside the logarithm. It tends to log p(x), but few codes of the prior fit an x.",
    "posterior_printed": "Mean of log p(x|z) over z from q(z|x): the reconstruction term, which pays for no code.",
    "elbo": "The same less the KL: the lower bound that training maximises.",
    "posterior_corrected": "The mean inside, with p(z) / q(z|x): importance sampling, as above but with M samples.",
}
SCORES = {"mig": ("MIG", "Mutual information gap: of each factor, the information of the best latent less that of the "
                  "second, as a share of the factor's entropy. From histograms of 20 bins."),
          "mig_full": ("MIG, all posteriors", "The same with the estimator of Chen et al. (2018)."),
          "sap": ("SAP", "How much better the best latent predicts each factor than the second best."),
          "beta_vae": ("β-VAE score", "How often a linear classifier names the factor that pairs share."),
          "mcc": ("MCC", "Mean |correlation| of latents and factors under the best one-to-one matching.")}

FUTURES = {"psnr": ("PSNR", "dB", 4), "ssim": ("SSIM", "", 3), "error": ("Squared error", "", 3)}


# -- reading ---------------------------------------------------------------------------------------


def at(facts: Any, *path: str) -> Any:
    """What stands under `path`; None where there is nothing."""
    for name in path:
        facts = facts.get(name) if isinstance(facts, dict) else None
    return facts


def number(facts: Any, *path: str) -> float | None:
    """A finite number under `path`, else None."""
    found = at(facts, *path)
    good = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    return float(found) if good else None


def text(facts: Any, *path: str) -> str:
    """Words under `path`, fit for Markdown."""
    found = at(facts, *path)
    return escaped(str(found)) if isinstance(found, str | int) else ""


def total(facts: Any, *path: str) -> float | None:
    """The sum of all numbers under `path`; None where one is none, or there is none."""
    found = at(facts, *path)
    parts = found.values() if isinstance(found, dict) else found if isinstance(found, list) else None
    if not parts:
        return number({"it": found}, "it")
    numbers = [total({"it": part}, "it") for part in parts]
    known = [value for value in numbers if value is not None]
    return sum(known) if len(known) == len(numbers) else None


def count(facts: Any, *path: str) -> str:
    """A whole number with its thousands."""
    value = number(facts, *path)
    return "–" if value is None else f"{value:,.0f}"


def title(facts: Facts) -> str:
    """An evaluation in a line: when, of what, with which settings."""
    settings = facts["settings"]
    observed = f"{settings['observations']:,}" if settings["observations"] else "all"
    k = f" · K = {settings['importance_samples']:,}" if "likelihood" in settings["parts"] and not facts.get("exact") \
        else ""
    return (f"{facts['date']} · {settings['split']}{k} · {observed} observations · seed {settings['seed']}"
            + (" · partial" if facts["partial"] else ""))


# -- the whole -------------------------------------------------------------------------------------


def show(facts: Facts) -> None:
    """All parts of an evaluation; what is missing and what does not apply in words."""
    if facts["partial"]:
        told = "; ".join(f"{TITLES.get(part, part).lower()}: {what}" for part, what in facts["missing"].items())
        st.warning(escaped(f"This evaluation was cancelled. Missing: {told}. Its numbers hold for what was done."),
                   icon=":material/hourglass_bottom:")
    evidence(facts)
    if "likelihood" in facts:
        likelihood(facts)
    with st.grid(2, min_column_width=420, gap="medium"):
        for part, draw in (("conditionals", conditionals), ("naive", naive), ("reconstruction", reconstruction),
                           ("samples", samples), ("probe", probe), ("coherence", coherence), ("sharing", sharing),
                           ("style", style), ("variance", variance), ("disentanglement", disentanglement),
                           ("video", video), ("cost", cost)):
            if part in facts:
                with st.container(border=True, gap="small"):
                    st.subheader(TITLES[part], anchor=False)
                    draw(facts)
    reasons: dict[str, list[str]] = {}
    for part, why in facts["not_applicable"].items():
        reasons.setdefault(why, []).append(f"**{escaped(TITLES.get(part, part))}**")
    for why, parts in reasons.items():
        st.caption(f":material/block: {', '.join(parts)} {'does' if len(parts) == 1 else 'do'} not apply: "
                   f"{escaped(why)}")
    left = [TITLES[part].lower() for part in PARTS if part not in facts["settings"]["parts"]]
    if left:
        st.caption(f":material/remove: Not asked for: {', '.join(left)}.")


def evidence(facts: Facts) -> None:
    """The terms of the bound over the whole split."""
    found, kl = facts["evidence"], total(facts, "evidence", "kl")
    bound, reconstructed = number(found, "elbo"), total(found, "reconstruction")
    has_kl = facts.get("has_kl") is True
    with st.container(border=True, gap="small"):
        st.subheader(TITLES["evidence"], anchor=False,
                     help="Exact sums over every observation of the split; one sample of z for each.")
        with st.container(horizontal=True):
            what = evidence_meaning(facts)
            st.metric(what.name, nats(bound), help=f"{what.kind.capitalize()}, per observation. {what.words}")
            if has_kl:
                st.metric("Reconstruction", nats(reconstructed), help="E log p(x|z), per observation.")
                st.metric("KL", nats(kl), help="Of q(z|x) from the prior, per observation: what the code costs.")
                st.metric("Active", count(found, "active"), help="Latent dimensions whose posterior mean varies by "
                          "more than 0.01 (in variance).")
            for name, value in perplexities(found).items():
                of = escaped(perplexity_name(name, found))
                cost = "−ELBO" if of == "perplexity" else f"−E log p({escaped(name)}|z)"
                st.metric(of[0].upper() + of[1:], "–" if value is None else f"{value:,.2f}",
                          help=f"exp({cost} / tokens), with {number(found, 'tokens', name):.2f} tokens a sentence, its "
                          "end included.")
            if (log_z := number(facts, "log_z", "value")) is not None:
                error = number(facts, "log_z", "standard_error") or 0.0
                st.metric("log Z", f"{log_z:.3f} ± {error:.3f}", help="The model's log normaliser and its standard "
                          "error, in nats. Every likelihood here contains it.")
        pixels = f" · pixels {text(facts, 'pixels')}" if facts.get("pixels") else ""
        st.caption(f"{count(facts, 'observations')} observations of {text(facts, 'split')} · {text(facts, 'data')}"
                   f"{pixels} · likelihood {text(facts, 'likelihood_name')} · seed {text(facts, 'seed')} · weights of "
                   f"step {count(facts, 'step')} · {text(facts, 'date')} · torch {text(facts, 'torch')} · "
                   f"vaecore {text(facts, 'vaecore')}")


def likelihood(facts: Facts) -> None:
    """log p(x), its interval, how much the samples were worth, and the K curve."""
    found = facts["likelihood"]
    value, k = number(found, "log_likelihood"), number(found, "samples")
    low, high = interval(found)
    curve, what = points(found), likelihood_meaning(facts)
    with st.container(border=True, gap="small"):
        st.subheader(what.name, anchor=False, help=what.words)
        with st.grid(2, min_column_width=420, gap="medium"):
            with st.container(gap="small"):
                with st.container(horizontal=True):
                    given = facts.get("conditional") is True
                    st.metric(what.name, nats(value),
                              help=(GIVEN if given else "") + "Mean per observation. Higher is better, among runs of "
                              "the same data, pixels and likelihood, with the same K.")
                    st.metric("95 % interval", "–" if low is None or high is None else
                              f"{low:.2f} to {high:.2f}".replace("-", "−"),
                              help="In nats, by bootstrap over the observations: what other observations of the same "
                                   "kind would have given. "
                                   + ("The bias of a small K is not in it." if k else
                                      "The error of an estimated log Z is in it."))
                    if k:
                        share = number(found, "effective")
                        st.metric("Effective samples", "–" if share is None else f"{share * k:,.0f} of {k:,.0f}",
                                  help="How many equally weighted samples the K are worth, a mean over observations.")
                st.caption((f"K = {k:,.0f} · " if k else f"{what.kind.capitalize()} · ")
                           + f"{count(found, 'observations')} observations of {text(facts, 'split')} · seed "
                           f"{text(facts, 'seed')}")
                if what.kind == "no log p" or (what.kind == "estimate" and not k):
                    st.caption(f":material/straighten: {what.words}")
                worth(found, k or 0)
                if len(curve) > 1:
                    (before, lower), (last, upper) = curve[-2:]
                    st.markdown(flattening(before, last, upper - lower, number(found, "effective_low")))
            if len(curve) > 1 and low is not None and high is not None:
                import pandas  # noqa: F401  (Plotly looks at it, and fails on one that `warm` is just importing)

                from pages.shared.k_curve_figure import k_curve_figure

                st.plotly_chart(k_curve_figure(curve, (low, high)), key="k-curve", config=STILL,
                                alt="Estimate of log p(x) against the number of importance samples")


def flattening(before: int, last: int, rise: float, worst: float | None) -> str:
    """Whether a K curve has flattened: by its rise per doubling of K, whatever the last factor of K, and only where
    the worst observations have enough effective samples."""
    doubling = rise / math.log2(last / before) if last > before > 0 else math.inf
    told = f"From K = {before:,} to K = {last:,} the estimate rose by {rise:.2f} nats, {doubling:.2f} per doubling"
    if doubling >= FLAT:
        return told + "; with a larger K it would go on."
    if worst is not None and worst * last < FEW:
        return told + "; but for one observation in twenty a few samples decide, so it may still rise."
    return told + ": it has flattened."


def worth(found: Facts, k: float) -> None:
    """A warning where the worst observations hang on a few samples."""
    worst = number(found, "effective_low")
    if k > 1 and worst is not None and worst * k < FEW:
        st.warning(f"For one observation in twenty, the {k:,.0f} samples are worth at most {worst * k:.1f}. There the "
                   "estimate hangs on a few samples and is too low: use a larger K.", icon=":material/scatter_plot:")


def naive(facts: Facts) -> None:
    """The five estimates, each with a sentence."""
    import pandas as pd

    found = facts["naive"]
    values = {key: number(found, "estimates", key) for key in NAIVE}
    exact = number(facts, "likelihood", "log_likelihood")
    same = number(facts, "likelihood", "observations") == number(found, "observations")
    rows = [{"Estimate": name, "Nats": values[key], "Above log p(x)": value - exact
             if same and exact is not None and (value := values[key]) is not None else None}
            for key, name in NAIVE.items()]
    column = st.column_config.NumberColumn
    st.dataframe(pd.DataFrame(rows).dropna(axis=1, how="all"), hide_index=True, height="content", placeholder="–",
                 key="naive", column_config={
                     "Estimate": st.column_config.TextColumn(help="Equations of the lecture, and the ELBO between."),
                     "Nats": column(format="%.2f", help="Mean per observation."),
                     "Above log p(x)": column(format="%+.2f", help="Less the estimate of log p(x) above, over the same "
                                                                   "observations, in nats.")})
    st.markdown("\n".join(f"- **{name}.** {escaped(MEANS[key])}" for key, name in NAIVE.items()))
    st.caption(f"M = {count(found, 'samples')} samples · {count(found, 'observations')} observations of "
               f"{text(facts, 'split')} · seed {text(facts, 'seed')}")


def reconstruction(facts: Facts) -> None:
    """Errors of decoded posterior means, a row a modality."""
    for name, found in facts["reconstruction"].items():
        if not isinstance(found, dict):
            continue
        with st.container(horizontal=True):
            st.metric("MSE", shown(number(found, "mse")), help="Mean squared error for each pixel or number.")
            if (psnr := number(found, "psnr")) is not None:
                st.metric("PSNR", f"{psnr:.2f} dB", help="10 log10(1 / MSE) of each image, then the mean. Higher is "
                          "better.")
            if (ssim := number(found, "ssim")) is not None:
                st.metric("SSIM", f"{ssim:.3f}", help="Structural similarity (Wang et al. 2004), 1 at best.")
        window = f" · SSIM window {count(found, 'window')} pixels, σ {shown(number(found, 'sigma'), 3)}" \
            if number(found, "window") else ""
        st.caption(f"{escaped(name)} · decoded posterior means · {count(found, 'observations')} observations of "
                   f"{text(facts, 'split')} · data range {shown(number(found, 'data_range'), 2)}{window}")


def samples(facts: Facts) -> None:
    """How samples lie to real observations, beside how real ones lie to each other."""
    found = facts["samples"]
    floor = found.get("floor")
    digest = "classifier_weights" if "classifier_weights" in found else "classifier_digest"  # of older results
    with st.container(horizontal=True):
        st.metric("Fréchet distance", shown(number(found, "frechet")), help="Between Gaussians fitted to features of "
                  "samples and of real images. Lower is better. The features are those of our own classifier, so this "
                  "is not the FID of papers.")
        st.metric("Precision", percent(number(found, "precision")), help="Share of samples that lie among real images.")
        st.metric("Recall", percent(number(found, "recall")), help="Share of real images that lie among samples.")
    if isinstance(span := found.get("frechet_interval"), list) and len(span) == 2:
        low, high = map(number, span)
        st.caption(f"Another seed's Fréchet distance would lie within {shown(low)} to {shown(high)} in 95 % of cases.")
    st.caption(f"Real images of {text(floor, 'split')} in the place of samples would score "
               f"{shown(number(floor, 'frechet'))}, {percent(number(floor, 'precision'))} and "
               f"{percent(number(floor, 'recall'))} ({count(floor, 'observations')} of each).")
    st.caption(f"{count(found, 'generated')} samples, as {text(found, 'pixels')}, and {count(found, 'real')} images of "
               f"{text(facts, 'split')} · k = {count(found, 'k')} neighbours · seed {text(found, 'seed')} · features "
               f"of {text(found, 'features')}, digest {text(found, digest)}, test accuracy "
               f"{percent(number(found, 'classifier_accuracy'))}")


def probe(facts: Facts) -> None:
    """What a linear classifier reads from the codes."""
    found = facts["probe"]
    with st.container(horizontal=True):
        st.metric("Accuracy", percent(number(found, "accuracy")), help="Of a logistic regression that sees only z, "
                  "trained on codes of the training split.")
        st.metric("Chance", percent(number(found, "chance")), help="By always naming the commonest class.")
    if found.get("encoder_reads_label") is True:
        st.warning("The encoder was given the label, so this says nothing of what it reads from x.",
                   icon=":material/visibility:")
    st.caption(f"{text(found, 'codes')} · {count(found, 'train')} codes to learn from, {count(found, 'test')} of "
               f"{text(facts, 'split')} to judge · {count(found, 'classes')} classes")


# -- several modalities ----------------------------------------------------------------------------


def conditionals(facts: Facts) -> None:
    """log p of each modality given the others, a row each."""
    found, k = facts["conditionals"], number(facts, "conditionals", "samples") or 0.0
    rows = [{"Likelihood": f"log p({name} | {', '.join(named(each, 'given'))})", "Nats": number(each, "log_likelihood"),
             "±": number(each, "standard_error"), "Effective": scaled(number(each, "effective"), k),
             "How": "averaged" if at(each, "method") == "averaged" else "difference"}
            for name, each in parts_of(found, "modalities")]
    rows.append({"Likelihood": "log p(all)", "Nats": number(found, "joint"), "±": None,
                 "Effective": scaled(number(found, "effective"), k)})
    column = st.column_config.NumberColumn
    st.dataframe(rows, hide_index=True, height="content", placeholder="–", key="conditionals", column_config={
        "Likelihood": st.column_config.TextColumn(help="Averaged: the decoder's probability over codes of "
                                                       "q(z | given), never above 1. Difference: log p(all) less log "
                                                       "p(of what is given), both by importance sampling."),
        "Nats": column(format="%.2f", help="Mean per observation. Both parts are estimates from below, so their "
                                           "difference is none."),
        "±": column(format="%.2f", help="Standard error over observations, in nats."),
        "Effective": column(format="%.1f", help=f"How many equally weighted samples the K = {k:,.0f} from q(z | given) "
                                                "are worth. With few, log p(given) is too low, and the row too high.")})
    for name, each in parts_of(found, "modalities"):
        if warned := text(each, "warning"):
            st.warning(f"log p({escaped(name)} | …): {warned}", icon=":material/scatter_plot:")
    st.caption(f"K = {k:,.0f} · {count(found, 'observations')} observations of {text(facts, 'split')} · seed "
               f"{text(facts, 'seed')}")


def coherence(facts: Facts) -> None:
    """What is generated from each subset, a row a subset and a column a modality; the judges' ceiling above."""
    found = facts["coherence"]
    subsets = found.get("subsets") if isinstance(found.get("subsets"), list) else []
    ceiling = dict(numbers_of(found, "ceiling"))
    with st.container(horizontal=True):
        st.metric("Joint", percent(number(found, "joint")), help="Share of samples of the prior in which the judges of "
                  f"all modalities name the same class. Of real ones it is {percent(number(found, 'joint_ceiling'))}.")
        st.metric("Commonest", percent(number(found, "joint_commonest")), help="Share of these samples that fall into "
                  "the class seen most. Near 100 %, agreeing is no feat: the model always draws the same.")

    def rows(kind: str) -> list[dict[str, Any]]:
        made = [{"Given": " + ".join(named(each, "given")),
                 **{f"→ {name}": value for name in ceiling if (value := number(each, kind, name)) is not None}}
                for each in subsets if isinstance(each, dict)]
        real = {"Given": "(real)", **{f"→ {name}": value for name, value in ceiling.items()}}
        return [row for row in made if len(row) > 1] + [real]

    columns: dict[str, Any] = {"Given": st.column_config.TextColumn(
        pinned=True, help="All that is given: codes are drawn from q(z | given), everything else is unknown. The last "
                          "row are real observations, the ceiling of the judge.")}
    columns |= {f"→ {name}": st.column_config.NumberColumn(
        format="percent", help=f"Share of generated observations of {name} in which the judge finds the class of what "
                               "was given.") for name in ceiling}
    st.dataframe(rows("coherence"), hide_index=True, height="content" if len(subsets) < 20 else 500, placeholder="–",
                 key="coherence", column_config=columns)
    with st.expander("Own reconstructions", type="compact", icon=":material/replay:", key="coherence-own"):
        st.dataframe(rows("own"), hide_index=True, height="content" if len(subsets) < 20 else 500, placeholder="–",
                     key="coherence-own-table", column_config=columns)
        st.caption("The same of modalities that were themselves given.")
    st.caption(f"Chance {percent(number(found, 'chance'))}, the share of the commonest class · "
               f"{text(found, 'generated')} · {count(found, 'observations')} observations of {text(facts, 'split')} · "
               f"seed {text(found, 'seed')} · judges: "
               + "; ".join(f"{escaped(name)}: {escaped(str(who))}" for name, who in words_of(found, "judges")))
    for _, why in words_of(found, "not_judged"):
        st.caption(f":material/block: {escaped(why)}")


def sharing(facts: Facts) -> None:
    """What linear models read from each latent, a row each."""
    found = facts["sharing"]
    latents = parts_of(found, "latents")
    factors = list(dict.fromkeys(name for _, each in latents for name, value in numbers_of(each, "r2")))
    rows = [{"Latent": name, "Size": number(each, "size"), "Label": number(each, "accuracy"),
             **{f"R² of {factor}": number(each, "r2", factor) for factor in factors}} for name, each in latents]
    columns: dict[str, Any] = {
        "Latent": st.column_config.TextColumn(help="z or shared: decoded by every modality. Private: by one alone."),
        "Size": st.column_config.NumberColumn(format="%d", help="Dimensions."),
        "Label": st.column_config.NumberColumn(format="percent", help="Accuracy of a logistic regression that sees "
                                               "only this latent.")}
    columns |= {f"R² of {factor}": st.column_config.NumberColumn(
        format="%.3f", help=f"Of a linear regression of {factor} from this latent, on observations it did not learn "
                            "from; 1 is best, 0 is guessing the mean.") for factor in factors}
    st.dataframe(rows, hide_index=True, height="content", placeholder="–", key="sharing", column_config=columns)
    chance = number(found, "chance")
    st.caption((f"Chance {percent(chance)} · " if chance is not None else "")
               + f"{text(found, 'codes')} given {escaped(', '.join(named(found, 'given')))} · {count(found, 'train')} "
               f"codes to learn from, {count(found, 'test')} of {text(facts, 'split')} to judge")


def style(facts: Facts) -> None:
    """What becomes of style and class under the swap and of the mixed pair, with the ceiling."""
    found = facts["style"]
    own = named(found, "private")
    rows = [{"Image": label, "Style": number(found, kind, "r2"), "Class of i": number(found, kind, "changed"),
             "Class of j": number(found, kind, "stayed")}
            for kind, label in (("swap", "Swap"), ("mixed", "Mixed pair"))]
    rows.append({"Image": "(real, of j)", "Style": number(found, "ceiling"), "Class of i": None,
                 "Class of j": number(found, "judge_accuracy")})
    share = st.column_config.NumberColumn
    st.dataframe(rows, hide_index=True, height="content", placeholder="–", key="style", column_config={
        "Image": st.column_config.TextColumn(help="Decoded from two observations i and j of different classes. The "
                                                  "last row are real images: the ceilings."),
        "Style": share("Style R²", format="%.3f", help="How well the style of j is read from the decoded image; 1 is "
                                                       "best, 0 or less says that the style is gone."),
        "Class of i": share(format="percent", help="Share judged to be of the class that i has: the class changed."),
        "Class of j": share(format="percent", help="Share judged to be of the class that j has.")})
    what = (f"private codes ({escaped(', '.join(own))}) from j, the shared one from i" if own else
            "the whole code from i, as nothing is private")
    st.markdown(f"- **Swap.** {what[0].upper()}{what[1:]}.\n- **Mixed pair.** {text(found, 'modality')} of j and "
                "everything else of i are given together.")
    st.caption(f"{text(found, 'codes')} · {count(found, 'pairs')} pairs of {text(facts, 'split')} · seed "
               f"{text(found, 'seed')} · {text(found, 'regression')} · {text(found, 'judge')}")


def variance(facts: Facts) -> None:
    """Shares of variance by part, a row a modality."""
    found = facts["variance"]
    rows = [{"Modality": name, **{part.capitalize(): value for part, value in numbers_of(found, "modalities", name)}}
            for name, _ in parts_of(found, "modalities")]
    names = list(dict.fromkeys(name for row in rows for name in row if name != "Modality"))
    st.dataframe(rows, hide_index=True, height="content", placeholder="–", key="variance", column_config={
        name: st.column_config.NumberColumn(format="percent", help="Share of this modality's variance around its mean.")
        for name in names})
    st.caption(f"{count(found, 'observations')} observations of {text(facts, 'split')}")


def parts_of(facts: Any, *path: str) -> list[tuple[str, Facts]]:
    """The groups under `path` by name; what is none is left out."""
    found = at(facts, *path)
    return [(name, each) for name, each in found.items() if isinstance(each, dict)] if isinstance(found, dict) else []


def numbers_of(facts: Any, *path: str) -> list[tuple[str, float]]:
    """The numbers under `path` by name."""
    found = at(facts, *path)
    return [(name, value) for name in found if (value := number(found, name)) is not None] \
        if isinstance(found, dict) else []


def words_of(facts: Any, *path: str) -> list[tuple[str, str]]:
    """The words under `path` by name."""
    found = at(facts, *path)
    return [(name, each) for name, each in found.items() if isinstance(each, str)] if isinstance(found, dict) else []


def named(facts: Any, *path: str) -> list[str]:
    """The words of a list under `path`."""
    found = at(facts, *path)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def scaled(share: float | None, whole: float) -> float | None:
    return None if share is None else share * whole


# -- known factors, and cost -----------------------------------------------------------------------


def disentanglement(facts: Facts) -> None:
    """The scores, and which latent stands for which factor."""
    found = facts["disentanglement"]
    with st.container(horizontal=True):
        for key, (name, help) in SCORES.items():
            if (score := number(found, key, "score" if key != "mcc" else "pearson")) is not None:
                st.metric(name, f"{score:.3f}", help=help + " 1 is best.")
    matching, correlations = at(found, "mcc", "matching"), at(found, "mcc", "correlations")
    if isinstance(matching, dict) and isinstance(correlations, dict):
        st.dataframe([{"Factor": name, "Latent": number({"z": latent}, "z"), "Correlation": number(correlations, name)}
                      for name, latent in matching.items()], hide_index=True, key="matching", height="content",
                     column_config={"Latent": st.column_config.NumberColumn(format="%d"),
                                    "Correlation": st.column_config.NumberColumn(format="%.3f")})
    for key, (name, _) in SCORES.items():
        if why := at(found, key, "not_applicable"):
            st.caption(f":material/block: {name} does not apply: {escaped(str(why))}")
    st.caption(f"{count(found, 'mcc', 'observations')} observations of {text(facts, 'split')} · "
               f"{text(found, 'mcc', 'codes')} · {count(found, 'mcc', 'latents')} latents, "
               f"{count(found, 'mcc', 'factors')} factors · MCC by Pearson; by Spearman "
               f"{shown(number(found, 'mcc', 'spearman'), 3)} · seed {text(facts, 'seed')}")


def video(facts: Facts) -> None:
    """Predicted frames of clips: best and mean of N futures, how different and how sharp they are, and the bound."""
    import pandas as pd

    found = facts["video"]
    futures = int(number(found, "futures") or 1)
    rows = []
    for name, (title, unit, digits) in FUTURES.items():
        if curve := points({"curve": at(found, "metrics", name, "best_of")}):
            first, last = first_last(found, name)
            values = {"Mean": curve[0][1], **({f"Best of {futures}": curve[-1][1]} if futures > 1 else {}),
                      "±": number(found, "metrics", name, "standard_error"), "First frame": first, "Last frame": last}
            if (copied := mean_of(at(found, "metrics", name), "copied")) is not None:  # older evaluations lack it
                values["Copying"] = copied
            rows.append({"Metric": f"{title}, {unit}" if unit else title,
                         **{column: shown(value, digits) for column, value in values.items()}})
    if rows:
        column = st.column_config.TextColumn
        st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", key="evaluation-video", column_config={
            "Mean": column(help="Over frames, clips and futures."),
            "±": column(help="Standard error over clips of the best; windows of one clip count as one."),
            "Copying": column(help="What copying the last frame given would get, a mean over frames and clips: a model "
                              "that is no better has learned no motion."),
            "First frame": column(help="Of the best future, the first frame predicted."),
            "Last frame": column(help="Of the best future, the last frame predicted.")})
    with st.container(horizontal=True):
        cost = number(found, "bound", "neg_elbo")
        st.metric("ELBO a frame" if facts.get("has_kl") is True else "log p(x) a frame",
                  nats(None if cost is None else -cost), help="Of clips as long as those of training. Higher is "
                  "better.")
        if facts.get("has_kl") is True:
            st.metric("KL a frame", nats(number(found, "bound", "kl")), help="What its code costs.")
        if futures > 1:
            st.metric("Diversity", shown(mean_of(found, "diversity"), 4), help="Root mean square difference of two "
                      "futures of a clip, averaged over frames: 0 where all are one.")
        edges = at(found, "edge_energy")
        if isinstance(edges, list) and edges:
            st.metric("Edge energy", percent(number({"it": edges[-1]}, "it")), help="Of the last frame predicted, as a "
                      "share of the true one's, over all futures. Less than 100 % is blur.")
        if at(found, "prior") is not None:
            st.metric("AUC of the prior's σ", shown(number(found, "prior", "auc"), 3), help="The chance that the "
                      "learned prior is wider at a frame that could not be foreseen than at another one: 1 is best, "
                      f"0.5 is chance. {count(found, 'prior', 'events')} such frames of "
                      f"{count(found, 'prior', 'frames')}.")
        st.metric("Roll-out", seconds(number(found, "seconds")), delta_color="off", delta_arrow="off",
                  delta=f"first {seconds(number(found, 'first_seconds'))}", help=f"All {futures:,} futures of a clip, "
                  f"and one alone, on {count(found, 'threads')} threads.")
    window = f" · SSIM window {count(found, 'window')} pixels" if number(found, "window") else ""
    windows = number(found, "sources") not in (None, number(found, "clips"))
    clips = f"{count(found, 'clips')} {'windows of ' + count(found, 'sources') + ' clips' if windows else 'clips'}"
    st.caption(f"{clips} · {count(found, 'context')} frames given, {count(found, 'horizon')} "
               "predicted, which alone count · the best future is chosen for each metric by its mean over frames"
               f"{window} · seed {text(facts, 'seed')}")


def first_last(found: Facts, metric: str) -> tuple[float | None, float | None]:
    """A metric of the best future at the first and the last frame predicted."""
    values = at(found, "metrics", metric, "best")
    if not isinstance(values, list) or not values:
        return None, None
    return number({"it": values[0]}, "it"), number({"it": values[-1]}, "it")


def mean_of(facts: Any, *path: str) -> float | None:
    """The mean of the numbers under `path`; None where one is none."""
    values = at(facts, *path)
    whole = total(facts, *path)
    return whole / len(values) if isinstance(values, list) and values and whole is not None else None


def cost(facts: Facts) -> None:
    """Passes and seconds to infer and to sample."""
    found = facts["cost"]
    with st.container(horizontal=True):
        for name, kind, help in (
                ("Infer", "inference", "From an observation to its code, or to log p(x) for a family without one."),
                ("Sample", "sampling", "From nothing to an observation. Passes come one after another.")):
            passes = number(found, f"{kind}_passes")
            st.metric(name, seconds(number(found, f"{kind}_seconds")), help=f"{help} {count(found, 'together')} at a "
                      "time, for each of them.", delta_color="off", delta_arrow="off",
                      delta=None if passes is None else f"{passes:,.0f} {'pass' if passes == 1 else 'passes'}")
        st.metric("First sample", seconds(number(found, "first_sample_seconds")), help="One alone.")
    st.caption(f"The fastest of some tries · {count(found, 'threads')} thread of {text(found, 'processor')} · "
               f"{count(found, 'parameters')} parameters")


# -- parts -----------------------------------------------------------------------------------------


def nats(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f} nats".replace("-", "−")


def seconds(value: float | None) -> str:
    """A duration in the unit that it is read best in."""
    if value is None:
        return "–"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size or unit == "µs":
            return f"{value / size:.3g} {unit}"
    return "–"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def interval(found: Facts) -> tuple[float | None, float | None]:
    """The two ends; None for what is not there."""
    ends = found.get("interval")
    return (number({"it": ends[0]}, "it"), number({"it": ends[1]}, "it")) if isinstance(ends, list) and len(ends) == 2 \
        else (None, None)


def points(found: Facts) -> Sequence[tuple[int, float]]:
    """The K curve, K ascending; what is no point costs itself."""
    curve = found.get("curve")
    pairs = [(number({"it": each[0]}, "it"), number({"it": each[1]}, "it"))
             for each in (curve if isinstance(curve, list) else []) if isinstance(each, list) and len(each) == 2]
    return sorted((int(k), value) for k, value in pairs if k is not None and value is not None and k >= 1)
