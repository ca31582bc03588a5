"""A checkpoint's use of its code, taken when somebody asks: the numbers of `vaecore diagnose`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pages.shared.words import escaped
from vaecore.store import Run, StoreError
from vaecore.training import ACTIVE

OBSERVATIONS = 10_000
HELP = {
    "KL": "KL of q(z|x) from the prior, in nats: what the dimension costs.",
    "Variance of means": f"How much the code's mean varies from one observation to the next; active above {ACTIVE:g}.",
    "Spread, model": "Standard deviation of the model posterior's means over 100 observations.",
    "Spread, encoder": "Standard deviation of the encoder's means over the same.",
    "Correlation": "Of the two, over the same observations: 1 where the encoder keeps up.",
}

COLUMNS = ("kl", "code_variance", "model_spread", "inference_spread", "correlation")  # in the order of HELP


def on_demand(runs: Sequence[Run]) -> None:
    """A button a run with weights; what it found stays until the weights change."""
    there = [run for run in runs if run.weights.is_file()]
    if not there:
        return
    st.subheader("Diagnose the kept weights", anchor=False,
                 help=f"On the validation set, up to {OBSERVATIONS:,} observations compared with each other and 256 "
                      "samples a point: sharper than what is taken during training. `vaecore diagnose RUN` does the "
                      "same.")
    for run in there:
        stamp = run.weights.stat().st_mtime_ns
        key = f"diagnosed-{run.id}"
        if st.button(escaped(run.id), key=f"diagnose-{run.id}", icon=":material/stethoscope:"):
            st.session_state[key] = stamp
        if st.session_state.get(key) == stamp:
            _show(run, stamp)


def _show(run: Run, stamp: int) -> None:
    from vaecore.data import DataUnavailable
    from vaecore.evaluate.latent_usage import aggregate_words
    from vaecore.schema import ConfigError
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        facts = _diagnosed(str(run.path), stamp)
    except (BrokenCheckpoint, DataUnavailable, ConfigError, StoreError, ValueError) as error:
        st.error(escaped(f"{run.id} cannot be diagnosed. {error}"), icon=":material/error:")
        return
    several = len(facts["latents"]) > 1
    if several:
        st.markdown(f"Rate of all latents together {facts['rate']:.2f} nats. What each says may be the same, so "
                    "mutual informations do not add.")
    for latent, part in facts["latents"].items():
        told = part["information"]
        if several:
            st.markdown(f"**{escaped(latent)}**")
        with st.container(horizontal=True):
            st.metric("Active", f"{part['active']} of {len(part['code_variance'])}", help=HELP["Variance of means"])
            st.metric("Rate", f"{part['rate']:.2f} nats",
                      help="KL of q(z|x) from the model's own prior, in all: what the code costs.")
            st.metric("Distortion", f"{facts['distortion']:.2f} nats", help="−E log p(x|z).")
            st.metric("Mutual information", f"{told['mutual_information']:.2f} nats",
                      help=f"Over {told['observations']:,} observations; at most the logarithm of that.")
            st.metric(f"In batches of {told['batch_size']}", f"{told['minibatch']:.2f} nats",
                      help="The estimate of the papers' code, which cannot exceed the logarithm of the batch.")
            st.metric("KL(q(z)‖p(z))", f"{aggregate_words(told)} nats",
                      help="How far all codes together are from the prior; the rate is mutual information plus this. "
                           "Where mutual information has reached log N it may be more, and this less: then the number "
                           "is only a bound from above. A bound from below, against N(0, I), is the KL of the Gaussian "
                           "with the codes' mean and covariance.")
        columns = {text: part[name] for text, name in zip(HELP, COLUMNS, strict=True) if part[name] is not None}
        rows = [{"Dimension": f"{latent}{index}", **dict(zip(columns, values, strict=True))}
                for index, values in enumerate(zip(*columns.values(), strict=True))]
        first = next(iter(columns))
        st.dataframe(sorted(rows, key=lambda row: -row[first]), hide_index=True, column_config={
            name: st.column_config.NumberColumn(name, format="%.3f", help=text) for name, text in HELP.items()})
    if any(part["kl"] is None for part in facts["latents"].values()):
        st.caption("This prior has no KL by dimension: it is one number for the whole latent.")
    share = "" if facts["method"] == "grid" else f", {facts['effective']:.0%} of the importance samples effective"
    st.caption(escaped(f"{facts['observations']:,} observations of {facts['data']}; model posterior by "
                       f"{'a grid' if facts['method'] == 'grid' else 'importance weights'}{share}."))


@st.cache_data(max_entries=24, show_spinner="Comparing all codes with each other …")
def _diagnosed(path: str, stamp: int) -> dict[str, Any]:  # noqa: ARG001 (part of the cache's key)
    from vaecore.evaluate.latent_usage import diagnose

    return diagnose(Run(Path(path)), observations=OBSERVATIONS)
