"""Encoders and decoders mirror each other for every size, and images do not leak into one another."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vaecore.data import Modality
from vaecore.nets import ConvConfig, LinearConfig, MLPConfig, ResConvConfig
from vaecore.nets.convolutional import usual_channels
from vaecore.nets.frames import DCGANConfig, Doubling, Halving, VGGConfig, decode_clips, encode_clips, grouped
from vaecore.schema import ConfigError

IMAGES = [(1, 28, 28), (3, 64, 64), (1, 8, 8), (3, 32, 32), (1, 29, 31), (2, 33, 28), (1, 5, 4), (7, 32, 40),
          (1, 105, 105)]
NETWORKS: list[Any] = [LinearConfig(), MLPConfig(hidden=(8, 4)), ConvConfig(channels=(4, 8), dense=8),
                       ResConvConfig(channels=(4, 8), dense=8, blocks=2), ConvConfig(channels=(), dense=0)]


@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.kind)
def test_shapes_there_and_back(network: Any, shape: tuple[int, ...]) -> None:
    modality = Modality("image", shape)
    torch.manual_seed(0)
    encoder, decoder = network.encoder(modality, 6), network.decoder(modality, 3, 2)
    x = torch.randn(4, *shape)
    code = encoder(x)
    assert code.shape == (4, 6)
    out = decoder(torch.randn(4, 3))
    assert out.shape == (4, 2 * shape[0], *shape[1:])
    alone = torch.cat([encoder(x[i: i + 1]) for i in range(4)])
    torch.testing.assert_close(alone, code, atol=1e-4, rtol=1e-3)
    (code.square().sum() + out.square().sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for net in (encoder, decoder) for p in net.parameters())


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.kind)
def test_every_pixel_is_seen_and_every_pixel_is_drawn(network: Any) -> None:
    modality = Modality("image", (1, 13, 11))
    torch.manual_seed(1)
    x = torch.randn(2, 1, 13, 11, requires_grad=True)
    network.encoder(modality, 5)(x).sum().backward()
    assert x.grad is not None and (x.grad.abs().sum((0, 1)) > 0).float().mean() > 0.95
    decoder = network.decoder(modality, 5, 1)
    with torch.no_grad():
        spread = torch.stack([decoder(z) for z in torch.randn(30, 1, 5)]).std(0)
    assert (spread > 0).all()


def test_what_convolutions_cannot_take() -> None:
    with pytest.raises(ConfigError, match=r"model\.network\.kind: .*images.*Use mlp or linear"):
        ConvConfig().encoder(Modality("vector", (8,)), 2)
    with pytest.raises(ConfigError, match=r"model\.network\.channels: 4 stages halve 8 x 8.*at most 3 stages"):
        ConvConfig(channels=(4,) * 4).encoder(Modality("image", (1, 8, 8)), 2)
    ConvConfig(channels=(4,) * 3).encoder(Modality("image", (1, 8, 8)), 2)  # the remedy works


def test_a_linear_network_is_linear() -> None:
    modality = Modality("vector", (5,))
    for net, size in ((LinearConfig().encoder(modality, 3), 5), (LinearConfig().decoder(modality, 3, 1), 3)):
        a, b = torch.randn(2, size), torch.randn(2, size)
        with torch.no_grad():
            torch.testing.assert_close(net(a) + net(b) - net(torch.zeros(2, size)), net(a + b))


@pytest.mark.parametrize("kind", ["dcgan", "vgg"])
@pytest.mark.parametrize("frame", [(3, 16, 48), (1, 64, 16), (3, 32, 32)])
def test_frames_of_any_aspect_that_halves_are_coded_and_drawn(kind: str, frame: tuple[int, ...]) -> None:
    config = {"dcgan": DCGANConfig, "vgg": VGGConfig}[kind](channels=4)
    encoder, decoder = config.encoder(frame, 7), config.decoder(frame, 7, 1)
    x = torch.rand(2, *frame)
    h, skips = encoder(x)
    assert h.shape == (2, 7) and min(skips[-1].shape[2:]) == 4
    assert decoder(h[:, None], decoder.prepare(skips)).shape == (2, *frame)
    with pytest.raises(ConfigError, match="do not halve"):
        config.encoder((3, 16, 40 + 1), 7)


def test_as_few_channels_are_convolved_as_any_others_are() -> None:
    """To 8 channels and fewer ways of our own are taken; what they give and all gradients are torch's own."""
    torch.manual_seed(0)
    for few in (1, 3, 8, 9):
        for ours, torchs in ((Halving(few, 5), nn.Conv2d(few, 5, 4, 2, 1)),
                             (Doubling(5, few), nn.ConvTranspose2d(5, few, 4, 2, 1)),
                             (Doubling(5, few, bias=False), nn.ConvTranspose2d(5, few, 4, 2, 1, bias=False))):
            torchs.load_state_dict(ours.state_dict())
            maps = 5 if isinstance(ours, Doubling) else few
            for x in (torch.randn(3, maps, 6, 10), torch.randn(1, 10, 6, maps).permute(0, 3, 2, 1),
                      torch.randn(5, maps, 2, 8)[::2]):
                found, wanted = _with_gradients(ours, x), _with_gradients(torchs, x)
                torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    half = Doubling(5, 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert half(torch.randn(2, 5, 4, 4)).dtype == torch.bfloat16
    second = Doubling(2, 1).double()
    x = torch.randn(1, 2, 3, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(second, x) and torch.autograd.gradgradcheck(second, x)
    halving = Halving(2, 1).double()
    x = torch.randn(1, 2, 4, 6, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(halving, x) and torch.autograd.gradgradcheck(halving, x)


def test_codes_of_frames_are_what_convolutions_give() -> None:
    """They are taken as products, of maps that are as large as the filters."""
    torch.manual_seed(0)
    network = DCGANConfig(channels=4)
    encoder, decoder = network.encoder((1, 16, 32), 7), network.decoder((1, 16, 32), 7, 1)
    for ours, torchs, shape in ((encoder.code, nn.Conv2d(8, 7, (4, 8)), (3, 8, 4, 8)),
                                (decoder.code, nn.ConvTranspose2d(7, 8, (4, 8)), (3, 7, 1, 1))):
        torchs.load_state_dict(ours.state_dict())
        x = torch.randn(shape)
        torch.testing.assert_close(_with_gradients(ours, x), _with_gradients(torchs, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("context", [1, 2, 4, 6])
def test_clips_are_decoded_as_their_frames_one_by_one(context: int) -> None:
    """Those of the context with the skips of the frame before, later ones with those of the last frame given."""
    torch.manual_seed(0)
    network = DCGANConfig(channels=4)
    encoder, decoder = network.encoder((1, 16, 16), 7), network.decoder((1, 16, 16), 7, 1)
    x = torch.rand(2, 5, 1, 16, 16)
    h, skips = encode_clips(encoder, x, context)
    found = grouped(decode_clips(decoder, h[:, 1:], skips, context), 2)
    for clip in range(2):
        for t in range(1, 5):
            seen = [grouped(skip, 2)[clip, min(t, context) - 1][None] for skip in skips]
            wanted = decoder(h[clip, t][None, None], decoder.prepare(seen))[0]
            torch.testing.assert_close(found[clip, t - 1], wanted, rtol=1e-5, atol=1e-6)


def _with_gradients(module: nn.Module, x: Tensor) -> list[Tensor]:
    """What a module gives for x, and the gradients of a weighted sum of it in x and in the parameters."""
    x = x.detach().requires_grad_()
    found = module(x)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    return [found, *torch.autograd.grad((found * weights).sum(), [x, *module.parameters()])]


@pytest.mark.parametrize(("size", "many", "few"), [
    ((28, 28), (32, 64), (16, 32)), ((28, 20), (32, 64), (16, 32)), ((64, 64), (32, 64, 128), (16, 32, 64)),
    ((32, 40), (32, 64, 128), (16, 32, 64)), ((105, 105), (16, 32, 64, 128), (8, 16, 32, 64)),
    ((256, 192), (16, 32, 64, 128, 256), (8, 16, 32, 64, 128)), ((8, 8), (32,), (16,)), ((16, 256), (16, 32), (8, 16)),
])
def test_a_network_is_sized_to_its_images_and_to_how_many_there_are(size: tuple[int, int], many: tuple[int, ...],
                                                                     few: tuple[int, ...]) -> None:
    modality = Modality("image", (3, *size))
    assert usual_channels(size) == many and usual_channels(size, 999) == few
    for kind in (ConvConfig, ResConvConfig):
        assert kind().sized(modality, 10_000) == kind(channels=many, dense=many[-1])
        assert kind().sized(modality, 999) == kind(channels=few, dense=few[-1])
        # Empty in the configuration, it is the same network, number for number.
        torch.manual_seed(0)
        drawn = kind(channels=(), dense=0).encoder(modality, 4).state_dict()
        torch.manual_seed(0)
        told = kind(channels=many, dense=many[-1]).encoder(modality, 4).state_dict()
        assert drawn.keys() == told.keys() and all(torch.equal(told[name], drawn[name]) for name in told)
        network = kind(channels=(), dense=0)
        count = sum(p.numel() for net in (network.encoder(modality, 32), network.decoder(modality, 32, 2))
                    for p in net.parameters())
        assert count < 12_000_000  # 256 x 192 too; with two stages its dense layers alone had 25 million
    halved = [-(-side // 2 ** len(many)) for side in size]
    assert max(halved) <= 8 or min(halved) == 4
    assert MLPConfig().sized(modality, 999) == MLPConfig() and LinearConfig().sized(modality, 9) == LinearConfig()


def test_images_too_narrow_for_any_convolution_are_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"1 stage halves 1 x 40 images to nothing.*Use mlp or linear"):
        ConvConfig(channels=()).encoder(Modality("image", (1, 1, 40)), 2)
