"""A stack is as many ordinary run folders, each of which ends, fails and goes on for itself."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import Watch
from tests.training.runs import Start, small, timeless
from vaecore.training import session, train
from vaecore.training.course import Course, TrainingFailed
from vaecore.training.stacked import train_stacked

MLP = {"kind": "mlp", "hidden": [16], "activation": "tanh"}
SEEDS = range(3)


def values(seed: int, **training: Any) -> dict[str, Any]:
    beta = {"kind": "constant", "value": 0.5 + seed}
    return {**small({"network": MLP}, **{"epochs": 6, "beta": beta, "threads": 1, "device": "cpu", "checkpoints": 2,
                                         "learning_rate": 1e-3 * (1 + seed), **training}), "seed": seed}


def together(folders: list[Path], controls: list[Watch] | None = None) -> tuple[list[Any], list[str]]:
    """How each ended, and what was printed of each."""
    how: dict[int, Any] = {}
    said = [io.StringIO() for _ in folders]

    def ended(place: int, end: Any) -> None:
        assert place not in how
        how[place] = end

    train_stacked(folders, controls or [Watch() for _ in folders], ended,
                  lambda place: contextlib.redirect_stdout(said[place]))
    return [how[place] for place in range(len(folders))], [each.getvalue() for each in said]


def apart(one: Path, other: Path) -> float:
    """How far two runs lie apart in any number of their files of tensors, which have to be the same files."""
    files = sorted(str(path.relative_to(one)) for path in one.rglob("*.safetensors"))
    assert files == sorted(str(path.relative_to(other)) for path in other.rglob("*.safetensors"))
    worst = 0.0
    for name in files:
        expected, found = load_file(one / name), load_file(other / name)
        assert expected.keys() == found.keys()
        assert torch.equal(expected.get("random.noise", torch.zeros(1)), found.get("random.noise", torch.zeros(1)))
        worst = max([worst, *(float((expected[key].double() - found[key].double()).abs().max()) for key in expected
                              if expected[key].numel())])
    return worst


def close(one: Any, other: Any) -> bool:
    """Equal lines but for the last digits of their numbers."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return bool(one == pytest.approx(other, rel=1e-3, abs=1e-3)) if isinstance(one, float) else bool(one == other)


def test_a_member_is_the_run_alone_in_all_its_files(start: Start, watch: type[Watch]) -> None:
    own = [start(values(seed), name=f"alone-{seed}") for seed in SEEDS]
    folders = [start(values(seed), name=f"stacked-{seed}", train=False) for seed in SEEDS]
    controls = [watch() for _ in SEEDS]
    how, said = together(folders, controls)
    assert how == ["finished"] * 3
    for seed in SEEDS:
        assert apart(own[seed], folders[seed]) < 1e-5
        assert sorted(path.name for path in own[seed].iterdir()) == sorted(p.name for p in folders[seed].iterdir())
        lines = timeless(own[seed]), timeless(folders[seed])
        assert len(lines[0]) == len(lines[1]) == 24 + 7 + 7
        assert close(*lines), seed
        summaries = [json.loads((folder / "summary.json").read_text()) for folder in (own[seed], folders[seed])]
        assert summaries[1].pop("stacked") == 3
        for summary in summaries:
            for name in ("seconds", "cpu_seconds", "peak_memory_bytes"):
                summary.pop(name)
        assert close(*summaries)
        assert [step for step, _, _ in controls[seed].told] == list(range(1, 25))
        assert "stacked: one of 3" in said[seed]
        assert said[seed].count("validation ELBO") == 7, "each says its own"


def test_one_that_ends_early_leaves_the_bits_of_the_others(start: Start) -> None:
    whole = [start(values(seed), name=f"whole-{seed}", train=False) for seed in SEEDS]
    together(whole)
    patient = {"patience": 1, "learning_rate": 1.0}  # which is too much for any validation set
    folders = [start(values(seed, **(patient if seed == 1 else {})), name=f"early-{seed}", train=False)
               for seed in SEEDS]
    how, said = together(folders)
    assert how == ["finished"] * 3
    assert "stopped early" in said[1]
    assert "stopped early" not in said[0] + said[2]
    assert json.loads((folders[1] / "summary.json").read_text())["step"] < 24
    assert apart(whole[0], folders[0]) == apart(whole[2], folders[2]) == 0


def test_one_that_diverges_fails_alone(start: Start) -> None:
    whole = [start(values(seed, optimizer="sgd"), name=f"whole-{seed}", train=False) for seed in SEEDS]
    together(whole)
    folders = [start(values(seed, optimizer="sgd", **({"learning_rate": 10.0} if seed == 1 else {})),
                     name=f"wild-{seed}", train=False) for seed in SEEDS]
    how, _ = together(folders)
    assert how[0] == how[2] == "finished"
    assert isinstance(how[1], TrainingFailed)
    assert "stopped being a finite number" in str(how[1])
    assert apart(whole[0], folders[0]) == apart(whole[2], folders[2]) == 0


def test_stopped_members_go_on_alone_or_stacked(start: Start, watch: type[Watch]) -> None:
    own = [start(values(seed), name=f"alone-{seed}") for seed in SEEDS]
    folders = [start(values(seed), name=f"stacked-{seed}", train=False) for seed in SEEDS]
    how, _ = together(folders, [watch(stop_at=step) for step in (5, 9, 13)])
    assert how == ["stopped"] * 3
    assert train(folders[0], watch()) == "finished"
    assert together(folders[1:])[0] == ["finished"] * 2  # from unequal steps
    for one, other in zip(own, folders, strict=True):
        assert apart(one, other) < 1e-5
        assert close(timeless(one), timeless(other))


def test_what_cannot_be_stacked_is_trained_one_by_one_to_the_bit(start: Start) -> None:
    turns = {"inference": {"kind": "aggressive", "most": 3}}
    own = [start(values(seed, **turns), name=f"alone-{seed}") for seed in (0, 1)]
    folders = [start(values(seed, **turns), name=f"stacked-{seed}", train=False) for seed in (0, 1)]
    how, said = together(folders)
    assert how == ["finished"] * 2
    assert all("trained one by one, 2 in a row: an encoder that is trained aggressively" in each for each in said)
    assert all(apart(one, other) == 0 for one, other in zip(own, folders, strict=True))


def test_one_by_one_each_counts_its_own_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    now, plain = [0.0], Course.advance

    def advance(course: Course, step: int) -> bool:
        now[0] += 1.0
        return plain(course, step)

    monkeypatch.setattr(Course, "advance", advance)
    monkeypatch.setattr(session, "time", SimpleNamespace(monotonic=lambda: now[0], process_time=lambda: 2 * now[0]))
    turns = {"inference": {"kind": "aggressive", "most": 3}}
    folders = [start(values(seed, **turns), name=f"stacked-{seed}", train=False) for seed in (0, 1)]
    together(folders)
    took = [json.loads((folder / "summary.json").read_text()) for folder in folders]
    assert min(each["seconds"] for each in took) > 0
    assert sum(each["seconds"] for each in took) == now[0] and sum(each["cpu_seconds"] for each in took) == 2 * now[0]


def test_a_broken_folder_ends_that_member_alone(start: Start) -> None:
    folders = [start(values(seed), name=f"run-{seed}", train=False) for seed in SEEDS]
    (folders[1] / "config.json").write_text("{")
    how, _ = together(folders)
    assert how[0] == how[2] == "finished"
    assert isinstance(how[1], Exception)


def test_a_folder_that_is_deleted_ends_that_member_alone_and_stays_away(start: Start) -> None:
    folders = [start(values(seed), name=f"run-{seed}", train=False) for seed in SEEDS]

    class Deletes(Watch):
        def stop_requested(self) -> bool:
            if len(self.told) == 2:
                shutil.rmtree(folders[1])
            return False

    how, _ = together(folders, [Watch(), Deletes(), Watch()])
    assert how[0] == how[2] == "finished"
    assert isinstance(how[1], FileNotFoundError) and not folders[1].exists()
