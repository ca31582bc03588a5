"""What can be asked for by name, without torch: the presets, and the families in the words of their declarations.

A preset is a YAML file in `vaecore/presets/`, whose first line is a comment that says what it is; reading one whole
needs `vaecore.config`.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

from vaecore.files import BrokenFile, read_json, write_json_atomic

PACKAGE = Path(__file__).parent
PRESETS = PACKAGE / "presets"
MAX_KEPT_BYTES = 1_000_000  # of what is kept of the families


def presets() -> dict[str, str]:
    """Names of the named configurations, each with a sentence that says what it is."""
    return {path.stem: path.read_text(encoding="utf-8").splitlines()[0].removeprefix("#").strip()
            for path in sorted(PRESETS.glob("*.yaml"))}


def families() -> dict[str, dict[str, Any]]:
    """Names of the families, each with `what` it is and its `fields`: descriptions by name.

    A family is declared beside its module, and importing that brings torch, which takes seconds. So what the
    declarations say is kept in the cache until a source file changes.
    """
    from vaecore.data.base import cache_folder

    place, state = cache_folder() / "families.json", _sources()
    with contextlib.suppress(BrokenFile):
        kept = read_json(place, MAX_KEPT_BYTES)
        if isinstance(kept, dict) and kept.get("sources") == state and isinstance(kept.get("families"), dict):
            return dict(kept["families"])
    from vaecore.models import FAMILIES

    found = {name: {"what": (kind.__doc__ or "").split("\n")[0],
                    "fields": {field: info.description for field, info in kind.model_fields.items()
                               if info.description}} for name, kind in FAMILIES.items()}
    with contextlib.suppress(OSError):  # a full or read-only disk costs the time, not the answer
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomic(place, {"sources": state, "families": found})
    return found


def _sources() -> str:
    """A digest of the state of the package's files: their names, sizes and times."""
    known = sorted((str(path.relative_to(PACKAGE)), path.stat()) for path in PACKAGE.rglob("*.py"))
    return hashlib.sha256(repr([(name, s.st_size, s.st_mtime_ns) for name, s in known]).encode()).hexdigest()
