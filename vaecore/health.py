"""Whether a laboratory works: its store can be read, and written where something may be changed.

`vaecore doctor` asks it of a machine, and the address `healthz` of the dashboard for whoever watches over a server.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path

PROBE_BYTES = 4096  # so many are written and thrown away: a full disk takes an empty file, and nothing more


def store_fault(root: Path, *, written: bool) -> str:
    """Why the store in `root` cannot be used, in words that name no path; empty where it can.

    It is read, and `written` to where it is meant to be. Nothing is left behind. It costs a few system calls, however
    many runs there are, and waits for as long as the disk does.
    """
    try:
        for folder in (root, root / "runs"):
            if folder == root or folder.is_dir():
                with os.scandir(folder) as entries:
                    next(itertools.islice(entries, 1), None)
    except OSError as error:
        return f"cannot be read ({error.strerror or 'no reason is told'})"
    if not written:
        return ""
    try:
        with tempfile.TemporaryFile(dir=root) as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
    except OSError as error:
        return f"cannot be written ({error.strerror or 'no reason is told'})"
    return ""
