"""MSE, PSNR and SSIM of decoded codes, by modality."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_serializer, model_validator

from vaecore.evaluate.part import Part, coded, still
from vaecore.evaluate.results import Result, count, group, number, row

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject


class Reconstruction(Result):
    """How close decoded posterior means come to the observations of one modality.

    PSNR and SSIM are None for vectors, SSIM also for images smaller than 3 x 3. They are of pictures, so decoded pixels
    are cut to [0, 1] for them; `mse` is of what the decoder gives.
    """

    mse: float = number("MSE", "Mean squared error for each pixel or number; of standardised numbers in variances of "
                        "their columns.")  # per observed number
    psnr: float | None = number("PSNR", "10 log10(1 / MSE) of each image, then the mean.", unit="dB", digits=2,
                                better="higher", default=None)  # each image at most 100
    ssim: float | None = number("SSIM", "Structural similarity (Wang et al. 2004), 1 at best.", digits=3, default=None)
    window: int | None = None  # pixels a side of the SSIM window: 11, or the largest odd number that fits
    sigma: float | None = None  # pixels, of the window's Gaussian
    data_range: float = number()
    codes: Literal["posterior means"] = "posterior means"
    observations: int = count("observations")


class Reconstructions(Result):
    """Reconstruction errors of every modality that is no text; in a file they stand there by name."""

    modalities: dict[str, Reconstruction] = group("Modality", "Decoded from the code of what is observed.")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"modalities": value} if isinstance(value, dict) and not _wrapped(value) else value

    @model_serializer
    def _names(self) -> dict[str, Reconstruction]:
        return self.modalities


def _wrapped(value: dict[str, Any]) -> bool:
    """Whether it was made by us, and not read."""
    found = value.get("modalities")
    return isinstance(found, dict) and all(isinstance(each, Reconstruction) for each in found.values())


def reconstruction(subject: Subject) -> Reconstructions:
    """MSE, PSNR and SSIM by modality."""
    from vaecore.evaluate.quality import reconstruction as judged

    return Reconstructions(modalities=judged(subject.model, subject.feed, progress=subject.told("reconstruction"),
                                             each=subject.points.add))


def in_numbers(subject: Subject) -> None:
    """Models of more than text."""
    from vaecore.modalities import Text

    if all(isinstance(modality, Text) for modality in subject.model.modalities.values()):
        raise ValueError("these are errors of pixels and numbers, and this data set is text.")


def lines(found: Reconstructions, _: Evaluation) -> Iterator[str]:
    for each in found.modalities.values():
        if each.psnr is not None:
            yield row("PSNR", each.psnr, "dB, a mean over images", 2)
        if each.ssim is not None:
            yield row("SSIM", each.ssim, f"window {each.window}, sigma {each.sigma or 0:.3g}, data range 1", 4)


PART = Part("reconstruction", "Reconstruction", "MSE, PSNR and SSIM of decoded codes.", Reconstructions,
            reconstruction, (still, coded("reconstruct from"), in_numbers), lines)
