"""vaecore: the generative models of one lecture, trained, stored, explored. No interface in here.

    import vaecore

    checkpoint = vaecore.fit("vae-mnist", epochs=2)   # train in this process; `vaecore.presets()` names what there is
    checkpoint = vaecore.load("gallery/vae")          # or open what was trained
    images = checkpoint.sample(16)                    # uint8 (16, H, W)

Everything is found when it is first asked for, so the import itself costs nothing and brings no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_ROOMS = {"fit": "api", "load": "api", "presets": "named", "RunConfig": "config", "preset": "config",
          "ConfigError": "schema", "Run": "store", "Store": "store", "StoreError": "store"}
__all__ = ["ConfigError", "Run", "RunConfig", "Store", "StoreError", "fit", "load", "preset", "presets"]

if TYPE_CHECKING:
    from vaecore.api import fit, load
    from vaecore.config import RunConfig, preset
    from vaecore.named import presets
    from vaecore.schema import ConfigError
    from vaecore.store import Run, Store, StoreError


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'vaecore' has no attribute '{name}'")
    found = globals()[name] = getattr(importlib.import_module(f"vaecore.{_ROOMS[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
