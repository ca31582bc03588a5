"""What some families can is declared, not probed: each capability is had by whom it should be, and no probe is left."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import torch

import vaecore
from vaecore.data import Modality
from vaecore.models import FAMILIES, JIVE, PCA, RBM, SV2P, SVG, VAE, Family, MultiblockPLS, MultisetCCA, PredNet
from vaecore.models.capabilities import (
    ChoosesBound,
    ChoosesDivergence,
    ChoosesLatentSize,
    ChoosesLikelihood,
    ChoosesPrior,
    ChoosesStages,
    HasLearnedPrior,
    HasLoadings,
)
from vaecore.probability.priors import AggregatedConfig, ImplicitConfig, VampConfig
from vaecore.schema import Strict

ROOT = Path(vaecore.__file__).parent.parent
CLIP, IMAGE = (6, 1, 16, 16), (1, 8, 8)
BLOCKS = {"a": (6,), "b": (5,)}
# Objects that are not ours, or of any kind: what is asked of them cannot be declared here.
ALLOWED = {
    ("vaecore/api.py", "hasattr(value, 'model_dump')"), ("vaecore/api.py", "hasattr(value, 'tolist')"),
    ("vaecore/data/own/file.py", "getattr(error, 'strerror', None)"),
    ("vaecore/data/own/clip_file.py", "getattr(error, 'strerror', None)"),
    ("vaecore/data/own/clip_file.py", "getattr(frame, 'side_data', ())"),
    ("vaecore/data/own/clip_file.py", "getattr(frame, 'rotation', 0)"),
    ("vaecore/lab/worker.py", "getattr(error, 'advice', None)"),
    ("vaecore/schema.py", "getattr(rule, name, None)"),  # bounds of a field, of annotated_types
    ("vaecore/training/device.py", "hasattr(os, 'sched_getaffinity')"),
    ("vaecore/evaluate/results.py", "getattr(found, each.spread, None)"),  # a field by the name its declaration gives
    ("vaecore/schema.py", "getattr(member, 'title', '')"),
    ("pages/shared/form/tree.py", "getattr(value, tag, None)"),  # the tag that pydantic says a union has
    *(("vaecore/data/own/given.py", probe) for probe in (  # arrays, tensors and data sets of anybody's
        "hasattr(given, '__getitem__')", "hasattr(given, '__len__')", "hasattr(value, 'detach')",
        "hasattr(value, 'dtype')", "hasattr(value, 'shape')")),
    *(("vaecore/memory.py", probe) for probe in (  # whatever a cache holds
        "getattr(each, 'untyped_storage', None)", "getattr(each, 'grad', None)", "getattr(each, 'is_leaf', False)",
        "hasattr(each, '__dict__')", "hasattr(each, name)")),
    ("vaecore/data/plugins.py", "getattr(kind, '__name__', kind)"),  # whatever was registered
    ("vaecore/data/plugins.py", "getattr(kind, 'title', '')"),
    ("vaecore/data/own/tables/parquet.py", "hasattr(chunk, 'dictionary')"),  # of pyarrow
    ("vaecore/data/own/pictures/decoding.py", "getattr(picture, 'n_frames', 1)"),  # of Pillow
    ("vaecore/data/own/pictures/decoding.py", "getattr(picture, 'tile', ())"),
    ("vaecore/explore/uploads.py", "getattr(picture, 'is_animated', False)"),
    ("vaecore/explore/uploads.py", "getattr(picture, 'tile', ())"),
    ("vaecore/data/download.py", "getattr(error, 'reason', '')"),
    # What not every operating system has.
    ("vaecore/data/own/pictures/folder.py", "getattr(os, 'O_BINARY', 0)"),
    ("vaecore/data/own/pictures/folder.py", "getattr(os, 'O_NONBLOCK', 0)"),
    ("vaecore/files.py", "getattr(os, 'O_NONBLOCK', 0)"), ("vaecore/locks.py", "getattr(os, 'O_NONBLOCK', 0)"),
    ("vaecore/data/cache.py", "getattr(found, 'st_blocks', -(-found.st_size // 512))"),
    ("vaecore/data/rows.py", "hasattr(os, 'posix_fadvise')"), ("vaecore/locks.py", "getattr(os, 'O_NOFOLLOW', 0)"),
    ("vaecore/files.py", "getattr(os, 'O_NOFOLLOW', 0)"),
}


def probes(source: str) -> list[str]:
    """Calls that ask an object whether it has something: `hasattr`, and `getattr` with a default."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            and (node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) == 3))]


def test_no_model_and_no_configuration_is_probed() -> None:
    files = [path for room in ("vaecore", "pages") for path in (ROOT / room).rglob("*.py")]
    found = {(str(path.relative_to(ROOT)), probe) for path in files
             for probe in probes(path.read_text(encoding="utf-8"))}
    assert len(files) > 200 and found >= ALLOWED, "one that is allowed is gone"
    assert found - ALLOWED == set(), "declare it in models/capabilities.py, Family or ModelConfig, and ask isinstance"


def test_a_probe_is_seen() -> None:
    found = probes("getattr(model, 'log_z', None); hasattr(model, 'x'); getattr(each, name); model.getattr(1, 2, 3)")
    assert found == ["getattr(model, 'log_z', None)", "hasattr(model, 'x')"]


# -- models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "loadings", "learned_prior", "one_code"), [
    (lambda: JIVE(BLOCKS), True, False, None), (lambda: MultisetCCA(BLOCKS, latent_size=2), True, False, None),
    (lambda: MultiblockPLS(BLOCKS, latent_size=2), True, False, None),
    (lambda: VAE(IMAGE), False, False, None), (lambda: PCA((6,), latent_size=2), False, False, None),
    (lambda: SVG(CLIP), False, True, False), (lambda: SVG(CLIP, learned=False), False, False, False),
    (lambda: SV2P(CLIP, latent="invariant"), False, False, True), (lambda: SV2P(CLIP), False, False, False),
    (lambda: PredNet(CLIP), False, False, False)])
def test_models_have_what_they_should(model: Any, loadings: bool, learned_prior: bool, one_code: bool | None) -> None:
    made = model()
    assert isinstance(made, HasLoadings) == loadings
    assert (isinstance(made, HasLearnedPrior) and made.prior_moves) == learned_prior
    if one_code is not None:
        assert made.one_code == one_code


def test_who_has_a_normaliser_says_which() -> None:
    implicit = VAE(IMAGE, latent_size=2, prior={"kind": "implicit"})
    with torch.no_grad():
        implicit.latent_prior.get_buffer("log_z").fill_(1.5)
        implicit.latent_prior.get_buffer("log_z_error").fill_(0.25)
    assert implicit.normaliser() == (1.5, 0.25)
    assert VAE(IMAGE, latent_size=2).normaliser() is None and SVG(CLIP).normaliser() is None
    rbm: Family = RBM(IMAGE, hidden=4)
    rbm.calibrate()
    assert rbm.normaliser() == (pytest.approx(float(rbm.get_buffer("log_z"))), 0.0)


def test_what_a_priors_components_come_from() -> None:
    inputs = {kind: VAE(IMAGE, latent_size=2, prior={"kind": kind, **size}).latent_prior.component_inputs()
              for kind, size in (("vamp", {"components": 3}), ("aggregated", {"components": 4}), ("standard", {}),
                                 ("implicit", {}))}
    assert inputs["standard"] is None and inputs["implicit"] is None
    vamp, aggregated = inputs["vamp"], inputs["aggregated"]
    assert vamp is not None and aggregated is not None
    assert (vamp.learned, vamp.inputs.shape) == (True, (3, *IMAGE))
    assert (aggregated.learned, aggregated.inputs.shape) == (False, (4, *IMAGE))


def test_whether_the_encoder_reads_the_covariate_is_known_of_all() -> None:
    prior, covariate = {"kind": "conditional"}, Modality("label", (3,))
    assert VAE(IMAGE, covariate=covariate, prior={**prior, "encoder": True}).reads_covariate is True
    assert VAE(IMAGE, covariate=covariate, prior={**prior, "encoder": False}).reads_covariate is False
    assert SVG(CLIP).reads_covariate is False


# -- configurations --------------------------------------------------------------------------------


@pytest.mark.parametrize(("choice", "field"), [
    (ChoosesLikelihood, "likelihood"), (ChoosesPrior, "prior"), (ChoosesDivergence, "divergence"),
    (ChoosesStages, "stages"), (ChoosesBound, "bound"), (ChoosesLatentSize, "latent_size")])
def test_who_leaves_it_to_choose_has_the_field(choice: Any, field: str) -> None:
    having = {name for name, family in FAMILIES.items() if field in family.model_fields}
    assert having and having != set(FAMILIES)
    assert {name for name, family in FAMILIES.items() if isinstance(family(), choice)} == having


def test_a_choice_knows_its_tag() -> None:
    assert (VampConfig().tag, ImplicitConfig().tag, AggregatedConfig().tag) == ("vamp", "implicit", "aggregated")
    assert {name: family().tag for name, family in FAMILIES.items()} == {name: name for name in FAMILIES}

    class Untagged(Strict):
        size: int = 1

    assert Untagged().tag == ""
