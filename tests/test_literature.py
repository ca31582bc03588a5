"""Published values: each with its setting and source, none from memory, and said to compare only where it does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

from vaecore import literature
from vaecore.data import DATASETS
from vaecore.literature import TABLE, TITLES, Ours, Setting, Tag, beside, compared
from vaecore.models import FAMILIES
from vaecore.store import Store

GALLERY = Path(__file__).parents[1] / "trained"
BURDA = next(each for each in TABLE if each.value == -87.01)


def test_every_value_has_a_source_that_was_read() -> None:
    assert get_args(Tag) == ("S", "T") and len(TABLE) > 25
    for each in TABLE:
        assert each.tag in ("S", "T"), f"{each.model}: what is remembered is not printed"
        assert len(each.source) > 4 and "memory" not in each.source.lower() and each.setting.data
        assert each.quantity in TITLES and set(each.families) <= set(FAMILIES)
        assert not each.like or each.like in DATASETS
        assert each.setting.pixels in ("", *literature.PIXELS)
    assert len({(each.model, each.quantity, each.value, each.setting.data, each.setting.pixels) for each in TABLE}
               ) == len(TABLE), "a value stands once"


def test_what_is_only_remembered_is_not_in_the_table() -> None:
    remembered = {82.38, 81.30, 89.59, 86.64, 86.3, 90.6, 78.01, 107.25, 108.09}  # tagged M in our notes
    assert not remembered & {abs(each.value) for each in TABLE}
    assert not re.search(r"[\"']M[\"']|\[M\]", Path(literature.__file__).read_text())


def test_the_same_setting_is_said_to_be_the_same() -> None:
    here = Ours("vae", replace(BURDA.setting, network="mlp 200-200 tanh"), {"log_p": -87.5})
    first, *_ = compared(here)
    assert first.published is BURDA and first.differs == () and first.words == "Same setting." and first.ours == -87.5


def test_each_field_that_differs_is_said() -> None:
    for change, words in (
            ({"pixels": "grey"}, "pixels binary, drawn anew at each visit (here grey)"),
            ({"fields": {"kind": "conv"}, "network": "conv 32"}, "network 784-200-200-50, tanh (here conv 32)"),
            ({"latents": 16}, "code of 50 (here 16)"), ({"samples": 500}, "K = 5,000 (here 500)"),
            ({"observations": 1_000}, "all test observations (here the first 1,000)"),
            ({"epochs": 8}, "epochs 3,280 (here 8)")):
        found = next(each for each in compared(Ours("vae", replace(BURDA.setting, **change), {"log_p": -90.0}))
                     if each.published is BURDA)
        assert found.differs == (words,) and found.words == f"Not the same setting: {words}."


def test_a_density_and_other_features_are_said_to_be_others() -> None:
    grey = Ours("vae", Setting("mnist", "grey", likelihood="bernoulli", features="our own classifier"),
                {"log_p": -80.0, "frechet": 60.0})
    found = {each.published.model: each.words for each in compared(grey)}
    assert any("p(x|z) gaussian" in words and "(here bernoulli)" in words for words in found.values())
    drawn = compared(replace(grey, values={"frechet": 60.0}))
    assert drawn and all("features of Inception, 10,000 pictures (here our own classifier)" in each.words
                         for each in drawn)


def test_nothing_is_beside_other_data_families_or_quantities() -> None:
    assert compared(Ours("vae", replace(BURDA.setting, data="omniglot"), {"log_p": -90.0})) == []
    assert compared(Ours("pca", BURDA.setting, {"log_p": -90.0})) == []
    assert compared(Ours("vae", BURDA.setting, {})) == []
    text = compared(Ours("sentence-vae", Setting("synthetic-text"), {"perplexity": 39.0}))
    assert text and all("data " in each.words for each in text)


def test_shipped_runs_stand_beside_what_was_published() -> None:
    store = Store(GALLERY)
    found = beside(store.find("vae-binary"))
    assert found[0].published is BURDA and round(found[0].ours, 2) == -95.60
    assert {words.split(" ")[0] for words in found[0].differs} == {"network", "code", "K", "epochs", "all"}
    assert beside(store.find("pca")) == [] and beside(store.find("mvae")) == []
    assert all(each.differs for run in store.gallery() for each in beside(run)), "none is of the same setting"
