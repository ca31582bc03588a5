"""Looking at checkpoints: one class for each kind of run, which `vaecore.views` lists.

`Checkpoint` of images or vectors with a code, `Codeless` without one, `SentenceCheckpoint`, `VideoCheckpoint`,
`CrossModal` of several modalities; each has `load(run)`. `opened` takes the one that fits.
"""

from vaecore.explore.clips.checkpoint import VideoCheckpoint
from vaecore.explore.codeless import Codeless
from vaecore.explore.comparison import codes_same, decode_same, reconstruct_same
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.opening import WrongView, opened
from vaecore.explore.sentences import SentenceCheckpoint
from vaecore.explore.single import Checkpoint

__all__ = ["Checkpoint", "Codeless", "CrossModal", "SentenceCheckpoint", "VideoCheckpoint", "WrongView", "codes_same",
           "decode_same", "opened", "reconstruct_same"]
