"""A page with nothing but the latent map, of points that are known; `test_latent_map.py` serves it."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components import cloud

N = 20_000  # points, where the address does not say ?n=
CLASSES = 5


def places(which: int, n: int = N) -> NDArray[np.float32]:
    """Where the points of map 0 or 1 lie, (n, 2): a cluster a class, and in map 1 turned by a quarter."""
    random = np.random.default_rng(0)
    turn = 2 * np.pi * labels(n) / CLASSES + which * np.pi / 2
    middle = 3 * np.stack([np.cos(turn), np.sin(turn)], 1)
    return (middle + random.normal(size=(n, 2)) * 0.7).astype(np.float32)


def labels(n: int = N) -> NDArray[np.uint16]:
    return (np.arange(n) % CLASSES).astype(np.uint16)


def show() -> None:
    n = int(st.query_params.get("n", N))
    maps = [cloud.Map("run", f"map {m}", "pca", *places(m, n).T.copy(), cloud.Axis("first"), cloud.Axis("second"), 2,
                      square=True) for m in range(2 if "two" in st.query_params else 1)]
    kind = cloud.Category("class", "Class", [f"class {c}" for c in range(CLASSES)], labels(n))
    side = cloud.Category("side", "Side", ["left", "right"], (places(0, n)[:, 0] > 0).astype(np.uint16))
    state = st.session_state
    state.runs = state.get("runs", 0) + 1
    held = state.get("held", ("", ""))
    state.held = cloud.cloud(maps, np.arange(n, dtype=np.uint32), key="demo", element="cloud", split="test",
                             noun="image", categories=[kind, side], colour="class", held=held)
    read = [cloud.chosen(text, n, len(maps)) for text in state.held]
    for name, lasso in zip("AB", read, strict=True):
        st.text(f"{name}: {len(lasso.places)} points, their sum {lasso.places.sum()}, of map {lasso.map}")
    st.text(f"{state.runs} runs")


if __name__ == "__main__":
    show()
