"""Runs that were never trained: a configuration, a summary, and an evaluation with its values by observation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from vaecore.config import changed, preset
from vaecore.evaluate.kept import keep
from vaecore.evaluate.points import Points
from vaecore.evaluate.settings import Settings
from vaecore.store import Run, Store


def made(store: Store, name: str, elbo: np.ndarray | None, *, set: tuple[str, ...] = (), kl: float = 20.0,
         settings: dict[str, Any] | None = None, likelihood: np.ndarray | None = None, points: bool = True,
         preset_name: str = "vae-mnist", **facts: Any) -> Run:
    """A run with an ELBO of each observation, and where given log p(x) of each; no evaluation where ELBO is None."""
    config = changed(preset(preset_name), ["training.device=cpu", "data.source=embedded", *set])
    folder = store.root / "runs" / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config.to_json())
    (folder / "about.json").write_text(json.dumps(config.about()))
    about = config.about()
    mean = -95.0 if elbo is None else float(elbo.mean())
    told = {"elbo": mean, "reconstruction": {"image": mean + (kl if about["has_kl"] else 0)}, "mse": {"image": 0.01},
            "kl": {"z": [kl / 4] * 4} if about["has_kl"] else {}, "active": 4}
    (folder / "summary.json").write_text(json.dumps({"data": "MNIST: 500 test", "step": 10, "parameters": 3,
                                                     "seconds": 1.5, "device": "cpu", "test": told}))
    run = Run(folder)
    if elbo is None:
        return run
    chosen = Settings(**{"parts": ("likelihood",), **(settings or {})})
    values = Points({"elbo": elbo.astype(np.float32), "reconstruction": (elbo + kl).astype(np.float32),
                     "kl": np.full(len(elbo), kl, np.float32), "mse.image": np.full(len(elbo), 0.01, np.float32)})
    result: dict[str, Any] = {
        "run": name, "date": "2026-01-01 00:00", "settings": chosen.model_dump(mode="json"), "split": chosen.split,
        "seed": chosen.seed, "observations": len(elbo), "data": "MNIST", "order": "first", "step": 10,
        "pixels": getattr(config.data, "pixels", None), "likelihood_name": about["likelihood"], "exact": about["exact"],
        "has_kl": about["has_kl"], "evidence": told, "partial": False, "missing": {}, "not_applicable": {}, **facts}
    if likelihood is not None:
        values.add("log_likelihood", likelihood)
        error = float(likelihood.std(ddof=1) / np.sqrt(len(likelihood)))
        centre = float(likelihood.mean())
        result["likelihood"] = {"log_likelihood": centre, "standard_error": error, "interval": [
            centre - 2 * error, centre + 2 * error], "samples": 0 if about["exact"] else chosen.importance_samples,
            "observations": len(likelihood), "effective": 0.5, "effective_low": 0.2, "curve": []}
    keep(run, result, values if points else None)
    return run
