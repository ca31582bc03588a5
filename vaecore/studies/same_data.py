"""The same pairs of image and label, modelled five ways (no claim: what differs is to be seen)."""

from __future__ import annotations

from collections.abc import Sequence

from vaecore.config import RunConfig, changed, preset
from vaecore.evaluate.kept import newest
from vaecore.evaluate.parts.coherence import Judged
from vaecore.studies.base import Study
from vaecore.studies.exhibit import ELBO, Column, Exhibit, Table
from vaecore.studies.series import Member, Series, finite

CROSSED = Column("Share whose class is that of what was given. Codes are drawn from q(z | given).", percent=True)
JOINT = Column("Share of samples of the prior whose image and label agree.", percent=True)


def runs(data: Sequence[str] = ("data.source=embedded",)) -> dict[str, RunConfig]:
    """Images and labels five ways, with latents, networks, weights and training as alike as they can be."""
    start = changed(preset("mvae-image-label"), data)
    one = {"separate-vaes": "separate-vaes", "concatenated-vae": "concatenated-vae"}
    joint = {"jmvae-zero": ("model.posterior.kind=joint", "model.posterior.alpha=0"),
             "jmvae-kl": ("model.posterior.kind=joint", "model.posterior.alpha=0.1"), "mvae": ()}
    return {**{label: changed(start, [f"model.family={family}"]) for label, family in one.items()},
            **{label: changed(start, settings) for label, settings in joint.items()}}


def of_runs(members: Sequence[Member]) -> Exhibit | None:
    """Where each model crosses, of its newest evaluation that says so; None while no run has come to an evaluation."""
    ended = [member for member in members if member.last.get("step")]
    if not ended:
        return None
    rows, missing = [], []
    for member in ended:
        facts = newest(member.run, Judged)
        found = facts.of(Judged) if facts else None
        if found is None:
            missing.append(member.run.id)
        rows.append({"Run": member.run.id, "ELBO": member.bound, **crossings(found),
                     "Joint": finite(found.joint if found else None)})
    names = [name for name in dict.fromkeys(name for row in rows for name in row)
             if any(row.get(name) is not None for row in rows)]
    return Exhibit(
        [Table("What comes of the same pairs", "The same images and labels, five models: two that share nothing, one "
               "that knows of no modalities, and three joint ones.",
               [{name: row.get(name) for name in names} for row in rows],
               {"ELBO": ELBO, "Joint": JOINT, **{name: CROSSED for name in names if "→" in name}})],
        compare=[member.run.id for member in ended], evaluate=missing)


def crossings(found: Judged | None) -> dict[str, float | None]:
    """Coherence by direction, as 'image → label'; empty where there is none."""
    return {name[:200]: finite(share) for name, share in found.crossings().items()} if found else {}


STUDY = Study(
    "same-data", "Five ways to model a pair", source="Lecture, before equation (17)",
    series=Series("same-data", "A joint VAE, two VAEs of one modality each, one VAE of both joined end to end: what is "
                  "the difference?", runs, of_runs))
