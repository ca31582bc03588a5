"""A run that travels as a zip: the same numbers at the other end, and only what should be in it."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import vaecore
from tests.cli.test_cli import call, refused
from tests.training.runs import Start, small
from vaecore.evaluate import kept, points
from vaecore.evaluate.report import evaluate_run
from vaecore.evaluate.settings import Settings
from vaecore.library import marks as library
from vaecore.sharing import NotShared, export_run, import_run, unpack
from vaecore.sharing.contents import part_of
from vaecore.store import Metrics, Run, Store

GALLERY = Path(__file__).parents[2] / "trained"
SETTINGS = Settings(importance_samples=20, observations=50, parts=("likelihood", "reconstruction", "probe"))


@pytest.fixture
def there(tmp_path: Path) -> Store:
    return Store(tmp_path / "there")


@pytest.fixture
def trained(start: Start) -> Run:
    return Run(start(small(epochs=2, checkpoints=2)))


def numbers(facts: dict[str, object]) -> str:
    """An evaluation without when it was made, how fast, and of what name."""
    def timeless(value: object) -> object:
        if isinstance(value, dict):
            return {k: timeless(v) for k, v in value.items() if "seconds" not in k and k not in ("date", "run")}
        return [timeless(v) for v in value] if isinstance(value, list) else value

    return json.dumps(timeless(facts), sort_keys=True)


def test_a_run_evaluates_to_the_same_numbers_at_the_other_end(trained: Run, there: Store, tmp_path: Path) -> None:
    kept.keep(trained, evaluate_run(trained, SETTINGS))
    zipped = export_run(trained, tmp_path / "run.zip", kept_weights=True)
    run = import_run(zipped, "theirs", store=there)
    assert run.id == "theirs" and run.path == there.root / "runs" / "theirs"
    again = evaluate_run(run, SETTINGS)
    [before], [travelled] = kept.evaluations(trained), kept.evaluations(run)
    assert travelled == before
    assert numbers(kept.plain(again)) == numbers(before), "to the last digit"
    assert before["evidence"], "there are numbers at all"
    assert vaecore.load(run).run == run
    a, b = Metrics(trained.path / "metrics.jsonl"), Metrics(run.path / "metrics.jsonl")
    assert a.update() and b.update() and (a.steps, a.evaluations) == (b.steps, b.evaluations)
    steps = sorted(path.name for path in (trained.path / "kept").iterdir())
    assert sorted(path.name for path in (run.path / "kept").iterdir()) == steps and len(steps) == 2


def test_a_zip_holds_what_the_manifest_says_and_no_more(trained: Run, tmp_path: Path) -> None:
    (trained.path / "evil.py").write_text("raise SystemExit")
    (trained.path / "marks.json").write_text('{"title": "Mine"}')
    shutil.copy(GALLERY / "gallery" / "pca" / "preview.png", trained.path)
    with zipfile.ZipFile(export_run(trained, tmp_path / "run.zip")) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        [told] = manifest["runs"]
        assert (manifest["format"], manifest["version"]) == ("vaecore runs", 1)
        assert sorted(archive.namelist()) == sorted(["manifest.json", *(f"run/{name}" for name in told["files"])])
        for name, file in told["files"].items():
            content = archive.read(f"run/{name}")
            assert part_of(name) and content == (trained.path / name).read_bytes()
            assert file == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        assert {"config.json", "weights.safetensors", "examples.safetensors", "metrics.jsonl", "summary.json",
                "pictures.jsonl", "marks.json", "data.json", "preview.png"} <= told["files"].keys()
        assert not {"checkpoint.safetensors", "log.txt", "exit.json", "lock", "evil.py"} & told["files"].keys()
    first = (tmp_path / "run.zip").read_bytes()
    assert export_run(trained, tmp_path / "again.zip").read_bytes() == first, "equal runs make equal zips"


def test_several_runs_come_in_together_and_taken_names_become_others(there: Store, tmp_path: Path) -> None:
    zipped = export_run(["pca", "gallery/ica"], tmp_path / "two.zip", store=GALLERY)
    assert [(one.run.id, one.before, one.said) for one in unpack(zipped, there)] == [("pca", "pca", ""),
                                                                                    ("ica", "ica", "")]
    assert {one.run.id: one.said for one in unpack(zipped, there)} == {
        "pca-2": "There is a run 'pca' already: this one is 'pca-2'.",
        "ica-2": "There is a run 'ica' already: this one is 'ica-2'."}
    for name in ("pca", "pca-2"):
        assert vaecore.load(name, store=there).run.writable
    same = [shutil.copytree(GALLERY / "gallery" / "pca", tmp_path / place / "pca") for place in ("a", "b")]
    export_run([Run(path) for path in same], tmp_path / "same.zip")
    assert [one.before for one in unpack(tmp_path / "same.zip", there)] == ["pca", "pca-2"]


def test_what_one_found_of_a_shipped_run_travels_with_it(there: Store, tmp_path: Path) -> None:
    here = Store(tmp_path / "here")
    shutil.copytree(GALLERY / "gallery" / "pca", here.root / "gallery" / "pca")
    facts = {"settings": SETTINGS.model_dump(mode="json"), "partial": False, "evidence": {}}
    kept.keep(here.find("pca"), facts, points.Points({"elbo": np.arange(3, dtype=np.float32)}))
    library.rename(here.find("pca"), "A plane")
    run = import_run(export_run("pca", tmp_path / "p.zip", store=here), store=there)
    [found] = kept.evaluations(run)
    assert [found] == kept.evaluations(here.find("pca"))
    values = kept.points(run, found)
    assert values is not None and values.values["elbo"].tolist() == [0, 1, 2]
    assert run.title == "A plane" and not (GALLERY / "gallery" / "pca" / "marks.json").exists()


def test_what_would_be_refused_is_not_written(trained: Run, tmp_path: Path) -> None:
    target = tmp_path / "run.zip"
    metrics = trained.path / "metrics.jsonl"
    whole = metrics.read_bytes()
    for spoil, words in (
            (lambda: metrics.write_bytes(whole + b'{"loss": NaN}\n'), r"metrics\.jsonl: line \d+: .*NaN"),
            (lambda: metrics.write_bytes(whole + b"half\n"), r"metrics\.jsonl: line \d+ is not valid JSON"),
            (lambda: (metrics.write_bytes(whole), (trained.path / "preview.png").write_bytes(b"GIF89a")), "no PNG"),
            (lambda: ((trained.path / "preview.png").unlink(), (trained.path / "summary.json").write_text("[]")),
             r"summary\.json: it does not hold a set of fields"),
            (lambda: (trained.path / "weights.safetensors").unlink(), r"has no weights\.safetensors")):
        spoil()
        with pytest.raises(NotShared, match=words):
            export_run(trained, target)
        assert list(tmp_path.glob("run.zip*")) == []


def test_no_file_of_who_exports_leaves_by_a_link(trained: Run, tmp_path: Path) -> None:
    """A colleague's run on a shared disk may hold one; what it leads to is not the run's."""
    (tmp_path / "private.txt").write_text("a secret")
    for name in ("preview.txt", "marks.json"):
        (trained.path / name).symlink_to(tmp_path / "private.txt")
        with pytest.raises(NotShared, match=f"{name} is a link that leads out"):
            export_run(trained, tmp_path / "run.zip")
        (trained.path / name).unlink()
    assert not list(tmp_path.glob("run.zip*"))


def test_what_is_no_file_is_not_written_over(trained: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(NotShared, match="a folder or a device"):
        export_run(trained, tmp_path / "folder")
    assert sorted(each.name for each in tmp_path.iterdir() if ".tmp-" in each.name) == []


def test_a_running_run_is_taken_as_it_stands(trained: Run, there: Store, tmp_path: Path) -> None:
    with (trained.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"kind": "step", "st')  # still on its way
    run = import_run(export_run(trained, tmp_path / "run.zip"), store=there)
    lines = (run.path / "metrics.jsonl").read_bytes()
    assert lines.endswith(b"}\n") and (trained.path / "metrics.jsonl").read_bytes().startswith(lines)


def test_a_log_that_packs_well_is_no_bomb(trained: Run, there: Store, tmp_path: Path) -> None:
    line = (trained.path / "metrics.jsonl").read_bytes().splitlines(keepends=True)[0]
    (trained.path / "metrics.jsonl").write_bytes(line * (3 * 2**20 // len(line)))
    run = import_run(export_run(trained, tmp_path / "run.zip"), store=there)
    assert (run.path / "metrics.jsonl").stat().st_size > 2**21


def test_the_command_line_exports_and_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(["export", "pca", "--zip", "--store", str(GALLERY)]) == 0
    assert call(["export", "pca", "ica", "--zip", "--store", str(GALLERY)]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.zip")) == ["gallery-pca.zip", "runs.zip"]
    capsys.readouterr()
    assert call(["import", "gallery-pca.zip", "--name", "mine", "--store", "there", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"run": "mine", "before": "pca", "folder": str(tmp_path / "there" / "runs" / "mine")}]
    assert call(["show", "mine", "--store", "there"]) == 0
    assert "--html is of one run" in refused(capsys, "export", "pca", "ica", "--html", "--store", str(GALLERY))
    assert "--zip does not read it" in refused(capsys, "export", "pca", "--zip", "--rate", "3", "--store", str(GALLERY))
    assert "There is no file none.zip" in refused(capsys, "import", "none.zip", "--store", "there")
    assert "2 runs, which cannot all be" in refused(capsys, "import", "runs.zip", "--name", "x", "--store", "there")
    assert "cannot be a run's name" in refused(capsys, "import", "gallery-pca.zip", "--name", "../x",
                                                "--store", "there")
    assert [path.name for path in (tmp_path / "there" / "runs").iterdir()] == ["mine"]
