"""Sound of what a model of speech generates."""

from __future__ import annotations

from vaecore.data.spoken_digits import sound
from vaecore.data.spoken_digits import wav as as_wav
from vaecore.explore.pictures import Images


def wav(picture: Images) -> bytes:
    """The sound of a log-mel picture (32, 32) as a .wav file; made from the picture, so it sounds like a robot."""
    return as_wav(*sound(picture))
