"""Training on a GPU: every family, in either number format, captured as a graph and not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Watch
from tests.gpu.needed import CAPTURED, CHOICES, CUDA, EAGER, close, course, needed, on, same_noise, taken
from tests.training.runs import Start, read, small
from vaecore.config import RunConfig
from vaecore.training import graphs, train
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

pytestmark = needed
# Two orders of adding up: atomic additions on a GPU have none, and steps carry a difference on.
CLOSE = 2e-3


@pytest.mark.parametrize("name", CHOICES)
def test_every_family_trains_and_its_weights_say_the_same_on_a_cpu(start: Start, name: str) -> None:
    folder = start(on("cuda", CHOICES[name]))
    lines = read(folder).evaluations
    assert lines and all(math.isfinite(line["elbo"]) for line in lines)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["device"] == torch.cuda.get_device_name() and summary["peak_memory_bytes"] > 0
    config = RunConfig.model_validate_json((folder / "config.json").read_text())
    dataset = config.data.load()
    model = load_model(folder)
    here = evaluate(model, Feed(dataset, "test", torch.device("cpu")), 5)
    with same_noise(5):
        there = evaluate(model.to(CUDA), Feed(dataset, "test", CUDA), 5)
    assert there.elbo == pytest.approx(here.elbo, rel=5e-3, abs=0.05)
    assert there.reconstruction == pytest.approx(here.reconstruction, rel=5e-3, abs=0.05)


def test_bfloat16_is_the_usual_and_stays_near_float32() -> None:
    values = small({"network": {"kind": "mlp", "hidden": [64]}}, epochs=50)
    found = {}
    for precision in ("auto", "float32"):
        made = course(on("cuda", values, precision=precision))
        assert isinstance(made.trainer.precision, torch.autocast) == (precision == "auto")
        lines = taken(made, 200)
        assert all(math.isfinite(value) for line in lines for value in line.values())
        assert all(p.dtype == torch.float32 for p in made.model.parameters())
        found[precision] = sum(line["neg_elbo"] for line in lines[-20:]) / 20
    assert found["auto"] == pytest.approx(found["float32"], rel=0.02)


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_step_is_the_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    captures: list[int] = []
    capture = graphs.cuda_graph
    monkeypatch.setitem(graphs.RECORDERS, "cuda", lambda step: captures.append(1) or capture(step))  # type: ignore[func-returns-value]
    eager, graph = course(on("cuda", CAPTURED[name])), course(on("cuda", CAPTURED[name], graphs=True))
    expected, found = taken(eager, 20), taken(graph, 20)
    assert graph.graphs == "captured" and captures == [1]
    close(expected, found, CLOSE)
    assert torch.equal(eager.generator.get_state(), graph.generator.get_state())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_hundred_captured_steps_are_a_hundred_steps(precision: str, optimizer: str) -> None:
    values = small({"network": {"kind": "mlp", "hidden": [64], "activation": "tanh"}}, epochs=25, clip_norm=5.0,
                   optimizer=optimizer, rate={"kind": "cosine"}, learning_rate=1e-4, batch_size=64)
    eager = course(on("cuda", values, precision=precision))
    graph = course(on("cuda", values, precision=precision, graphs=True))
    close(taken(eager, 100), taken(graph, 100), CLOSE if precision == "float32" else 0.02)
    assert graph.graphs == "captured"
    assert torch.equal(eager.generator.get_state(), graph.generator.get_state())


def test_two_replays_draw_two_noises() -> None:
    made = course(on("cuda", small(learning_rate=1e-9), graphs=True))
    made.update(0)
    before = made.generator.get_state()
    made.update(0)  # the same batch, and weights that have hardly moved
    first, second = made.flush()
    assert made.graphs == "captured" and not torch.equal(before, made.generator.get_state())
    assert first["reconstruction"] != second["reconstruction"]
    made.generator.set_state(before)
    made.update(0)
    assert made.flush()[0]["reconstruction"] == pytest.approx(second["reconstruction"], rel=1e-5)


@pytest.mark.parametrize("name", EAGER)
def test_what_is_not_captured_says_why(name: str) -> None:
    values, why = EAGER[name]
    made = course(on("cuda", values, graphs=True))
    assert why in graphs.why_not(made)
    if made.turns is None and made.total:
        taken(made, 2)
        assert made.graphs == f"eager: {graphs.why_not(made)}"


@pytest.mark.parametrize("guarded", [True, False])
def test_a_step_that_waits_for_the_device_is_taken_eagerly(guarded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found before a capture; and where it is only found within one, the generator still draws afterwards."""
    from contextlib import nullcontext

    from vaecore.models import VAE

    objective = VAE.objective

    def waiting(self: Any, batch: Any, generator: Any = None) -> Any:
        float(next(iter(batch.values())).sum())
        return objective(self, batch, generator)

    monkeypatch.setattr(VAE, "objective", waiting)
    if not guarded:
        monkeypatch.setattr(graphs, "_never_waiting", nullcontext)
    eager, made = course(on("cuda", small())), course(on("cuda", small(), graphs=True))
    close(taken(eager, 12), taken(made, 12), CLOSE)
    assert made.graphs.startswith("eager: capturing it failed (")


@pytest.mark.parametrize(("first", "then"), [(True, False), (False, True), (True, True)])
def test_a_run_goes_on_from_either_into_the_other(start: Start, watch: type[Watch], first: bool, then: bool) -> None:
    def run(name: str, first: bool, then: bool) -> Path:
        folder = start(on("cuda", small(), graphs=first), name=name, control=watch(stop_at=5))
        config = json.loads((folder / "config.json").read_text())
        config["training"]["graphs"] = then
        (folder / "config.json").write_text(json.dumps(config))
        assert train(folder, watch()) == "finished"
        return folder

    whole, other = run("whole", False, False), run("other", first, then)
    ends = [read(folder).evaluations[-1]["elbo"] for folder in (whole, other)]
    assert ends[1] == pytest.approx(ends[0], rel=CLOSE)
    assert json.loads((other / "summary.json").read_text()).get("graphs") == ("captured" if then else None)
    assert load_model(other).state_dict().keys() == load_model(whole).state_dict().keys()
