"""Looking at checkpoints: one class for each kind of run, which `vaecore.views` lists.

`Checkpoint` of images or vectors with a code, `Codeless` without one, `SentenceCheckpoint`, `VideoCheckpoint`,
`CrossModal` of several modalities; each has `load(run)`. `opened` takes the one that fits.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Found when they are first asked for. Were they imported here, threads of a server that import modules of this room at
# the same time would wait for each other: one for a module, the other for the room that imports it.
_ROOMS = {"VideoCheckpoint": "clips.checkpoint", "Codeless": "codeless", "CrossModal": "crossmodal",
          "WrongView": "opening", "opened": "opening", "SentenceCheckpoint": "sentences", "Checkpoint": "single"}
__all__ = ["Checkpoint", "Codeless", "CrossModal", "SentenceCheckpoint", "VideoCheckpoint", "WrongView", "opened"]

if TYPE_CHECKING:
    from vaecore.explore.clips.checkpoint import VideoCheckpoint
    from vaecore.explore.codeless import Codeless
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.opening import WrongView, opened
    from vaecore.explore.sentences import SentenceCheckpoint
    from vaecore.explore.single import Checkpoint
else:
    def __getattr__(name: str) -> Any:
        if (room := _ROOMS.get(name)) is None:
            raise AttributeError(f"module 'vaecore.explore' has no attribute '{name}'")
        found = globals()[name] = getattr(importlib.import_module(f"vaecore.explore.{room}"), name)
        return found
