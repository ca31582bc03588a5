"""A live plane: the whole latent space of a two-dimensional VAE, decoded where the pointer is.

Everything happens in the browser, in `field.js`: it fetches decoder, encoder and codes of data of the checkpoint once
it is shown, so that the page paints before any of them is made. The server is told nothing.
"""

from __future__ import annotations

from pages.components import serve
from pages.components.networks import newest_address
from pages.components.seen import seen_address
from pages.shared.checkpoints import TRAVERSE
from pages.shared.palette import CLASSES
from vaecore.store import Run


def field(run: Run, *, key: str) -> None:
    """Show the plane of `run`, a checkpoint with two latent dimensions and the prior N(0, I)."""
    serve.component("field")(key=key, data={
        "run": run.id, "decoder": newest_address(run, "decoder"), "encoder": newest_address(run, "encoder"),
        "seen": seen_address(run), "colours": CLASSES, "open": serve.below(TRAVERSE.address)})
