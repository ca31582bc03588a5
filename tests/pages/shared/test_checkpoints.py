"""What pages offer of the store, in which order."""

from pathlib import Path
from typing import Any

import pytest

from pages.shared import checkpoints
from vaecore.views import CLIP, SENTENCE, SINGLE


@pytest.mark.parametrize(("view", "first"), [
    (SINGLE, "vae"), (SENTENCE, "sentences-free-bits"), (CLIP, "svg-lp-mnist")])
def test_a_page_opens_the_best_of_its_kind_where_nothing_was_chosen(
        view: Any, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(Path(__file__).parents[3] / "trained"))
    assert checkpoints.with_weights(view)[0].path.name == first
