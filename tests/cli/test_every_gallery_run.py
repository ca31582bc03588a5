"""Issue 13: every reading command on every shipped run ends in numbers or in words, never in a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vaecore import cli

GALLERY = Path(__file__).parents[2] / "trained" / "gallery"
RUNS = sorted(path.name for path in GALLERY.iterdir() if path.is_dir())
QUICK = {
    "show": ("show", "RUN"),
    "sample": ("sample", "RUN", "--count", "4", "-o", "OUT.png"),
    "reconstruct": ("reconstruct", "RUN", "--count", "2", "-o", "OUT.png"),
    "traverse": ("traverse", "RUN", "--dimensions", "2", "--steps", "3", "-o", "OUT.png"),
    "interpolate": ("interpolate", "RUN", "--path", "shortest", "--steps", "3"),
    "directions": ("directions", "RUN", "--count", "2"),
    "compare": ("compare", "RUN", "vae"),
    "generate": ("generate", "RUN", "--count", "2", "-o", "OUT.png"),
    "sentences": ("sentences", "sample", "RUN", "--count", "2"),
    "score": ("sentences", "score", "RUN", "a man runs"),
}
SLOW = {
    "judge": ("judge", "RUN"),
    "diagnose": ("diagnose", "RUN", "--observations", "200"),
    "rollout": ("rollout", "RUN", "-o", "OUT.gif"),
    "compare-pictures": ("compare", "RUN", "vae", "--count", "2", "-o", "OUT.png"),
    "evaluate": ("evaluate", "RUN", "-k", "4", "--limit", "20", "--naive-samples", "2", "--samples", "20",
                 "--video-clips", "2", "--futures", "2", "--horizon", "3"),
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store whose gallery is the shipped one: what an evaluation leaves lies in the test's own folder."""
    (tmp_path / "gallery").symlink_to(GALLERY, target_is_directory=True)
    return tmp_path


def ended(arguments: tuple[str, ...], run: str, store: Path, capsys: pytest.CaptureFixture[str]
          ) -> tuple[int, str]:
    """Exit code and words of a command, which must have said something; what it raises besides is a traceback."""
    words = [word.replace("RUN", f"gallery/{run}").replace("OUT", str(store / "out")) for word in arguments]
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["vaecore", *words, "--store", str(store)])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    said = capsys.readouterr()
    told = said.out if code == 0 and "-o" not in arguments else said.err
    assert told.strip(), f"{' '.join(words)} said nothing"
    assert "Traceback" not in said.err
    return code, told


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("command", QUICK)
def test_every_command_on_every_gallery_run_ends_in_numbers_or_words(
        command: str, run: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(QUICK[command], run, store, capsys)[0] in (0, cli.WRONG)


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("command", SLOW)
def test_slow_commands_on_every_gallery_run_end_in_numbers_or_words(
        command: str, run: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = ended(SLOW[command], run, store, capsys)
    assert code == 0 if command == "evaluate" else code in (0, cli.WRONG)


def test_runs_reads_every_gallery_run(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = ended(("runs",), "", store, capsys)
    assert code == 0 and "unreadable" not in told and all(f"gallery/{run}" in told for run in RUNS)
    assert ended(("families", "--measured"), "", store, capsys)[0] == 0


@pytest.mark.parametrize("run", ["dmvae", "dmvae-styled", "jive"])
def test_sample_of_several_modalities_names_the_command_that_draws_them(
        run: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = ended(QUICK["sample"], run, store, capsys)
    assert code == cli.WRONG and f"vaecore generate gallery/{run}" in told
