"""Families: what an ELBO is, against closed forms and importance sampling worked out here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from vaecore.data import END, PAD, SPECIALS, Modality
from vaecore.modalities import Text, Vector
from vaecore.models import FAMILIES, Evidence, Objective, PCAConfig, VAEConfig
from vaecore.schema import ConfigError, parse
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

Make = Callable[..., Any]


def linear_vae(n_samples: int = 1, gamma: float = 0.25, data_size: int = 5, r: int = 3) -> Any:
    config = parse(VAEConfig, {"latent_size": r, "network": {"kind": "linear"}, "n_samples": n_samples,
                               "likelihood": {"kind": "gaussian", "sigma": gamma**0.5}})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return config.build({"vector": Modality("vector", (data_size,))})


def parts(model: Any) -> tuple[Tensor, Tensor]:
    """The decoder's matrix W (D, r) and offset b (D,)."""
    linear = model.decoder[0]
    return linear.weight, linear.bias


def exact_reconstruction(model: Any, x: Tensor, gamma: float) -> Tensor:
    """E_q log N(x; W z + b, gamma I) in closed form, (B,)."""
    (w, b), q = parts(model), model.encode({"vector": x})["z"]
    distance = (x - q.mean @ w.T - b).square().sum(1) + (q.logvar.exp() * w.square().sum(0)).sum(1)
    return -0.5 * (x.shape[1] * math.log(2 * math.pi * gamma) + distance / gamma)


def test_the_mean_over_samples_has_the_right_value_and_shape() -> None:
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    one, many = linear_vae(1), linear_vae(200)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        exact = exact_reconstruction(one, x, 0.25)
        draws = torch.stack([one.elbo({"vector": x}, generator).reconstruction["vector"] for _ in range(4000)])
        error = draws.std(0) / math.sqrt(4000)
        assert ((draws.mean(0) - exact).abs() < 5 * error).all()
        found = many.elbo({"vector": x}, generator).reconstruction["vector"]
        assert found.shape == (6,)
        assert ((found - exact).abs() < 5 * draws.std(0) / math.sqrt(200)).all()  # each with its own image
        assert (exact.max() - exact.min()) > 20 * error.max()  # they differ: mixing the batch would show
        spread = torch.stack([many.elbo({"vector": x}, generator).reconstruction["vector"] for _ in range(100)]).std(0)
    torch.testing.assert_close(spread, draws.std(0) / math.sqrt(200), rtol=0.35, atol=0)  # 1/sqrt(K), no less
    assert torch.equal(many.elbo({"vector": x}, generator).kl["z"], one.elbo({"vector": x}, generator).kl["z"])


@pytest.mark.parametrize("n_samples", [1, 10])
def test_the_gradient_of_the_sampled_elbo_is_unbiased(n_samples: int) -> None:
    model = linear_vae(n_samples)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    parameters = list(model.parameters())
    kl = model.elbo({"vector": x}).kl["z"].sum(1)
    exact = torch.autograd.grad((exact_reconstruction(model, x, 0.25) - kl).mean(), parameters)
    generator, draws = torch.Generator().manual_seed(3), []
    for _ in range(2000 // n_samples):
        gradients = torch.autograd.grad(model.elbo({"vector": x}, generator).elbo().mean(), parameters)
        draws.append(torch.cat([g.flatten() for g in gradients]))
    stacked = torch.stack(draws)
    error = stacked.std(0) / math.sqrt(len(stacked))
    assert ((stacked.mean(0) - torch.cat([g.flatten() for g in exact])).abs() < 5 * error + 1e-5).all()
    assert error.max() < 0.25 * torch.cat([g.flatten() for g in exact]).abs().max()


@torch.inference_mode()
def importance(model: Any, name: str, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """log 1/K sum p(x|z) p(z) / q(z|x) for each image, (B,): equation (13) with its logarithm outside (E1, E2)."""
    q = model.encode({name: x})["z"]
    weights = []
    for _ in range(k // 100):
        z = q.mean + (0.5 * q.logvar).exp() * torch.randn(100, *q.mean.shape, generator=generator)
        prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
        posterior = torch.distributions.Normal(q.mean, (0.5 * q.logvar).exp()).log_prob(z).sum(-1)
        repeated = x.repeat(100, *[1] * (x.ndim - 1))
        likelihood = model.decode({"z": z.flatten(0, 1)})[name].log_prob(repeated).view(100, -1)
        weights.append(likelihood + prior - posterior)
    return torch.cat(weights).logsumexp(0) - math.log(len(weights) * 100)


@pytest.mark.parametrize(("pixels", "likelihood"), [
    ("binary-fixed", {"kind": "bernoulli"}), ("grey", {"kind": "gaussian", "sigma": 0.2}),
    ("grey", {"kind": "gaussian-per-pixel"})], ids=["bernoulli", "gaussian", "per-pixel"])
def test_the_elbo_never_exceeds_the_importance_sampled_likelihood(trainer: Make, pixels: str,
                                                                  likelihood: dict[str, Any]) -> None:
    made, dataset = trainer({"data": {"name": "digits", "pixels": pixels},
                             "model": {"family": "vae", "latent_size": 6, "likelihood": likelihood,
                                       "network": {"kind": "mlp", "hidden": [64]}},
                             "training": {"epochs": 40, "batch_size": 64, "learning_rate": 0.003}}, run=True)
    feed, generator = Feed(dataset, "validation", torch.device("cpu")), torch.Generator().manual_seed(0)
    elbo = evaluate(made.model, feed, seed=1).elbo
    x = feed.all()["image"]
    with torch.inference_mode():
        draws = torch.stack([made.model.elbo({"image": x}, generator).elbo() for _ in range(50)]).mean(0)  # (B,)
    few, tight = (importance(made.model, "image", x, k, generator) for k in (100, 2000))
    print(f"{likelihood['kind']}: ELBO {elbo:.3f}, {few.mean():.3f} with 100 samples, {tight.mean():.3f} with 2000")
    assert elbo < tight.mean() and draws.mean() < few.mean() <= tight.mean() + 0.05
    assert tight.mean() - few.mean() < 0.5  # it has settled: tight
    assert 0.1 < tight.mean() - elbo < 10  # and near enough for the comparison to mean something
    assert (draws < tight + 1.0).float().mean() > 0.99  # image by image too, up to the noise


def test_importance_sampling_meets_the_exact_marginal(trainer: Make) -> None:
    gamma = 0.3
    made, dataset = trainer({
        "data": {"name": "gaussian", "eigenvalues": [3.0, 1.5, 0.6, 0.2, 0.1], "size": 2000},
        "model": {"family": "vae", "latent_size": 3, "network": {"kind": "linear"},
                  "likelihood": {"kind": "gaussian", "sigma": gamma**0.5}},
        "training": {"epochs": 40, "batch_size": 100, "learning_rate": 0.02, "rate": {"kind": "cosine"}}}, run=True)
    x = Feed(dataset, "validation", torch.device("cpu")).all()["vector"]
    w, b = (p.detach() for p in parts(made.model))
    marginal = torch.distributions.MultivariateNormal(b, w @ w.T + gamma * torch.eye(5)).log_prob(x)
    generator = torch.Generator().manual_seed(0)
    found = importance(made.model, "vector", x, 2000, generator)
    torch.testing.assert_close(found, marginal, atol=0.15, rtol=0)
    assert (found - marginal).mean().abs() < 0.005
    with torch.no_grad():
        exact = exact_reconstruction(made.model, x, gamma) - made.model.elbo({"vector": x}).kl["z"].sum(1)
    assert (exact <= marginal + 1e-4).all()  # a bound for every single x
    assert (marginal - exact).mean() < 0.2


# -- what every family returns ---------------------------------------------------------------------

IMAGE, COLOUR, VECTOR = Modality("image", (1, 9, 7)), Modality("image", (3, 8, 8)), Modality("vector", (6,))
TEXT = Modality("text", (4,), (*SPECIALS, "a", "b"))
READ = [(name, modality) for name, family in FAMILIES.items() for modality in (IMAGE, COLOUR, VECTOR)
        if isinstance(modality, family.reads) and not family.multimodal]


@pytest.mark.parametrize(("family", "modality"), READ, ids=lambda v: v if isinstance(v, str) else str(v.shape))
def test_evidence_has_one_number_an_observation(family: str, modality: Modality) -> None:
    kind = "linear" if isinstance(modality, Vector) else "conv"
    values: dict[str, Any] = {"latent_size": 4} if "latent_size" in FAMILIES[family].model_fields else {}
    if family in ("ae", "vae"):
        values |= {"network": {"kind": kind, **({"channels": [4, 8], "dense": 8} if kind == "conv" else {})},
                   "likelihood": {"kind": "gaussian-learned"}}
    model = parse(FAMILIES[family], values).build({"x": modality})
    x = torch.rand(5, *modality.shape)
    with torch.no_grad():
        evidence = model.elbo({"x": x}, torch.Generator().manual_seed(0))
        assert evidence.reconstruction["x"].shape == evidence.elbo().shape == evidence.total_kl().shape == (5,)
        assert {name: kl.shape for name, kl in evidence.kl.items()} == ({"z": (5, 4)} if family == "vae" else {})
        assert "z" not in model.latents or model.latents == {"z": 4}
        q = {name: posterior.mean for name, posterior in model.encode({"x": x}).items()}
        assert {name: code.shape for name, code in q.items()} == {name: (5, r) for name, r in model.latents.items()}
        if q:
            assert model.decode(q)["x"].mean.shape == x.shape
        for name, posterior in model.encode({"x": x.flip(0)}).items():  # no image knows of another
            torch.testing.assert_close(posterior.mean.flip(0), q[name], atol=1e-5, rtol=1e-4)
        turned = model.elbo({"x": x.flip(0)}, torch.Generator().manual_seed(0)).reconstruction["x"].flip(0)
        if not FAMILIES[family].has_kl:
            torch.testing.assert_close(turned, evidence.reconstruction["x"], atol=1e-4, rtol=1e-4)


TEXTS = [name for name, family in FAMILIES.items() if Text in family.reads and not family.multimodal]


@pytest.mark.parametrize("family", TEXTS)
def test_evidence_has_one_number_a_sentence(family: str) -> None:
    r = 3 if FAMILIES[family].has_kl else 0
    values = {"embedding": 4, "hidden": 5, **({"latent_size": r} if r else {})}
    model = parse(FAMILIES[family], values).build({"x": TEXT})
    x = torch.tensor([[4, 5, END, PAD], [4, END, PAD, PAD], [5, 5, 4, END]])
    with torch.no_grad():
        evidence = model.elbo({"x": x}, torch.Generator().manual_seed(0))
        assert evidence.reconstruction["x"].shape == evidence.elbo().shape == evidence.total_kl().shape == (3,)
        assert model.latents == ({"z": r} if r else {})
        assert {name: kl.shape for name, kl in evidence.kl.items()} == ({"z": (3, r)} if r else {})
        codes, turned = (model.encode({"x": rows}) for rows in (x, x.flip(0)))
        assert codes.keys() == model.latents.keys()
        for name in codes:  # no sentence knows of another
            torch.testing.assert_close(turned[name].mean.flip(0), codes[name].mean)
    with pytest.raises(TypeError, match="a sentence has no mean"):
        model.sample(2)


def test_samples_of_several_modalities_leave_out_texts_which_have_no_mean() -> None:
    """An evaluation of images beside sentences draws its images so."""
    values = {"latent_size": 2, "networks": {"text": {"embedding": 4, "hidden": 5}}}
    model = parse(FAMILIES["multimodal-vae"], values).build({"picture": IMAGE, "words": TEXT})
    drawn = model.sample(3, torch.Generator().manual_seed(0))
    assert {name: x.shape for name, x in drawn.items()} == {"picture": (3, *IMAGE.shape)}


def test_terms_add_up() -> None:
    evidence = Evidence({"a": torch.tensor([-1.0, -3.0]), "b": torch.tensor([-10.0, -20.0])},
                        {"z": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "w": torch.tensor([[0.5], [0.25]])})
    assert evidence.total_reconstruction().tolist() == [-11, -23]
    assert evidence.total_kl().tolist() == [3.5, 7.25]
    assert evidence.elbo().tolist() == [-14.5, -30.25]
    frames = Evidence({"a": torch.zeros(2)}, {"z": torch.ones(2, 3, 4)})  # (B, T, r)
    assert frames.total_kl().tolist() == [12, 12]
    plain = Evidence({"a": torch.tensor([-2.0])}, {})
    assert plain.elbo().tolist() == [-2]
    terms = Objective([(1.0, evidence), (0.5, plain)], {"l2": torch.tensor(2.0), "other": torch.tensor(0.5)}).terms()
    # The first ELBO is what curves show; all of them are what is trained.
    assert {name: t.item() for name, t in terms._asdict().items() if name != "bound"} == {
        "reconstruction": -17, "kl": 5.375, "fit": -17 - 1, "charged": 5.375, "penalty": 2.5}
    assert terms.bound is None and terms.loss(2.0).item() == 2 * 5.375 + 18 + 2.5
    alone = Objective([(1.0, plain)]).terms()
    assert (alone.fit.item(), alone.kl.item(), alone.charged.item(), alone.penalty.item()) == (-2, 0, 0, 0)


def test_weights_multiply_the_reconstruction_of_their_modality_in_training_only() -> None:
    evidence = Evidence({"a": torch.tensor([-1.0, -3.0]), "b": torch.tensor([-10.0, -20.0])}, {"z": torch.ones(2, 1)})
    terms = Objective([(1.0, evidence), (2.0, evidence)], weights={"a": 50.0}).terms()
    assert terms.fit.item() == 3 * (-2 * 50 - 15)
    assert (terms.reconstruction.item(), terms.kl.item(), terms.charged.item()) == (-17, 1, 3)


def test_a_cost_is_charged_on_the_mean_kl_of_each_latent_and_dimension() -> None:
    evidence = Evidence({"a": torch.zeros(2)}, {"z": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
                                                "w": torch.tensor([[0.5], [0.25]])})
    plain = Evidence({"a": torch.tensor([-2.0])}, {})
    seen: list[dict[str, list[float]]] = []

    class Cost:
        def counted(self, kl: Tensor) -> Tensor:
            return kl.clamp(max=3.0)

        def __call__(self, kl: Mapping[str, Tensor]) -> Tensor:
            seen.append({name: k.tolist() for name, k in kl.items()})
            return torch.tensor(10.0)

    terms = Objective([(2.0, evidence), (0.5, plain)]).terms(Cost())
    assert seen == [{"z": [2, 2.5], "w": [0.375]}], "of what counts at each observation"
    assert (terms.fit.item(), terms.kl.item(), terms.charged.item()) == (-1, 5.375, 20)
    assert Objective([(1.0, plain)]).terms(Cost()).charged.item() == 0  # nothing to charge


def test_pca_refuses_more_components_than_numbers() -> None:
    with pytest.raises(ConfigError, match=r"model\.latent_size: 7 components of 6 numbers\. Use at most 6"):
        PCAConfig(latent_size=7).build({"x": VECTOR})
    model = PCAConfig(latent_size=6).build({"x": VECTOR})
    x = torch.randn(50, 6) * torch.arange(1, 7)
    assert model.fit({"x": x})
    torch.testing.assert_close(model.decode({"z": model.code(x)})["x"].mean, x, atol=1e-4, rtol=1e-4)
    assert model.elbo({"x": x}).elbo().isfinite().all()


def test_a_learned_sigma_settles_at_the_root_mean_squared_error(trainer: Make) -> None:
    made, dataset = trainer({"data": {"name": "digits"}, "model": {
        "family": "ae", "latent_size": 4, "network": {"kind": "mlp", "hidden": [32]},
        "likelihood": {"kind": "gaussian-learned"}}, "training": {
            "epochs": 100, "batch_size": 64, "learning_rate": 0.01, "rate": {"kind": "cosine"}}}, run=True)
    found = evaluate(made.model, Feed(dataset, "train", torch.device("cpu")), seed=0)
    assert made.model.likelihood.logvar.exp().item() == pytest.approx(found.mse["image"], rel=0.03)
