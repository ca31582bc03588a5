"""CONTRIBUTING.md is tried: its files and lines are put into a copy of the project, which then trains and evaluates."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python|diff) file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

TRY = """
import json, sys
import vaecore
from vaecore.evaluate.report import evaluate_run
from vaecore.evaluate.settings import Settings
from vaecore.models import FAMILIES
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

checkpoint = vaecore.fit("vae-mnist", set={"data.name": "ring", "model.family": "bounded-ae", "training.device": "cpu",
                         "training.threads": 1}, noise=0.2, latent_size=1, epochs=2, name="tried", silent=True,
                         store=sys.argv[1])

def draw():
    import streamlit as st
    from pages.shared.form.drawing import config_form
    from vaecore.store import Store
    st.session_state["got"] = config_form(Store.default().find("tried").config(), "f")

page = AppTest.from_function(draw, default_timeout=60).run()
assert not page.exception, page.exception
menu = AppTest.from_file("pages/index.py", default_timeout=60)
menu.switch_page("sizes/page.py")
menu._page_hash = calc_hash("sizes")  # by its address: before its first run the menu knows no page
menu.run()
assert not menu.exception, menu.exception
json.dump({"page": [each.value for each in menu.title], "sizes": {each.label: each.value for each in menu.metric},
           "size": checkpoint.size, "module": type(checkpoint.model).__name__,
           "offered": vaecore.BoundedAE is type(checkpoint.model), "fields": vaecore.BoundedAE.__doc__,
           "titles": [option for box in page.selectbox for option in box.options],
           "form": page.session_state["got"]}, open(sys.argv[2], "w"))
"""


def tried(folder: Path) -> None:
    """Copy the project, with what is compiled of it, and do what CONTRIBUTING says."""
    for part in ("vaecore", "pages", ".streamlit"):
        shutil.copytree(ROOT / part, folder / part)
    blocks = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text())
    assert [kind for kind, *_ in blocks] == ["python", "diff"] * 4
    for kind, name, text in blocks:
        path = folder / name
        if kind == "python":
            assert not path.exists()
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            continue
        whole = path.read_text()
        for hunk in text.split("@@\n"):
            old, new = ("\n".join(line[1:] for line in hunk.splitlines() if line[0] in signs) for signs in (" -", " +"))
            assert whole.count(old) == 1, f"{name} does not say once:\n{old}"
            whole = whole.replace(old, new)
        path.write_text(whole)


def test_a_data_set_a_family_a_part_and_a_page_are_a_file_and_a_line_each(tmp_path: Path) -> None:
    tried(tmp_path)
    (tmp_path / "try.py").write_text(TRY)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "VAECORE_STORE": str(tmp_path / "store")}

    def run(*arguments: str) -> str:
        done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True,
                              text=True, timeout=250)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("try.py", "store", "found.json")
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text())
    assert (found["size"], found["module"], found["offered"]) == (1, "BoundedAE", True)
    assert found["page"] == ["Sizes"] and found["sizes"] == {"tried": "7"}, "two numbers to one and back, with biases"
    assert "- `latent_size`: Size of the code." in found["fields"]
    assert found["form"]["model"] == {"family": "bounded-ae", "latent_size": 1}
    assert found["form"]["data"]["name"] == "ring" and found["form"]["data"]["noise"] == 0.2
    assert {"Noisy ring", "Bounded autoencoder"} <= set(found["titles"])
    config = json.loads((tmp_path / "store/runs/tried/config.json").read_text())
    assert config["model"]["family"] == "bounded-ae" and config["data"]["name"] == "ring"

    said = run("-m", "vaecore", "evaluate", "tried", "--parts", "reach", "--limit", "50")
    [kept] = json.loads((tmp_path / "store/runs/tried/evaluation.json").read_text())
    assert kept["reach"]["observations"] == 50 and 0 < kept["reach"]["mean"] < 1, "a code lies between -1 and 1"
    assert "Mean length" in said and f"{kept['reach']['mean']:.3f}" in said
    assert json.loads(run("-m", "vaecore", "families", "--json"))["bounded-ae"]["fields"]["latent_size"]
    assert json.loads(run("-m", "vaecore", "data", "--json"))["ring"]["said"] == "3,000 points drawn with seed 0"


@pytest.mark.parametrize("name", re.findall(r"`((?:vaecore|pages|docs|tests)/[\w./]+)`",
                                            (ROOT / "CONTRIBUTING.md").read_text()))
def test_the_places_it_names_are_there(name: str) -> None:
    assert (ROOT / name).exists(), name
