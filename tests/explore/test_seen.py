"""Where a model saw data: densities and classes in closed form, and a scale that is fair to data that were not used."""

import numpy as np
import pytest
import torch
from scipy import stats

from vaecore.explore import Checkpoint
from vaecore.explore.seen import Seen, of_posteriors, seen, word
from vaecore.probability.gaussian import DiagonalGaussian, Point
from vaecore.store import Store

NAMES = ("a", "b")


def two() -> Seen:
    """Two observations at -2 and 2 on a line, with standard deviations 1 and 0.5, of two classes."""
    mean, logvar = torch.tensor([[-2.0], [2.0]]), torch.tensor([[0.0], [2 * np.log(0.5)]], dtype=torch.float32)
    return Seen(DiagonalGaussian(mean, logvar), np.array([-5.0, -2.0, -1.0]), np.array([0, 1]), NAMES, "two")


def test_density_and_classes_are_those_of_the_mixture() -> None:
    z = np.array([[-2.0], [0.0], [1.0], [3.0]], np.float32)
    a, b = stats.norm.pdf(z[:, 0], -2, 1), stats.norm.pdf(z[:, 0], 2, 0.5)
    np.testing.assert_allclose(two().log_density(z), np.log((a + b) / 2), rtol=1e-6)
    np.testing.assert_allclose(two().classes(z), np.stack([a, b], 1) / (a + b)[:, None], rtol=1e-6)


def test_an_observation_without_a_label_has_no_share_of_a_class() -> None:
    known = Seen(two().mixture, two().levels, np.array([-1, 1]), NAMES, "")
    np.testing.assert_allclose(known.classes(np.array([[-2.0]], np.float32)), [[0.0, 1.0]])


def test_unusual_counts_the_codes_of_data_that_lie_denser() -> None:
    """log q(2) = log(0.5 * 0.798 + ...) = -0.92 is above all three levels, q(-2) = -1.61 below one, q(9) below all."""
    z = np.array([[2.0], [-2.0], [9.0]], np.float32)
    np.testing.assert_allclose(two().unusual(z), [0, 1 / 3, 1])


def test_of_new_codes_of_data_as_many_are_unusual_as_should_be() -> None:
    generator = torch.Generator().manual_seed(1)
    mean = torch.randn(4_000, 6, generator=generator)
    q = DiagonalGaussian(mean[:2_000], torch.full((2_000, 6), -3.0))
    found = of_posteriors(q, None, (), "")
    new = DiagonalGaussian(mean[2_000:], torch.full((2_000, 6), -3.0)).sample(2_000, generator)
    unusual = found.unusual(new.numpy())
    for share in (0.5, 0.9, 0.99):
        assert (unusual > share).mean() == pytest.approx(1 - share, abs=4 * np.sqrt(share * (1 - share) / 1_000))
    assert found.unusual(np.full((1, 6), 9.0, np.float32))[0] == 1


def test_points_get_a_kernel_of_scotts_width() -> None:
    z = torch.tensor([[-1.0], [5.0], [1.0], [5.0]])  # the mixture holds -1 and 1
    found = of_posteriors(Point(z), None, (), "")
    width = float(z.std()) * 2 ** (-1 / 5)
    expected = np.log(stats.norm.pdf([-1.0, 1.0], 0, width).mean())
    np.testing.assert_allclose(found.log_density(np.zeros((1, 1), np.float32)), [expected], rtol=1e-5)


@pytest.mark.parametrize(("share", "said"), [(0.2, "dense"), (0.7, "among"), (0.95, "edge"), (0.995, "no data")])
def test_words(share: float, said: str) -> None:
    assert said in word(share)


def test_without_its_data_a_digit_model_sees_the_digits_that_come_with_the_package(
        monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    found = seen(Checkpoint.load(Store.default().find("gallery/pca")))
    assert found.source.startswith("500 validation observations") and "package" in found.source
    assert len(found.mixture.mean) == 250 and found.class_names == tuple("0123456789")
