"""What the switches of the switchboard say, and what is common to its rooms."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import streamlit as st

from pages.shared.palette import RUNS, scheme
from vaecore.modalities import Label

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.explore.crossmodal import CrossModal

State = Literal["given", "generate", "absent"]
STATES: dict[State, str] = {"given": "Given", "generate": "Generate", "absent": "Absent"}


@dataclass(frozen=True)
class Board:
    """What the switches say: what is given and from which test sample, what is to be generated, and what is wrong."""

    given: dict[str, Tensor]
    samples: dict[str, int]  # where it is a test sample
    predict: list[str]
    waiting: list[str]  # modalities that are to be given, and are not yet


def first_states(checkpoint: CrossModal) -> dict[str, State]:
    """Something to see at once: the label, or else the second modality, is given and all others are generated."""
    names = list(checkpoint.modalities)
    given = next((name for name, m in checkpoint.modalities.items() if isinstance(m, Label)), names[1])
    return {name: "given" if name == given else "generate" for name in names}


def presets(checkpoint: CrossModal) -> dict[str, dict[str, State]]:
    """What to show at a click, by what the button says."""
    names = list(checkpoint.modalities)

    def states(given: Iterable[str]) -> dict[str, State]:
        return {name: "given" if name in given else "generate" for name in names}

    if len(names) == 2:
        found = {f"{a} → {b}": states([a]) for a, b in itertools.permutations(names)}
    else:
        found = {f"{name} → others": states([name]) for name in names[:6]}
    return {**found, "nothing → all": states([])} if checkpoint.has_prior else found


def key(what: str, checkpoint: CrossModal, name: str = "") -> str:
    """Of a widget, which every checkpoint has for itself."""
    return f"{what}-{checkpoint.run.id}" + (f"-{name}" if name else "")


def put(checkpoint: CrossModal, states: Mapping[str, State]) -> None:
    """Set all switches."""
    for name, state in states.items():
        st.session_state[key("switch", checkpoint, name)] = STATES[state]


def redraw(checkpoint: CrossModal) -> None:
    """The next seed."""
    place = key("seed", checkpoint)
    st.session_state[place] = st.session_state.get(place, 0) + 1


def colours(checkpoint: CrossModal) -> dict[str, str]:
    """One for each modality, the same on cards and in curves."""
    palette = RUNS[scheme()]
    return {name: palette[place % len(palette)] for place, name in enumerate(checkpoint.modalities)}


def across(checkpoint: CrossModal) -> int:
    """Cards in a row."""
    return 2 if len(checkpoint.modalities) in (2, 4) else 3


def stamp(checkpoint: CrossModal) -> int:
    """When its weights were written: new ones are another checkpoint."""
    try:
        return checkpoint.run.weights.stat().st_mtime_ns
    except OSError:  # removed just now
        return 0
