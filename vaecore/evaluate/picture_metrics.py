"""How far a decoded picture is from the true one: squared error, PSNR, SSIM; and how sharp it is.

Pixels are in [0, 1], so that the data range is 1. A metric is computed picture by picture and then averaged: the PSNR
of an average error is another number. Shapes: (..., C, H, W) pictures, (D,) a state; B clips, N futures of a clip, H
frames of horizon.
"""

from __future__ import annotations

import torch
from torch import Tensor

DATA_RANGE = 1.0
WINDOW, SIGMA = 11, 1.5  # of SSIM, as published
HIGHEST_PSNR = 100.0  # dB, of an image without any error
COMPARED = 2**21  # numbers of frames for which SSIM is computed at once


# -- one picture against another -------------------------------------------------------------------


def psnr(decoded: Tensor, x: Tensor) -> Tensor:
    """10 log10(1 / MSE) in dB of each picture, (..., C, H, W) -> (...), at most 100; average these, not the errors."""
    error = (decoded - x).square().flatten(-3).mean(-1)
    return (-10 * error.clamp(min=10 ** (-HIGHEST_PSNR / 10)).log10()).clamp(max=HIGHEST_PSNR)


def ssim(decoded: Tensor, x: Tensor) -> Tensor | None:
    """Structural similarity (Wang et al. 2004) of each picture, (..., C, H, W) in [0, 1] -> (...), edges reflected.

    The window of `ssim_window` is a product of two narrow ones. The numbers are those of torchmetrics 1.9, which
    convolves with the window as a whole and takes ten times as long. None where no window of 3 pixels fits.
    """
    side, sigma = ssim_window(tuple(x.shape[-3:]))
    if side is None or sigma is None:
        return None
    down, across = _window(x.shape[-2], side, sigma), _window(x.shape[-1], side, sigma).T

    def local(x: Tensor) -> Tensor:
        """Means under the window, (..., H, W)."""
        return down.to(x) @ x @ across.to(x)

    mean_x, mean_y = local(decoded), local(x)
    variance_x = (local(decoded * decoded) - mean_x.square()).clamp(min=0)
    variance_y = (local(x * x) - mean_y.square()).clamp(min=0)
    covariance = local(decoded * x) - mean_x * mean_y
    c1, c2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
    value = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)
             / ((mean_x.square() + mean_y.square() + c1) * (variance_x + variance_y + c2)))
    return value.flatten(-3).mean(-1)


def ssim_window(shape: tuple[int, ...]) -> tuple[int | None, float | None]:
    """Side and sigma in pixels of the window for images (C, H, W): 11 and 1.5, or less where an image is smaller."""
    side = min(WINDOW, min(shape[1:]))
    side -= 1 - side % 2
    if side < 3:
        return None, None
    return side, SIGMA if side == WINDOW else (side - 1) / 7  # a window ends at 3.5 sigma


def edge_energy(frames: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, (..., C, H, W) -> (...): of a blurred picture it is smaller."""
    steps = [frames.diff(dim=axis).square().flatten(-3) for axis in (-1, -2)]
    return torch.cat(steps, -1).mean(-1)


# -- futures of a clip against the true frames -------------------------------------------------------


def squared_error_by_frame(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean squared error of each frame: `predicted` (B, N, H, *frame), `true` (B, H, *frame) -> (B, N, H)."""
    _same(predicted, true)
    return (predicted - true[:, None]).square().flatten(3).mean(3)


def psnr_by_frame(predicted: Tensor, true: Tensor) -> Tensor:
    """PSNR in dB of each frame of futures, cut to [0, 1]: (B, N, H, C, h, w) and (B, H, C, h, w) -> (B, N, H)."""
    _same(predicted, true)
    return psnr(predicted.clamp(0, 1), true[:, None])


def ssim_by_frame(predicted: Tensor, true: Tensor) -> Tensor:
    """SSIM of each frame of futures, cut to [0, 1]: (B, N, H, C, h, w) and (B, H, C, h, w) -> (B, N, H).

    Some futures at a time, so that memory does not depend on N. Raises `ValueError` for frames smaller than the
    published window, or that are no pictures.
    """
    _same(predicted, true)
    found = [ssim(part.clamp(0, 1), true[:, None])
             for part in torch.split(predicted, max(1, COMPARED // true.numel()), dim=1)
             ] if has_ssim(tuple(true.shape[2:])) else [None]
    if any(part is None for part in found):
        raise ValueError(f"SSIM needs pictures of at least {WINDOW} x {WINDOW} pixels, and these frames have shape "
                         f"{tuple(true.shape[2:])}. Use PSNR.")
    return torch.cat([part for part in found if part is not None], 1)


def has_ssim(frame: tuple[int, ...]) -> bool:
    """Whether frames of this shape are pictures on which SSIM's published window fits."""
    return len(frame) == 3 and min(frame[1:]) >= WINDOW


def _window(places: int, side: int, sigma: float) -> Tensor:
    """A Gaussian of `side` pixels around each of so many places, reflected at both ends: (places, places), rows of sum
    1."""
    offsets = torch.arange(side, dtype=torch.float32) - side // 2
    weights = torch.exp(-(offsets / sigma).square() / 2)
    at = (torch.arange(places)[:, None] + offsets.long()).abs()
    at = (places - 1) - (places - 1 - at).abs()
    return torch.zeros(places, places).scatter_add_(1, at, (weights / weights.sum()).expand(places, -1).contiguous())


def _same(predicted: Tensor, true: Tensor) -> None:
    if predicted.ndim != true.ndim + 1 or predicted.shape[2:] != true.shape[1:] or len(predicted) != len(true):
        raise ValueError(f"futures of shape {tuple(predicted.shape)} for clips of shape {tuple(true.shape)}. Give "
                         "(B, N, H, *frame) and (B, H, *frame).")
