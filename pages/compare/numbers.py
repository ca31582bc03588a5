"""Numbers of the compared runs, a row a run."""

from __future__ import annotations

import streamlit as st

from pages.shared.headline import PERPLEXITY_HELP
from pages.shared.tables import offer
from pages.shared.words import escaped
from vaecore.library.headline import Headline, comparable
from vaecore.tables import Column, Table

UNSET = "–"


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
    offer(Table([Column(name, name) for name in ("run", *frame.columns)], frame.reset_index().to_dict("records")),
          "compare-numbers")
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
