"""A checkpoint judged on one split of its own data set, with the settings that make the numbers mean something."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from vaecore import __version__
from vaecore.config import RunConfig
from vaecore.data import Dataset, ImageConfig, SplitName
from vaecore.data.identity import identity
from vaecore.evaluate.kept import plain
from vaecore.evaluate.likelihood import Cancelled
from vaecore.evaluate.meaning import explained
from vaecore.evaluate.parts import PARTS
from vaecore.evaluate.points import Points, order_of
from vaecore.evaluate.settings import Settings
from vaecore.evaluate.subject import Subject
from vaecore.models import Batch, Family
from vaecore.probability.likelihoods import BernoulliPixels
from vaecore.store import COPY_AGAIN, Run
from vaecore.training.checkpoints import WEIGHTS, BrokenCheckpoint, check_origin, check_words, load_model, step_of
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

LOOKED_AT = 100  # observations, whether their pixels are grey
Progress = Callable[[str, int, int], object]  # part, done, of how many


def evaluate_run(run: Run, settings: Settings | None = None, *, progress: Progress | None = None,
                 cancelled: Callable[[], bool] = lambda: False, points: Points | None = None) -> dict[str, Any]:
    """What `settings` ask of `run`, part after part, beginning with the evidence; as JSON can hold it.

    The evidence and log p(x) are means in nats per observation. What has no place in this run is under
    `not_applicable` with the reason. Cancelled, the result has `partial` set, and `missing` says what was not done and
    of which part how many observations are. Raises `Cancelled` where not even the evidence was done,
    `BrokenCheckpoint`, `DataUnavailable` or `ConfigError`. `points` is filled with what was found of each observation.
    `vaecore.evaluate.kept.keep` keeps both.
    """
    settings, start = settings or Settings(), time.monotonic()
    subject = subject_of(run, settings, progress=progress, cancelled=cancelled, points=points)
    config, model, dataset, feed, points = (subject.config, subject.model, subject.dataset, subject.feed,
                                            subject.points)
    split, tell = dataset.splits[settings.split], subject.tell
    not_applicable = {part: why for part in settings.parts if (why := PARTS[part].refused(subject))}
    evidence = evaluate(model, feed, settings.seed, each=points.add)
    if not math.isfinite(evidence.elbo):
        raise BrokenCheckpoint(f"{WEIGHTS} of {run.id} gives likelihoods that are not finite. {COPY_AGAIN}, or train "
                               "it with a smaller learning rate.")
    result: dict[str, Any] = {
        "run": run.id, "date": time.strftime("%Y-%m-%d %H:%M"), "settings": settings.model_dump(mode="json"),
        "split": settings.split, "seed": settings.seed, "observations": len(feed), "data": dataset.source,
        "identity": identity(config.data), "order": order_of(split),
        "pixels": config.data.pixels if isinstance(config.data, ImageConfig) else None, "family": config.model.title,
        "likelihood_name": config.about()["likelihood"], "grey_pixels": _grey(config, model, feed),
        "exact": config.model.exact, "has_kl": config.model.has_kl,
        "conditional": model.covariate is not None,  # then all likelihoods are of x given its covariate
        "step": step_of(run.path / WEIGHTS), "torch": torch.__version__, "vaecore": __version__, "device": "CPU",
        "evidence": evidence.as_dict()}
    if normaliser := model.normaliser():
        result["log_z"] = dict(zip(("value", "standard_error"), normaliser, strict=True))
    missing: dict[str, str] = {}
    for part in settings.parts:
        if part in not_applicable:
            continue
        if cancelled():
            missing[part] = "not begun"
            continue
        tell(part, 0, 0)
        try:
            result[part] = PARTS[part].of(subject).written()
        except Cancelled:
            missing[part] = "broken off"
        except ValueError as error:
            not_applicable[part] = str(error)
        else:
            if part in ("likelihood", "naive") and (done := result[part]["observations"]) < subject.observed:
                missing[part] = f"{subject.observed - done:,} of {subject.observed:,} observations"
    found: dict[str, Any] = plain(explained({
        **result, "partial": bool(missing), "missing": missing, "not_applicable": not_applicable,
        "seconds": round(time.monotonic() - start, 1)}))
    return found


def subject_of(run: Run, settings: Settings, *, progress: Progress | None = None,
               cancelled: Callable[[], bool] = lambda: False, points: Points | None = None) -> Subject:
    """A run's model and the split that `settings` ask for, with what was asked; raises as `evaluate_run`."""
    config, model = run.config(), load_model(run.path)
    check_origin(run)
    dataset = config.data.load()
    check_words(run.path, dataset)
    tell = progress or _unheard
    points = Points() if points is None else points
    points.sources = dataset.splits[settings.split].sources
    return Subject(config, model, dataset, _ToldFeed(dataset, settings.split, tell, cancelled), settings, tell,
                   cancelled, points)


def _unheard(part: str, done: int, total: int) -> None:
    """Nobody wants to know how far it is."""


class _ToldFeed(Feed):
    """A split whose passes tell how far the evidence is, and end when cancelled."""

    def __init__(self, dataset: Dataset, split: SplitName, tell: Progress, cancelled: Callable[[], bool]) -> None:
        super().__init__(dataset, split, torch.device("cpu"))
        self.tell, self.cancelled = tell, cancelled

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        for place, batch in enumerate(super().in_order(batch_size)):
            if self.cancelled():
                raise Cancelled
            self.tell("evidence", place * batch_size, len(self))
            yield batch


@torch.inference_mode()
def _grey(config: RunConfig, model: Family, feed: Feed) -> bool:
    """Whether a Bernoulli likelihood scores something between 0 and 1, as the data themselves say."""
    batch = feed.first(LOOKED_AT)
    if config.model.scored_by() == "bernoulli":
        scored = list(model.modalities)
    elif config.model.multimodal and model.latents:
        codes = {name: q.mean for name, q in model.encode(batch).items()}
        scored = [name for name, p in model.decode(codes).items() if isinstance(p, BernoulliPixels)]
    else:
        return False
    return any(bool(((batch[name] > 0) & (batch[name] < 1)).any()) for name in scored)
