"""A sweep whose trainings are made files: what it was asked, and a run for each point and seed that has ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vaecore.config import changed, preset
from vaecore.lab import attempts
from vaecore.store import Run, Store
from vaecore.sweeps import Sweep, points
from vaecore.sweeps.declared import Point
from vaecore.sweeps.keeping import keep
from vaecore.sweeps.planning import configuration, declare

SMALL = changed(preset("vae-digits"), ["training.epochs=2", "training.threads=1", "training.device=cpu"])
OVER = {"model.latent_size": "2,8", "training.beta.value": "0.5,4"}


def asked(store: Store, over: dict[str, Any], *, name: str = "zb", **more: Any) -> Sweep:
    """A sweep that is kept, and of which nothing has been trained."""
    sweep, _ = declare(SMALL, over, name=name, **more)
    keep(store, sweep)
    return sweep


def made(store: Store, sweep: Sweep, number: int, point: Point, seed: int) -> Run:
    """The folder of one of its runs."""
    return store.create(configuration(sweep, point, seed), f"{sweep.name}-{number:03d}-s{seed}",
                        experiment=sweep.experiment, point={"number": number, "values": point, "seed": seed})


def ended(run: Run, *elbos: float, per_epoch: int = 20) -> None:
    """What a training leaves: an evaluation an epoch, its numbers, and its last word."""
    lines = [{"kind": "evaluation", "step": epoch * per_epoch, "epoch": float(epoch), "elbo": elbo}
             for epoch, elbo in enumerate(elbos)]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run.path / "summary.json").write_text(json.dumps({
        "steps_per_epoch": per_epoch, "validation": {"elbo": elbos[-1]}, "test": {"elbo": elbos[-1] - 1}}))
    attempts.write_exit(run.path, attempts.begin(run.path), "finished", "Finished.")


def swept(store: Store, value: Callable[[int, int], float], *, over: dict[str, Any] | None = None, seeds: int = 2,
          upto: int | None = None, **more: Any) -> Sweep:
    """A sweep whose points have all ended, with the `value` of their number and seed; or the first `upto` seeds."""
    sweep = asked(store, over or OVER, seeds=seeds, **more)
    for number, point in enumerate(points.known(sweep), 1):
        for seed in range(1, seeds + 1):
            run = made(store, sweep, number, point, seed)
            if seed <= (upto or seeds):
                ended(run, value(number, seed) - 10, value(number, seed))
    return sweep
