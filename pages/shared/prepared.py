"""Views that are prepared: each shows one thing the lecture says, on shipped checkpoints, and is one link away.

Home has them as a shelf, and the tour goes through some. A view whose checkpoints are not here is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pages.shared.checkpoints import CROSS_MODAL, TRAVERSE, VIDEO
from vaecore.store import Run


@dataclass(frozen=True)
class Prepared:
    """A view by its page and what its address holds."""

    title: str
    says: str  # what it is for
    page: str
    icon: str
    label: str  # of the link
    parameters: tuple[tuple[str, str], ...]
    try_this: str = ""  # what to do there, on the tour; empty where that does not stop here
    needs: tuple[str, ...] = ()  # checkpoints of the gallery


SIDE_BY_SIDE = ("pca", "ae", "vae-gaussian")
VIEWS = (
    Prepared("Move one number", "One slider for each number of a digit's code. Drag one: slant, thickness or a loop "
             "changes, and the rest stays.", TRAVERSE.path, TRAVERSE.icon, "Traverse", (("run", "gallery/vae"),),
             "Drag a slider, and watch the digit. Those at the top change the most.", ("vae",)),
    Prepared("PCA, autoencoder and VAE", "The same digits through three models under one likelihood, with as many "
             "numbers for each: what does each keep, and which can draw new ones?", "compare/page.py",
             ":material/compare:", "Side by side",
             (*(("runs", f"gallery/{name}") for name in SIDE_BY_SIDE), ("section", "Pictures")),
             "Every row is a model. Above, what each draws from noise; below, the same digits through each. Which are "
             "sharp?", SIDE_BY_SIDE),
    Prepared("A collapse, live", "As β rises, one number of the code after another is no longer worth its cost. "
             "40 seconds, trained before your eyes.", "experiments/page.py", ":material/science:", "Experiments",
             (("experiment", "water-filling"),), "Press Start it. Where a line falls to zero, the model has given "
             "that number up."),
    Prepared("Where codes come from", "A prior that has learned where codes lie, the VampPrior: its pseudo-inputs are "
             "pictures to be looked at.", TRAVERSE.path, ":material/lens_blur:", "VampPrior",
             (("run", "gallery/vae-vamp"), ("view", "Prior")), needs=("vae-vamp",)),
    Prepared("Image from label, and back", "Give the label and draw the image, give the image and read the label: one "
             "code for both.", CROSS_MODAL.path, CROSS_MODAL.icon, "Cross-modal", (("run", "gallery/mvae"),),
             "Choose another label: sixteen images of it are drawn. Then give an image instead.", ("mvae",)),
    Prepared("Futures that part", "Some frames are given; ten futures agree until a digit hits the wall, and part "
             "there.", VIDEO.path, VIDEO.icon, "Video", (("run", "gallery/svg-lp-mnist"), ("roll", "1")),
             "Press Space to play. The triangles below mark where the future is open.", ("svg-lp-mnist",)),
)


def views(shipped: Sequence[Run]) -> list[Prepared]:
    """Those that can be shown with these checkpoints."""
    names = {run.path.name for run in shipped}
    return [view for view in VIEWS if names.issuperset(view.needs)]
