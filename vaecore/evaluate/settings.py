"""What an evaluation is asked to do: numbers compare only where these agree. No torch in here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from vaecore.evaluate.parts import PARTS
from vaecore.schema import Strict, option


def _known(name: str) -> str:
    if name not in PARTS:
        raise PydanticCustomError("literal_error", "unknown part", {"expected": ", ".join(map(repr, PARTS))})
    return name


Part = Annotated[str, AfterValidator(_known)]


class Settings(Strict):
    """The parts of an evaluation that are done, on what, and with how many samples.

    Declared here only: the fields of the page, the options of the command and of the task in the background, which are
    `words` of them, are read from these.
    """

    split: Literal["test", "validation", "train"] = option("test", "Which part of the data set is judged on.",
                                                           title="Split")
    parts: tuple[Part, ...] = Field(
        default_factory=lambda: tuple(PARTS), title="What to measure", description=f"Of {', '.join(PARTS)}: some, with "
        "commas between; all; or none, for the evidence alone, which always is.")
    importance_samples: int = option(500, "Samples K of z for each estimate of log p(x). The estimate rises with K "
                                     "towards the truth, so only equal K compare.", unit="samples", ge=1, le=100_000,
                                     title="Importance samples K")
    observations: int = option(1000, "The first so many observations are used for log p(x), naive and not, and for "
                              "conditional likelihoods; 0 uses all.", unit="observations", ge=0,
                               title="Observations for log p(x)")
    naive_samples: int = option(100, "Samples M of z for the lecture's estimates (13) and (14).", unit="samples", ge=1,
                                le=10_000, title="Naive samples M")
    samples: int = option(2000, "Observations drawn from the model and as many real ones, where the split has them, "
                          "for the Fréchet distance, precision and recall; as many are judged for coherence and style.",
                          unit="observations", ge=10, le=10_000, title="Images drawn")
    video_clips: int = option(32, "So many clips are judged by their futures: the first, or windows spread evenly over "
                              "longer clips; 0 uses all.", unit="clips", ge=0, le=10_000, title="Clips")
    futures: int = option(100, "Futures N of each clip. The best of N gets better with N, so only equal N compare.",
                          unit="futures", ge=1, le=1000, title="Futures N of a clip")
    horizon: int = option(0, "Frames predicted after those given; 0 goes on to the end of the clips.", unit="frames",
                          ge=0, le=500, title="Frames predicted")
    seed: int = option(0, "Seed of all that is random. The same seed gives the same numbers.", ge=0, le=2**31 - 1,
                       title="Seed")

    @field_validator("importance_samples", mode="before")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if isinstance(value, int) and value < 1:
            raise ValueError(f"{value} importance samples estimate nothing. Use at least 1, or leave the part "
                             "'likelihood' out.")
        return value

    @field_validator("parts", mode="before")
    @classmethod
    def _listed(cls, parts: Any) -> Any:
        """Names with commas between, as the command line has them, are a list of them."""
        if not isinstance(parts, str):
            return parts
        return {"all": tuple(PARTS), "none": ()}.get(parts, tuple(filter(None, map(str.strip, parts.split(",")))))

    @field_validator("parts")
    @classmethod
    def _in_order(cls, parts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(part for part in PARTS if part in parts)

    @classmethod
    def used_by(cls, parts: Iterable[str]) -> tuple[str, ...]:
        """The fields that make a difference where these parts are measured."""
        some = {name for part in PARTS.values() for name in part.reads}
        read = {name for part in parts for name in PARTS[part].reads}
        return tuple(name for name in cls.model_fields if name not in some - read)

    def words(self) -> dict[str, str]:
        """Every field as a word that is read back as its value."""
        values = {**self.model_dump(mode="json"), "parts": ",".join(self.parts) or "none"}
        return {name: str(value) for name, value in values.items()}
