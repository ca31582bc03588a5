"""SV2P's generator: kernels that move pixels, masks that choose, and layers that run over all known steps at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vaecore.nets.cdna import CDNA, Layers, Parts, composed, normalised, warped
from vaecore.nets.recurrent import ConvLSTMCell


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generator(frame: tuple[int, ...] = (1, 16, 16), seed: int = 0) -> CDNA:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CDNA(frame, Layers(channels=3, reach=3, kernels=4, kernel=5))


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (0, -2), (-2, 1)])
def test_a_kernel_with_one_weight_moves_a_frame(down: int, right: int) -> None:
    x = torch.rand(2, 3, 8, 9, generator=seeded())
    kernels = torch.zeros(2, 1, 5, 5)
    kernels[:, :, 2 - down, 2 - right] = 1  # takes the pixel that lies so far up and left
    moved = torch.zeros_like(x)
    moved[:, :, max(0, down):8 + min(0, down), max(0, right):9 + min(0, right)] = \
        x[:, :, max(0, -down):8 - max(0, down), max(0, -right):9 - max(0, right)]
    assert torch.equal(warped(x, kernels)[:, 0], moved)


def test_each_frame_is_convolved_with_its_own_kernels() -> None:
    x = torch.rand(3, 2, 7, 6, generator=seeded())
    kernels = torch.randn(3, 4, 3, 3, generator=seeded(1))
    alone = [[F.conv2d(channel[None, None], kernel[:, None], padding=1)[0] for channel in frame]
             for frame, kernel in zip(x, kernels, strict=True)]
    torch.testing.assert_close(warped(x, kernels), torch.stack([torch.stack(moved, 1) for moved in alone]))


def test_kernels_are_means_even_where_nothing_is_positive() -> None:
    raw = torch.randn(2, 4 * 25, generator=seeded())
    raw[1, :25] = -1
    kernels = normalised(raw, 4)
    assert kernels.shape == (2, 4, 5, 5) and bool((kernels >= 0).all())
    torch.testing.assert_close(kernels.sum((2, 3)), torch.ones(2, 4))
    torch.testing.assert_close(kernels[1, 0], torch.full((5, 5), 1 / 25))
    largest = raw[0, 25:50].argmax()
    assert kernels[0, 1].flatten().argmax() == largest  # kernels lie one after another


def test_masks_choose_among_the_frame_before_the_synthesised_one_and_every_moved_one() -> None:
    x, made = torch.rand(2, 3, 4, 4, generator=seeded()), torch.rand(2, 3, 4, 4, generator=seeded(1))
    kernels = normalised(torch.rand(2, 3 * 9, generator=seeded(2)), 3)
    candidates: list[Tensor] = [x, made, *warped(x, kernels).unbind(1)]
    for chosen, candidate in enumerate(candidates):  # the last one too, which the published code drops
        masks = torch.zeros(2, 5, 4, 4)
        masks[:, chosen] = 1
        torch.testing.assert_close(composed(x, Parts(kernels, masks, made)), candidate)


def test_what_the_network_gives_is_a_convex_combination() -> None:
    net = generator((3, 16, 24))
    x = torch.rand(6, 3, 16, 24, generator=seeded())
    parts, _ = net.parts(x, torch.randn(6, 1, 2, 3, generator=seeded(1)), 3)
    torch.testing.assert_close(parts.kernels.sum((2, 3)), torch.ones(6, 4))
    torch.testing.assert_close(parts.masks.sum(1), torch.ones(6, 16, 24))
    mean, _ = net(x.view(2, 3, 3, 16, 24), 5 * torch.randn(2, 3, 6, generator=seeded(2)))
    assert mean.shape == (2, 3, 3, 16, 24) and bool(((mean >= 0) & (mean <= 1)).all())


def test_all_steps_at_once_are_the_same_as_one_by_one_and_clips_stay_apart() -> None:
    net = generator()
    x, z = torch.rand(3, 5, 1, 16, 16, generator=seeded()), torch.randn(3, 5, 4, generator=seeded(1))
    together, after = net(x, z)
    states, frames = None, []
    for t in range(5):
        mean, states = net(x[:, t:t + 1], z[:, t:t + 1], states)
        frames.append(mean)
    torch.testing.assert_close(torch.cat(frames, 1), together)
    for one, other in zip(after, states or [], strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(net(x[1:2], z[1:2])[0], together[1:2])


def test_a_frame_depends_on_what_was_before_it_only_and_on_every_code_so_far() -> None:
    net = generator()
    x = torch.rand(1, 4, 1, 16, 16, generator=seeded()).requires_grad_()
    z = torch.randn(1, 4, 4, generator=seeded(1)).requires_grad_()
    mean, _ = net(x, z)
    dx, dz = torch.autograd.grad(mean[0, 2].sum(), (x, z))
    assert dx[0].flatten(1).abs().sum(1).gt(0).tolist() == [True, True, True, False]
    assert dz[0].abs().gt(0).all(1).tolist() == [True, True, True, False]


@pytest.mark.parametrize("gate", ["sigmoid", "hard"])
def test_an_lstm_over_several_steps_is_its_equations(gate: str) -> None:
    cell = ConvLSTMCell(2, 3, gate="hard" if gate == "hard" else "sigmoid")
    torch.nn.init.normal_(cell.gates.weight, std=0.3, generator=seeded(3))
    x = torch.randn(4, 2, 2, 5, 5, generator=seeded())  # steps, maps

    def squash(a: Tensor) -> Tensor:
        return (0.2 * a + 0.5).clamp(0, 1) if gate == "hard" else 1 / (1 + (-a).exp())

    h = c = torch.zeros(2, 3, 5, 5)
    outputs = []
    for step in x:
        gates = F.conv2d(torch.cat([step, h], 1), cell.gates.weight, cell.gates.bias, padding=1)
        i, f, o, g = gates.chunk(4, 1)
        c = squash(f) * c + squash(i) * g.tanh()
        h = squash(o) * c.tanh()
        outputs.append(h)
    found, state = cell.over(x.flatten(0, 1), 4)
    torch.testing.assert_close(found, torch.cat(outputs))
    torch.testing.assert_close(state, (h, c))
    first = cell(x[0])
    torch.testing.assert_close(cell.over(x[1:].flatten(0, 1), 3, first)[0], torch.cat(outputs[1:]))
    assert cell.gates.bias.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]  # content is kept at first
    with pytest.raises(ValueError, match="no middle"):
        ConvLSTMCell(2, 3, 4)
