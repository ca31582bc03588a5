"""A model card says what the files say, and nothing in it acts."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.test_cli import call
from vaecore.evaluate.kept import evaluations
from vaecore.library import marks
from vaecore.sharing.card import card
from vaecore.store import Run, Store, StoreError

GALLERY = Path(__file__).parents[2] / "trained"


@pytest.fixture
def copied(tmp_path: Path) -> Run:
    shutil.copytree(GALLERY / "gallery" / "vae-binary", tmp_path / "runs" / "mine")
    return Run(tmp_path / "runs" / "mine")


def test_every_shipped_run_has_a_card() -> None:
    runs = Store(GALLERY).gallery()
    for run in runs:
        text = card(run)
        assert text.startswith("# ") and "## Numbers" in text and f'vaecore.load("{run.id}")' in text
        assert "nan" not in re.findall(r"[a-z]+", text.lower()) and "None" not in text, run.id
    assert len(runs) > 25


def test_its_numbers_are_those_of_the_files(copied: Run) -> None:
    text = card(copied)
    [_, found] = evaluations(copied)  # of some images, then of all as papers do
    like = found["likelihood"]
    low, high = (f"{end:.2f}".replace("-", "−") for end in like["interval"])
    assert f"| log p(x) by IS | −88.41 nats | {low} to {high} | estimate | K = 5,000 · 10,000 observations" in text
    assert f"{copied.summary()['test']['elbo']:.2f}".replace("-", "−") in text
    assert "| VAE | log p(x) | −87.01 nats | −88.41 nats | Not the same setting: epochs 3,280 (here 300)" in text
    assert "batch of 20 (here 100)" in text and "[S\\]" in text.replace("\\[", "[")
    assert "licence: CC BY-SA 3.0" in text and "425,284" in text


def test_when_it_ended_and_what_made_it_are_what_the_files_say(copied: Run) -> None:
    """Not when they were copied, nor the version that writes the card."""
    assert "| ended |" not in card(copied)
    summary = json.loads((copied.path / "summary.json").read_text())
    (copied.path / "summary.json").write_text(json.dumps({**summary, "vaecore": "0.0.7"}))
    (copied.path / "exit.json").write_text(json.dumps({"attempt": 1, "state": "finished", "time": 1_600_000_000}))
    text = card(copied)
    assert "| made with | vaecore 0\\.0\\.7 |" in text or "| made with | vaecore 0.0.7 |" in text
    assert re.search(r"\| ended \| 2020-09-1[34]", text)


def test_limits_say_what_collapsed() -> None:
    text = card(Store(GALLERY).find("lagging-basic"))
    assert "0 of 1 dimension active; KL 0.00 nats" in text and "1 of 1 dimensions of the code are not in use" in text
    assert "PTB" not in text, "what was published of English says nothing of these words"
    assert "Not the same setting: data PTB (here sentences)" in card(Store(GALLERY).find("sentences-cyclical"))


def test_what_a_person_or_a_file_says_is_inert(copied: Run) -> None:
    marks.rename(copied, "<img src=x onerror=alert(1)> [a](javascript:b)")
    marks.note([copied], "# Not a heading\n| a | b |")
    about = copied.about()
    (copied.path / "about.json").write_text(json.dumps({**about, "family": "`x` | <b>", "data": "![](http://evil)"}))
    text = card(copied)
    assert "<img" not in text and "<b>" not in text and "](" not in text.replace("\\](", "") and "http://" not in text
    assert "> \\# Not a heading \\| a \\| b \\|" in text


def test_where_the_data_lay_is_not_told(copied: Run) -> None:
    (copied.path / "data.json").write_text(json.dumps({"title": "Images", "path": "/home/me/secret/faces.zip",
                                                       "digest": "ab" * 32, "source": "70 images"}))
    text = card(copied)
    assert "faces.zip" in text and "secret" not in text and "ab" * 32 in text


def test_the_command_line_writes_it(copied: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call(["card", "mine", "--store", str(tmp_path)]) == 0
    assert capsys.readouterr().out == card(copied)
    assert call(["card", "mine", "--store", str(tmp_path), "-o", str(tmp_path / "CARD.md")]) == 0
    assert (tmp_path / "CARD.md").read_text() == card(copied)
    (copied.path / "config.json").write_text("{")
    with pytest.raises(StoreError, match=r"config\.json"):
        card(copied)
