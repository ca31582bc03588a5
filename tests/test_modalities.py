"""A modality knows itself: what is known of each kind, and that a new kind is one file and one line."""

from __future__ import annotations

import ast
import copy
import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import vaecore
from pages.cross_modal.giving import WAYS
from pages.cross_modal.showing import SHOWN_AS, stripes
from vaecore.cli.crossmodal import FACTS, LINES
from vaecore.config import RunConfig, changed, preset
from vaecore.data import SPECIALS, Dataset, ImageLabel, Split, SpokenDigits
from vaecore.data.base import one_hot
from vaecore.data.fashion_mnist import CLOTHES
from vaecore.evaluate.judges import JUDGES, judge
from vaecore.explore.generated import shown
from vaecore.explore.look import SHEETS, look
from vaecore.modalities import KINDS, Clip, Image, Label, Modality, Text, Trajectory, Vector, Video, grey
from vaecore.models import FAMILIES, MultimodalVAEConfig
from vaecore.nets.modal import LIKELIHOODS, NETWORKS, fitting_likelihoods, likelihoods, tag
from vaecore.schema import ConfigError, parse
from vaecore.training import build, checkpoints
from vaecore.training.feed import Feed
from vaecore.training.step import Trainer

WORDS = (*SPECIALS, "a", "b")
ALL = (Modality("image", (1, 4, 4)), Modality("vector", (5,)), Modality("label", (3,), classes=("x", "y", "z")),
       Modality("text", (6,), WORDS), Modality("video", (7, 3, 4, 5)), Modality("trajectory", (7, 2)))


def test_a_modality_is_of_the_class_that_its_kind_names() -> None:
    assert [type(m) for m in ALL] == [Image, Vector, Label, Text, Video, Trajectory] == list(KINDS.values())
    for modality in ALL:
        for other in (copy.deepcopy(modality), replace(modality)):
            assert other == modality and type(other) is type(modality)
    assert Modality("vector", (3,)) != Modality("label", (3,))
    assert Modality("label", (2,), classes=("a", "b"), audible=True) == Modality("label", (2,))  # names say nothing
    with pytest.raises(ValueError, match=r"no kind of modality 'odour'. Use one of image, vector"):
        Modality("odour", (3,))


@pytest.mark.parametrize(("modality", "article", "plural", "described", "axes"), [
    (ALL[0], "an image", "images", "4 × 4 pixels", "CHW"), (ALL[1], "a vector", "vectors", "5 numbers each", "D"),
    (Modality("vector", (1,)), "a vector", "vectors", "1 number each", "D"),
    (ALL[2], "a label", "labels", "one of 3 classes", "D"),
    (ALL[3], "a text", "texts", "vocabulary of 2 words · longest sentence 5 words", "T"),
    (ALL[4], "a video", "videos", "7 frames of 4 × 5 pixels, colour", "TCHW"),
    (ALL[5], "a trajectory", "trajectories", "7 frames of 2 numbers each", "TD"),
    (Modality("trajectory", (7, 1)), "a trajectory", "trajectories", "7 frames of 1 number each", "TD"),
], ids=lambda value: value.kind if isinstance(value, Modality) else "")
def test_what_it_is_in_words(modality: Modality, article: str, plural: str, described: str, axes: str) -> None:
    assert (modality.article, modality.plural, modality.described, modality.axes) == (article, plural, described, axes)
    assert len(axes) == len(modality.shape)


@pytest.mark.parametrize(("modality", "good", "bad", "said"), [
    (ALL[0], torch.rand(1, 1, 4, 4), torch.full((1, 1, 4, 4), 1.1), "pixels lie between 0 and 1"),
    (ALL[0], torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), torch.nan), "not finite"),
    (ALL[1], torch.tensor([[1e6, 0, 0, 0, 0]]), torch.tensor([[2e6, 0, 0, 0, 0]]), "numbers lie within 1,000,000"),
    (ALL[2], torch.tensor([[0.2, 0.3, 0.5]]), torch.tensor([[1.0, 1.0, 0.0]]), "a row of 0 with a single 1"),
    (ALL[3], torch.tensor([[4, 5, 2, 0, 0, 0]]), torch.tensor([[6, 2, 0, 0, 0, 0]]), "whole, from 0 to 5"),
    (ALL[3], torch.tensor([[4, 2, 0, 0, 0, 0]]), torch.tensor([[2, 0, 0, 0, 0, 0]]), "no word in it"),
    (ALL[5], torch.zeros(1, 7, 2), torch.full((1, 7, 2), torch.inf), "not finite")])
def test_it_knows_what_is_wrong_with_an_observation(modality: Modality, good: torch.Tensor, bad: torch.Tensor,
                                                    said: str) -> None:
    assert modality.fault(good) == ""
    assert said in modality.fault(bad)


def test_a_vector_is_drawn_in_grey_everywhere_alike() -> None:
    assert grey(np.array([-3.0, -9, 0, 1.5, 2.98, 9])).tolist() == [0, 0, 128, 192, 255, 255]
    x = np.array([[-1.0, 0.0, 2.0]], np.float32)
    data = Dataset("d", "s", {"vector": Modality("vector", (3,))}, {"train": Split({"vector": x})})
    assert SHEETS[Vector].tiles(data.modalities["vector"], x).tolist() == [[[85, 128, 213]]]
    assert shown(data.modalities["vector"], torch.from_numpy(x)).images.tolist() == [[[85, 128, 213]]]


def test_every_table_of_a_layer_has_the_kinds_that_it_can_meet() -> None:
    crossed = {Image, Vector, Label, Text}
    assert set(NETWORKS) == set(JUDGES) == set(FACTS) == set(LINES) == set(WAYS) == set(SHOWN_AS) == crossed
    assert set(SHEETS) == {Image, Vector, Video, Trajectory}
    with pytest.raises(ValueError, match="a video is none of images, vectors, labels, texts"):
        ALL[4].pick(NETWORKS)
    read = {kind for family in FAMILIES.values() for kind in family.reads}
    assert read == set(KINDS.values())


def test_what_describes_a_modality_is_said_by_the_likelihood() -> None:
    names = {m.kind: [tag(each) for each in fitting_likelihoods(m)] for m in ALL}
    assert names["image"] == ["bernoulli", "gaussian", "gaussian-learned", "gaussian-optimal", "gaussian-per-pixel",
                              "discretised-logistic"]
    assert names["vector"] == ["gaussian-learned", "gaussian", "gaussian-optimal", "gaussian-per-pixel"]
    assert (names["label"], names["text"]) == (["categorical"], [])
    given = {f"x{number}": tag(each) for number, each in enumerate(LIKELIHOODS)}  # what a configuration may name
    assert MultimodalVAEConfig(likelihoods=given).likelihoods == given
    with pytest.raises(ConfigError, match=r"there is no likelihood 'poison'. Use one of bernoulli, gaussian"):
        changed(preset("mvae-image-label"), ["model.likelihoods={image: poison}"])
    for family in FAMILIES.values():  # a family reads nothing that its own choice of a likelihood cannot describe
        usual = family.model_fields["likelihood"].default if "likelihood" in family.model_fields else None
        if usual is not None:
            assert any(issubclass(kind, usual.describes) for kind in family.reads), family


def test_names_and_sound_come_from_the_data_set_also_for_weights_that_were_written_before_they_were_noted() -> None:
    label = Modality("label", (10,))
    assert ImageLabel(images="fashion-mnist").known_of("label", label).class_names == CLOTHES
    assert ImageLabel().known_of("label", label).class_names == tuple("0123456789")
    picture = Modality("image", (1, 32, 32))
    assert SpokenDigits().known_of("speech", picture).audible
    assert not SpokenDigits().known_of("image", picture).audible and not ImageLabel().known_of("image", picture).audible


def test_no_line_compares_a_kind_with_its_name() -> None:
    """What depends on the kind of a modality is a fact of its class, or a line in a table."""
    root = Path(vaecore.__file__).parents[1]
    for path in [*(root / "vaecore").rglob("*.py"), *(root / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "kind":
                named = {c.value for c in ast.walk(node.comparators[0]) if isinstance(c, ast.Constant)}
                assert not named & set(KINDS), f"{path.relative_to(root)}, line {node.lineno}"


# -- a new kind ------------------------------------------------------------------------------------

NEW = '''
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
import torch

from vaecore.modalities import Vector
from vaecore.nets.modal import USUAL
from vaecore.probability.likelihoods import Likelihood, LikelihoodConfig


class Counts(Vector, kind="counts"):
    """How often each of D things was seen (D,)."""

    plural = "counts"

    @property
    def described(self):
        return f"{self.size} counts each"

    def fault(self, x):
        return "counts are not negative." if bool((x < 0).any()) else super().fault(x)


@dataclass(frozen=True)
class Poisson:
    log_rate: Tensor

    @property
    def mean(self):
        return self.log_rate.exp()

    def log_prob(self, x):
        return (x * self.log_rate - self.log_rate.exp() - torch.lgamma(x + 1)).flatten(1).sum(1)

    def sample(self, generator=None):
        return torch.poisson(self.mean, generator=generator)


class PoissonLikelihood(Likelihood):
    def forward(self, output):
        return Poisson(output.float().clamp(max=10))


class PoissonConfig(LikelihoodConfig):
    """Counts with a rate each."""

    describes = (Counts,)
    kind: Literal["poisson"] = "poisson"

    def build(self):
        return PoissonLikelihood()


USUAL[Counts] = PoissonConfig
'''


@pytest.fixture
def counts(tmp_path: Path) -> Iterator[ModuleType]:
    """The new file, and the line that imports it."""
    from vaecore.nets.modal import USUAL

    path = tmp_path / "counts.py"
    path.write_text(NEW)
    spec = importlib.util.spec_from_file_location("counts", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["counts"] = module
    spec.loader.exec_module(module)
    yield module
    USUAL.pop(module.Counts)
    KINDS.pop("counts")
    del sys.modules["counts"]


def counted() -> Dataset:
    generator = np.random.default_rng(1)
    splits = {}
    for name, rows in (("train", 64), ("validation", 16), ("test", 32)):
        labels = generator.integers(0, 3, rows)
        seen = generator.poisson(np.array([1.0, 5.0, 9.0])[labels][:, None], (rows, 4)).astype(np.float32)
        splits[name] = Split({"seen": seen, "label": one_hot(labels, 3)}, labels)
    modalities = {"seen": Modality("counts", (4,)), "label": Modality("label", (3,))}
    return Dataset("counted", "drawn here", modalities, splits)


def test_a_new_kind_is_one_file_and_one_line(counts: ModuleType, tmp_path: Path) -> None:
    dataset = counted()
    modality = dataset.modalities["seen"]
    assert type(modality) is counts.Counts and modality.article == "a counts"
    assert [tag(each) for each in fitting_likelihoods(modality)] == ["poisson", "gaussian", "gaussian-learned",
                                                                    "gaussian-optimal", "gaussian-per-pixel"]
    assert isinstance(likelihoods({}, 0.1, dataset.modalities)["seen"], counts.PoissonConfig)
    given = preset("mvae-image-label").model_dump(mode="json")
    given["training"] |= {"batch_size": 16, "epochs": 1}
    config = RunConfig.model_validate(given)
    model = build.build(config, dataset)
    device = torch.device("cpu")
    trainer = Trainer(model, config.training, device, seed=0)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer.update(Feed(dataset, "train", device).at(torch.arange(16)), beta=1.0, rate=1e-3)
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert any("decoders.0" in name for name in moved) and any("encoder" in name for name in moved)
    # Its likelihood is that of counts: log p of what was seen is the log mass of a Poisson.
    decoded = model.decode({"z": torch.zeros(2, model.latents["z"])})["seen"]
    x = torch.from_numpy(dataset.splits["test"].arrays["seen"][:2])
    wanted = torch.distributions.Poisson(decoded.mean).log_prob(x).sum(1)
    assert torch.allclose(decoded.log_prob(x), wanted, atol=1e-5)
    # Weights say its name, and are read back.
    checkpoints.save_weights(tmp_path / "weights.safetensors", model, config, 1)
    again = checkpoints.load_model(tmp_path)
    assert again.modalities == model.modalities and type(again.modalities["seen"]) is counts.Counts
    # It is seen, judged and printed as the vector that it is.
    seen = look(dataset)
    assert seen.shape == "seen: 4 counts each · label: one of 3 classes" and seen.picture.startswith(b"\x89PNG")
    made = shown(modality, x)
    assert json.dumps(made.modality.pick(FACTS)(made)) == json.dumps({"values": x.tolist()})
    assert modality.pick(WAYS) == ("Test sample",) and modality.pick(SHOWN_AS) is stripes  # on its card of Cross-modal
    assert judge(dataset, "seen").accuracy > 0.8
    assert modality.fault(-x - 1) == "counts are not negative."


def draw() -> None:
    import streamlit as st

    from pages.shared.form.drawing import config_form
    from vaecore.config import changed, preset

    st.session_state["got"] = config_form(changed(preset("mvae-image-label"), st.session_state["settings"]), "f")


def test_the_form_asks_for_a_new_kind_what_it_asks_for_the_kind_it_inherits_from(counts: ModuleType) -> None:
    at = AppTest.from_function(draw, default_timeout=60)
    at.session_state["settings"] = ["model.likelihoods={seen: poisson}", "model.networks.vector.hidden=[7]"]
    at.run()
    assert not at.exception
    fields = {each.key: each.value for each in at.text_input}
    assert fields["f.model.likelihoods"] == "seen=poisson" and fields["f.model.networks.vector.hidden"] == "7"
    config = parse(RunConfig, at.session_state["got"])
    modality = Modality("counts", (4,))
    # What was asked is what it is read and described by.
    read = config.model.networks.encoder(modality, 3)
    assert [each.out_features for each in read.modules() if isinstance(each, torch.nn.Linear)] == [7, 3]
    assert isinstance(likelihoods(config.model.likelihoods, 0.1, {"seen": modality})["seen"], counts.PoissonConfig)
    at.text_input(key="f.model.likelihoods").set_value("seen=poison").run()
    with pytest.raises(ConfigError, match=r"there is no likelihood 'poison'. Use .*, poisson"):
        parse(RunConfig, at.session_state["got"])


def test_a_family_refuses_a_kind_that_it_does_not_read(counts: ModuleType) -> None:  # noqa: ARG001 (it must be known)
    with pytest.raises(ConfigError, match="reads videos, but this data set has counts"):
        one = replace(counted(), modalities={"seen": Modality("counts", (4,))})
        build.check(preset("sv2p-variant-moving-mnist"), one)


def test_clips_are_cut_to_the_frames_that_a_model_learns_from() -> None:
    assert isinstance(ALL[4], Clip) and ALL[4].frame == (3, 4, 5) and not isinstance(ALL[0], Clip)
