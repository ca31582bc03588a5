"""The store in use, the checkpoints in it, and how a page lets one be picked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.parts import warm
from vaecore.store import Run, Store, StoreError

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint

FAMILY_NAMES = {"vae": "VAE", "ae": "Autoencoder", "linear-ae": "Linear autoencoder", "pca": "PCA"}
DATA_NAMES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "omniglot": "Omniglot", "digits": "8×8 digits",
              "gaussian": "Gaussian vectors"}


def store() -> Store:
    """The store this dashboard shows: `VAECORE_STORE`, or `trained/`."""
    return Store.default()


def with_weights() -> list[Run]:
    """Every run that can be looked at: the user's own, newest first, then the gallery."""
    here = store()
    return [run for run in here.runs() + here.gallery() if run.weights.is_file()]


def describe(run: Run) -> str:
    """A run in a line: its name, family and data."""
    try:
        values = run.values()
    except StoreError:
        return f"{run.id} · unreadable"
    return f"{run.id} · {family_name(values)} · {data_name(values)}"


def family_name(values: dict[str, Any]) -> str:
    """The family in words, from a configuration as it stands on disk."""
    family = _choice(values, "model", "family")
    return FAMILY_NAMES.get(family, family)


def data_name(values: dict[str, Any]) -> str:
    """The data set in words, from a configuration as it stands on disk."""
    name = _choice(values, "data", "name")
    return DATA_NAMES.get(name, name)


def pick(label: str, *, key: str = "run") -> Run | None:
    """A select box over everything with weights, kept in the URL as `?run=`; tells what to do where there is none."""
    runs = {run.id: run for run in with_weights()}
    if not runs:
        st.info("No checkpoint is here yet. Train one: the first takes about a minute.", icon=":material/info:")
        st.page_link("pages/train.py", label="Train a model", icon=":material/model_training:")
        return None
    lines = {name: describe(run) for name, run in runs.items()}
    chosen = st.selectbox(label, list(runs), key=key, format_func=lambda name: lines.get(name, name),
                          bind="query-params")
    return runs[chosen]


def load(run: Run) -> Checkpoint:
    """The checkpoint, loaded once for all sessions until its weights change on disk."""
    # A run that is training replaces its weights and its summary: each replacement is another checkpoint.
    stamps = tuple(path.stat().st_mtime_ns if path.exists() else 0
                   for path in (run.weights, run.path / "summary.json"))
    return _load(str(run.path), stamps)


@st.cache_resource(max_entries=24, show_spinner="Loading the checkpoint …")
def _load(path: str, stamps: tuple[int, ...]) -> Checkpoint:  # noqa: ARG001 (part of the cache's key)
    from pathlib import Path

    import torch

    from vaecore.explore import Checkpoint

    torch.set_num_threads(1)
    checkpoint = Checkpoint.load(Run(Path(path)))
    warm.settle()
    return checkpoint


def _choice(values: dict[str, Any], part: str, tag: str) -> str:
    section = values.get(part)
    return str(section.get(tag, "?")) if isinstance(section, dict) else "?"
