"""What components of the browser are told of a run that was opened, and the code under the visitor's hand.

The code lives in the browser: in the page's address, `?z=` in units of each dimension (`vaecore.explore.latents`), of a
run of several latents `?z.<latent>=`. No message comes here while a hand moves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared.checkpoints import stamps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pages.components.hand import Direction, Travelling
    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Codes
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.latents import LatentFacts

BANK = 256  # codes that the server draws of a prior that is not N(0, I)
FARTHEST = 1e4  # units; an address may say anything


def described(opened: Checkpoint | CrossModal) -> dict[str, Any]:
    """A run for components, as JSON: its networks' addresses, its latents, what it models, and its classes' names.

    Raises `NoGraph` where its weights went meanwhile.
    """
    from pages.components.networks import network_address
    from pages.components.seen import seen_address
    from pages.shared import judging
    from vaecore.explore import panes
    from vaecore.explore.latents import latents
    from vaecore.explore.laws import laws
    from vaecore.explore.single import Checkpoint

    found, law = latents(opened), laws(opened.model)
    several = not isinstance(opened, Checkpoint)
    return {
        "run": opened.run.id,
        "networks": {what: network_address(opened.run, what) for what in ("decoder", "encoder")},
        "latents": [_latent(facts, names_in_address(found)[facts.name]) for facts in found],
        "modalities": [{**panes.described(name, modality), "law": law[name]}
                       for name, modality in opened.model.modalities.items()],
        "classes": list(opened.known),
        "judges": judging.judges(opened),  # by modality; asked anew each time: one may have been made meanwhile
        "prior": opened.has_prior,
        "seen": seen_address(opened.run) if isinstance(opened, Checkpoint) else None,  # where it saw data
        "several": several,
        "noun": "sample" if several else "image" if next(iter(opened.model.modalities.values())).pixels else "row",
    }


def show(opened: Checkpoint | CrossModal, directions: Sequence[Direction] = ()) -> None:
    """The sliders of a run with what they decode to, in the browser; `directions` are further sliders."""
    from pages.components.hand import hand
    from pages.shared import judging

    told, travelling = _travelling(str(opened.run.path), stamps(opened.run), opened)
    told = told | {"judges": judging.judges(opened)}
    hand(told, travelling, key=f"the-hand-{opened.run.id}", directions=directions)


@st.cache_resource(max_entries=16, show_spinner=False)
def _travelling(path: str, stamps: tuple[int, ...], _opened: Checkpoint | CrossModal  # noqa: ARG001 (the cache's key)
                ) -> tuple[dict[str, Any], Travelling]:
    """What the browser has of a run at hand, made once for all sessions."""
    import numpy as np

    from pages.components.hand import Travelling
    from vaecore.explore.latents import latents
    from vaecore.explore.single import Checkpoint
    from vaecore.modalities import Text

    if isinstance(_opened, Checkpoint):
        [name] = _opened.model.modalities
        codes: Mapping[str, NDArray[Any]] = {_opened.latent: _opened.encode(slice(None))}
        observed = {name: _opened.examples}
        normal, tempered = _opened.standard or _opened.fitted, _opened.tempered
        bank: Mapping[str, NDArray[Any]] | None = None if normal else {_opened.latent: _opened.sample_codes(BANK)}
        words = ("A code drawn from N(0, I)." if _opened.standard else
                 "A code drawn from the prior of this model; see the tab Prior." if _opened.has_prior else
                 "A code drawn by the law that this model gives its sources." if not _opened.fitted else
                 "A code drawn from a Gaussian fitted to the codes of the data: this family has no prior.")
    else:
        codes, bank = _opened.scores(), _opened.drawn(BANK)
        observed, tempered = dict(_opened.examples), True
        words = ("A code drawn from the prior." if _opened.has_prior else
                 "A code drawn from a Gaussian fitted to the codes of the data: this family has no prior.")
    if bank is not None:
        words += f" The server drew {BANK} of them, and the seed chooses one."
    facts = latents(_opened)

    def in_units(codes: Mapping[str, Any]) -> Codes:
        return np.concatenate([each.units(codes[each.name]) for each in facts], 1)

    originals = {name: (x.clamp(0, 1) * 255).round().byte().numpy() if modality.pixels else x.float().numpy()
                 for name, modality in _opened.model.modalities.items() for x in [observed[name]]
                 if not isinstance(modality, Text)}
    told = described(_opened) | {"tempered": tempered, "drawn": words}
    return told, Travelling(in_units(codes), originals, None if bank is None else in_units(bank))


def names_in_address(found: Sequence[LatentFacts]) -> dict[str, str]:
    """The parameter of the address that holds the code of each latent, by its name."""
    return {facts.name: "z" if len(found) == 1 else f"z.{facts.name}" for facts in found}


def positions(opened: Checkpoint | CrossModal, place: str) -> dict[str, Codes]:
    """The code under the hand, in units, (r,) a latent; the fragment that asks runs again whenever it has come to rest.

    `place` is a name for whoever asks. Where nobody asks, nothing is sent. Before the hand has told anything it is what
    the address said when the page was entered: Streamlit does not see what is written there meanwhile.
    """
    from pages.components.heard import heard
    from vaecore.explore.latents import latents

    found, key = latents(opened), f"hand-{opened.run.id}-{place}"
    names = names_in_address(found)
    kept = st.session_state.get(key)
    told = kept.get("code") if isinstance(kept, Mapping) else None
    read = told if isinstance(told, Mapping) else {name: st.query_params.get(name) for name in names.values()}
    known = {name: str(read.get(name) or "") for name in names.values()}
    heard(opened.run.id, names, known, key=key)
    return {facts.name: numbers(known[names[facts.name]], facts.size) for facts in found}


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


def _latent(facts: LatentFacts, parameter: str) -> dict[str, Any]:
    def rounded(values: Any) -> list[float]:
        return [float(f"{value:.7g}") for value in values]

    return {"name": facts.name, "parameter": parameter, "size": facts.size, "order": list(facts.order),
            "kl": None if facts.kl is None else rounded(facts.kl), "rate": facts.rate,
            "active": [bool(active) for active in facts.active], "centre": rounded(facts.centre),
            "unit": rounded(facts.unit), "spread": rounded(facts.spread), "standard": facts.standard}
