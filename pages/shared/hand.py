"""What components of the browser are told of a run that was opened, and the code under the visitor's hand.

The code lives in the browser: in the page's address, `?z=` in units of each dimension (`vaecore.explore.latents`), of a
run of several latents `?z.<latent>=`. No message comes here while a hand moves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Codes
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.latents import LatentFacts

# Parameters of the address that speak of one run, and mean nothing to another.
OF_A_RUN = ("z", "lock", "seed", "t", "draw", "link", "from", "to", "path", "x", "y", "zoom")
FARTHEST = 1e4  # units; an address may say anything


def described(opened: Checkpoint | CrossModal) -> dict[str, Any]:
    """A run for components, as JSON: its networks' addresses, its latents, what it models, and its classes' names."""
    from pages.shared import judging
    from vaecore.explore import panes
    from vaecore.explore.latents import latents
    from vaecore.explore.single import Checkpoint

    found = latents(opened)
    known = opened.known
    return {
        "run": opened.run.id,
        "networks": {what: _network(opened, what) for what in ("decoder", "encoder")},
        "latents": [_latent(facts, names_in_address(found)[facts.name]) for facts in found],
        "modalities": [panes.described(name, modality) for name, modality in opened.model.modalities.items()],
        "classes": list(known),
        "judges": judging.judges(opened),  # by modality; asked anew each time: one may have been made meanwhile
        "prior": opened.has_prior,
        "several": not isinstance(opened, Checkpoint),
    }


def names_in_address(found: Sequence[LatentFacts]) -> dict[str, str]:
    """The parameter of the address that holds the code of each latent, by its name."""
    return {facts.name: "z" if len(found) == 1 else f"z.{facts.name}" for facts in found}


def positions(opened: Checkpoint | CrossModal) -> dict[str, Codes]:
    """The code under the hand, in units, (r,) a latent: as a component told it, else as the address has it, else 0.

    A component tells it only where the page asks for it (`key(opened)` in the session): Streamlit reads the address
    when the page is entered, and not what is written there meanwhile.
    """
    from vaecore.explore.latents import latents

    found = latents(opened)
    names = names_in_address(found)
    kept = st.session_state.get(key(opened))
    told = kept.get("code") if isinstance(kept, Mapping) else None
    read = told if isinstance(told, Mapping) else {name: st.query_params.get(name) for name in names.values()}
    return {facts.name: numbers(read.get(names[facts.name]), facts.size) for facts in found}


def key(opened: Checkpoint | CrossModal) -> str:
    """Under which the state of this run's hand is kept in the session."""
    return f"hand-{opened.run.id}"


def numbers(text: object, size: int) -> Codes:
    """Numbers (size,) as an address has them, joined by commas; 0 for what is missing, empty or no number."""
    import numpy as np

    values: np.ndarray = np.zeros(size, np.float32)
    for place, word in enumerate(str(text or "").split(",", size)[:size]):
        try:
            value = float(word or 0)
        except ValueError:
            continue
        values[place] = min(FARTHEST, max(-FARTHEST, value)) if math.isfinite(value) else 0
    return values


def forget() -> None:
    """Take what speaks of one run out of the address: another is about to be shown."""
    for name in [name for name in st.query_params if name in OF_A_RUN or name.startswith(("z.", "d."))]:
        del st.query_params[name]


def _network(opened: Checkpoint | CrossModal, what: str) -> str:
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{'/' if base else ''}{base}/networks/{what}/{opened.run.id}"


def _latent(facts: LatentFacts, parameter: str) -> dict[str, Any]:
    def rounded(values: Any) -> list[float]:
        return [float(f"{value:.7g}") for value in values]

    return {"name": facts.name, "parameter": parameter, "size": facts.size, "order": list(facts.order),
            "kl": None if facts.kl is None else rounded(facts.kl), "rate": facts.rate,
            "active": [bool(active) for active in facts.active], "centre": rounded(facts.centre),
            "unit": rounded(facts.unit), "spread": rounded(facts.spread), "standard": facts.standard}
