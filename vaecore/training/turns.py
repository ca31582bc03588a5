"""Whose turn it is while the encoder is trained aggressively (He et al. 2019): see `vaecore.schedules.inference`.

All that is known lies in `Turns.state`, so that a resumed run goes on in the middle of a turn.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from vaecore.schedules.inference import Aggressive


class Turns:
    """Who learns at a step, encoder or decoder; begins aggressive."""

    def __init__(self, config: Aggressive, device: torch.device) -> None:
        self.config = config
        self.aggressive = True
        self.updates = 0  # of the encoder, before the next decoder update
        self.all_updates = 0  # of the encoder alone, since the run began
        self.caught_up = False
        self.previous = math.inf  # mean loss of the window before
        self.window = torch.zeros((), device=device)  # summed on the device: read once a window
        self.best, self.below = -math.inf, 0  # mutual information on the validation set

    @property
    def encoder(self) -> bool:
        """Whether an encoder update comes next."""
        return self.aggressive and not self.caught_up

    def encoder_updated(self, loss: Tensor) -> None:
        """Note an encoder update's loss; at the end of a window or after `most` updates see if it was the last."""
        self.window += loss
        self.updates += 1
        self.all_updates += 1
        if self.updates % self.config.window == 0:
            mean = float(self.window) / self.config.window
            self.caught_up = mean > self.previous
            self.previous = mean
            self.window.zero_()
        if self.updates >= self.config.most:
            self.caught_up = True

    def decoder_updated(self) -> None:
        """Begin the encoder's next turn."""
        self.updates, self.caught_up, self.previous = 0, False, math.inf
        self.window.zero_()

    def judge(self, mutual_information: float) -> None:
        """Stop being aggressive when mutual information (nats) has stopped climbing."""
        self.below += mutual_information < self.best
        self.best = max(self.best, mutual_information)
        if self.below >= self.config.patience:
            self.aggressive = False

    def state(self) -> dict[str, Any]:
        """All of it as JSON; floats come back bit for bit."""
        return {"aggressive": self.aggressive, "updates": self.updates, "all_updates": self.all_updates,
                "caught_up": self.caught_up, "window": float(self.window), "below": self.below,
                "previous": self.previous if math.isfinite(self.previous) else None,
                "best": self.best if math.isfinite(self.best) else None}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`; raises `KeyError`, `TypeError` or `ValueError` for what is not one."""
        self.aggressive, self.caught_up = bool(state["aggressive"]), bool(state["caught_up"])
        self.updates, self.all_updates = int(state["updates"]), int(state["all_updates"])
        self.below = int(state["below"])
        self.previous = math.inf if state["previous"] is None else float(state["previous"])
        self.best = -math.inf if state["best"] is None else float(state["best"])
        self.window.fill_(float(state["window"]))
