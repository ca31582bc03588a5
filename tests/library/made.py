"""Run folders with numbers of one's choice, made without training."""

from __future__ import annotations

import json
import os
from typing import Any

from vaecore.named import declarations
from vaecore.store import Run, Store

ABOUT = {"vae": ("VAE", True, False), "ae": ("Autoencoder", False, False), "made": ("MADE", False, True)}


def made(store: Store, name: str, preset: str = "vae-mnist", *, elbo: float | None = -100.0, seed: int = 0,
         made_at: float = 1.79e9, mse: float = 0.01, settings: dict[str, Any] | None = None, **more: Any) -> Run:
    """A finished run of a preset with a test ELBO, or log p(x) or log p(x|z); fields of `settings` by dotted names.

    `more` are files: `evaluation`, `marks`, `about`, `summary`, `exit`, whose fields come on top of the usual ones.
    """
    config = json.loads(json.dumps(declarations().presets[preset])) | {"seed": seed}
    for field, value in (settings or {}).items():
        part, *rest = field.split(".")
        group = config[part]
        for step in rest[:-1]:
            group = group[step]
        group[rest[-1]] = value
    family, has_kl, exact = ABOUT[config["model"]["family"]]
    files: dict[str, Any] = {
        "config": config,
        "about": {"family": family, "data": config["data"]["name"].upper(), "observation": "image", "has_kl": has_kl,
                  "exact": exact, "likelihood": "bernoulli", "parent": None, "experiment": "", **more.pop("about", {})},
        "exit": more.pop("exit", {"attempt": 1, "state": "finished", "detail": "", "time": made_at}),
        "launch": {"attempt": 1, "backend": "local", "host": "here", "time": made_at}}
    if elbo is not None:
        test = {"elbo": elbo, "reconstruction": {"image": elbo + (20.0 if has_kl else 0.0)},
                "kl": {"z": [12.0, 8.0]} if has_kl else {}, "mse": {"image": mse}, "active": 2,
                "code_mean": {"z": [0.0] * config["model"].get("latent_size", 0)}}
        files["summary"] = {"step": 1000, "epoch": 5.0, "seconds": 60.0, "parameters": 1234, "device": "cpu",
                            "data": "full MNIST: 50,000 / 10,000 / 10,000", "test": test, **more.pop("summary", {})}
    folder = store.root / "runs" / name
    folder.mkdir(parents=True)
    for file, values in {**files, **more}.items():
        (folder / f"{file}.json").write_text(values if isinstance(values, str) else json.dumps(values),
                                             encoding="utf-8")
    os.utime(folder / "config.json", (made_at, made_at))
    return Run(folder)
