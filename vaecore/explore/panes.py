"""What a browser must know of a modality to show one: `pages/components/lib/panes.js` reads it."""

from __future__ import annotations

from vaecore.modalities import Image, Label, Modality, Text, Trajectory, Vector, Video

KINDS: dict[type[Modality], str] = {Image: "image", Vector: "vector", Label: "label", Text: "text",
                                    Trajectory: "trajectory", Video: "video"}


def described(name: str, modality: Modality) -> dict[str, object]:
    """A modality for a browser: its kind, shape, the names of its numbers or classes.

    x * scale + centre is in the units of the file, where there are any.
    """
    names: tuple[str, ...] = ()
    if isinstance(modality, Vector):
        names = modality.column_names
    elif isinstance(modality, Label):
        names = modality.class_names
    return {"name": name, "kind": modality.pick(KINDS), "shape": list(modality.shape), "names": list(names),
            "centre": list(modality.centre), "scale": list(modality.scale), "audible": modality.audible}
