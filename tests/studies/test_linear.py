"""Linear models have exact optima: probabilistic PCA (Tipping & Bishop 1999) and PCA. Training must reach them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import subspace_angles

from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

EIGENVALUES = (8.0, 2.6, 0.8, 0.26, 0.08, 0.025)  # a factor of three apart, so that no gamma below is near one
SIZE = 6_000
Train = Callable[..., Any]
Matrix = NDArray[np.float64]


def covariance(x: Matrix) -> Matrix:
    return np.asarray((x - x.mean(0)).T @ (x - x.mean(0)) / len(x))


@pytest.mark.parametrize(("gamma", "active"), [
    (0.145, 4), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((1.45, 2), (0.45, 3), (0.045, 5)))])
def test_a_linear_vae_reaches_the_closed_form(trainer: Train, gamma: float, active: int) -> None:
    """With a fixed gamma: KL sum 1/2 log(lambda / gamma)+, distortion sum min(lambda, gamma), #{lambda > gamma}."""
    made, dataset = trainer({
        "data": {"name": "gaussian", "eigenvalues": EIGENVALUES, "size": SIZE},
        "model": {"family": "vae", "latent_size": 6, "network": {"kind": "linear"},
                  "likelihood": {"kind": "gaussian", "sigma": gamma ** 0.5}, "n_samples": 2},
        "training": {"epochs": 400, "batch_size": 400, "learning_rate": 0.05, "beta": {"kind": "constant"},
                     "rate": {"kind": "cosine", "final": 0.001}}}, run=True)
    x = dataset.splits["train"].arrays["vector"].astype(float)
    spectrum = np.linalg.eigvalsh(covariance(x))
    kl = 0.5 * np.log(np.maximum(spectrum / gamma, 1)).sum()
    distortion = np.minimum(spectrum, gamma).sum()
    assert (spectrum > gamma).sum() == active

    model = made.model
    found = evaluate(model, Feed(dataset, "train", torch.device("cpu")), seed=1)
    with torch.inference_mode():
        batch = {"vector": torch.from_numpy(x).float()}
        q = model.encode(batch)["z"]
        assert isinstance(q, DiagonalGaussian)
        z = q.rsample(torch.Generator().manual_seed(2), 64)
        decoded = torch.stack([model.decode({"z": codes})["vector"].mean for codes in z])
        sampled = (decoded - batch["vector"]).double().square().sum(-1).mean().item()

    total = sum(found.kl["z"])
    print(f"gamma {gamma}: KL {total:.4f} of {kl:.4f} ({total / kl - 1:+.3%}), distortion {sampled:.4f} of "
          f"{distortion:.4f} ({sampled / distortion - 1:+.3%}), active {found.active}")
    assert total == pytest.approx(kl, rel=0.02)
    assert sampled == pytest.approx(distortion, rel=0.02)
    assert found.active == active
    # The ELBO there is the exact marginal likelihood of probabilistic PCA with noise gamma.
    exact = -0.5 * (np.log(2 * np.pi * np.maximum(spectrum, gamma)) + spectrum / np.maximum(spectrum, gamma)).sum()
    expected = -0.5 * (sampled / gamma + len(spectrum) * np.log(2 * np.pi * gamma)) - total
    print(f"  ELBO {expected:.4f} (one evaluation {found.elbo:.4f}) of {exact:.4f}")
    assert expected == pytest.approx(exact, abs=0.02)
    # And each dimension in use has the posterior variance gamma / lambda of one eigenvalue.
    variances = q.logvar.exp().mean(0).numpy()
    in_use = np.sort(variances[np.array(found.kl["z"]) > 0.05])
    np.testing.assert_allclose(in_use, np.sort(gamma / spectrum[spectrum > gamma]), rtol=0.05)


# -- on real digits --------------------------------------------------------------------------------

R = 4  # a gap follows the fourth eigenvalue of the digits
FULL = 1_297  # one batch is the whole training set: the descent is deterministic


def pixels(dataset: Any, split: str = "train") -> Matrix:
    return dataset.splits[split].arrays["image"].reshape(len(dataset.splits[split]), -1) / 255.0


@pytest.fixture(scope="module")
def principal(trainer: Train) -> tuple[Matrix, Matrix, Matrix]:
    """Eigenvalues (D,) and eigenvectors (D, D) of the digits, largest first, and their PCA's components (r, D)."""
    made, dataset = trainer({"data": {"name": "digits"}, "model": {"family": "pca", "latent_size": R}})
    assert made.total == 0
    assert made.model.fit(made.feed.all())
    values, vectors = np.linalg.eigh(covariance(pixels(dataset)))
    return values[::-1], vectors[:, ::-1], made.model.components.numpy()


def fitted(trainer: Train, model: dict[str, Any], epochs: int = 2_000) -> Any:
    made, _ = trainer({"data": {"name": "digits"}, "model": {"latent_size": R, **model},
                       "training": {"epochs": epochs, "batch_size": FULL, "learning_rate": 0.05,
                                    "beta": {"kind": "constant"}, "rate": {"kind": "cosine", "final": 1e-4}}},
                      run=True)
    return made.model


def loadings(model: Any) -> Matrix:
    """The decoder's matrix W (D, r)."""
    [weight] = [p for p in model.decoder.parameters() if p.ndim == 2]
    return np.asarray(weight.detach().double().numpy())


def angle(a: Matrix, b: Matrix) -> float:
    return float(subspace_angles(a, b).max())


def alignment(w: Matrix, vectors: Matrix) -> Matrix:
    """|cos| between the left singular vectors of W and the principal components, one by one."""
    left, _, _ = np.linalg.svd(w, full_matrices=False)
    return np.abs((left * vectors[:, :R]).sum(0))


@pytest.fixture(scope="module")
def plain(trainer: Train) -> Any:
    return fitted(trainer, {"family": "linear-ae"})


def test_pca_is_the_eigendecomposition(trainer: Train, principal: tuple[Matrix, Matrix, Matrix]) -> None:
    values, vectors, components = principal
    np.testing.assert_allclose(components @ components.T, np.eye(R), atol=1e-6)
    assert (np.abs((components.T * vectors[:, :R]).sum(0)) > 1 - 1e-6).all()  # each one, in order
    for size in (1, R, 20):
        made, dataset = trainer({"data": {"name": "digits"}, "model": {"family": "pca", "latent_size": size}})
        made.model.fit(made.feed.all())
        found = evaluate(made.model, Feed(dataset, "train", torch.device("cpu")), seed=0)
        assert found.mse["image"] == pytest.approx(values[size:].sum() / 64, rel=1e-5)
        # The likelihood uses that residual variance: its mean log-density has the closed form below.
        sigma2 = values[size:].sum() / 64
        assert found.elbo == pytest.approx(-32 * (np.log(2 * np.pi * sigma2) + 1), rel=1e-5)


def test_a_linear_autoencoder_finds_the_principal_subspace(plain: Any, principal: tuple[Matrix, Matrix, Matrix],
                                                           ) -> None:
    _, vectors, components = principal
    w = loadings(plain)
    print(f"PCA and linear AE: {angle(w, components.T):.2e} rad")
    assert angle(w, components.T) < 0.005
    assert angle(vectors[:, :R], vectors[:, 1 : R + 1]) > 1.5  # the measure can tell subspaces apart
    # W2 W1 is the projection, whatever C is in W2 = U C, W1 = C^-1 U'.
    [encoder] = [p for p in plain.encoder.parameters() if p.ndim == 2]
    np.testing.assert_allclose(w @ encoder.detach().double().numpy() @ vectors[:, :R], vectors[:, :R], atol=0.01)


@pytest.mark.slow
def test_only_a_penalty_turns_the_subspace_into_components(trainer: Train, plain: Any,
                                                           principal: tuple[Matrix, Matrix, Matrix]) -> None:
    values, vectors, _ = principal
    l2 = 0.1
    penalised = loadings(fitted(trainer, {"family": "linear-ae", "l2": l2}))
    print(f"|cos| with l2 {alignment(penalised, vectors).round(5)}, without {alignment(loadings(plain), vectors)}")
    assert (alignment(penalised, vectors) > 0.99).all()
    assert alignment(loadings(plain), vectors).min() < 0.9
    shrunk = np.linalg.svd(penalised, compute_uv=False)
    np.testing.assert_allclose(shrunk, np.sqrt(1 - l2 / values[:R]), rtol=0.01)


@pytest.mark.slow
def test_a_linear_vae_spans_the_principal_subspace(trainer: Train, plain: Any,
                                                   principal: tuple[Matrix, Matrix, Matrix]) -> None:
    values, vectors, components = principal
    gamma = 0.05
    model = fitted(trainer, {"family": "vae", "network": {"kind": "linear"}, "n_samples": 2,
                             "likelihood": {"kind": "gaussian", "sigma": gamma ** 0.5}})
    w = loadings(model)
    print(f"PCA and linear VAE: {angle(w, components.T):.2e} rad; linear AE and VAE "
          f"{angle(w, loadings(plain)):.2e} rad; |cos| {alignment(w, vectors)}")
    assert angle(w, components.T) < 0.05
    assert angle(w, loadings(plain)) < 0.05
    # Unlike the autoencoder it finds the components themselves, scaled by sqrt(lambda - gamma). It gets there slowly,
    # as rotations within the subspace change the ELBO little.
    assert (alignment(w, vectors) > 0.95).all()
    np.testing.assert_allclose(np.linalg.svd(w, compute_uv=False), np.sqrt(values[:R] - gamma), rtol=0.08)
