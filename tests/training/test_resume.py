"""A run that is killed or stopped at any moment and resumed ends with the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.training.runs import Start, read, small, timeless
from vaecore import album
from vaecore.training import session, train, validation


def same(whole: Path, parts: Path) -> None:
    """The same bits in every file of tensors, and the same lines but for times."""
    files = sorted(str(path.relative_to(whole)) for path in whole.rglob("*.safetensors"))
    assert files == sorted(str(path.relative_to(parts)) for path in parts.rglob("*.safetensors"))
    for name in files:
        expected, found = load_file(whole / name), load_file(parts / name)
        assert expected.keys() == found.keys()
        for key, tensor in expected.items():
            assert tensor.dtype == found[key].dtype
            assert torch.equal(tensor, found[key]), f"{name}: {key}"
    assert timeless(whole) == timeless(parts)
    assert (whole / album.FILE).read_bytes() == (parts / album.FILE).read_bytes()


# One process imports torch once and forks an attempt after another; it never computes anything itself.
KILLER = textwrap.dedent("""
    import json, os, random, signal, sys, time
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    import sklearn.datasets
    import torch._dynamo  # what every optimizer imports at its first step
    from vaecore import files
    from vaecore.training import session, train

    class Watch:
        def __init__(self, pause): self.pause = pause
        def stop_requested(self): return False
        def progress(self, step, total, epoch): time.sleep(self.pause)

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def attempt(folder, pause=0.0, die_at_sync=0, delay=None):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                count = 0
                def counted(descriptor):
                    nonlocal count
                    count += 1
                    if count == die_at_sync: die()  # before or after a rename; a kill spares what was not synced
                files.os.fsync = counted
                code = 0 if train(Path(folder), Watch(pause)) == "finished" else 3
            except BaseException:
                import traceback
                traceback.print_exc()
            finally:
                os._exit(code)
        if delay is not None:
            end = time.monotonic() + delay
            while time.monotonic() < end:
                if os.waitpid(pid, os.WNOHANG)[0]: return None
                time.sleep(0.002)
            os.kill(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1]

    def position(folder):
        path = Path(folder) / "checkpoint.safetensors"
        if not path.exists(): return -1
        from safetensors import safe_open
        with safe_open(path, "np") as file: return json.loads(file.metadata()["vaecore"])["step"]

    whole, broken, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    random.seed(seed)
    assert attempt(whole) == 0
    deaths = []
    for number in (1, 8, 13, 14, 15, 16, 17):  # while saving
        status = attempt(broken, die_at_sync=number)
        assert status is not None and os.WTERMSIG(status) == signal.SIGKILL, (number, status)
        deaths.append(position(broken))
    for _ in range(3):  # and at any moment
        if attempt(broken, pause=0.01, delay=random.uniform(0.3, 0.9)) is None: break
        deaths.append(position(broken))
    assert attempt(broken) == 0
    print("DEATHS", json.dumps(deaths))
""")


@pytest.mark.parametrize("model", [
    pytest.param({"network": {"kind": "conv", "channels": [4, 8], "dense": 16},
                  "likelihood": {"kind": "gaussian-learned"}}, marks=pytest.mark.slow),
    {"network": {"kind": "mlp", "hidden": [16]}, "n_samples": 2}], ids=["conv", "mlp"])
def test_killed_and_resumed_ends_with_the_same_bits(start: Start, model: dict[str, Any]) -> None:
    conv = model["network"]["kind"] == "conv"
    values = small(model, epochs=5, batch_size=32, evaluate_every=0.4, snapshots=14, checkpoints=4, clip_norm=5.0,
                   rate={"kind": "cosine"}, keep="last" if conv else "best",
                   optimizer="adamw" if conv else "adam", weight_decay=0.01)
    values["data"] = {"name": "digits", "train_limit": 256, "pixels": "grey" if conv else "binary-dynamic"}
    whole, broken = start(values, name="whole", train=False), start(values, name="broken", train=False)
    done = subprocess.run([sys.executable, "-c", KILLER, str(whole), str(broken), "7"], capture_output=True, text=True,
                          timeout=200, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    deaths = json.loads(done.stdout.split("DEATHS", 1)[1])
    assert deaths[0] == -1  # before there was anything to resume from
    assert len({step for step in deaths if 0 < step < 40}) >= 3, deaths  # at several places on the way
    same(whole, broken)
    assert len(list(whole.glob("kept/*.safetensors"))) == 4  # at evaluations 4, 8, 12 and the last, the 14th
    assert any(key.startswith("optimizer.") for key in load_file(whole / "checkpoint.safetensors"))
    # Steps; the evaluation before them, one in three, and the last; and a snapshot at each of these.
    assert len(timeless(whole)) == 40 + 2 * (1 + 14)
    assert not list(broken.rglob("*.tmp*"))


@pytest.mark.parametrize("model", [{}, {"likelihood": {"kind": "gaussian-optimal"}}], ids=["plain", "optimal sigma"])
def test_stopped_and_resumed_is_the_same_run(start: Start, watch: Any, model: dict[str, Any]) -> None:
    values = small(model)
    whole = start(values, name="whole")
    parts = start(values, name="parts", control=watch(stop_at=5))
    assert read(parts).steps["step"] == [0, 1, 2, 3, 4]
    again = watch()
    assert train(parts, again) == "finished"
    assert [step for step, _, _ in again.told] == list(range(6, 13))
    assert again.told[-1] == (12, 12, 3.0)
    same(whole, parts)


def test_lines_after_the_checkpoint_are_gone_at_once(start: Start, watch: Any) -> None:
    """What a killed attempt had written beyond its checkpoint must not stand behind what the next one writes."""
    folder = start(small(), control=watch(stop_at=5))
    whole = (folder / "metrics.jsonl").read_bytes()
    drawn = (folder / album.FILE).read_bytes()
    assert drawn.count(b"\n") == 2, "what is given, and the untrained model"
    with (folder / "metrics.jsonl").open("ab") as file, (folder / album.FILE).open("ab") as pictures:
        file.write(whole * 3 + b'{"kind": "st')
        pictures.write(drawn + b'{"step":12,"ro')
    train(folder, watch(stop_at=6))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "step"] == [0, 1, 2, 3, 4, 5]
    assert (folder / "metrics.jsonl").read_bytes().startswith(whole)
    assert (folder / album.FILE).read_bytes() == drawn


def test_lost_metrics_do_not_become_nul_bytes(start: Start, watch: Any) -> None:
    folder = start(small(), control=watch(stop_at=5))
    lines = (folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:20])  # as a power cut leaves it
    train(folder, watch())
    text = (folder / "metrics.jsonl").read_bytes()
    assert b"\0" not in text
    assert [json.loads(line)["step"] for line in text.splitlines()][-1] == 12  # every line can be read


# -- between two updates of the encoder ------------------------------------------------------------


class Patient:
    """A control that asks to stop at its nth question."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def stop_requested(self) -> bool:
        self.left -= 1
        return self.left < 0

    def progress(self, step: int, total: int, epoch: float) -> None:
        pass


def aggressive(**training: Any) -> dict[str, Any]:
    """Twelve steps, with turns of up to 7 encoder updates in at least the first evaluation's four."""
    return small({"network": {"kind": "mlp", "hidden": [8]}, "likelihood": {"kind": "gaussian-learned"}},
                 learning_rate=0.02, clip_norm=20.0, inference={"kind": "aggressive", "most": 7, "window": 2},
                 **training)


def standing(folder: Path) -> dict[str, Any]:
    with safe_open(folder / "checkpoint.safetensors", "pt") as file:
        return dict(json.loads(file.metadata()["vaecore"]))


def test_stopped_between_encoder_updates_and_resumed_is_the_same_run(start: Start) -> None:
    values = aggressive()
    whole = start(values, name="whole")
    middles = []
    for questions in (1, 3, 8, 10, 13, 22):  # the first, before the decoder's moments begin, up to later turns
        parts = start(values, name=f"parts-{questions}", control=Patient(questions))
        at = standing(parts)
        middles.append(at["turns"]["updates"])
        assert at["turns"]["aggressive"] and at["step"] + at["turns"]["all_updates"] == questions
        assert train(parts, Patient(10_000)) == "finished"
        same(whole, parts)
    assert sum(updates > 0 for updates in middles) >= 4, middles  # these fell into turns of the encoder
    assert any(updates % 2 for updates in middles)  # and some into a window
    evaluations = read(whole).evaluations
    assert evaluations[0]["aggressive"] and evaluations[0]["encoder_updates"] == 0
    assert 4 * 4 <= evaluations[1]["encoder_updates"] <= 4 * 7  # at least two windows a turn, at most `most`


def test_stopped_at_every_third_question_is_the_same_run(start: Start) -> None:
    values = aggressive(rate={"kind": "cosine"}, evaluate_every=0.5)
    whole = start(values, name="whole")
    parts = start(values, name="parts", control=Patient(3))
    attempts = 1
    while train(parts, Patient(3)) == "stopped":
        attempts += 1
    assert attempts > 5
    same(whole, parts)


def test_a_run_ends_its_aggressive_time_when_information_falls(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutual information of 1, 2, 1.5 and 1 at the evaluations after the first: with patience 2 it ends at the last."""
    true = validation.evaluate
    told = iter([9.0, 1.0, 2.0, 1.5, 1.0, 5.0, 5.0])  # that of untrained weights does not count

    def fake(*arguments: Any) -> Any:
        found = true(*arguments)
        return replace(found, information={"z": replace(found.information["z"], mutual_information=next(told, 5.0))})

    monkeypatch.setattr(session, "evaluate", fake)
    values = small(epochs=6, inference={"kind": "aggressive", "most": 4, "window": 2, "patience": 2})
    evaluations = read(start(values)).evaluations
    assert [line["aggressive"] for line in evaluations] == [True, True, True, True, False, False, False]
    updates = [line["encoder_updates"] for line in evaluations]
    assert updates[4] == updates[5] == updates[6] == 4 * 4 * 4
    assert updates[:4] == [0, 16, 32, 48]


def test_only_logged_updates_count_as_steps(start: Start, watch: Any) -> None:
    """The encoder's own updates are not training steps: an epoch has as many as ever, and the lines are theirs."""
    control = watch()
    folder = start(aggressive(), control=control)
    assert read(folder).steps["step"] == list(range(12))
    steps = [step for step, _, _ in control.told]
    assert steps == sorted(steps) and steps[-1] == 12
    assert len(steps) == 12 + read(folder).evaluations[-1]["encoder_updates"]
    assert "encoder_updates" not in read(start(small(), name="plain")).evaluations[-1]
