"""Coherence, its judges and conditional likelihoods: a perfect model, one that ignores what is given, closed forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vaecore.data import OBSERVED, Dataset, Modality, Split
from vaecore.data.digits import Digits
from vaecore.evaluate import classifier as classifiers
from vaecore.evaluate.coherence import coherence, generate, subsets_of
from vaecore.evaluate.conditional import conditional_likelihoods
from vaecore.evaluate.judges import Judge, judge, judges, r2, style_judge
from vaecore.models import DMVAEConfig, MultimodalVAEConfig, MVAEConfig
from vaecore.models.base import Batch, Family
from vaecore.models.evidence import Evidence
from vaecore.nets.mlp import LinearConfig
from vaecore.nets.modal import ModalNetworks
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian, Point, StandardNormal
from vaecore.probability.likelihoods import Observation
from vaecore.probability.posteriors import Posterior
from vaecore.training.feed import Feed

CPU = torch.device("cpu")
CLASSES, N = 5, 600
TWO = {"a": Modality("vector", (1,)), "b": Modality("vector", (1,))}


@dataclass(frozen=True)
class Seen:
    """What a decoder gives, where only its mean is looked at."""

    mean: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x - self.mean).square().flatten(1).sum(1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return self.mean


class Copying(Family):
    """Its code is the number in whatever is given, and that is what it decodes in every modality."""

    spread, constant = 0.0, None  # of q(z|given) around it; and a number that is decoded instead

    def __init__(self) -> None:
        super().__init__(TWO)
        self.weight = nn.Parameter(torch.zeros(1))

    @property
    def latents(self) -> dict[str, int]:
        return {"z": 1}

    def prior(self, batch: Batch | None = None) -> dict[str, Density]:
        return {"z": StandardNormal(1)}

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        x = next(batch[name] for name in TWO if name in batch)
        if self.spread:
            return {"z": DiagonalGaussian(x, torch.full_like(x, 2 * float(np.log(self.spread))))}
        return {"z": Point(x)}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        code = z["z"] if self.constant is None else torch.full_like(z["z"], self.constant)
        return {name: Seen(code) for name in TWO}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        raise NotImplementedError


def numbered(observed: np.ndarray | None = None) -> tuple[Feed, np.ndarray]:
    """N observations whose number is in both modalities; of class number modulo 5."""
    numbers = np.arange(N, dtype=np.float32)[:, None]
    labels = np.arange(N) % CLASSES
    split = Split({"a": numbers, "b": numbers}, labels, observed=observed)
    return Feed(Dataset("numbered", "", TWO, {"train": split, "test": split}), "test", CPU), labels


def reader(wrong: int) -> Judge:
    """A judge that knows the class of every number, and errs on the first `wrong` of them."""
    def predict(x: Tensor) -> np.ndarray:
        number = x[:, 0].round().long().numpy()
        return (number + (number < wrong)) % CLASSES

    return Judge("reader", 1 - wrong / N, N, predict)


# -- coherence -------------------------------------------------------------------------------------


def test_a_perfect_model_is_as_coherent_as_the_data() -> None:
    """The judge errs as often on what is generated as on real observations: the ceiling, and no more."""
    feed, labels = numbered()
    found = coherence(Copying(), feed, labels, {"a": reader(0), "b": reader(90)})
    assert [each.given for each in found.subsets] == [["a"], ["b"], ["a", "b"]]
    assert found.share(["a"], "b") == found.ceiling["b"] == 0.85
    assert found.share(["b"], "a") == found.ceiling["a"] == 1.0
    assert found.subsets[2].own == {"a": 1.0, "b": 0.85} and found.subsets[2].coherence == {}
    assert found.observations == N and found.chance == 1 / CLASSES
    assert found.joint_ceiling == 0.85, "where the judges of real observations agree"


def test_a_model_that_ignores_what_is_given_is_at_chance() -> None:
    feed, labels = numbered()
    labels[:100] = 3  # the commonest class now
    model = Copying()
    model.constant = 3.0
    found = coherence(model, feed, labels, {"a": reader(0), "b": reader(0)})
    assert found.share(["a"], "b") == found.share(["b"], "a") == found.chance == (labels == 3).mean()
    assert found.joint == found.joint_commonest == 1.0, "all samples agree, as all are the same: that is told"


def test_codes_are_drawn_and_not_means() -> None:
    """q(z|x) is right on average and as wide as a class: a code lands in its own cell in 38 % of cases."""
    feed, labels = numbered()
    model = Copying()
    model.spread = 1.0
    found = coherence(model, feed, labels, {"b": reader(0)})
    inside = sum(np.exp(-0.5 * (5 * k + e) ** 2) / np.sqrt(2 * np.pi) * 0.001
                 for k in (-1, 0, 1) for e in np.arange(-0.5, 0.5, 0.001))
    assert found.share(["a"], "b") == pytest.approx(inside, abs=4 * np.sqrt(inside * (1 - inside) / N))
    again = coherence(model, feed, labels, {"b": reader(0)})
    assert found == again != coherence(model, feed, labels, {"b": reader(0)}, seed=1)
    assert found.joint is None, "with one judge nothing can agree"


def test_only_observations_that_have_all_of_what_is_given_count() -> None:
    observed = np.ones((N, 2), bool)
    observed[:200, 0] = False
    feed, labels = numbered(observed)
    found = coherence(Copying(), feed, labels, {"a": reader(0), "b": reader(0)})
    assert [each.observations for each in found.subsets] == [400, N, 400]


def test_unlabelled_observations_and_those_beyond_the_limit_are_left_out() -> None:
    feed, labels = numbered()
    labels[::2] = -1
    assert coherence(Copying(), feed, labels, {"b": reader(0)}, limit=100).observations == 50
    with pytest.raises(ValueError, match="no observation of this split has a label"):
        coherence(Copying(), feed, np.full(N, -1), {"b": reader(0)})
    with pytest.raises(ValueError, match="none of the modalities has a judge"):
        coherence(Copying(), feed, labels, {})


def test_it_tells_how_far_it_is_and_can_be_broken_off() -> None:
    feed, labels = numbered()
    told: list[tuple[int, int]] = []
    coherence(Copying(), feed, labels, {"b": reader(0)}, progress=lambda done, total: told.append((done, total)))
    assert told == [(place, 8) for place in range(6)] + [(1, 1)], "three subsets of two batches"

    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        coherence(Copying(), feed, labels, {"b": reader(0)}, progress=stop)


def test_all_subsets_up_to_six_modalities_and_the_telling_ones_of_more() -> None:
    for count in range(2, 7):
        found = subsets_of(list("abcdefg")[:count])
        assert len(found) == len(set(found)) == 2**count - 1 and found[-1] == tuple("abcdefg")[:count]
    assert [len(each) for each in subsets_of(list("abcdefg"))] == [1] * 7 + [6] * 7 + [7]


def test_the_private_code_of_what_is_not_given_comes_from_its_prior() -> None:
    torch.manual_seed(0)
    modalities = {"image": Modality("image", (1, 4, 4)), "other": Modality("vector", (3,))}
    model = DMVAEConfig(shared_size=2, private_size=3).build(modalities).eval()
    seen: dict[str, Tensor] = {}
    model.decode = lambda z, **_: seen.update(z) or {}  # type: ignore[method-assign]
    generate(model, model.encode({"image": torch.rand(4_000, 1, 4, 4)}), ["other"], torch.Generator().manual_seed(0))
    own = seen["private other"]
    torch.testing.assert_close(own.mean(0), torch.zeros(3), atol=0.06, rtol=0)
    torch.testing.assert_close(own.std(0), torch.ones(3), atol=0.05, rtol=0)


# -- judges ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three() -> Iterator[Dataset]:
    """8 x 8 digits made darker by a known amount, their labels, and the pixels as a vector; judges that learn fast."""
    patch = pytest.MonkeyPatch()
    patch.setattr(classifiers, "UPDATES", 300)
    digits = Digits().load()
    splits: dict[Any, Split] = {}
    for place, (name, split) in enumerate(digits.splits.items()):
        shade = np.random.default_rng(place).uniform(0.3, 1, len(split))
        images = (split.arrays["image"] * shade[:, None, None, None]).astype(np.uint8)
        arrays = {"image": images, "label": np.eye(10, dtype=np.float32)[split.labels],
                  "vector": split.arrays["image"].reshape(len(split), -1).astype(np.float32)}
        splits[name] = Split(arrays, split.labels, factors=shade[:, None])
    kinds = {"image": Modality("image", (1, 8, 8)), "label": Modality("label", (10,)),
             "vector": Modality("vector", (64,))}
    yield Dataset("three", "digits", kinds, splits, factors={"style": 0})
    patch.undo()


def test_every_judge_is_as_good_on_real_observations_as_it_says(three: Dataset) -> None:
    found, without = judges(three)
    assert without == {} and list(found) == ["image", "label", "vector"]
    assert found["label"].accuracy == 1.0
    test = Feed(three, "test", CPU).first(250)
    labels = three.splits["test"].labels
    for name, each in found.items():
        assert (each.predict(test[name]) == labels).mean() == pytest.approx(each.accuracy) and each.accuracy > 0.85
        assert each.tested == 250
    assert "logistic regression on vector (1,297)" in found["vector"].name and "conv classifier" in found["image"].name


def test_what_is_missing_teaches_no_judge(three: Dataset) -> None:
    """A blank in the place of a missing image is no picture of a digit."""
    train = three.splits["train"]
    observed = np.ones((len(train), 3), bool)
    observed[::2, 0] = False
    data = replace(three, splits={**three.splits, "train": replace(train, observed=observed)})
    assert "(648)" in judge(data, "image").name


def test_a_text_has_no_judge_and_says_so(three: Dataset) -> None:
    texts = replace(three, modalities={"words": Modality("text", (3,), ("<pad>",))})
    with pytest.raises(ValueError, match="words is a text, and texts have no judge"):
        judges(texts)
    unlabelled = replace(three, splits={name: replace(split, labels=None) for name, split in three.splits.items()})
    for name in ("image", "vector"):
        with pytest.raises(ValueError, match="label"):
            judge(unlabelled, name)


def test_style_is_regressed_from_images(three: Dataset) -> None:
    found = style_judge(three, "image", "style")
    shade = three.splits["test"].factors[:, 0]
    assert r2(shade, found.predict(Feed(three, "test", CPU).first(250)["image"])) == pytest.approx(found.r2)
    assert found.r2 > 0.6 and "style on three image" in found.name
    assert style_judge(three, "image", "style").r2 == found.r2, "from the cache"
    with pytest.raises(ValueError, match="no factor 'hue'"):
        style_judge(three, "image", "hue")
    with pytest.raises(ValueError, match="read from images, and vector is a vector"):
        style_judge(three, "vector", "style")


# -- conditional likelihoods -----------------------------------------------------------------------

NAMES, SIGMA = ("a", "b", "c"), 0.7
LOADINGS = {"a": torch.tensor([1.0, -0.5]), "b": torch.tensor([0.3, 0.8]), "c": torch.tensor([-1.2, 0.4])}


def linear() -> Family:
    """x_m = w_m z + noise with one z, and encoders that are the exact factors of the posterior."""
    config = MultimodalVAEConfig(latent_size=1, sigma=SIGMA, likelihoods=dict.fromkeys(NAMES, "gaussian"),
                           networks=ModalNetworks(vector=LinearConfig()), posterior=MVAEConfig())
    model = config.build({name: Modality("vector", (2,)) for name in NAMES})
    with torch.no_grad():
        for place, w in enumerate(LOADINGS.values()):
            precision = float(w @ w) / SIGMA**2
            encoder, decoder = model.encoder.encoders[place][1], model.decoders[place].network[0]  # type: ignore
            encoder.weight[:] = torch.stack([w / SIGMA**2 / precision, torch.zeros(2)])
            encoder.bias[:] = torch.tensor([0.0, -np.log(precision)])
            decoder.weight[:], decoder.bias[:] = w[:, None], 0.0
    return model.eval()


def gaussian(names: tuple[str, ...], batch: Mapping[str, Tensor]) -> Tensor:
    """log p of some of the modalities under the model, in closed form."""
    w = torch.cat([LOADINGS[name] for name in names])
    covariance = torch.outer(w, w) + SIGMA**2 * torch.eye(len(w))
    density = torch.distributions.MultivariateNormal(torch.zeros(len(w)), covariance)
    return density.log_prob(torch.cat([batch[name] for name in names], 1))


def test_conditional_likelihoods_of_a_linear_gaussian_model_are_exact() -> None:
    """With the exact posterior every importance weight is p(x) itself, so even one sample says it."""
    batch = {name: torch.randn(300, 2, generator=torch.Generator().manual_seed(place))
             for place, name in enumerate(NAMES)}
    found = conditional_likelihoods(linear(), [batch], 3)
    assert found.joint == pytest.approx(float(gaussian(NAMES, batch).mean()), abs=1e-4)
    for name in NAMES:
        others = tuple(each for each in NAMES if each != name)
        values = gaussian(NAMES, batch) - gaussian(others, batch)
        each = found.modalities[name]
        assert each.given == list(others) and each.effective == pytest.approx(1, abs=1e-4)
        assert each.log_likelihood == pytest.approx(float(values.mean()), abs=1e-4)
        assert each.standard_error == pytest.approx(float(values.std()) / 300**0.5, rel=1e-3)


def test_conditional_likelihoods_are_of_observations_that_have_everything() -> None:
    batch = {name: torch.randn(40, 2) for name in NAMES} | {OBSERVED: torch.ones(40, 3, dtype=torch.bool)}
    batch[OBSERVED][:15, 1] = False
    assert conditional_likelihoods(linear(), [batch], 2).observations == 25
    batch[OBSERVED][:, 1] = False
    with pytest.raises(ValueError, match="no observation has all modalities"):
        conditional_likelihoods(linear(), [batch], 2)
