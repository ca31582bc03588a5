"""Shared and private latents: probes of known codes, and the swap of models made by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.evaluate.test_coherence import Seen
from vaecore.data import Dataset, Modality, Split
from vaecore.evaluate.judges import Judge, StyleJudge, r2
from vaecore.evaluate.quality import Codes, codes, codes_by_latent
from vaecore.evaluate.sharing import linear_r2, others, private_to, sharing, style_under_swap
from vaecore.models import DMVAEConfig, MultimodalVAEConfig
from vaecore.models.base import Batch, Family
from vaecore.models.evidence import Evidence
from vaecore.probability.gaussian import Point
from vaecore.probability.likelihoods import Observation
from vaecore.probability.posteriors import Posterior
from vaecore.training.feed import Feed

CPU = torch.device("cpu")
N, CLASSES = 700, 4
KINDS = {"digit": Modality("vector", (1,)), "styled": Modality("vector", (2,))}


class ToldApart(Family):
    """Reads the class from the digit, or both from the styled one, and writes them back; styled is (class, style)."""

    def __init__(self, *, private: bool) -> None:
        super().__init__(KINDS)
        self.private = private

    @property
    def latents(self) -> dict[str, int]:
        return {"shared": 1, "private styled": 1} if self.private else {"z": 2}

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        content = batch["digit"]
        if self.private:
            return {"shared": Point(content), "private styled": Point(batch["styled"][:, 1:])}
        return {"z": Point(torch.cat([content, batch["styled"][:, 1:]], 1))}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        both = torch.cat([z["shared"], z["private styled"]], 1) if self.private else z["z"]
        return {"digit": Seen(both[:, :1]), "styled": Seen(both)}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        raise NotImplementedError


@pytest.fixture(scope="module")
def styled() -> tuple[Feed, np.ndarray, np.ndarray]:
    """Observations (class), (class, style), their classes and styles."""
    generator = np.random.default_rng(0)
    labels, style = generator.integers(CLASSES, size=N), generator.standard_normal(N)
    arrays = {"digit": labels[:, None].astype(np.float32), "styled": np.stack([labels, style], 1).astype(np.float32)}
    split = Split(arrays, labels, factors=style[:, None])
    dataset = Dataset("pairs", "", KINDS, {"train": split, "test": split}, factors={"style": 0})
    return Feed(dataset, "test", CPU), labels, style


def judged(style: np.ndarray) -> tuple[Judge, StyleJudge]:
    """Of the class a perfect judge; of the style one whose error is the style's own square."""
    def predict(x: Tensor) -> np.ndarray:
        seen: np.ndarray = x[:, 1].double().numpy()
        return seen + 0.2 * seen**2

    known = torch.from_numpy(np.stack([style, style], 1))
    return (Judge("class", 1.0, N, lambda x: x[:, 0].round().long().numpy()),
            StyleJudge("style", r2(style, predict(known)), N, predict))


def test_private_codes_keep_the_style_as_well_as_it_can_be_read(styled: tuple[Feed, np.ndarray, np.ndarray]) -> None:
    feed, labels, style = styled
    found = style_under_swap(ToldApart(private=True), feed, labels, style, "styled", "style", *judged(style))
    assert found.swap.r2 == pytest.approx(found.ceiling, abs=1e-6) and found.ceiling < 0.95
    assert (found.swap.changed, found.swap.stayed) == (1.0, 0.0) and found.private == ["private styled"]
    assert found.pairs == N


def test_with_one_latent_the_style_goes_with_the_class(styled: tuple[Feed, np.ndarray, np.ndarray]) -> None:
    """The style of somebody else is worse than the mean: R2 = 1 - 2 var / var. A mixed pair is given both."""
    feed, labels, style = styled
    judge, reading = judged(style)
    plain = StyleJudge("style", 1.0, N, lambda x: x[:, 1].double().numpy())
    found = style_under_swap(ToldApart(private=False), feed, labels, style, "styled", "style", judge, plain)
    assert found.swap.r2 == pytest.approx(-1, abs=0.2) and found.swap.changed == 1.0 and found.private == []
    assert found.mixed.r2 == pytest.approx(1.0) and found.mixed.changed == 1.0
    assert found != style_under_swap(ToldApart(private=False), feed, labels, style, "styled", "style", judge, reading,
                                     seed=1)


def test_partners_are_of_another_class() -> None:
    labels = np.repeat([0, 1, 2], [90, 8, 2])
    partners = others(labels, 3)
    assert (labels[partners] != labels).all() and (partners == others(labels, 3)).all()
    with pytest.raises(ValueError, match="at least two classes"):
        others(np.zeros(5, int), 0)


def test_what_is_in_which_latent_is_read_from_it_alone() -> None:
    generator = np.random.default_rng(1)
    made, labels, styles = {}, {}, {}
    for split in ("train", "test"):
        labels[split], styles[split] = generator.integers(3, size=600), generator.standard_normal(600)
        content = np.eye(3)[labels[split]] + 0.05 * generator.standard_normal((600, 3))
        own = styles[split][:, None] * [2.0, 0.0] + 0.5 * generator.standard_normal((600, 2))
        made[split] = {"shared": Codes(content, None), "private image": Codes(own, None)}
    found = sharing(made["train"], labels["train"], {"style": styles["train"]}, made["test"], labels["test"],
                    {"style": styles["test"]})
    shared, private = found.latents.values()
    assert shared.accuracy == 1.0 and shared.r2["style"] == pytest.approx(0, abs=0.03) and shared.size == 3
    assert private.accuracy == pytest.approx(found.chance, abs=0.07)
    assert private.r2["style"] == pytest.approx(4 / 4.25, abs=0.02), "signal over signal and noise"
    without = sharing(made["train"], None, {"style": styles["train"]}, made["test"], None, {"style": styles["test"]})
    assert without.chance is None and without.latents["shared"].accuracy is None
    with pytest.raises(ValueError, match="nothing to read"):
        sharing(made["train"], None, {}, made["test"], None, {})


def test_linear_r2_is_of_the_test_codes() -> None:
    train, test = np.linspace(-1, 1, 50)[:, None], np.linspace(2, 3, 50)[:, None]
    assert linear_r2(train, 3 * train[:, 0] + 1, test, 3 * test[:, 0] + 1) == pytest.approx(1)
    assert linear_r2(train, 3 * train[:, 0] + 1, test, np.full(50, 7.0)) < 0


def test_latents_of_one_modality_are_known_by_their_names() -> None:
    model = ToldApart(private=True)
    assert private_to("private styled", model) == private_to("z styled", model) == "styled"
    assert private_to("shared", model) is None and private_to("z", model) is None


def test_codes_come_by_latent_and_without_the_label() -> None:
    """A label that was given would only be read back."""
    torch.manual_seed(0)
    kinds = {"image": Modality("image", (1, 4, 4)), "label": Modality("label", (3,))}
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(30, 1, 4, 4)).astype(np.uint8)
    splits = [Split({"image": images, "label": np.eye(3, dtype=np.float32)[generator.integers(3, size=30)]})
              for _ in range(2)]
    feeds = [Feed(Dataset("pairs", "", kinds, {"train": split, "test": split}), "test", CPU) for split in splits]
    model = DMVAEConfig(shared_size=2, private_size=3).build(kinds)
    one, other = (codes_by_latent(model, feed) for feed in feeds)
    assert {name: each.mean.shape for name, each in one.items()} == {"shared": (30, 2), "private image": (30, 3)}
    for name in one:
        assert np.array_equal(one[name].mean, other[name].mean) and one[name].logvar is not None
    joined = codes(model, feeds[0])
    assert np.array_equal(joined.mean, np.concatenate([each.mean for each in one.values()], 1))
    assert joined.logvar is not None and joined.logvar.shape == (30, 5)
    mixture = MultimodalVAEConfig(latent_size=2, posterior={"kind": "mixture"}).build(kinds)  # type: ignore[arg-type]
    assert codes(mixture, feeds[0]).logvar is None, "no Gaussian"
