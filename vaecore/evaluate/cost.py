"""What it costs to infer and to sample: passes through the network, and seconds on one thread of this machine."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Callable

import torch

from vaecore.data import COVARIATE
from vaecore.evaluate.parts.cost import Cost
from vaecore.models import Batch, Family

TRIES, ENOUGH = 5, 2.0  # repetitions, and seconds after which there are no more of them


def cost(model: Family, batch: Batch, *, seed: int = 0, check: Callable[[], object] = lambda: None) -> Cost:
    """Measured on the observations of `batch` and on as many samples; `check` may raise between two tries.

    A conditional prior samples under the covariates of the batch. The thread count of the process is put back.
    """
    generator = torch.Generator().manual_seed(seed)
    together = len(next(iter(batch.values())))
    covariate = batch.get(COVARIATE) if model.covariate is not None else None

    def drawn(count: int) -> Callable[[], object]:
        return lambda: model.sample(count, generator, None if covariate is None else covariate[:count])

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            inferred = _fastest((lambda: model.encode(batch)) if model.latents else (lambda: model.elbo(batch)), check)
            sampled: float | None = None
            first: float | None = None
            with contextlib.suppress(ValueError):  # no prior, so nothing to sample from
                sampled, first = _fastest(drawn(together), check), _fastest(drawn(1), check)
    finally:
        torch.set_num_threads(threads)
    return Cost(inference_passes=model.inference_passes, inference_seconds=inferred / together,
                sampling_passes=model.sampling_passes if sampled is not None else None,
                sampling_seconds=None if sampled is None else sampled / together, first_sample_seconds=first,
                together=together, threads=1, processor=platform.processor() or platform.machine(),
                parameters=model.parameter_count)


def _fastest(work: Callable[[], object], check: Callable[[], object]) -> float:
    """Seconds of the fastest try; the first one, which warms up, counts only if it took long."""
    tries: list[float] = []
    while len(tries) <= TRIES and sum(tries) < ENOUGH:
        check()
        start = time.perf_counter()
        work()
        tries.append(time.perf_counter() - start)
    return min(tries)
