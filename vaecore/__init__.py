"""vaecore: the generative models of one lecture, trained, stored, explored. No interface in here.

    import vaecore

    checkpoint = vaecore.fit("vae-mnist", epochs=2)   # train in this process; `vaecore.presets()` names what there is
    print(vaecore.bring("faces/"))                    # what is understood of your own files, before anything trains
    run = vaecore.submit("vae-mnist")                 # or in the background, here or on a cluster: `vaecore.Slurm`
    checkpoint = vaecore.load("gallery/vae")          # or open what was trained
    images = checkpoint.sample(16)                    # uint8 (16, H, W)
    model = vaecore.VAE((1, 28, 28), latent_size=10)  # or write the loop yourself: model.loss(x).backward()

Everything is found when it is first asked for, so the import itself costs nothing and brings no torch. Of the families
there are the modules (`VAE`, `SVG`) and their choices (`VAEConfig`), as `vaecore.models` names them.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_ROOMS = {"bring": "data.own.door", "compare": "api", "estimate": "api", "export_run": "sharing", "fit": "api",
          "fit_prior": "api", "fitting": "api", "fork": "api", "import_run": "sharing", "load": "api", "log": "api",
          "presets": "named", "published": "api", "resume": "api", "runs": "api", "RunConfig": "config",
          "preset": "config", "status": "api", "stop": "api", "submit": "api", "sweep": "api",
          "talk": "talks", "wait": "api", "ConfigError": "schema", "Here": "lab", "Run": "store", "Slurm": "lab",
          "Store": "store", "StoreError": "store"}
__all__ = ["ConfigError", "Here", "Run", "RunConfig", "Slurm", "Store", "StoreError", "bring", "compare", "estimate",
           "export_run", "fit", "fit_prior", "fitting", "fork", "import_run", "load", "log", "preset", "presets",
           "published", "resume", "runs", "status", "stop", "submit", "sweep", "talk", "wait"]

if TYPE_CHECKING:
    from vaecore import models
    from vaecore.api import (
        compare,
        estimate,
        fit,
        fit_prior,
        fitting,
        fork,
        load,
        log,
        published,
        resume,
        runs,
        status,
        stop,
        submit,
        sweep,
        wait,
    )
    from vaecore.config import RunConfig, preset
    from vaecore.data.own.door import bring
    from vaecore.lab import Here, Slurm
    from vaecore.models import *  # noqa: F403
    from vaecore.named import presets
    from vaecore.schema import ConfigError
    from vaecore.sharing import export_run, import_run
    from vaecore.store import Run, Store, StoreError
    from vaecore.talks import talk

    __all__ += models.__all__
else:
    def __getattr__(name: str) -> Any:
        room = _ROOMS.get(name)
        if room is None and name[:1].isupper() and name in _families():
            room = "models"
        if room is not None:
            found = globals()[name] = getattr(importlib.import_module(f"vaecore.{room}"), name)
            return found
        if name[:1].islower() and importlib.util.find_spec(f"vaecore.{name}"):  # a room itself, as `vaecore.lab`
            return importlib.import_module(f"vaecore.{name}")
        raise AttributeError(f"module 'vaecore' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_families()})


def _families() -> list[str]:
    """The names of families and their choices; finding out brings torch."""
    return list(importlib.import_module("vaecore.models").__all__)
