"""Networks that learn by a loss of their own: a critic or density ratio that diverges ends the training in words."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.training.runs import Start, read, small
from vaecore.probability.auxiliary import Auxiliary
from vaecore.probability.divergences import Critic
from vaecore.probability.priors import ImplicitPrior
from vaecore.training import train
from vaecore.training.auxiliaries import MAX_LOSS, Auxiliaries
from vaecore.training.checkpoints import load_model
from vaecore.training.course import TrainingFailed

CRITIC = {"divergence": {"kind": "critic", "hidden": [16], "updates": 2}}
RATIO = {"prior": {"kind": "implicit", "hidden": [8], "updates": 2}}


def test_a_critic_that_diverges_is_reported_and_nothing_of_it_is_kept(start: Start, watch: Any) -> None:
    wild = {"kind": "critic", "hidden": [64, 64, 64], "updates": 5, "learning_rate": 1.0}
    folder = start(small({"divergence": wild}, epochs=30), train=False)
    with pytest.raises(TrainingFailed, match=r"^The critic diverged: .*last good checkpoint.* is kept\. Try a smaller "
                       r"learning rate of the critic, fewer of its updates, or a larger gradient penalty\.$"):
        train(folder, watch())
    for name in ("weights.safetensors", "checkpoint.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(folder / name).values())
    load_model(folder)
    assert read(folder).evaluations[-1]["step"] < 30 * 4
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize(("model", "network", "loss", "name"), [(CRITIC, Critic, "learn", "critic"),
                                                                (RATIO, ImplicitPrior, "loss", "density ratio")])
@pytest.mark.parametrize("value", [math.nan, math.inf, 2 * MAX_LOSS])
def test_one_bad_loss_among_many_updates_is_seen(start: Start, monkeypatch: pytest.MonkeyPatch, watch: Any,
                                                 model: dict[str, Any], network: type[nn.Module], loss: str, name: str,
                                                 value: float) -> None:
    """Of the sixth step, and only once: later losses are as they should be."""
    true, calls = getattr(network, loss), iter(range(10_000))

    def poisoned(self: Any, *drawn: Any) -> Tensor:
        found: Tensor = true(self, *drawn)
        return found + (value if next(calls) == 11 else 0)  # its gradient is sound

    folder = start(small(model), train=False)
    with monkeypatch.context() as patch:
        patch.setattr(network, loss, poisoned)
        with pytest.raises(TrainingFailed, match=rf"^The {name} diverged: its loss stopped being a finite number"):
            train(folder, watch())
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 4, "what was evaluated"
    assert train(folder, watch()) == "finished"  # from the good checkpoint, now that the cause is gone
    assert read(folder).steps["step"] == list(range(12))


def test_mean_losses_stand_in_the_evaluations(start: Start) -> None:
    folder = start(small(CRITIC))
    first, *later = read(folder).evaluations
    assert first["auxiliaries"] == {}, "no update before the first"
    assert all(math.isfinite(line["auxiliaries"]["critic"]) for line in later) and len(later) == 3


def member(values: list[float], updates: int = 1) -> Auxiliary:
    """One whose losses are given."""
    weight, told = nn.Parameter(torch.ones(())), iter(values)
    return Auxiliary([weight], lambda _batch, _generator: weight * 0 + next(told), 0.1, updates)


def test_only_the_worst_loss_counts_and_it_is_not_forgotten() -> None:
    generator = torch.Generator()
    for bad in (math.nan, math.inf, -math.inf, MAX_LOSS, -MAX_LOSS):
        made = Auxiliaries({"good": member([1.0] * 4), "bad": member([0.5, bad, 0.5, 0.5])}, torch.device("cpu"))
        assert made.diverged() == ""
        found = []
        for _ in range(4):
            made.update(dict, generator)
            found.append(made.diverged())
        assert found == ["", "bad", "bad", "bad"]
    made = Auxiliaries({"large": member([0.999 * MAX_LOSS, -0.999 * MAX_LOSS])}, torch.device("cpu"))
    for _ in range(2):
        made.update(dict, generator)
    assert made.diverged() == ""


def test_means_are_since_they_were_last_taken_and_survive_a_stop() -> None:
    def new(values: list[float]) -> Auxiliaries:
        return Auxiliaries({"critic": member(values, updates=2)}, torch.device("cpu"))

    generator, made = torch.Generator(), new([1.0, 2.0, 3.0, 4.0, 9.0, 11.0])
    assert made.take() == {}
    for _ in range(2):
        made.update(dict, generator)
    state = json.loads(json.dumps(made.state()))
    assert made.take() == {"critic": 2.5} and made.take() == {}
    made.update(dict, generator)
    assert made.take() == {"critic": 10.0}
    again = new([9.0, 11.0])
    again.restore(state)
    again.update(dict, generator)
    assert again.take() == {"critic": 5.0}
    for damaged in ({}, {"critic": None}, {"critic": [1.0]}, {"critic": ["x", 1]}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            again.restore(damaged)
