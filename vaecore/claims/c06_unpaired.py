"""C6: with few pairs and many unpaired observations an MVAE learns to cross, a JMVAE does not (Wu & Goodman 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from vaecore.claims.base import Bench, Claim, Finding, Row
from vaecore.claims.c05_marginals import crossed, judged
from vaecore.config import RunConfig, changed, preset

GAIN = 0.1
SHARES = (0.01, 1.0, 0.05, 0.1, 0.002, 0.005, 0.001)  # of observations that are paired; the rule is of the first
METHODS = {"MVAE": "mvae-image-label", "JMVAE": "jmvae-image-label"}


def configuration(method: str, paired: float, settings: Sequence[str] = ()) -> RunConfig:
    """The shipped presets on the full MNIST, most observations torn into an image and a label."""
    missing = [] if paired == 1 else ["data.missing.kind=pairing", f"data.missing.paired={paired}"]
    return changed(preset(METHODS[method]), [
        "data.source=full", *missing, "training.snapshots=0", "training.checkpoints=0", "training.keep=last", *settings])
