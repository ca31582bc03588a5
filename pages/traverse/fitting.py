"""The offer of Traverse's tab *Prior*: a mixture fitted to the codes of this run, as the prior of a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import changing, checkpoints, task
from pages.shared.words import escaped
from vaecore.lab import background
from vaecore.store import StoreError
from vaecore.training import FITTING

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.store import Run
    from vaecore.training.fitted import PriorFit

EVERY = 1.0  # seconds between looks at how far it is
HELP = ("A mixture of Gaussians is fitted to the codes of the training split: of a VAE to draws of q(z|x), of an "
        "autoencoder to its points. A new run has it as its prior, and this one's encoder and decoder as they are, so "
        "that its samples come from where codes lie (Ghosh et al. 2020).")
COVARIANCES = {"full": "Full", "diagonal": "Diagonal"}
FIT_HELP = ("Mean log density of codes of the validation split under the mixture that was fitted to those of the "
            "training split. Of a VAE each nat more is one of its ELBO.")
GAUSSIAN_HELP = "The same under the one Gaussian with mean and covariance of the training codes."
STANDARD_HELP = "The same under N(0, I)."


def told(found: PriorFit) -> list[tuple[str, float, str]]:
    """What is known of a prior that was fitted: name, nats a code, and what it is."""
    return [("Log density of unseen codes", found.validation, FIT_HELP),
            ("under one Gaussian", found.gaussian, GAUSSIAN_HELP), ("under N(0, I)", found.standard, STANDARD_HELP)]


def offer(checkpoint: Checkpoint) -> None:
    """The fields and the button; how far it is while it runs; the new run when it has ended."""
    run = checkpoint.run
    st.subheader("Fit a prior to the codes", anchor=False, help=HELP)
    if refused := _refusal(run):
        st.caption(escaped(refused))
        return
    job = background.fitting_prior(run)
    if job.progress().running:
        st.fragment(_fitting, run_every=EVERY, key=f"prior-fitting-{run.id.replace('/', '-')}")(run)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="fit-prior"):
        st.number_input("Components", 1, 200, 10, key="fit-prior-components", width=150,
                        help="Gaussians in the mixture; 10 are usual.")
        st.selectbox("Covariance", list(COVARIANCES), key="fit-prior-covariance", width=150,
                     format_func=COVARIANCES.__getitem__, help="Full: the dimensions of a Gaussian may vary together. "
                     "Diagonal: each on its own, with fewer numbers to learn.")
        st.text_input("Name", key="fit-prior-name", width=240, max_chars=64, placeholder="made by itself",
                      help="Of the new run: small letters, digits, '-', '_' and '.'.")
        changing.button("Fit a prior", key="fit-prior-start", icon=":material/scatter_plot:", on_click=_start,
                        args=(run,), help="Some seconds, in the background. It makes a new run, and leaves this one as "
                        "it is.")
    last = job.progress()
    made = next((line.removeprefix(background.MADE) for line in reversed(last.lines)
                 if line.startswith(background.MADE)), "")
    task.ended(_key(run), last, good=bool(made), said="Stopped: nothing was kept.")
    # A button, not a link: one to the page it stands on would leave the browser's address as it is.
    if made and st.button(f"Open {escaped(made)}", key="fit-prior-open", icon=":material/open_in_new:", type="primary",
                          on_click=checkpoints.choose, args=(made,),
                          help="The new run, which has the mixture as its prior."):
        st.rerun()


def _start(run: Run) -> None:
    """Begin with what stands in the fields, also where it was typed just before."""
    asked = {name: str(st.session_state[f"fit-prior-{name}"]) for name in ("components", "covariance", "name")}
    task.start(background.fitting_prior(run), _key(run), {name: value for name, value in asked.items() if value})


def _fitting(run: Run) -> None:
    task.watch(background.fitting_prior(run), _key(run), "fit-prior-stop",
               lambda step, share: f"{FITTING[step]}: {share:.0%}" if step in FITTING else "Getting ready …")


def _refusal(run: Run) -> str:
    """Why no prior can be fitted to this run; empty where one can."""
    from vaecore.probability.priors import FittedConfig
    from vaecore.schema import ConfigError
    from vaecore.training.fitted import with_prior

    try:
        with_prior(run.config(), FittedConfig(), run.id)
    except (ConfigError, StoreError) as error:
        return str(error)
    return ""


def _key(run: Run) -> str:
    return f"fit-prior:{run.id}"
