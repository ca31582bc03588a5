"""A family as a module in a loop of one's own: built from shapes, called with tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import vaecore.models as families
from vaecore.data import COVARIATE, Modality
from vaecore.models import (
    AE,
    DMVAE,
    JIVE,
    JMVAE,
    MADE,
    MMVAE,
    MVAE,
    PCA,
    RBM,
    SV2P,
    SVG,
    VAE,
    ConditionalWasserstein,
    Family,
    JMVAEConfig,
    LinearAE,
    MMVAEConfig,
    MoPoE,
    MoPoEConfig,
    MultimodalVAEConfig,
    MVAEConfig,
    PixelCNN,
    PredNet,
    RecurrentPredictor,
    SentenceVAE,
    SVGFixedPriorConfig,
    VAEConfig,
    VideoPixelNetwork,
)
from vaecore.nets import MLPConfig
from vaecore.nets.frames import FrameMLPConfig
from vaecore.schema import ConfigError

SMALL = (1, 8, 8)


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_family_is_built_from_a_shape_and_fields_as_from_its_configuration() -> None:
    config = VAEConfig(latent_size=3, network=MLPConfig(hidden=(16,)))
    torch.manual_seed(0)
    expected = config.build({"image": Modality("image", SMALL)}).state_dict()
    for given in (SMALL, Modality("image", SMALL), {"image": SMALL}):
        for model in (lambda given=given: VAE(given, latent_size=3, network={"kind": "mlp", "hidden": [16]}),
                      lambda given=given: VAE(given, config)):
            torch.manual_seed(0)
            torch.testing.assert_close(model().state_dict(), expected, rtol=0, atol=0)


def test_a_call_is_the_elbo_of_plain_tensors() -> None:
    model, x = VAE(SMALL, latent_size=3), torch.rand(5, *SMALL)
    found = model(x, noise())
    expected = model.elbo({"image": x}, noise())
    torch.testing.assert_close(found.elbo(), expected.elbo(), rtol=0, atol=0)
    assert found.elbo().shape == (5,) and found.kl["z"].shape == (5, 3)
    torch.testing.assert_close(model([x], noise()).elbo(), found.elbo(), rtol=0, atol=0)
    torch.testing.assert_close(model.loss(x, generator=noise()), -found.elbo().mean())
    torch.testing.assert_close(model.loss(x, beta=4.0, generator=noise()),
                               4 * found.total_kl().mean() - found.total_reconstruction().mean())


def test_a_loop_over_a_data_loader_learns() -> None:
    torch.manual_seed(0)
    x = (torch.rand(64, *SMALL) < torch.linspace(0, 1, 8)).float()
    model = VAE(SMALL, latent_size=2, network={"kind": "mlp", "hidden": [16]})
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    before = model(x).elbo().mean().item()
    for _ in range(20):
        for batch in DataLoader(TensorDataset(x), batch_size=16):
            optimizer.zero_grad()
            model.loss(batch).backward()
            optimizer.step()
    assert model(x).elbo().mean().item() > before + 10


@pytest.mark.parametrize(("make", "x"), [
    (lambda: AE(SMALL), torch.rand(2, *SMALL)), (lambda: LinearAE(SMALL, l2=0.1), torch.rand(2, *SMALL)),
    (lambda: PCA((6,), latent_size=2), torch.randn(2, 6)), (lambda: MADE(SMALL), torch.rand(2, *SMALL)),
    (lambda: PixelCNN(SMALL, layers=2), torch.rand(2, *SMALL)), (lambda: RBM(SMALL, hidden=5), torch.rand(2, *SMALL)),
    (lambda: SentenceVAE(Modality("text", (4,), ("<pad>", "<s>", "</s>", "<unk>", "a")), hidden=8),
     torch.tensor([[4, 2, 0, 0], [4, 4, 4, 2]]))], ids=["ae", "linear-ae", "pca", "made", "pixelcnn", "rbm", "text"])
def test_every_family_of_one_modality_is_called_so(make: Any, x: torch.Tensor) -> None:
    model = make()
    assert isinstance(model, Family)
    assert model(x).total_reconstruction().shape == (2,)
    assert model.loss(x).ndim == 0 and bool(model.loss(x).isfinite())


@pytest.mark.parametrize("make", [
    lambda shape: SVG(shape, latent_size=2), lambda shape: SVG(shape, learned=False, latent_size=2),
    lambda shape: ConditionalWasserstein(shape, latent_size=2), RecurrentPredictor,
    lambda shape: SV2P(shape, channels=4), lambda shape: PredNet(shape, channels=(4,)),
    lambda shape: VideoPixelNetwork(shape, channels=4, hidden=4)])
def test_every_family_of_clips_is_called_so(make: Any) -> None:
    model, x = make((6, 1, 16, 16)), torch.rand(2, 6, 1, 16, 16)
    assert isinstance(model, Family)
    found = model(x, noise())
    assert found.elbo().shape == (2,)
    assert model.loss(x, generator=noise()).ndim == 0
    if isinstance(model, SVG):
        assert found.kl["z"].shape == (2, 5, 2)
    with pytest.raises(ConfigError, match=r"nothing that a family reads|reads no image"):
        make((6, 1, 16))


def test_which_prior_svg_has_is_said_by_its_configuration_or_by_learned() -> None:
    shape = (6, 2)
    fields: Any = {"latent_size": 2, "network": {"kind": "mlp"}}
    assert SVG(shape, **fields).learned_prior is not None and SVG(shape, learned=False, **fields).learned_prior is None
    assert SVG(shape, SVGFixedPriorConfig(network=FrameMLPConfig())).learned_prior is None


def test_several_modalities_have_names() -> None:
    model = DMVAE({"left": (6,), "right": SMALL}, shared_size=2)
    batch = {"left": torch.randn(3, 6), "right": torch.rand(3, *SMALL)}
    assert set(model(batch).reconstruction) == {"left", "right"}
    assert model.loss(batch).ndim == 0
    assert JIVE({"left": (6,), "right": (4,)}).latents
    with pytest.raises(ValueError, match=r"DMVAE reads left, right, and got 1 tensor without a name\. Give a mapping"):
        model(batch["left"])


def test_each_joint_posterior_is_a_module_of_its_own() -> None:
    two = {"left": (6,), "right": SMALL}
    batch = {"left": torch.randn(3, 6), "right": torch.rand(3, *SMALL)}
    for module, fields, config in ((MVAE, {"marginals": False}, MVAEConfig(marginals=False)),
                                   (JMVAE, {"alpha": 2.0}, JMVAEConfig(alpha=2.0)),
                                   (MMVAE, {}, MMVAEConfig()), (MoPoE, {}, MoPoEConfig())):
        torch.manual_seed(0)
        model = module(two, latent_size=3, **fields)
        torch.manual_seed(0)
        expected = MultimodalVAEConfig(latent_size=3, posterior=config).build(model.modalities)
        assert type(expected) is module
        torch.testing.assert_close(model.loss(batch, generator=noise()), expected.loss(batch, generator=noise()))
    with pytest.raises(ConfigError, match=r"alfa: unknown field .*Did you mean 'alpha'"):
        JMVAE(two, alfa=2.0)


def test_a_covariate_is_given_by_name() -> None:
    model = VAE(SMALL, covariate=Modality("label", (3,)), latent_size=2, prior={"kind": "conditional"})
    x, u = torch.rand(2, *SMALL), torch.eye(3)[:2]
    assert model({"image": x, COVARIATE: u}).elbo().shape == (2,)
    with pytest.raises(ValueError, match=rf"VAE reads image, {COVARIATE}, and got 1 tensor without a name"):
        model(x)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: VAE(SMALL, latent=3), r"latent: unknown field.*Did you mean 'latent_size'"),
    (lambda: VAE(SMALL, latent_size=0), r"latent_size: 0 is too small\. Use at least 1"),
    (lambda: VAE(SMALL, VAEConfig(), latent_size=3), r"latent_size: a whole configuration .*not both"),
    (lambda: VAE((1, 2, 3, 4, 5)), r"modalities: .*\(1, 2, 3, 4, 5\).*Use \(D,\)"),
    (lambda: VAE((4, 1, 8, 8)), r"modalities: VAE reads no videos, and video is a video.*Use images or vectors"),
    (lambda: VAE({"a": (3,), "b": (4,)}), r"modalities: VAE models one, and 2 are given"),
    (lambda: DMVAE((3,)), r"a family of several modalities needs 2 to 16, but this data set has 1"),
    (lambda: PCA((3,), latent_size=4), r"latent_size: 4 components of 3 numbers\. Use at most 3")])
def test_what_is_wrong_is_said(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize(("x", "words"), [
    (torch.rand(5, 64), r"VAE reads image of shape \(B, 1, 8, 8\), and got \(5, 64\)"),
    (torch.rand(*SMALL), r"and got \(1, 8, 8\)"),
    ({"picture": torch.rand(5, *SMALL)}, r"VAE reads image, and the batch has picture"),
    ([torch.rand(5, *SMALL), torch.zeros(5)], r"VAE reads image, and got 2 tensors")])
def test_a_batch_that_does_not_fit_is_refused_in_words(x: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        VAE(SMALL)(x)


def test_modules_and_choices_bear_the_same_names() -> None:
    assert set(families.__all__) <= set(vars(families))
    for name in families.__all__:
        if name.endswith("Config") and name not in ("ModelConfig", "SharedLatentConfig", "SVGFixedPriorConfig",
                                                    "SVGLearnedPriorConfig"):
            assert issubclass(getattr(families, name.removesuffix("Config")), Family), name
