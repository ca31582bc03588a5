"""The front door: `import vaecore` brings nothing heavy, `fit` trains here, `load` opens, all say what is wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vaecore
from vaecore import lab
from vaecore.api import chosen
from vaecore.config import Training
from vaecore.schedules.beta import ConstantBeta

TINY = {"data.train_limit": 200, "training.batch_size": 50, "training.device": "cpu", "training.threads": 1}


def refused(start: Any, **settings: Any) -> str:
    with pytest.raises(vaecore.ConfigError) as caught:
        chosen(start, settings)
    return str(caught.value)


def test_a_preset_is_trained_here_and_opened(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import torch

    threads = torch.get_num_threads()
    handler = signal.getsignal(signal.SIGINT)
    found = vaecore.fit("vae-digits", set=TINY, epochs=2, latent_size=3, name="mine", store=tmp_path)
    assert isinstance(found, vaecore.explore.Checkpoint)
    assert (found.run.id, found.size) == ("mine", 3)
    assert found.sample(4).shape == (4, 8, 8)
    assert found.run.config().training.epochs == 2
    assert found.summary["step"] == 8  # two epochs of four batches
    assert lab.status(found.run.path).state == "finished"  # for pages and command line too
    assert found.run.preview.is_file()
    log = (found.run.path / "log.txt").read_text()
    assert "model: vae" in log
    told = capfd.readouterr()
    assert told.out == ""  # what the loop says is in the log
    assert len(re.findall(r"epoch +\d\.0 +validation ELBO +-\d+\.\d\d .* nats", told.err)) == 3
    assert "8/8 steps" in told.err
    assert torch.get_num_threads() == threads
    assert signal.getsignal(signal.SIGINT) is handler

    assert vaecore.load("mine", store=tmp_path).run == found.run
    assert vaecore.load(found.run.path).run == found.run
    assert vaecore.load(str(found.run.path)).run == found.run
    with pytest.raises(vaecore.StoreError, match="already a run called 'mine'"):
        vaecore.fit("vae-digits", name="mine", store=tmp_path)


def test_silence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    vaecore.fit("vae-digits", set=TINY, epochs=1, store=tmp_path, silent=True)
    assert capfd.readouterr() == ("", "")


def test_every_kind_of_run_opens_as_what_it_is() -> None:
    gallery = vaecore.Store(Path(__file__).parents[1] / "trained")
    kinds = {"gallery/vae": "Checkpoint", "made": "Codeless", "gallery/mvae": "CrossModal",
             "svg-lp-mnist": "VideoCheckpoint", "lagging-basic": "SentenceCheckpoint"}
    assert {name: type(vaecore.load(name, store=gallery)).__name__ for name in kinds} == kinds
    pca = gallery.root / "gallery" / "pca"
    found = vaecore.compare(pca, "gallery/vae", store=gallery)
    assert [each.id for each in found.runs] == ["gallery/pca", "gallery/vae"]


def test_a_configuration_may_be_given_in_four_ways(tmp_path: Path) -> None:
    from_preset = chosen("vae-mnist", {"epochs": 3})
    assert from_preset.training.epochs == 3
    file = tmp_path / "my.yaml"
    file.write_text(from_preset.to_yaml())
    assert chosen(file, {}) == chosen(str(file), {}) == chosen(from_preset, {}) == from_preset
    assert vaecore.preset("vae-mnist") == chosen("vae-mnist", {})


def test_settings_are_named_in_full_or_by_what_is_theirs_alone() -> None:
    config = chosen("vae-mnist", {"training.epochs": 7, "seed": 3, "batch_size": 20, "latent_size": 5,
                                  "model.network.kind": "mlp", "hidden": (30, 20), "beta": ConstantBeta(value=2)})
    assert (config.training.epochs, config.seed, config.training.batch_size) == (7, 3, 20)
    assert config.model.model_dump()["network"]["hidden"] == (30, 20)  # a field of the network chosen in the same call
    assert config.training.beta == ConstantBeta(value=2)
    assert chosen(config, {"training": Training(epochs=9)}).training == Training(epochs=9)


def test_what_is_wrong_is_said_with_a_remedy(tmp_path: Path) -> None:
    assert "Did you mean 'vae-mnist'? Choose one of ae-mnist, " in refused("vae-mnits")
    assert "my.yaml cannot be read" in refused(tmp_path / "my.yaml")
    assert "int is nothing to train. Give a preset's name" in refused(3)
    assert refused("vae-mnist", epoch=3) == "epoch: no field of this configuration is called so. Did you mean 'epochs'?"
    assert "model.network.kind, model.likelihood.kind" in refused("vae-mnist", kind="mlp")
    assert refused("vae-mnist", epochs=0) == "training.epochs: 0 is too small. Use at least 1."
    assert "training.epochs: object is no value of a field." in refused("vae-mnist", epochs=object())
    with pytest.raises(vaecore.StoreError, match="no run 'nobody'"):
        vaecore.load("nobody", store=tmp_path)
    with pytest.raises(vaecore.StoreError, match=r"is no run's folder: it has no config\.json"):
        vaecore.load(tmp_path)


def test_a_training_that_fails_says_so_twice(tmp_path: Path) -> None:
    from vaecore.training.course import TrainingFailed

    with pytest.raises(TrainingFailed, match="stopped being a finite number"):
        vaecore.fit("vae-digits", set=TINY, optimizer="sgd", learning_rate=10, epochs=5, name="broken",
                    store=tmp_path, silent=True)
    status = lab.status(tmp_path / "runs" / "broken")
    assert status.state == "failed"
    assert "stopped being a finite number" in status.detail


def test_an_interrupt_saves_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.lab.progress import Watched

    def interrupted(self: Watched, step: int, total: int, epoch: float) -> None:
        lab.Control.progress(self, step, total, epoch)
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Watched, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"Stopped at step 3\. vaecore\.load\('.*/runs/cut'\) opens"):
        vaecore.fit("vae-digits", set=TINY, epochs=5, name="cut", store=tmp_path, silent=True)
    assert lab.status(tmp_path / "runs" / "cut").state == "stopped"
    assert vaecore.load("cut", store=tmp_path).summary["step"] in (0, 3)


def test_the_import_is_light_and_lists_what_there_is() -> None:
    code = ("import sys, vaecore\nbefore = set(sys.modules)\nassert not {'torch', 'pydantic', 'rich'} & before\n"
            "names = set(vaecore.__all__)\nassert {'fit', 'load', 'presets', 'Store', 'RunConfig'} <= names\n"
            "vaecore.Store\nassert 'torch' not in sys.modules\n"
            "assert vaecore.lab.submit and vaecore.data.DATASETS and 'torch' not in sys.modules\n"
            "print(sorted(n for n in vaecore.__all__ if getattr(vaecore, n) is None))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vaecore.nothing  # type: ignore[attr-defined]


def test_python_m_vaecore_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "vaecore", "version"], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == vaecore.__version__
    assert (Path(vaecore.__file__).parent / "py.typed").is_file()


def test_the_families_are_offered_as_their_room_names_them() -> None:
    from vaecore import models

    assert vaecore.VAE is models.VAE and vaecore.SVG is models.SVG and vaecore.VAEConfig is models.VAEConfig
    assert set(models.__all__) <= set(dir(vaecore))
    with pytest.raises(AttributeError):
        _ = vaecore.NoSuchFamily  # type: ignore[attr-defined]


def test_a_family_is_a_module_for_ones_own_loop() -> None:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    x = (torch.rand(64, 1, 8, 8) > 0.9).float()
    model = vaecore.VAE((1, 8, 8), latent_size=4, network={"kind": "mlp"})
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    before = model(x).elbo().mean()
    for batch in DataLoader(TensorDataset(x.repeat(20, 1, 1, 1)), batch_size=64):
        optimizer.zero_grad()
        model.loss(batch).backward()
        optimizer.step()
    assert model(x).elbo().shape == (64,)
    assert model(x).elbo().mean() > before + 1


def test_the_version_is_said_once() -> None:
    import tomllib

    declared = tomllib.loads((Path(vaecore.__file__).parents[1] / "pyproject.toml").read_text())
    assert "version" not in declared["project"] and "version" in declared["project"]["dynamic"]
    assert declared["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "vaecore.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", vaecore.__version__)


def test_data_of_ones_own_are_given_as_a_path_as_what_was_brought_or_as_arrays(tmp_path: Path) -> None:
    import numpy as np

    rows = np.random.default_rng(0).normal(size=(60, 4))
    np.savetxt(tmp_path / "mice.csv", rows, delimiter=",", header="a,b,c,d", comments="")
    brought = vaecore.bring(tmp_path / "mice.csv", standardise=False)
    how: dict[str, Any] = {"store": tmp_path, "silent": True, "latent_size": 2}
    by_path = vaecore.fit("pca-mnist", data=tmp_path / "mice.csv", name="path", **how)
    by_door = vaecore.fit("pca-mnist", data=brought, name="door", **how)
    by_array = vaecore.fit("pca-mnist", data=rows, name="array", set={"data.split_seed": 3}, **how)
    assert by_path.run.config().data.digest == brought.config.digest == by_door.run.config().data.digest
    assert (by_path.run.config().data.standardise, by_door.run.config().data.standardise) == (True, False)
    there = by_array.run.config().data
    assert Path(there.path).parent == tmp_path / "data" and there.split_seed == 3
    assert by_array.model.modalities["vector"].shape == (4,)
    with pytest.raises(vaecore.ConfigError, match="nothing that is read here"):
        vaecore.fit("pca-mnist", data=np.zeros(3), **how)
