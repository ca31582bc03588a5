"""The latent code that the sliders of Traverse hold, kept for each checkpoint as long as the session lasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Codes

REACH = 3.0  # of a slider, in units of `Checkpoint.scale`; farther only where a code already lies farther out


@dataclass(frozen=True)
class Code:
    """A point of the latent space in units of the checkpoint's scale. The sliders show it; here it is kept."""

    checkpoint: Checkpoint
    kept: dict[str, Any]  # units: list of r; reach: list of r; origin: str; example: int or None; draws: int

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Code:
        """The one of this session."""
        key = f"code-{checkpoint.run.id}"
        kept = st.session_state.get(key)
        if kept is None or len(kept["units"]) != checkpoint.size:
            kept = st.session_state[key] = {"draws": 0}
            code = cls(checkpoint, kept)
            code.reset()
            return code
        return cls(checkpoint, kept)

    def codes(self) -> Codes:
        """The code itself, (1, r)."""
        import numpy as np

        return self.checkpoint.place(np.asarray([self.kept["units"]], np.float32))

    @property
    def origin(self) -> str:
        """Where it came from, in words."""
        return str(self.kept["origin"])

    @property
    def example(self) -> int | None:
        """The test image it was encoded from."""
        index: int | None = self.kept["example"]
        return index

    @property
    def noun(self) -> str:
        """What a test observation is called."""
        return "image" if self.checkpoint.vector is None else "row"

    def prepare(self, dimension: int) -> str:
        """The key of a slider, its value put in place."""
        key, value = self._key(dimension), self.kept["units"][dimension]
        # Written only where it differs: a value written at each run would pull back a hand that is already farther.
        if st.session_state.get(key) != value:
            st.session_state[key] = value
        return key

    def bounds(self, dimension: int) -> tuple[float, float]:
        """How far a slider goes."""
        reach = self.kept["reach"][dimension]
        return -reach, reach

    # -- callbacks

    def take(self, dimension: int) -> None:
        """A slider was moved."""
        self.kept["units"][dimension] = float(st.session_state[self._key(dimension)])
        if not self.origin.endswith("moved"):
            self.kept["origin"] = ("Sliders moved" if self.example is None else
                                   f"Test {self.noun} {self.example}, then moved")

    def reset(self) -> None:
        """All to the middle."""
        self._set([0.0] * self.checkpoint.size, "All sliders at 0", None)

    def draw(self) -> None:
        """The next draw; the first of a session is always the same."""
        self.kept["draws"] += 1
        codes = self.checkpoint.sample_codes(1, seed=self.kept["draws"])
        self._set(self.checkpoint.units(codes)[0].tolist(), f"Random draw {self.kept['draws']}", None)

    def encode(self) -> None:
        """The code of the chosen test image."""
        index = min(int(st.session_state.get("example", 0)), len(self.checkpoint.examples) - 1)
        codes = self.checkpoint.encode([index])
        self._set(self.checkpoint.units(codes)[0].tolist(), f"Test {self.noun} {index}, encoded and decoded", index)

    def _set(self, units: list[float], origin: str, example: int | None) -> None:
        reach = [max(REACH, float(int(abs(value)) + 1)) for value in units]
        self.kept.update(units=units, reach=reach, origin=origin, example=example)

    def _key(self, dimension: int) -> str:
        return f"z{dimension}-{self.checkpoint.run.id}"
