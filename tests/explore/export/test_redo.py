"""A view as a program: run elsewhere, it makes the same picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vaecore
from tests.training.runs import Start, small
from vaecore.explore import Checkpoint
from vaecore.explore.export.frames import Motion
from vaecore.explore.export.redo import At, Redone, Samples, notebook, picture, script
from vaecore.store import Run


def executed(program: str, run: Run, folder: Path) -> None:
    environment = {**os.environ, "VAECORE_STORE": str(run.path.parents[1]),
                   "PYTHONPATH": str(Path(vaecore.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("view", [
    At((0.5, -1.25)), Samples(count=13, seed=4, temperature=0.7), Motion("walk", frames=8, seed=9),
    Motion("interpolation", frames=8, first=2, last=1, path="spherical")], ids=lambda view: type(view).__name__)
def test_a_script_makes_the_same_pixels(start: Start, tmp_path: Path, view: Redone, monkeypatch: pytest.MonkeyPatch
                                        ) -> None:
    run = Run(start(small(epochs=1)))
    monkeypatch.setenv("VAECORE_STORE", str(run.path.parents[1]))
    monkeypatch.chdir(tmp_path)
    exec(compile(script(run.id, view), "script", "exec"), {})  # in a process of its own: the notebook, below
    [made] = tmp_path.glob("*.png")
    np.testing.assert_array_equal(np.asarray(Image.open(made)), picture(Checkpoint.load(run), view))


def test_a_notebook_is_valid_and_its_cells_run(start: Start, tmp_path: Path) -> None:
    run, view = Run(start(small(epochs=1))), At((1.0, 2.0))
    found = json.loads(notebook(run.id, view))
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    identities = [cell["id"] for cell in found["cells"]]
    assert len(set(identities)) == len(identities)
    for cell in found["cells"]:
        assert cell["cell_type"] in ("markdown", "code") and isinstance(cell["source"], list)
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)
    code = ["".join(cell["source"]) for cell in found["cells"] if cell["cell_type"] == "code"]
    executed("\n".join([*code, "Image.fromarray(picture).save('made.png')"]), run, tmp_path)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "made.png")), picture(Checkpoint.load(run), view))


def test_names_are_quoted() -> None:
    compile(script("a'b\"\"\"\nimport os", At()), "script", "exec")
    assert "\nimport os" not in script("a\nimport os", At())
