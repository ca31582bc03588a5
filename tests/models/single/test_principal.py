"""Principal components are the same whichever way the sizes call for."""

from __future__ import annotations

import pytest
import torch

from vaecore.models.single import principal as module
from vaecore.models.single.ica import ICA
from vaecore.models.single.pca import PCA
from vaecore.models.single.principal import principal


def observations(count: int, size: int) -> torch.Tensor:
    """Numbers with a falling spectrum, far from 0."""
    generator = torch.Generator().manual_seed(3)
    mixing = torch.randn(12, size, generator=generator) * (0.7 ** torch.arange(12.0))[:, None]
    noise = 0.05 * torch.randn(count, size, generator=generator)
    return 5 + torch.randn(count, 12, generator=generator) @ mixing + noise


@pytest.mark.parametrize(("count", "size"), [(50, 300), (400, 300), (40, 41)])
@pytest.mark.parametrize("solved", [10_000, 100, 10])  # by the covariance, by inner products of 50 and 40, by iteration
def test_components_are_those_of_a_singular_value_decomposition(count: int, size: int, solved: int,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOLVED_AT_ONCE", solved)
    monkeypatch.setattr(module, "COLUMNS_AT_ONCE", 64)
    x = observations(count, size)
    found = principal(x, 6)
    centred = x.double() - x.double().mean(0)
    _, singular, right = torch.linalg.svd(centred, full_matrices=False)
    torch.testing.assert_close(found.variances, singular[:6].square() / count, rtol=1e-5, atol=0)
    torch.testing.assert_close(found.directions.T @ found.directions, torch.eye(6).double())
    torch.testing.assert_close((right[:6] @ found.directions).abs(), torch.eye(6).double(), rtol=0, atol=2e-3)
    assert found.total == pytest.approx(float(centred.square().sum() / count), rel=1e-6)
    torch.testing.assert_close(found.centre, x.double().mean(0), rtol=1e-6, atol=0)


def test_more_components_than_observations_have_no_variance_and_stay_orthonormal(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOLVED_AT_ONCE", 100)
    found = principal(observations(5, 200), 9)
    assert (found.variances[:4] > 0.01).all() and (found.variances[4:] < 1e-9).all()
    torch.testing.assert_close(found.directions.T @ found.directions, torch.eye(9).double())
    assert found.rank(1e-7) == 4


@pytest.mark.parametrize("family", [PCA, ICA])
def test_a_family_fitted_to_large_images_is_the_one_fitted_in_full(family: type[PCA | ICA],
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    x = (observations(200, 7 * 6 * 5) / 20).clamp(0, 1).view(200, 7, 6, 5)
    models = []
    for solved in (10_000, 205):
        monkeypatch.setattr(module, "SOLVED_AT_ONCE", solved)
        model = family((7, 6, 5), latent_size=3)
        assert model.fit({"image": x})
        models.append(model)
    with torch.inference_mode():
        whole, small = ({name: p.mean for name, p in model.decode({"z": model.code(x)}).items()}["image"]
                        for model in models)
        torch.testing.assert_close(whole, small, rtol=0, atol=1e-4)
        torch.testing.assert_close(models[0].elbo(x).elbo(), models[1].elbo(x).elbo(), rtol=1e-4, atol=1e-2)
