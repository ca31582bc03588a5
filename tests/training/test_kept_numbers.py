"""Every shipped run opens, and its weights give the numbers on the test set that it was shipped with.

Those numbers were printed on another machine. Sums of single-precision terms agree there to about six digits, so a kept
number counts as reproduced within half a unit of its second decimal, the last one printed, or what half precision may
have moved it by.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from scripts.gallery import SAME_NATS, SAME_OF_MANY
from vaecore.data import DataUnavailable
from vaecore.store import Run
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed
from vaecore.training.session import EVALUATION_SEED
from vaecore.training.validation import evaluate

GALLERY = Path(__file__).parents[2] / "trained" / "gallery"
RUNS = sorted(path.name for path in GALLERY.iterdir() if path.is_dir())
QUICK = {"ivae", "jive", "jmvae", "made", "mmvae-speech", "mvae-speech", "mvae-views", "pca",
         "svg-lp-mnist"}  # one or two of each wing, a few seconds each


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])
                                  for name in RUNS])
def test_a_shipped_run_has_the_test_elbo_that_it_was_shipped_with(name: str) -> None:
    folder = GALLERY / name
    kept = json.loads((folder / "summary.json").read_text())["test"]
    model = load_model(folder)
    try:
        dataset = Run(folder).config().data.load()
    except DataUnavailable as error:
        pytest.skip(str(error))
    found = evaluate(model, Feed(dataset, "test", torch.device("cpu")), EVALUATION_SEED).as_dict()
    assert found["observations"] == kept["observations"]
    assert found["elbo"] == pytest.approx(kept["elbo"], rel=SAME_OF_MANY, abs=SAME_NATS)
    for term in ("reconstruction", "kl"):
        totals = [{key: float(torch.tensor(value).double().sum()) for key, value in each[term].items()}
                  for each in (found, kept)]
        assert totals[0] == pytest.approx(totals[1], rel=1e-5, abs=0.005), term


def test_the_gallery_is_there() -> None:
    assert len(RUNS) > 25 and set(RUNS) >= QUICK
