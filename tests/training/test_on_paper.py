"""What a GPU would be asked for: no family puts two devices together, and no captured step waits for the device."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch

from tests.training import on_paper
from tests.training.captured import CAPTURED, EAGER
from vaecore.config import RunConfig, Training
from vaecore.data import COVARIATE, Dataset
from vaecore.evaluate.likelihood import log_likelihood
from vaecore.models import Batch, Family, SentenceVAE
from vaecore.models.video.shared import VideoFamily
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.schedules.kl_cost import Charge
from vaecore.schema import parse
from vaecore.training.build import build
from vaecore.training.device import precision
from vaecore.training.feed import Feed
from vaecore.training.snapshots import snapshot
from vaecore.training.validation import evaluate

CHOICES = CAPTURED | {name: values for name, (values, _) in EAGER.items()}


def given(name: str) -> tuple[RunConfig, Dataset]:
    config = parse(RunConfig, CHOICES[name])
    return config, config.data.load()


def ready(config: RunConfig, dataset: Dataset) -> tuple[Family, Feed]:
    """A model that has begun, on paper; real data, which were read before."""
    feed = Feed(dataset, "train", on_paper.CUDA)
    model = build(config, dataset).to(on_paper.CUDA)
    model.begin(lambda count: feed.at(torch.randperm(len(feed))[:count]))
    return model, feed


def step(config: RunConfig, model: Family, feed: Feed, rows: torch.Tensor, generator: torch.Generator,
         autocast: Callable[[], AbstractContextManager[None]] = nullcontext) -> Batch:
    """What a step does before its gradients; all terms are of single precision, whatever the networks compute in."""
    model.at_step(50, 100)
    batch = feed.batch(rows, generator)
    cost = Charge(config.training.kl, torch.zeros((), device=on_paper.CUDA))
    with autocast():
        objective = model.objective(batch, generator)
    terms = objective.terms(cost)
    scalars = [term for term in (*terms, terms.loss(torch.zeros((), device=on_paper.CUDA)))
               if isinstance(term, torch.Tensor)]  # a bound is a function of beta, where there is one
    assert len(scalars) == 6 and all(term.dtype == torch.float32 for term in scalars)
    if "critic" not in model.auxiliaries():  # whose penalty is a gradient
        for auxiliary in model.auxiliaries().values():
            auxiliary.loss(batch, generator)
    return batch


OBJECTIVES = {json.dumps([values["data"], values["model"]]): name for name, values in reversed(CHOICES.items())
              if not parse(RunConfig, values).model.closed_form}  # which takes no step


@pytest.mark.parametrize("name", sorted(OBJECTIVES.values()))
def test_a_step_is_the_devices_own(name: str) -> None:
    config, dataset = given(name)
    with on_paper.gpu() as noted:
        model, feed = ready(config, dataset)
        generator = torch.Generator("cuda")
        rows = feed.order(0, 0)[:config.training.batch_size]
        step(config, model, feed, rows, generator)
        noted.waits.clear()  # of the first one, which puts in its place what stays there
        batch = step(config, model, feed, rows, generator, on_paper.bfloat16)
        assert all(each.device == on_paper.CUDA for each in batch.values())
        assert not noted.refused
        assert name in EAGER or not noted.waits


def test_an_old_card_is_not_given_what_it_only_emulates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert isinstance(precision(Training(), torch.device("cuda")), nullcontext)


FIRST = {values["model"]["family"]: name for name, values in reversed(CHOICES.items())}  # of each family
QUICK = set(FIRST.values()) - {"video-pixel-network", "sv2p"}  # which take seconds


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in CHOICES])
def test_an_evaluation_is_the_devices_own(name: str) -> None:
    """Numbers that are read there are made up: what is asked is whether devices agree."""
    config, dataset = given(name)
    with on_paper.gpu() as noted:
        model, feed = ready(config, dataset)
        if config.model.closed_form:
            model.fit(feed.all())
        model.eval()
        model.calibrate()
        batch = feed.first(6)
        for split in ("validation", "test"):
            evaluate(model, Feed(dataset, split, on_paper.CUDA), 1)
        generator = torch.Generator("cuda")
        posteriors = model.encode(batch)
        if all(isinstance(q, DiagonalGaussian) and q.mean.ndim == 2 for q in posteriors.values()) and posteriors:
            snapshot(model, batch, generator)
        if isinstance(model, VideoFamily):
            x = batch[model.modality]
            noise = torch.randn(3, 2, max(1, model.noise_size))
            model.roll_out(x[:, :model.context], 2, noise.to(on_paper.CUDA), generator)
        elif model.prior(batch):
            log_likelihood(model, [batch], 4)
            u = batch[COVARIATE] if model.covariate is not None else None
            if not isinstance(model, SentenceVAE):
                model.sample(6, generator, u)
        assert not noted.refused
