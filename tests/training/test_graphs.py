"""A captured step is the step: on a tape that replays as a CUDA graph does, every family learns the same bits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import Watch
from tests.training import tape
from tests.training.captured import CAPTURED, EAGER
from tests.training.runs import Start
from tests.training.stacked.test_stacked_steps import apart
from tests.training.test_resume import same
from vaecore.config import RunConfig
from vaecore.models import FAMILIES
from vaecore.schema import parse
from vaecore.training import graphs, train
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Splits

CPU = torch.device("cpu")


@pytest.fixture
def on_tape(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Graphs on the CPU, as tapes; how many operations each has."""
    made: list[int] = []

    def recorded(step: Any) -> Any:
        replay = tape.taped(step)
        made.append(len(replay.__self__.lines))
        return replay

    monkeypatch.setattr(graphs, "RECORDERS", {"cpu": recorded})
    monkeypatch.setattr("vaecore.nets.text.may_look", lambda _: False)  # as on a GPU
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)  # whose LSTMs keep numbers beside their outputs
    # A graph reads the rate in single precision: so does the step that it is compared with.
    exact = Course.beta_and_rate
    monkeypatch.setattr(Course, "beta_and_rate", lambda self, step: tuple(map(float, np.float32(exact(self, step)))))
    yield made


def course(values: dict[str, Any], *, graphs: bool) -> Course:
    training = {**values["training"], "threads": 1, "device": "cpu", "graphs": graphs}
    config = parse(RunConfig, {**values, "training": training})
    splits = Splits(config.data.load(), CPU)
    feed = splits["train"]
    made = Course(config, build(config, splits.dataset), feed, CPU)
    made.model.begin(lambda n: feed.at(torch.randperm(len(feed), generator=torch.Generator().manual_seed(1))[:n]))
    return made


def taken(values: dict[str, Any], *, graphs: bool, steps: int = 8) -> tuple[Course, list[dict[str, float]]]:
    made = course(values, graphs=graphs)
    lines = []
    for step in range(min(steps, made.total)):
        made.update(step)
        if step % 3 == 2:
            lines += made.flush()
    return made, lines + made.flush()


@pytest.mark.parametrize("name", CAPTURED)
def test_every_family_learns_the_same_bits(on_tape: list[int], name: str) -> None:
    (eager, expected), (graph, found) = (taken(CAPTURED[name], graphs=graphs) for graphs in (False, True))
    assert graph.graphs == "captured" and len(on_tape) == 1
    assert on_tape[0] > 20
    assert apart(eager, graph) == 0
    assert eager.trainer.auxiliaries.state() == graph.trainer.auxiliaries.state()
    assert found == expected and len(found) >= 3
    assert torch.equal(eager.generator.get_state(), graph.generator.get_state())


def test_every_family_is_tried_here() -> None:
    tried = {values["model"]["family"] for values in [*CAPTURED.values(), *(values for values, _ in EAGER.values())]}
    assert tried | {name for name, family in FAMILIES.items() if family.closed_form} == set(FAMILIES)


@pytest.mark.parametrize("name", EAGER)
def test_what_cannot_be_captured_says_why_and_is_trained_as_always(on_tape: list[int], name: str) -> None:
    values, why = EAGER[name]
    made = course(values, graphs=True)
    assert why in graphs.why_not(made)
    if made.total:
        made.advance(0)
        assert not on_tape and (made.graphs == f"eager: {graphs.why_not(made)}" or made.turns is not None)


def test_what_python_decides_is_what_at_step_changes() -> None:
    """A family of which one step stands for all has nothing that `at_step` changes."""
    for values in [*CAPTURED.values(), *(values for values, _ in EAGER.values())]:
        model = course(values, graphs=True).model
        said = []
        for step in (0, 37, 99):
            model.at_step(step, 100)
            said.append({name: value for name, value in vars(model).items() if isinstance(value, int | float | tuple)})
        assert model.varies(100) or said[0] == said[1] == said[2]


def test_a_hundred_steps_are_captured_once_and_each_draws_its_own_noise(on_tape: list[int]) -> None:
    values = {**CAPTURED["vae, pixels drawn anew"]}
    values["training"] = {**values["training"], "epochs": 25, "rate": {"kind": "restarts"}, "clip_norm": 3.0}
    (eager, expected), (graph, found) = (taken(values, graphs=graphs, steps=100) for graphs in (False, True))
    assert len(found) == 100 and found == expected and apart(eager, graph) == 0 and len(on_tape) == 1
    noises = []
    for step in (3, 3):  # the same batch
        noises.append(graph.generator.get_state())
        graph.update(step)
    first, second = graph.flush()
    assert not torch.equal(*noises) and first["reconstruction"] != second["reconstruction"]


@pytest.mark.usefixtures("on_tape")
def test_nothing_of_having_captured_is_left() -> None:
    made, _ = taken(CAPTURED["rbm, pcd"], graphs=False, steps=5)
    before = {name: tensor.clone() for name, tensor in made.model.state_dict().items()}
    moments = [tensor.clone() for state in made.trainer.optimizer.state.values() for tensor in state.values()]
    noise, log = made.generator.get_state(), made.log.clone()
    graphs.Captured(made)
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.model.state_dict().items())
    after = [tensor for state in made.trainer.optimizer.state.values() for tensor in state.values()]
    assert all(map(torch.equal, moments, after)) and torch.equal(noise, made.generator.get_state())
    assert torch.equal(log, made.log) and all(p.grad is None for p in made.model.parameters())


@pytest.mark.usefixtures("on_tape")
def test_a_capture_that_fails_leaves_the_training_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    values = CAPTURED["vae"]
    expected, _ = taken(values, graphs=False)

    def refused(step: Any) -> Any:
        graphs.warm_up(step)
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(graphs, "RECORDERS", {"cpu": refused})
    made, _ = taken(values, graphs=True)
    assert made.graphs == "eager: capturing it failed (operation not permitted when stream is capturing)"
    assert apart(expected, made) == 0


def test_a_step_that_waits_for_the_device_is_not_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "RECORDERS", {"cpu": tape.taped})
    made, _ = taken(CAPTURED["sentence-vae"], graphs=True)  # on a CPU it looks how long the longest sentence is
    assert made.graphs == "eager: capturing it failed (_local_scalar_dense waits for the device)"


@pytest.mark.usefixtures("on_tape")
def test_a_run_goes_on_from_either_into_the_other(start: Start, watch: type[Watch]) -> None:
    """The same files, whichever part of a run was captured; the summary says what it was."""
    def begun(name: str, first: bool, then: bool) -> Path:
        folder = start({**CAPTURED["vae"], "training": {**CAPTURED["vae"]["training"], "graphs": first, "epochs": 3}},
                       name=name, control=watch(stop_at=5))
        config = json.loads((folder / "config.json").read_text())
        config["training"]["graphs"] = then
        (folder / "config.json").write_text(json.dumps(config))
        assert train(folder, watch()) == "finished"
        return folder

    whole = begun("eager", False, False)
    assert "graphs" not in json.loads((whole / "summary.json").read_text())
    for first, then in ((True, True), (True, False), (False, True)):
        other = begun(f"{first}-{then}".lower(), first, then)
        same(whole, other)
        assert json.loads((other / "summary.json").read_text()).get("graphs") == ("captured" if then else None)


def test_on_a_cpu_a_run_says_that_graphs_are_cudas(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    folder = start({**CAPTURED["vae"], "training": {**CAPTURED["vae"]["training"], "graphs": True, "epochs": 1}})
    said = "eager: it runs on cpu, and graphs are CUDA's"
    assert json.loads((folder / "summary.json").read_text())["graphs"] == said
    assert f"graphs: {said}\n" in capsys.readouterr().out
