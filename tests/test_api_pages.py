"""`make docs`: the API pages hold every module, and each family stands beside its equations of the lecture."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import vaecore
from vaecore import models
from vaecore.models import FAMILIES

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("make_docs", ROOT / "docs" / "make.py")
assert spec is not None and spec.loader is not None
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

LECTURE = {"vae": "5–16", "pca": "1", "dmvae": "25–27", "sv2p": "28–31", "svg-fp": "32–33", "svg-lp": "34–35"}
LAST = 41  # equation of the lecture


def test_every_module_has_its_page() -> None:
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
             for path in Path(vaecore.__file__).parent.rglob("*.py")}
    assert set(make.rooms()) == {name for name in files if ".cli" not in name and not name.endswith("__main__")}


def test_each_family_stands_beside_its_equations() -> None:
    rows = {cells[1].strip("` "): cells[3].strip() for line in make.table().splitlines()[2:]
            if (cells := line.strip("|").split("|"))}
    assert list(rows) == list(FAMILIES)
    assert {tag: rows[tag] for tag in LECTURE} == LECTURE
    for numbers in rows.values():
        assert re.fullmatch(r"(\d+(–\d+)?(, \d+(–\d+)?)*)?", numbers)
        ordered = [int(number) for number in re.findall(r"\d+", numbers)]
        assert ordered == sorted(set(ordered)) and all(1 <= number <= LAST for number in ordered)


def test_a_page_shows_fields_and_the_room_of_families_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                 ) -> None:
    monkeypatch.setattr(models, "__doc__", models.__doc__)  # which the pages' maker adds to
    make.main(tmp_path, ["vaecore.models", "vaecore.models.single.vae"])
    page = (tmp_path / "vaecore/models/single/vae.html").read_text()
    assert "Size r of the latent z. In dimensions. Default 20" in page
    table = (tmp_path / "vaecore/models.html").read_text()
    assert re.search(r"<td>VAE</td>\s*<td><code>vae</code></td>.*?<td>5–16</td>", table, re.DOTALL)
