"""The picture or the sentences that stand for a run on its card."""

from __future__ import annotations

from vaecore.files import write_bytes_atomic
from vaecore.views import Opened


def write_preview(opened: Opened) -> None:
    """`preview.png` or `preview.txt` in the run's folder: what the model draws or writes of its own."""
    file, content = opened.preview()
    write_bytes_atomic(opened.run.path / file, content)
