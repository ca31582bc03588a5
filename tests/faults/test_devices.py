"""A run that is resumed where its device is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.training.runs import Start, read, small
from vaecore.schema import ConfigError
from vaecore.training import train


def as_from_a_gpu(folder: Path) -> None:
    """Make a run look as one that was trained on a GPU so far: its noise is another generator's, of 16 bytes."""
    path = folder / "checkpoint.safetensors"
    with safe_open(path, "pt") as file:
        header = file.metadata()
    save_file(load_file(path) | {"random.noise": torch.zeros(16, dtype=torch.uint8)}, path, header)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "device": "NVIDIA H200"}))


def test_a_run_that_was_on_a_gpu_goes_on_here_with_a_word(start: Start, watch: Any, capsys: pytest.CaptureFixture[str]
                                                          ) -> None:
    folder = start(small(device="auto"), control=watch(stop_at=5))
    before = load_file(folder / "checkpoint.safetensors")
    as_from_a_gpu(folder)
    capsys.readouterr()
    assert train(folder, watch()) == "finished"
    said = capsys.readouterr().out
    assert "resumed at step 5 of 12\nso far it was trained on NVIDIA H200, from here on it is on cpu" in said
    assert read(folder).steps["step"] == list(range(12))
    assert json.loads((folder / "summary.json").read_text())["device"] == "cpu"
    again = start(small(device="auto"), name="again", control=watch(stop_at=5))
    stood = load_file(again / "checkpoint.safetensors")
    assert all(torch.equal(stood[name], tensor) for name, tensor in before.items())
    as_from_a_gpu(again)
    train(again, watch())  # the noise that is begun anew is a function of the seed and the step
    for name, tensor in load_file(folder / "weights.safetensors").items():
        assert torch.equal(tensor, load_file(again / "weights.safetensors")[name])


def test_the_same_device_is_no_news(start: Start, watch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = start(small(), control=watch(stop_at=5))
    train(folder, watch())
    assert "so far" not in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_run_that_asks_for_a_gpu_is_refused_with_a_way_out(start: Start, watch: Any) -> None:
    folder = start(small(), control=watch(stop_at=5))
    config = json.loads((folder / "config.json").read_text())
    config["training"]["device"] = "cuda"
    (folder / "config.json").write_text(json.dumps(config))
    good = {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
    with pytest.raises(ConfigError, match=r"training\.device: .*no cuda\. .*auto or cpu.* forked .*or resumed where"):
        train(folder, watch())
    assert good == {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
