"""What a browser is told of a run with latents: on a page, and in a file that leaves the laboratory.

Shapes: N test observations, B codes drawn, r latent size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaecore.explore import panes
from vaecore.explore.codes import Codes
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.judged import KeptJudge, judge_of, judgeable
from vaecore.explore.latents import LatentFacts, latents
from vaecore.explore.laws import laws
from vaecore.explore.single import Checkpoint
from vaecore.modalities import Text
from vaecore.packing import packed
from vaecore.schema import ConfigError
from vaecore.store import StoreError

MOST_ORIGINALS = 4_000_000  # bytes of test observations that travel along
BANK = 256  # codes that are drawn for the browser, of a prior that is not N(0, I)


@dataclass(frozen=True)
class Travelling:
    """What travels to the browser with a run. Codes are in units, the dimensions of all latents one after another, R.

    `codes` (N, R) are those of test observations, `originals` these themselves by modality, uint8 pixels or float32
    (N, *shape); `bank` (B, R) has codes that were drawn, where the browser cannot draw them itself, and `centres`
    (B, R) the means of the Gaussians that they come from: at a temperature t a code is centre + t (code - centre).
    `tempered` says whether drawn codes have a temperature, `drawn` in words where they come from.
    """

    codes: Codes
    originals: Mapping[str, NDArray[Any]]
    bank: Codes | None = None
    centres: Codes | None = None
    tempered: bool = True
    drawn: str = ""


def described(opened: Checkpoint | CrossModal) -> dict[str, Any]:
    """A run as JSON: its latents, what it models, and its classes' names."""
    found, law = latents(opened), laws(opened.model)
    several = not isinstance(opened, Checkpoint)
    return {
        "run": opened.run.id,
        "latents": [_latent(facts, names_in_address(found)[facts.name]) for facts in found],
        "modalities": [{**panes.described(name, modality), "law": law[name]}
                       for name, modality in opened.model.modalities.items()],
        "classes": list(opened.known), "prior": opened.has_prior, "several": several,
        "noun": "sample" if several else "image" if next(iter(opened.model.modalities.values())).pixels else "row"}


def judges(opened: Checkpoint | CrossModal) -> dict[str, KeptJudge | None]:
    """The judge of each modality that can have one, None where it has not been made; empty of data without labels."""
    if opened.labels is None:
        return {}
    modalities = opened.model.modalities
    try:
        return {name: judge_of(opened.run, name, modalities[name]) for name in judgeable(modalities)}
    except (ConfigError, StoreError):  # without its configuration nobody knows what its data were
        return {}


def verdict(judge: KeptJudge) -> dict[str, Any]:
    """A judge as JSON, but for the address of its network."""
    return {"name": judge.name, "accuracy": judge.accuracy, "tested": judge.tested, "classes": list(judge.classes),
            "modality": judge.modality}


def names_in_address(found: Sequence[LatentFacts]) -> dict[str, str]:
    """The parameter of a page's address that holds the code of each latent, by its name."""
    return {facts.name: "z" if len(found) == 1 else f"z.{facts.name}" for facts in found}


def travelling(opened: Checkpoint | CrossModal) -> Travelling:
    """The test observations of a run with their codes, and drawn codes where a browser cannot draw them."""
    if isinstance(opened, Checkpoint):
        [name] = opened.model.modalities
        codes: Mapping[str, NDArray[Any]] = {opened.latent: opened.encode(slice(None))}
        observed = {name: opened.examples}
        normal, tempered = opened.standard or opened.fitted, opened.tempered
        bank: Mapping[str, NDArray[Any]] | None = None if normal else {opened.latent: opened.sample_codes(BANK)}
        centres = {opened.latent: opened.sample_codes(BANK, 0.0)} if bank and tempered else bank
        words = ("A code drawn from N(0, I)." if opened.standard else
                 "A code drawn from the prior of this model." if opened.has_prior else
                 "A code drawn by the law that this model gives its sources." if not opened.fitted else
                 "A code drawn from a Gaussian fitted to the codes of the data: this family has no prior.")
    else:
        codes, bank, centres = opened.scores(), opened.drawn(BANK), opened.drawn(BANK, 0.0)
        observed, tempered = dict(opened.examples), True
        words = ("A code drawn from the prior." if opened.has_prior else
                 "A code drawn from a Gaussian fitted to the codes of the data: this family has no prior.")
    if bank is not None:
        words += f" There are {BANK} of them, and the seed chooses one."
    facts = latents(opened)

    def in_units(codes: Mapping[str, Any]) -> Codes:
        return np.concatenate([each.units(codes[each.name]) for each in facts], 1)

    originals = {name: (x.clamp(0, 1) * 255).round().byte().numpy() if modality.pixels else x.float().numpy()
                 for name, modality in opened.model.modalities.items() for x in [observed[name]]
                 if not isinstance(modality, Text)}
    return Travelling(in_units(codes), originals, None if bank is None else in_units(bank),
                      None if centres is None else in_units(centres), tempered, words)


def hand_message(told: Mapping[str, Any], travelling: Travelling, directions: Sequence[Mapping[str, str]] = (),
                 vectors: Sequence[NDArray[np.floating[Any]]] = ()) -> bytes:
    """All that the hand's component is told of a run: what it is, `travelling`, and `directions` as further sliders.

    `vectors` (R,) are theirs, in units. Behind the header are columns, in this order: codes, those that were drawn,
    their centres, vectors, observations that are no pixels, pixels.
    """
    one = max(1, sum(x[:1].nbytes for x in travelling.originals.values()))
    count = min(len(travelling.codes), MOST_ORIGINALS // one)
    originals = {name: x[:count] for name, x in travelling.originals.items()}
    numbers = [travelling.codes[:count], *(x for x in (travelling.bank, travelling.centres) if x is not None),
               *vectors, *(x for x in originals.values() if x.dtype != np.uint8)]
    pixels = b"".join(x.tobytes() for x in originals.values() if x.dtype == np.uint8)
    modalities = [each | ({"original": originals[each["name"]].dtype.name} if each["name"] in originals else {})
                  for each in told["modalities"]]
    header = {**told, "modalities": modalities, "examples": count, "directions": list(directions),
              "bank": 0 if travelling.bank is None else len(travelling.bank), "tempered": travelling.tempered,
              "drawn": travelling.drawn}
    digest = hashlib.sha256(packed(header, *numbers, pixels)).hexdigest()[:16]
    return packed({**header, "digest": digest}, *numbers, pixels)


def _latent(facts: LatentFacts, parameter: str) -> dict[str, Any]:
    def rounded(values: Any) -> list[float]:
        return [float(f"{value:.7g}") for value in values]

    return {"name": facts.name, "parameter": parameter, "size": facts.size, "order": list(facts.order),
            "kl": None if facts.kl is None else rounded(facts.kl), "rate": facts.rate,
            "active": [bool(active) for active in facts.active], "centre": rounded(facts.centre),
            "unit": rounded(facts.unit), "spread": rounded(facts.spread), "standard": facts.standard}
