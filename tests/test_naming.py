"""Runs are called by what was changed in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vaecore import naming
from vaecore.config import RunConfig, changed, preset
from vaecore.named import declarations, presets
from vaecore.schema import tagged
from vaecore.store import NAME, Store


def values(start: str, *settings: str) -> dict[str, object]:
    return changed(preset(start), settings).model_dump(mode="json")


@pytest.mark.parametrize(("start", "settings", "slug", "title", "told"), [
    ("vae-mnist", ["model.latent_size=32", "training.beta.end=4", "seed=2"], "vae-mnist-z32-beta4-s2",
     "vae-mnist z32 β4 s2", "z 32 · β 4"),
    ("vae-mnist", [], "vae-mnist", "vae-mnist", ""),
    ("vae-digits", ["training.beta.kind=constant", "training.beta.value=0.5"], "vae-digits-beta0.5-constant",
     "vae-digits β0.5 constant", "β 0.5 · constant"),
    ("vae-digits", ["model.network.hidden=[512,256]"], "vae-digits-hidden512x256", "vae-digits hidden 512×256",
     "hidden 512×256"),
    ("vae-digits", ["model.network.kind=resconv", "model.network.blocks=3"], "vae-digits-resconv-blocks3",
     "vae-digits resconv blocks 3", "resconv · blocks 3"),
    ("vae-mnist", ["data.pixels=binary-dynamic", "training.learning_rate=0.0003"],
     "vae-mnist-pixels-binary-dynamic-lr0.0003", "vae-mnist pixels binary-dynamic lr0.0003",
     "pixels binary-dynamic · lr 0.0003"),
    ("ica-sources", ["data.whiten=false"], "ica-sources-no-whiten", "ica-sources no whiten", "no whiten"),
    ("vae-2d-mnist", ["training.device=cpu", "training.threads=2"], "vae-2d-mnist", "vae-2d-mnist", ""),
])
def test_a_run_is_called_by_what_was_changed(start: str, settings: list[str], slug: str, title: str, told: str) -> None:
    chosen = values(start, *settings)
    assert (naming.slug(chosen), naming.title(chosen), naming.changed(chosen)) == (slug, title, told)


def test_every_preset_is_called_by_its_own_name() -> None:
    for name in presets():
        told = naming.named(preset(name).model_dump(mode="json"))
        assert told.base == name and not told.changes, name


def test_a_preset_with_other_parts_is_farther_than_one_with_other_numbers() -> None:
    """A VAE with the standard prior is no VampPrior's run without its prior."""
    told = naming.named(values("vae-mnist", "data.pixels=binary-dynamic", "training.batch_size=128",
                               "training.rate.kind=cosine", "training.epochs=8"))
    assert told.base == "vae-mnist"


@pytest.mark.parametrize("hostile", [{}, {"model": 3}, {"model": {"family": "<b>x</b>"}, "data": {"name": "../.."}},
                                     {"model": {"family": "vae", "latent_size": {"a": [1] * 99}}, "data": {"name": []}},
                                     {"seed": True}, {"model": {"family": "vae", "network": 7}, "training": []}])
def test_what_is_none_of_ours_is_called_something_that_can_be_a_folder(hostile: dict[str, object]) -> None:
    assert NAME.fullmatch(naming.slug(hostile)) and ".." not in naming.slug(hostile)
    assert len(naming.title(hostile)) <= 80 and len(naming.changed(hostile)) <= naming.LONGEST_CHANGES


def test_names_are_bounded_and_keep_the_seed() -> None:
    many = values("vae-mnist", "model.network.kind=resconv", "data.pixels=binary-fixed", "training.rate.kind=cosine",
                  "training.optimizer=adamw", "training.weight_decay=0.01", "training.clip_norm=5", "seed=2147483647")
    assert len(naming.slug(many)) <= 56 and naming.slug(many).endswith("-s2147483647")
    assert len(naming.title(many)) <= 76 and naming.title(many).endswith(" s2147483647")


def test_a_store_calls_runs_alike_by_a_number_and_never_as_one_in_its_trash(tmp_path: Path) -> None:
    store, config = Store(tmp_path), changed(preset("vae-digits"), ["model.latent_size=2", "seed=3"])
    made = [store.create(config) for _ in range(3)]
    assert [run.id for run in made] == ["vae-digits-z2-s3", "vae-digits-z2-s3-2", "vae-digits-z2-s3-3"]
    assert [run.title for run in made] == ["vae-digits z2 s3", "vae-digits z2 s3 (2)", "vae-digits z2 s3 (3)"]
    store.discard(made[1])
    assert store.create(config).id == "vae-digits-z2-s3-4"
    assert store.create(config, "mine").title == "mine"


def test_declarations_say_what_the_classes_say() -> None:
    known = declarations()
    assert json.loads(json.dumps(known.presets["vae-mnist"])) == preset("vae-mnist").model_dump(mode="json")
    fields = known.fields
    assert fields["model.latent_size"] == "z" and fields["training.beta.end"] == "β" and fields["seed"] == "s"
    members = tagged(RunConfig.model_fields["model"])
    assert {f"model.{name}" for member in members.values() for name in member.model_fields} <= set(fields)


def test_a_configuration_is_completed_as_its_class_completes_it() -> None:
    whole = preset("vae-mnist").model_dump(mode="json")
    older = json.loads(json.dumps(whole))
    for part, field in (("training", "snapshots"), ("training", "kl"), ("model", "prior"), ("data", "train_limit")):
        del older[part][field]
    del older["training"]["beta"]["start"]
    assert naming.complete(older) == RunConfig.model_validate(older).model_dump(mode="json")


def test_naming_needs_no_torch_once_the_declarations_are_kept() -> None:
    declarations()
    code = ("import sys\nfrom vaecore import naming\n"
            "print(naming.slug({'model': {'family': 'vae'}, 'data': {'name': 'mnist'}}))\n"
            "print('torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert re.fullmatch(r"vae-[a-z0-9-]*mnist\S*\nFalse\n", done.stdout)
