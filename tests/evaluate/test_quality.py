"""Reconstructions, samples and codes: closed forms, known manifolds, and the classifier that gives the features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from vaecore.config import preset
from vaecore.data import Dataset, Split
from vaecore.data.digits import Digits
from vaecore.data.gaussian import Gaussian
from vaecore.evaluate import classifier as classifiers
from vaecore.evaluate.classifier import Classifier, classifier
from vaecore.evaluate.parts import PARTS
from vaecore.evaluate.parts.samples import Samples
from vaecore.evaluate.picture_metrics import psnr, ssim, ssim_window
from vaecore.evaluate.quality import (
    Codes,
    codes,
    frechet_distance,
    frechet_interval,
    linear_probe,
    precision_recall,
    reconstruction,
    sample_quality,
)
from vaecore.evaluate.settings import Settings
from vaecore.evaluate.subject import Subject
from vaecore.models import ICAConfig, MADEConfig, PCAConfig, VAEConfig
from vaecore.models.single.vae import VAE
from vaecore.schema import ConfigError
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

TORCHMETRICS = (0.8987549, 0.8980057, 0.8266910)  # SSIM of the pictures below
CPU = torch.device("cpu")


def normal(count: int, size: int, seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal((count, size))


# -- reconstructions -------------------------------------------------------------------------------


def test_psnr_is_of_each_image() -> None:
    x = torch.zeros(3, 1, 4, 4)
    decoded = torch.stack([torch.full((1, 4, 4), e) for e in (0.1, 0.01, 0.0)])
    torch.testing.assert_close(psnr(decoded, x), torch.tensor([20.0, 40.0, 100.0]), rtol=1e-4, atol=0)
    one = torch.zeros(1, 1, 4, 4)
    one[0, 0, 0, 0] = 1  # one of 16 pixels wrong: 10 log10 16
    torch.testing.assert_close(psnr(one, x[:1]), torch.tensor([12.0412]), rtol=1e-4, atol=0)


def test_ssim_of_constants_has_a_closed_form_and_order() -> None:
    a, b = torch.full((1, 1, 28, 28), 0.2), torch.full((1, 1, 28, 28), 0.6)
    c1 = 0.01**2
    found = ssim(a, b)
    assert found is not None
    assert float(found) == pytest.approx((2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1), rel=5e-4)
    x = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    scores = [ssim((x + s * noise).clamp(0, 1), x) for s in (0.0, 0.1, 0.5)]
    means = [float(s.mean()) for s in scores if s is not None]
    assert means[0] == pytest.approx(1, abs=1e-5) and means[0] > means[1] > means[2]
    assert scores[0] is not None and scores[0].shape == (5,)


@pytest.mark.parametrize(("shape", "recorded"), [
    ((1, 28, 28), TORCHMETRICS[0]), ((3, 20, 13), TORCHMETRICS[1]), ((1, 8, 8), TORCHMETRICS[2])])
def test_ssim_is_the_published_one(shape: tuple[int, ...], recorded: float) -> None:
    """By scipy's own filter with its window cut at 3.5 sigma; and the number that torchmetrics 1.9 gave."""
    flat = torch.arange(float(np.prod(shape))).view(1, *shape)
    x, decoded = flat.mul(0.37).sin().mul(0.5).add(0.5), flat.mul(0.37).add(0.4).sin().mul(0.4).add(0.5)
    _, sigma = ssim_window(shape)
    assert sigma is not None

    def local(x: Any) -> Any:
        return gaussian_filter(x, sigma, axes=(1, 2), mode="mirror", truncate=3.5)

    a, b = decoded[0].double().numpy(), x[0].double().numpy()
    mean_a, mean_b = local(a), local(b)
    variances = local(a * a) - mean_a**2 + local(b * b) - mean_b**2
    expected = np.mean((2 * mean_a * mean_b + 1e-4) * (2 * (local(a * b) - mean_a * mean_b) + 9e-4)
                       / ((mean_a**2 + mean_b**2 + 1e-4) * (variances + 9e-4)))
    found = ssim(decoded, x)
    assert found is not None
    assert float(found) == pytest.approx(expected, abs=2e-6) and float(found) == pytest.approx(recorded, abs=2e-6)


@pytest.mark.parametrize(("shape", "window"), [
    ((1, 28, 28), (11, 1.5)), ((3, 11, 40), (11, 1.5)), ((1, 8, 8), (7, 6 / 7)), ((1, 10, 9), (9, 8 / 7)),
    ((1, 3, 3), (3, 2 / 7)), ((1, 2, 28), (None, None))])
def test_the_window_fits_the_image(shape: tuple[int, ...], window: tuple[int | None, float | None]) -> None:
    assert ssim_window(shape) == window
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    found = ssim(x, x)
    if window[0] is None:
        assert found is None
    else:
        assert found is not None and found.shape == (2,)
        torch.testing.assert_close(found, torch.ones(2), rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return Digits().load()


@pytest.fixture(scope="module")
def pca(digits: Dataset) -> Any:
    model = PCAConfig(latent_size=20).build(digits.modalities)
    model.fit(Feed(digits, "train", CPU).all())
    return model


def test_reconstruction_of_a_model(digits: Dataset, pca: Any) -> None:
    feed = Feed(digits, "test", CPU)
    done: list[tuple[int, int]] = []
    found = reconstruction(pca, feed, progress=lambda *at: done.append(at))["image"]
    assert found.mse == pytest.approx(evaluate(pca, feed, 0).mse["image"], rel=1e-5)
    assert found.psnr is not None and found.ssim is not None
    assert found.psnr > -10 * np.log10(found.mse)  # the mean of PSNR is not the PSNR of the mean (Jensen)
    assert 0.6 < found.ssim < 1
    assert (found.window, found.data_range, found.observations) == (7, 1.0, 250) and done[-1] == (250, 250)
    few = reconstruction(pca, feed, limit=10)["image"]
    assert few.observations == 10 and few.mse != found.mse
    worse = PCAConfig(latent_size=2).build(digits.modalities)
    worse.fit(Feed(digits, "train", CPU).all())
    less = reconstruction(worse, feed)["image"]
    assert less.psnr is not None and less.ssim is not None
    assert less.mse > found.mse and less.psnr < found.psnr and less.ssim < found.ssim
    with pytest.raises(ValueError, match="Use at least 1"):
        reconstruction(pca, feed, limit=0)


def test_vectors_have_an_error_and_no_picture() -> None:
    dataset = Gaussian(size=500).load()
    model = PCAConfig(latent_size=8).build(dataset.modalities)
    model.fit(Feed(dataset, "train", CPU).all())
    found = reconstruction(model, Feed(dataset, "test", CPU))["vector"]
    assert found.mse < 1e-10 and (found.psnr, found.ssim, found.window) == (None, None, None)


# -- Fréchet distance, precision and recall --------------------------------------------------------


def gaussian(mean: Any, covariance: Any, count: int = 400) -> Any:
    """Rows whose sample mean and covariance are exactly these."""
    x = normal(count, len(mean), 0)
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_has_its_closed_form() -> None:
    zero = np.zeros(3)
    one = np.diag([1.0, 4.0, 9.0])
    other = np.diag([4.0, 4.0, 1.0])
    assert frechet_distance(gaussian(zero, one), gaussian(zero, one)) == pytest.approx(0, abs=1e-9)
    shifted = frechet_distance(gaussian(zero, one), gaussian(np.array([1.0, 2.0, 2.0]), one))
    assert shifted == pytest.approx(9)  # |m|², not |m|
    apart = frechet_distance(gaussian(zero, one), gaussian(zero, other))
    assert apart == pytest.approx((1 - 2) ** 2 + (3 - 1) ** 2)  # squared differences of standard deviations
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    a, b = np.diag([1.0, 9.0]), turn @ np.diag([1.0, 9.0]) @ turn.T  # covariances that do not commute
    known = np.trace(a + b) - 2 * np.sqrt(np.linalg.eigvals(a @ b).real).sum()
    x, y = gaussian(zero[:2], a), gaussian(zero[:2], b)
    assert known > 1 and frechet_distance(x, y) == pytest.approx(known)
    assert frechet_distance(y, x) == pytest.approx(known)


def test_m5_the_interval_of_a_frechet_distance_is_how_far_other_draws_come_out() -> None:
    rng, found = np.random.default_rng(3), []
    for _ in range(200):
        a, b = rng.standard_normal((400, 4)), rng.standard_normal((400, 4)) * [1.0, 1.5, 0.7, 1.0] + [0.6, 0, 0, 0]
        low, high = frechet_interval(a, b) or (np.nan, np.nan)
        found.append((frechet_distance(a, b), low, high))
    distances, lows, highs = map(np.array, zip(*found, strict=True))
    assert ((lows < distances) & (distances < highs)).all()
    expected = distances.mean()  # of as many observations
    assert 0.9 < ((lows < expected) & (expected < highs)).mean() < 0.99
    half = (highs - lows).mean() / 2 / 2.262  # Student's t with 9 degrees of freedom
    assert half == pytest.approx(distances.std(), rel=0.15)
    assert frechet_interval(a[:19], b) is None and frechet_interval(a[:20], b) is not None


def test_frechet_distance_of_few_and_flat_features() -> None:
    flat = np.concatenate([normal(50, 2, 0), np.zeros((50, 3))], 1)  # a singular covariance
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(frechet_distance(flat[:4], flat[4:]))  # fewer rows than features
    assert frechet_distance(flat[:, :1], flat[:, :1] + 3) == pytest.approx(9)
    for a, b in ((flat, flat[:, :2]), (flat[:1], flat), (flat[0], flat[0])):
        with pytest.raises(ValueError, match="at least 2 rows"):
            frechet_distance(a, b)
    with pytest.raises(ValueError, match=r"10,001 rows of features\. Use at most 10,000"):
        frechet_distance(np.zeros((10_001, 1)), flat[:, :1])


def test_precision_and_recall_know_which_is_which() -> None:
    """Real points in two clusters: samples of one of them are precise and recall half; wild ones the reverse."""
    near, far = normal(300, 2, 0), normal(300, 2, 1) + 100
    real = np.concatenate([near, far])
    assert precision_recall(real, real) == (1.0, 1.0)
    precision, recall = precision_recall(real, normal(300, 2, 2))  # one cluster dropped
    assert precision > 0.9 and 0.4 < recall < 0.55
    wild = np.concatenate([normal(300, 2, 3), normal(300, 2, 4) + 100, normal(600, 2, 5) - 500])
    precision, recall = precision_recall(real, wild)
    assert 0.4 < precision < 0.55 and recall > 0.9
    assert precision_recall(real, real + 1000) == (0.0, 0.0)


def test_manifolds_are_balls_to_the_kth_neighbour() -> None:
    """On a line at 0, 1, 2, ...: with k = 1 balls of radius 1, with k = 2 at the ends of radius 2."""
    real = np.arange(10.0)[:, None]
    generated = np.array([[-0.9], [-1.5], [10.9], [4.4]])
    assert precision_recall(real, generated, k=1)[0] == 0.5
    assert precision_recall(real, generated, k=2)[0] == 0.75 + 0.25  # -1.5 is within 2 of 0
    assert precision_recall(real, generated, k=1)[1] == 1.0  # 4.4's ball reaches to 10.9 - 4.4
    same = np.full((5, 1), 4.0)  # a generator that gives one image only: its balls are that point
    precision, recall = precision_recall(real, same, k=3)
    assert (precision, recall) == (1.0, 0.1)
    for k in (0, 4):
        with pytest.raises(ValueError, match=f"k = {k} neighbours of 4 points"):
            precision_recall(real, generated, k=k)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = normal(130, 4, 0), normal(110, 4, 1) * 1.5
    whole = precision_recall(a, b)
    monkeypatch.setattr("vaecore.evaluate.quality.BLOCK", 17)
    assert precision_recall(a, b) == whole and 0 < whole[0] < 1 and 0 < whole[1] < 1


# -- codes -----------------------------------------------------------------------------------------


def test_codes_of_a_split_are_in_its_order(digits: Dataset, pca: Any) -> None:
    feed = Feed(digits, "test", CPU)
    found = codes(pca, feed)
    assert found.mean.shape == (250, 20) and found.logvar is None
    np.testing.assert_array_equal(found.sampled(3), found.mean)
    np.testing.assert_allclose(found.mean, pca.encode(feed.all())["z"].mean.numpy(), atol=1e-5)
    assert codes(pca, feed, limit=7).mean.shape == (7, 20)
    torch.manual_seed(0)
    vae = VAEConfig(latent_size=3, network={"kind": "mlp", "hidden": [8]}).build(digits.modalities)
    assert isinstance(vae, VAE)
    vae.train()
    found = codes(vae, feed)
    assert vae.training and found.logvar is not None and found.logvar.shape == (250, 3)


def test_sampled_codes_have_the_posterior_variance() -> None:
    found = Codes(np.full((40_000, 2), 5.0), np.tile(np.log([4.0, 0.25]), (40_000, 1)))
    z = found.sampled(1)
    np.testing.assert_allclose(z.mean(0), 5, atol=0.05)
    np.testing.assert_allclose(z.std(0), [2.0, 0.5], rtol=0.03)
    np.testing.assert_array_equal(z, found.sampled(1))
    assert (z != found.sampled(2)).any()


def test_a_linear_probe_reads_what_is_linear() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 3_000)
    centres = np.array([[1e3, 0], [0, 1e-3], [-1e3, -1e-3]])  # on scales that only standardising brings together
    x = centres[labels] + normal(3_000, 2, 1) * [100, 1e-4]
    best = linear_probe(x[:2_000], labels[:2_000], x[2_000:], labels[2_000:])
    assert best.accuracy > 0.99 and best.classes == 3 and (best.train, best.test) == (2_000, 1_000)
    assert best.chance == pytest.approx(1 / 3, abs=0.04)
    noise = linear_probe(normal(2_000, 2, 2), labels[:2_000], normal(1_000, 2, 3), labels[2_000:])
    assert noise.accuracy == pytest.approx(noise.chance, abs=0.06)
    ring = normal(3_000, 2, 4)  # inside or outside of a circle: no line tells
    inside = (np.square(ring).sum(1) < 1.386).astype(np.int64)
    found = linear_probe(ring[:2_000], inside[:2_000], ring[2_000:], inside[2_000:])
    assert found.accuracy < 0.7
    some = labels.copy()
    some[::2] = -1
    assert linear_probe(x[:2_000], some[:2_000], x[2_000:], some[2_000:]).train == 1_000
    with pytest.raises(ValueError, match="at least two classes"):
        linear_probe(x, np.zeros(3_000, np.int64), x, labels)
    with pytest.raises(ValueError, match="3000 codes for 2000 labels"):
        linear_probe(x, labels[:2_000], x, labels)


def test_digits_can_be_read_from_principal_components(digits: Dataset, pca: Any) -> None:
    train, test = (codes(pca, Feed(digits, name, CPU)).mean for name in ("train", "test"))
    labels = [digits.splits[name].labels for name in ("train", "test")]
    assert labels[0] is not None and labels[1] is not None
    assert linear_probe(train, labels[0], test, labels[1]).accuracy > 0.9


# -- the classifier --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> Classifier:
    return classifier(digits)


def test_the_classifier_knows_digits_and_its_name(digits: Dataset, trained: Classifier) -> None:
    assert trained.name == "conv classifier 32-64-128 on digits (1,297), seed 0"
    assert trained.accuracy > 0.95 and (trained.tested, trained.classes) == (250, 10) and len(trained.digest) == 12
    x = Feed(digits, "test", CPU).all()["image"]
    labels = digits.splits["test"].labels
    assert (trained.predict(x) == labels).mean() == trained.accuracy
    features, shares = trained.features(x), trained.probabilities(x)
    assert features.shape == (250, 128) and features.dtype == np.float64 and (features >= 0).all()
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_allclose(trained.features(x[3:5]), features[3:5], atol=1e-5)  # no dropout
    assert not any(p.requires_grad for p in trained.network.parameters())


def test_sample_quality_ranks_samples(digits: Dataset, trained: Classifier) -> None:
    train, test = (Feed(digits, name, CPU).all()["image"] for name in ("train", "test"))
    real = trained.features(test)
    noise = torch.rand(test.shape, generator=torch.Generator().manual_seed(0))

    def against(images: torch.Tensor) -> Any:
        return sample_quality(trained.name, trained.accuracy, real, trained.features(images))

    floor, blurred, worst = against(train[:250]), against((train[:250] + train[250:500]) / 2), against(noise)
    assert floor.frechet < blurred.frechet < worst.frechet
    assert floor.precision > 0.7 > worst.precision and floor.recall > 0.7 > worst.recall
    assert (floor.k, floor.real, floor.generated) == (3, 250, 250)
    assert "conv classifier" in floor.features and floor.classifier_accuracy == trained.accuracy


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "classifiers").glob("*.safetensors"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A short training, and a cache of the test's own."""
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path))
    monkeypatch.setattr(classifiers, "UPDATES", 100)
    return tmp_path


def test_it_is_trained_once_and_kept(digits: Dataset, quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    state = torch.random.get_rng_state()
    first = classifier(digits, progress=lambda *at: told.append(at))
    assert told == [(50, 100), (100, 100)]
    assert torch.equal(torch.random.get_rng_state(), state)  # the caller's generator is left alone
    [path] = kept(quick)
    assert path.name == f"digits-image-{first.digest}-seed0-v1.safetensors"
    other = replace(first, network=classifiers.Network((1, 8, 8), 10).requires_grad_(False))
    assert other.weights != first.weights and len(first.weights) == 12  # of one data set, and not the same judge
    x = Feed(digits, "test", CPU).all()["image"]
    with monkeypatch.context() as patch:
        patch.setattr(classifiers, "_train", lambda *_: pytest.fail("trained again"))
        again = classifier(digits)
    np.testing.assert_array_equal(again.features(x), first.features(x))
    assert replace(again, network=first.network) == first
    path.unlink()
    np.testing.assert_array_equal(classifier(digits).features(x), first.features(x))  # the same seed, the same weights
    assert (classifier(digits, seed=1).features(x) != first.features(x)).any() and len(kept(quick)) == 2


@pytest.mark.parametrize("damage", ["cut", "noise", "other shape", "large"])
def test_damaged_weights_are_trained_anew(digits: Dataset, quick: Path, damage: str) -> None:
    first = classifier(digits)
    [path] = kept(quick)
    whole = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(whole[:1000])
        case "noise":
            path.write_bytes(b"\x80\x04" + b"x" * 1000)
        case "other shape":
            classifiers._keep(path, classifiers.Network((1, 8, 8), 3), 0.5)
        case "large":
            with path.open("r+b") as file:
                file.truncate(classifiers.MAX_CLASSIFIER_BYTES + 1)
    again = classifier(digits)
    x = Feed(digits, "test", CPU).all()["image"]
    np.testing.assert_array_equal(again.features(x), first.features(x))
    assert path.read_bytes() == whole


def test_other_data_has_another_classifier(digits: Dataset, quick: Path) -> None:
    first = classifier(digits)
    other = classifier(Digits(pixels="binary-dynamic").load())
    assert other.digest != first.digest and "pixels redrawn" in other.name
    fewer = classifier(Digits(train_limit=500).load())
    assert fewer.name == "conv classifier 32-64-128 on digits (500), seed 0" and len(kept(quick)) == 3
    train = digits.splits["train"]
    assert train.labels is not None
    labels = train.labels.copy()
    labels[:297] = -1
    some = replace(digits, splits={**digits.splits, "train": Split(train.arrays, labels)})
    assert "(1,000)" in classifier(some).name


def test_data_without_labels_or_images_is_refused(digits: Dataset, quick: Path) -> None:
    bare = {name: Split(split.arrays) for name, split in digits.splits.items()}
    with pytest.raises(ValueError, match="needs labels of at least two classes"):
        classifier(replace(digits, splits=bare))
    with pytest.raises(ValueError, match=r"this data set has none\. Use a data set of images"):
        classifier(Gaussian(size=100).load())
    assert not kept(quick)


def test_a_disk_that_cannot_be_written_costs_only_the_cache(digits: Dataset, quick: Path) -> None:
    (quick / "classifiers").write_text("a file in the way")
    assert classifier(digits).accuracy > 0.5


@pytest.mark.parametrize(("model", "pixels"), [(ICAConfig(latent_size=4), "means of p(x|z)"),
                                               (MADEConfig(hidden=(8,)), "draws")])
def test_samples_are_judged_as_pictures_and_called_what_they_are(digits: Dataset, monkeypatch: pytest.MonkeyPatch,
                                                                 model: ICAConfig | MADEConfig, pixels: str) -> None:
    feed, judged = Feed(digits, "test", CPU), list[torch.Tensor]()

    class Judge:
        name, accuracy, digest, weights, tested = "judge", 1.0, "", "", 1

        def features(self, images: torch.Tensor) -> Any:
            judged.append(images)
            return images.flatten(1).double().numpy()[:, 20:24]

    monkeypatch.setattr(classifiers, "classifier", lambda *_, **__: Judge())
    family = model.build(digits.modalities)
    family.fit(Feed(digits, "train", CPU).all())
    found = PARTS["samples"].of(Subject(
        preset("vae-digits"), family.eval(), digits, feed, Settings(samples=60), lambda *_: None, lambda: False))
    assert isinstance(found, Samples) and found.pixels == pixels and len(judged) == 3
    assert all(float(images.min()) >= 0 and float(images.max()) <= 1 for images in judged)
    judged.clear()  # of own data some observations may have no picture: zeros stand in its place
    test, there = digits.splits["test"], np.arange(len(digits.splits["test"])) >= 200
    blank = np.where(there[:, None, None, None], test.arrays["image"], np.zeros_like(test.arrays["image"]))
    lacking = replace(digits, splits={**digits.splits, "test": replace(test, arrays={"image": blank},
                                                                       observed=there[:, None])})
    found = PARTS["samples"].of(Subject(preset("vae-digits"), family, lacking, Feed(lacking, "test", CPU),
                                        Settings(samples=60), lambda *_: None, lambda: False))
    assert (found.real, found.generated) == (50, 50) == tuple(len(images) for images in judged[:2])
    assert judged[1].flatten(1).any(1).all(), "only what is there is real"


def test_of_variance_the_observations_count_that_have_every_block(digits: Dataset) -> None:
    class Linear:
        modalities = ("image", "label")

        def loadings(self) -> dict[str, Any]:
            return {}

        def explained(self, batch: dict[str, torch.Tensor]) -> dict[str, dict[str, float]]:
            return {"image": {"joint": 0.5}}

    test, there = digits.splits["test"], np.arange(len(digits.splits["test"])) >= 200
    lacking = replace(digits, splits={**digits.splits, "test": replace(test, observed=there[:, None])})
    model: Any = Linear()
    for dataset, count in ((digits, 250), (lacking, 50)):
        found = PARTS["variance"].of(Subject(preset("vae-digits"), model, dataset, Feed(dataset, "test", CPU),
                                             Settings(), lambda *_: None, lambda: False))
        assert found.observations == count


def test_data_that_do_not_vary_have_no_sources(digits: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"does not vary.*Choose data whose observations differ"):
        ICAConfig(latent_size=2).build(digits.modalities).fit({"image": torch.ones(50, 1, 8, 8)})
