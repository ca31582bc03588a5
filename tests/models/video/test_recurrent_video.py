"""The recurrent predictor and SVG: what each prediction may see, the bound, and roll-outs that see the same."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.training.test_resume import Patient, same
from vaecore.data import Modality
from vaecore.models import FAMILIES, Family
from vaecore.models.video.feeding import ScheduledSampling
from vaecore.models.video.recurrent_predictor import RecurrentPredictor
from vaecore.models.video.shared import VideoFamily
from vaecore.models.video.svg import SVG, Encoded
from vaecore.nets.frames import DCGANConfig, FrameMLPConfig, VGGConfig, encode_clips, grouped
from vaecore.probability.gaussian import DiagonalGaussian, gaussian_kl, gaussian_log_prob
from vaecore.schema import ConfigError, parse
from vaecore.training.checkpoints import load_model
from vaecore.training.session import train

VIDEO = {"frames": Modality("video", (6, 1, 16, 16))}
STATES = {"frames": Modality("trajectory", (6, 3))}
RECURRENT = ("recurrent-predictor", "svg-fp", "svg-lp")
CONTEXT = 3


def built(family: str, modalities: dict[str, Modality] = VIDEO, **values: Any) -> SVG | RecurrentPredictor:
    latent = {} if family == "recurrent-predictor" else {"latent_size": 4}
    network = {"kind": "dcgan", "channels": 4} if modalities is VIDEO else {"kind": "mlp", "hidden": [8]}
    config = parse(FAMILIES[family], {"family": family, "context": CONTEXT, "network": network, "code_size": 8,
                                      "hidden": 12, **latent, **values})
    torch.manual_seed(1)
    model = config.build(modalities)
    assert isinstance(model, SVG | RecurrentPredictor)
    return model.eval()


def clips(count: int = 2, modalities: dict[str, Modality] = VIDEO, seed: int = 0) -> Tensor:
    shape = (count, *modalities["frames"].shape)
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def predicted(model: SVG | RecurrentPredictor, x: Tensor) -> Tensor:
    with torch.inference_mode():
        batch = {"frames": x}
        return model.predictions(batch, model.encode(batch), mean=True).mean


@pytest.mark.parametrize("family", RECURRENT)
@pytest.mark.parametrize("modalities", [VIDEO, STATES])
def test_no_prediction_sees_a_later_frame(family: str, modalities: dict[str, Modality]) -> None:
    """Frame t reaches predictions from t + 1 on, and through its code's posterior that of t itself."""
    model, x = built(family, modalities), clips(modalities=modalities)
    before = predicted(model, x)
    first = 0 if family == "recurrent-predictor" else -1
    for t in range(6):
        changed = x.clone()
        changed[:, t] += 1.0
        moved = (predicted(model, changed) - before).abs().flatten(2).amax((0, 2)) > 1e-6  # (T-1,): of frames 1..5
        assert moved.tolist() == [index >= max(0, t + first) for index in range(5)]


def test_the_learned_prior_sees_only_what_came_before() -> None:
    model, x = built("svg-lp"), clips()
    assert isinstance(model, SVG)

    def prior(x: Tensor) -> Tensor:
        batch = {"frames": x}
        return model.priors(batch, model.encode(batch)).mean

    with torch.inference_mode():
        before = prior(x)
        for t in range(6):
            changed = x.clone()
            changed[:, t] += 1.0
            moved = (prior(changed) - before).abs().amax((0, 2)) > 1e-7
            assert moved.tolist() == [index >= t for index in range(5)]


@pytest.mark.parametrize("family", RECURRENT)
@pytest.mark.parametrize("modalities", [VIDEO, STATES])
def test_a_future_is_what_teacher_forcing_on_it_would_have_predicted(family: str, modalities: dict[str, Modality]
                                                                     ) -> None:
    """States, codes and skips are carried from the past into the future, for every clip and every future."""
    model, x = built(family, modalities), clips(modalities=modalities)
    noise = torch.randn(3, 4, model.noise_size)
    with torch.inference_mode():
        found = model.roll_out(x[:, :CONTEXT], 4, noise)
        assert found.frames.shape == (2, 3, 4, *x.shape[2:])
        for future in range(3):
            whole = torch.cat([x[:, :CONTEXT], found.frames[:, future]], 1)
            posteriors: dict[str, Any] = {}
            if model.latents:
                assert found.codes is not None
                past = model.encode({"frames": x[:, :CONTEXT]})["z"].mean
                mean = torch.cat([past, found.codes[:, future]], 1)
                posteriors = {"z": DiagonalGaussian(mean, torch.zeros_like(mean))}
            again = model.predictions({"frames": whole}, posteriors, mean=True).mean[:, CONTEXT - 1:]
            torch.testing.assert_close(again, found.frames[:, future], atol=1e-5, rtol=1e-4)


def test_codes_of_a_future_are_the_noise_in_the_units_of_the_prior() -> None:
    noise = torch.randn(5, 3, 4)
    with torch.inference_mode():
        fixed = built("svg-fp").roll_out(clips()[:, :CONTEXT], 3, noise)
        learned = built("svg-lp").roll_out(clips()[:, :CONTEXT], 3, noise)
        mean = built("svg-lp").roll_out(clips()[:, :CONTEXT], 3, torch.zeros_like(noise))
    assert fixed.codes is not None and learned.codes is not None and mean.codes is not None
    torch.testing.assert_close(fixed.codes, noise.expand(2, -1, -1, -1))
    assert fixed.prior_sd is not None and bool((fixed.prior_sd == 1).all())
    assert learned.prior_sd is not None
    torch.testing.assert_close(learned.codes[:, :, 0] - mean.codes[:, :, 0],
                               (learned.prior_sd[:, :, 0] * noise[:, 0]))


@pytest.mark.parametrize("family", RECURRENT)
def test_a_future_does_not_depend_on_its_neighbours(family: str) -> None:
    model, x = built(family), clips(3)
    noise = torch.randn(4, 2, model.noise_size)
    with torch.inference_mode():
        all_ = model.roll_out(x[:, :CONTEXT], 2, noise).frames
        torch.testing.assert_close(model.roll_out(x[:, :CONTEXT], 2, noise[1:3]).frames, all_[:, 1:3])
        torch.testing.assert_close(model.roll_out(x[1:2, :CONTEXT], 2, noise).frames, all_[1:2])
    spread = float((all_ - all_[:, :1]).abs().max())
    assert (spread > 1e-4) == model.stochastic


@pytest.mark.parametrize("given", [1, 2, 4])
def test_any_number_of_frames_can_be_given(given: int) -> None:
    model = built("svg-lp")
    with torch.inference_mode():
        assert model.roll_out(clips()[:, :given], 3, torch.randn(2, 3, 4)).frames.shape == (2, 2, 3, 1, 16, 16)


# -- the bound ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["svg-fp", "svg-lp"])
def test_the_bound_is_a_sum_over_frames_pixels_and_dimensions(family: str) -> None:
    model, x = built(family, likelihood={"kind": "gaussian", "sigma": 0.3}), clips()
    batch = {"frames": x}
    with torch.inference_mode():
        q = model.encode(batch)
        found = model.evidence(batch, q, torch.Generator().manual_seed(3))
        mean = model.predictions(batch, q, torch.Generator().manual_seed(3)).mean
        posterior = q["z"]
        assert isinstance(posterior, Encoded) and isinstance(model, SVG)
        prior = (model.priors(batch, q) if family == "svg-lp" else
                 DiagonalGaussian(torch.zeros_like(posterior.mean), torch.zeros_like(posterior.mean)))
        terms = gaussian_log_prob(x[:, 1:], mean, torch.tensor(2 * math.log(0.3)))
        torch.testing.assert_close(found.reconstruction["frames"], terms.sum((1, 2, 3, 4)), rtol=1e-5, atol=1e-3)
        torch.testing.assert_close(found.kl["z"], gaussian_kl(posterior, prior), rtol=1e-4, atol=1e-5)
    assert found.kl["z"].shape == (2, 5, 4)
    torch.testing.assert_close(found.elbo(), found.reconstruction["frames"] - found.kl["z"].sum((1, 2)))


def test_a_deterministic_predictor_has_an_exact_likelihood_and_one_future() -> None:
    model = built("recurrent-predictor")
    batch = {"frames": clips()}
    with torch.inference_mode():
        found = model.elbo(batch)
    assert found.kl == {} and model.latents == {} and not model.stochastic
    torch.testing.assert_close(found.elbo(), found.reconstruction["frames"])


def test_squared_errors_are_of_predicted_frames_only() -> None:
    model, x = built("svg-fp"), clips()
    with torch.inference_mode():
        batch = {"frames": x}
        error = model.errors(batch, model.encode(batch))["frames"]
    torch.testing.assert_close(error, (predicted(model, x) - x[:, 1:]).square().mean((1, 2, 3, 4)))


# -- feeding --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", RECURRENT)
def test_step_by_step_with_true_frames_is_what_one_batched_call_gives(family: str) -> None:
    model, x = built(family), clips()
    with torch.inference_mode():
        h, skips = encode_clips(model.encoder, x, model.context)
        true = torch.ones(2, 6, dtype=torch.bool)
        if isinstance(model, SVG):
            output = model.fed_back(h, skips, model.encode({"frames": x})["z"].mean, true)
        else:
            output = model.fed_back(h, skips, true)
        slow = grouped(model.likelihood.observed(output).mean, 2)
    torch.testing.assert_close(slow, predicted(model, x), atol=1e-5, rtol=1e-4)


def test_scheduled_sampling_feeds_predictions_in_training_only() -> None:
    values = {"feeding": {"kind": "scheduled", "k": 1.0}}
    model, x = built("svg-lp", **values), clips()
    true = predicted(model, x)
    model.at_step(50, 100)  # by now the share of true frames is 1 / (1 + e^50)
    torch.testing.assert_close(predicted(model, x), true)
    model.train()
    fed = predicted(model, x)  # the context is read as it was
    torch.testing.assert_close(fed[:, :CONTEXT], true[:, :CONTEXT], atol=1e-5, rtol=1e-4)
    assert float((fed[:, CONTEXT] - true[:, CONTEXT]).abs().max()) > 1e-5


def test_the_share_of_true_frames_falls_as_in_the_paper() -> None:
    feeding = ScheduledSampling(k=900)
    assert feeding.true_share(0) == pytest.approx(900 / 901)
    half = 900 * math.log(900)
    assert feeding.true_share(round(half)) == pytest.approx(0.5, abs=1e-3)
    assert feeding.true_share(10**9) < 1e-6


# -- networks of frames -------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [DCGANConfig(channels=4), VGGConfig(channels=4)])
@pytest.mark.parametrize("side", [16, 32, 64])
def test_networks_halve_frames_to_a_code_and_back(config: DCGANConfig | VGGConfig, side: int) -> None:
    encoder, decoder = config.encoder((3, side, side), 8), config.decoder((3, side, side), 8, 2)
    h, skips = encoder(torch.rand(6, 3, side, side))
    assert h.shape == (6, 8) and [skip.shape[-1] for skip in skips] == [side >> n for n in range(1, len(skips) + 1)]
    first = [skip[:2] for skip in skips]
    assert decoder(h.view(2, 3, 8), decoder.prepare(first)).shape == (6, 6, side, side)


def test_a_prepared_skip_is_a_convolution_of_both_maps_laid_together() -> None:
    """conv([a, b]) = conv_a(a) + conv_b(b): what published code concatenates."""
    decoder = DCGANConfig(channels=4).decoder((1, 16, 16), 8, 1)
    up: Any = decoder.ups[0]  # type: ignore[index]
    own, skip = torch.randn(2, 8, 4, 4), torch.randn(2, 8, 4, 4)
    both = torch.cat([up.own.weight, up.skip.weight])  # of a transposed convolution inputs come first
    whole = F.conv_transpose2d(torch.cat([own, skip], 1), both, up.own.bias, stride=2, padding=1)
    torch.testing.assert_close(up.own(own) + up.skip(skip), whole, atol=1e-5, rtol=1e-4)


def test_a_frame_is_coded_alike_alone_and_among_others_in_training_too() -> None:
    """No statistics of the batch: the trap of published evaluations cannot happen."""
    encoder = DCGANConfig(channels=4).encoder((1, 16, 16), 8)
    x = torch.rand(5, 1, 16, 16)
    torch.testing.assert_close(encoder.train()(x)[0][:1], encoder.eval()(x[:1])[0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("network", "modality", "message"), [
    (DCGANConfig(), Modality("video", (4, 1, 28, 28)), r"28 x 28 pixels do not halve to 4 x 4.*16, 32 or 64 pixels"),
    (DCGANConfig(), Modality("trajectory", (4, 2)), r"frames are vectors.*Use mlp"),
])
def test_frames_that_a_network_cannot_take_are_refused(network: DCGANConfig, modality: Modality, message: str) -> None:
    config = FAMILIES["svg-lp"](context=2, network=network)
    with pytest.raises(ConfigError, match=message):
        config.build({"frames": modality})


def test_a_clip_has_to_be_longer_than_what_is_given_of_it() -> None:
    with pytest.raises(ConfigError, match=r"model\.context: 6 frames are given, and a clip has 6.*at most 5"):
        built("svg-lp", context=6)


def test_what_needs_frames_says_so() -> None:
    model: Family = built("svg-lp")
    assert isinstance(model, VideoFamily)
    with pytest.raises(ValueError, match="roll_out"):
        model.sample(1)
    with pytest.raises(ValueError, match="predictions"):
        model.decode({})


def test_an_mlp_reads_and_writes_vectors() -> None:
    config = FrameMLPConfig(hidden=(5,))
    h, skips = config.encoder((3,), 4)(torch.rand(6, 3))
    assert h.shape == (6, 4) and skips == []
    assert config.decoder((3,), 4, 2)(h.view(2, 3, 4), []).shape == (6, 6)


# -- in the loop ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", RECURRENT)
def test_a_training_that_was_stopped_ends_with_the_same_bits(start: Any, family: str) -> None:
    """Clips drawn anew come from the run's own noise, which a checkpoint keeps."""
    values = {"data": {"name": "moving-states", "digits": 1, "frames": 6, "test_frames": 8, "clips": 32,
                       "test_clips": 8},
              "model": {"family": family, "context": 2, "network": {"kind": "mlp", "hidden": [8]}, "code_size": 6,
                        "hidden": 8, **({} if family == "recurrent-predictor" else {"latent_size": 2}),
                        "feeding": {"kind": "scheduled", "k": 2.0}},
              "training": {"epochs": 3, "batch_size": 16, "snapshots": 0, "checkpoints": 0}}
    whole = start(values, name="whole")
    parts = start(values, name="parts", train=False)
    assert train(parts, Patient(3)) == "stopped"
    assert train(parts, Patient(100)) == "finished"
    same(whole, parts)
    model = load_model(whole)
    assert isinstance(model, VideoFamily) and model.modalities["frames"].shape == (6, 2)
