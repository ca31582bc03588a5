"""Words of somebody else's run stay words in the terminal, and a run that cannot be read is an error in words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.test_cli import call as called
from tests.pages import hostile
from vaecore import cli

GALLERY = Path(cli.__file__).parents[2] / "trained" / "gallery"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    for name in ("rbm", "vae"):
        shutil.copytree(GALLERY / name, root / "runs" / name)
    hostile.spoil(root)
    for name in ("rbm", "vae"):
        hostile.mark(root / "runs" / name)
    shutil.copytree(GALLERY.parent / "claims", root / "claims")
    for path in (root / "claims").glob("*.json"):
        hostile.mark_file(path)
    return root


def call(store: Path, *arguments: str) -> int:
    return called([*arguments, "--store", str(store)])


@pytest.mark.parametrize(("command", "told"), [
    ("show vae", True), ("families --measured", True), ("claims list", False), ("claims report", True), ("runs", False),
    ("compare vae rbm", False)])
def test_markup_is_printed_as_it_is(store: Path, capsys: pytest.CaptureFixture[str], command: str, told: bool) -> None:
    assert call(store, *command.split()) == 0
    said = capsys.readouterr().out
    assert not told or ("[/nothing]" in said.replace("\n", "") and ":smile:" in said)


def test_control_codes_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from vaecore.cli.printing import say, table

    say(None, False, "a\x1b]0;title\x07 \u202eb\tc\nd")
    table([{"run": "\x1b[2J", "note": "[/red] :smile:"}], {"run": "run", "note": "note"})
    said = capsys.readouterr().out
    assert "\x1b" not in said and "\u202e" not in said and "\x07" not in said
    assert "[/red] :smile:" in said and "c\nd" in said


def test_show_of_a_run_that_cannot_be_read_is_one_line(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted((store / "runs").glob("bad-*")):
        broken = path.name.startswith(("bad-config", "bad-summary")) and path.name.split("-", 2)[2] in hostile.BROKEN
        assert call(store, "show", path.name) == (cli.WRONG if broken else 0), path.name
        said = capsys.readouterr()
        assert not broken or ("Copy the run again" in said.err and path.name in said.err.replace("\n", ""))
