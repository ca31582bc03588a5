"""A data set class of one's own is known to configurations, the form, the command line and a worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from vaecore import cli
from vaecore.config import RunConfig, changed
from vaecore.data import DATASETS, DataConfig, Dataset, plugins, register
from vaecore.schema import ConfigError, parse, tagged
from vaecore.store import Store

ROOT = Path(__file__).parents[2]


def mine(**more: Any) -> type[DataConfig]:
    class Mine(DataConfig):
        """Nothing."""

        title: ClassVar[str] = more.get("title", "Mine")
        name: Literal["mine"] = "mine"
        size: int = more.get("size", 3)

        def load(self) -> Dataset:
            raise NotImplementedError

    return Mine


@pytest.mark.usefixtures("forgotten")
def test_what_is_registered_can_be_chosen_and_is_replaced_when_it_is_registered_again() -> None:
    register(mine())
    assert parse(RunConfig, {"data": {"name": "mine", "size": 5}}).data.model_dump()["size"] == 5
    assert "mine" in tagged(RunConfig.model_fields["data"])
    kind = mine(size=7)
    assert register(kind) is kind and DATASETS["mine"] is kind
    config = changed(RunConfig(), ["data.name=mine"])
    assert type(config.data) is kind and config.data.model_dump()["size"] == 7
    assert RunConfig.model_validate_json(config.to_json()) == config


def test_what_is_no_data_set_is_refused() -> None:
    class Nameless(DataConfig):
        title: ClassVar[str] = "Nameless"

    class Taken(DataConfig):
        title: ClassVar[str] = "Taken"
        name: Literal["mnist"] = "mnist"

    for kind, words in ((int, "int is no data set"), (Nameless, "has no name of its own"),
                        (Taken, "a built-in data set is called 'mnist'"), (mine(title=""), "has no title")):
        with pytest.raises(ConfigError, match=words):
            register(kind)  # type: ignore[type-var]
    assert "mine" not in DATASETS


def test_a_plugin_is_known_to_the_command_line_and_to_the_worker(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def vaecore(*arguments: str, plugins: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "vaecore", *arguments], capture_output=True, text=True, cwd=ROOT,
                              env={**os.environ, "VAECORE_PLUGINS": plugins, "VAECORE_STORE": str(tmp_path)})

    own = str(ROOT / "examples" / "own_dataset.py")
    done = vaecore("train", "--preset", "vae-digits", "--set", "data.name=stripes", "--set", "training.epochs=1",
                   "--set", "training.threads=1", "--name", "striped", "--json", plugins=own)
    assert done.returncode == 0 and json.loads(done.stdout)["state"] == "finished"
    monkeypatch.setattr(sys, "argv", ["vaecore", "evaluate", "striped", "--store", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):  # this process has no plugin
        cli.main()
    without = capsys.readouterr().err
    assert "striped was trained on 'stripes', which is no data set here" in without and "VAECORE_PLUGINS" in without
    listed = vaecore("data", plugins="no_such_module")
    assert listed.returncode == 0 and "'no_such_module', which cannot be loaded" in listed.stderr
    with pytest.raises(ConfigError, match="no data set here"):
        Store(tmp_path).find("striped").config()


def test_a_plugin_that_ends_the_program_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "script.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("VAECORE_PLUGINS", str(tmp_path / "script.py"))
    with pytest.warns(UserWarning, match=r"script\.py', which cannot be loaded \(SystemExit: 3\)"):
        plugins.load_plugins()
