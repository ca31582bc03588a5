"""A device without memory: the training stops, and says which batch would fit; and that one does."""

from __future__ import annotations

import re
import resource
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.faults.writes import aside
from tests.training.runs import Make, Start, small
from vaecore import cli, lab
from vaecore.errors import OutOfMemory
from vaecore.lab import worker
from vaecore.training import course, memory

SAID = re.compile(r"Out of memory on the cpu: training\.batch_size=(\d+) needs about ([\d.]+) ([MG])B a step, "
                  r"([\d.]+) ([MG])B are free\. (\d+) would fit: fork it with training\.batch_size=\6, or close other "
                  r"programs and press Resume\. In a terminal: (vaecore fork large --from last --set "
                  r"training\.batch_size=\6)")


def wide(batch: int) -> dict[str, Any]:
    """Two hundred codes an observation are decoded: much for the backward pass, and few parameters."""
    return small({"network": {"kind": "mlp", "hidden": [256]}, "n_samples": 200}, batch_size=batch, epochs=1,
                 threads=1, snapshots=0) | {"data": {"name": "digits"}}


def trained_within(folder: Path, log: Path, room: int) -> int:
    """Train in a process that may take so many bytes more than it has; its exit code."""
    def act() -> int:
        from vaecore.lab import control

        control.Heartbeat.start = lambda _self: None  # type: ignore[method-assign]  # a thread takes memory of its own
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + room, resource.RLIM_INFINITY))
        return worker.main([str(folder)])

    return aside(act, log)


def test_a_batch_that_does_not_fit_ends_with_the_fork_that_would(
        start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.datasets  # noqa: F401
    import torch._dynamo  # noqa: F401

    room = 250 * 2**20
    folder = start(wide(1024), name="large", train=False)
    assert trained_within(folder, tmp_path / "log", room) == 1
    now = lab.status(folder)
    told = SAID.fullmatch(now.detail)
    assert now.state == "failed" and told, (now.detail, (tmp_path / "log").read_text()[-2000:])
    batch, need, need_unit, free, free_unit, fitting, command = told.groups()
    assert now.suggested == (f"training.batch_size={fitting}",)
    assert int(batch) == 1024 and 64 <= int(fitting) <= 512
    assert float(free) * 1000 ** (free_unit == "G") <= 263 < float(need) * 1000 ** (need_unit == "G") < 2_000
    monkeypatch.setattr(lab.jobs, "kick", lambda _root: None)
    monkeypatch.setattr("sys.argv", [*shlex.split(command), "--name", "fits", "--detach", "--store",
                                     str(folder.parents[1])])
    with pytest.raises(SystemExit, match=r"^0$"):  # which is what was said
        cli.main()
    fits = folder.with_name("fits")
    lab.stop(fits)  # it was queued: it is trained here
    assert trained_within(fits, tmp_path / "log", room) == 0, (tmp_path / "log").read_text()[-2000:]
    assert lab.status(fits).state == "finished"


@pytest.mark.parametrize(("error", "free", "words"), [
    (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), 2**21, "64 would fit: fork it"),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), 2**30, "128 would fit: fork it with"),  # it was not enough
    (MemoryError(), 100, "100 bytes are free. Fork it with a smaller model.")])
def test_a_step_without_memory_says_what_would_fit(trainer: Make, monkeypatch: pytest.MonkeyPatch, error: Exception,
                                                   free: int, words: str) -> None:
    made, _ = trainer(small(batch_size=256))
    monkeypatch.setattr(memory, "free_bytes", lambda _device: free)
    monkeypatch.setattr(memory, "per_observation", lambda _course: 2**15)

    def fails(_step: int) -> None:
        raise error

    monkeypatch.setattr(made, "update", fails)
    with pytest.raises(OutOfMemory, match=words) as raised:
        made.advance(0)
    assert worker.explain(raised.value) == str(raised.value)  # and no more general words
    assert [f"fork it with {setting}" in words or f"{setting.partition('=')[2]} would fit" in words
            for setting in raised.value.suggested] == [True] * ("would fit" in words)


def test_other_errors_are_let_through(trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = trainer(small())

    def fails(_step: int) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(made, "update", fails)
    with pytest.raises(RuntimeError, match="shapes differ"):
        made.advance(0)


@pytest.mark.parametrize("hidden", [16, 64])
def test_what_a_step_keeps_is_counted(trainer: Make, hidden: int) -> None:
    """A linear layer keeps its input, a ReLU its output: of one observation some numbers of 4 bytes a layer."""
    made, _ = trainer(small({"network": {"kind": "mlp", "hidden": [hidden]}}))
    found = memory.per_observation(made) / memory.BACKWARD / 4
    assert 64 + 2 * hidden <= found <= 12 * 64 + 8 * hidden + 12 * 4
    before = [p.clone() for p in made.model.parameters()]
    made.advance(0)
    assert isinstance(made, course.Course) and any(not torch.equal(a, b) for a, b in zip(
        before, made.model.parameters(), strict=True))
