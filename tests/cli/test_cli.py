"""The command line, run in this process: what it prints, its exit codes, and what it says of what is wrong."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vaecore
from vaecore import cli, lab
from vaecore.explore import Checkpoint
from vaecore.explore.same import codes_same
from vaecore.store import Store

pytestmark = pytest.mark.usefixtures("cast")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one small trained run, `small`, made by the command line itself."""
    root = tmp_path_factory.mktemp("store")
    assert call(["train", "--preset", "vae-digits", "--set", "training.epochs=3", "--name", "small",
                 "--store", str(root)]) == 0
    return root


def call(arguments: list[str]) -> int:
    before, sys.argv = sys.argv, ["vaecore", *arguments]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert call([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert call(list(arguments)) == cli.WRONG
    return capsys.readouterr().err


def test_seeds_are_trained_stacked_and_are_ordinary_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call(["train", "--preset", "vae-digits", "--set", "training.epochs=1", "--set", "seed=5", "--seeds", "2",
                 "--name", "two", "--store", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["stacked"], found["why"]) == (True, "")
    assert [each["run"] for each in found["runs"]] == ["two-5", "two-6"]
    assert [each["state"] for each in found["runs"]] == ["finished"] * 2
    assert all(each["summary"]["test"]["elbo"] < 0 for each in found["runs"])
    assert all("stacked: one of 2" in (tmp_path / "runs" / each["run"] / "log.txt").read_text()
               for each in found["runs"])


def test_log(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Store(store).find("small").config()
    quiet, waiting = (Store(tmp_path).create(config, name) for name in ("quiet", "waiting"))
    (quiet.path / "log.txt").write_text("".join(f"line {line}\n" for line in range(60)) + "[red]\x1b[2J Error\n")
    facts = said(capsys, "log", "quiet", "--find", "error", "--store", str(tmp_path))
    assert (facts["lines"], facts["waits"], facts["file"]) == (["[red] Error"], "", str(quiet.path / "log.txt"))
    assert call(["log", "quiet", "-n", "2", "--store", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert shown.out == "line 59\n[red] Error\n" and shown.err == "Shown: the last 2 of 61 lines.\n"
    assert vaecore.log("quiet", 1, store=tmp_path).lines == ("[red] Error",)
    (tmp_path / "queue").mkdir()
    (tmp_path / "queue" / "5-1-1-waiting").touch()
    assert call(["log", "waiting", "--store", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert shown.err == "Waiting, place 1 in the queue. A place is free; it starts in a moment.\n"
    assert "place 1 in the queue. A place" in said(capsys, "log", waiting.id, "--store", str(tmp_path))["waits"]


def test_runs_and_show(store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    [row] = said(capsys, "runs", "--store", str(store))
    assert (row["id"], row["state"], row["family"], row["data"]) == ("small", "finished", "VAE", "8×8 digits")
    assert (row["model.family"], row["data.name"]) == ("vae", "digits")
    facts = said(capsys, "show", "small", "--store", str(store))
    assert facts["config"]["training"]["epochs"] == 3
    assert facts["step"] == facts["total"] == 60
    assert row["numbers"]["elbo"]["value"] == facts["summary"]["test"]["elbo"]
    assert facts["published"] == [], "nothing was published of 8 x 8 digits"
    monkeypatch.setenv("VAECORE_GALLERY", str(Path(__file__).parents[2] / "trained" / "gallery"))
    [nearest, *_] = said(capsys, "show", "gallery/vae-binary", "--store", str(store))["published"]
    assert (nearest["value"], nearest["same_setting"], nearest["setting"]["samples"]) == (-87.01, False, 5_000)


def test_evaluate(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = said(capsys, "evaluate", "small", "-k", "300", "--limit", "50", "--store", str(store))
    assert result["published"] == []
    evidence = result["evidence"]
    parts = sum(evidence["reconstruction"].values()) - sum(map(sum, evidence["kl"].values()))
    assert evidence["elbo"] == pytest.approx(parts)
    estimate = result["likelihood"]
    assert (estimate["samples"], estimate["observations"]) == (300, 50)
    assert call(["evaluate", "small", "--split", "tset", "--store", str(store)]) == cli.WRONG


@pytest.mark.parametrize(("arguments", "columns", "rows"), [
    (["sample", "small", "--count", "9"], 3, 3), (["reconstruct", "small", "--count", "5"], 5, 2),
    (["traverse", "small", "--steps", "7", "--dimensions", "4", "--example", "1"], 7, 4),
    (["compare", "small", "small", "--count", "6"], 6, 3)])
def test_pictures(store: Path, tmp_path: Path, arguments: list[str], columns: int, rows: int) -> None:
    path = tmp_path / "picture.png"
    assert call([*arguments, "-o", str(path), "--scale", "2", "--store", str(store)]) == 0
    with Image.open(path) as picture:
        assert picture.size == (2 * (9 * columns - 1), 2 * (9 * rows - 1))  # 8 pixels and a gap of one


def test_remove_and_restore(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["remove", "small", "--yes", "--store", str(store)]) == 0
    assert said(capsys, "runs", "--store", str(store)) == []
    assert call(["restore", "small", "--store", str(store)]) == 0
    assert len(said(capsys, "runs", "--store", str(store))) == 1


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert "vae-mnist" in said(capsys, "presets")
    assert said(capsys, "presets", "vae-mnist")["model"]["family"] == "vae"
    assert call(["presets"]) == 0
    assert "svg-clips" in (told := capsys.readouterr().out) and "depends on your data." in told
    assert {"vae", "ae", "linear-ae", "pca", "ica", "made", "pixelcnn", "rbm", "sentence-vae", "language-model",
            "multimodal-vae", "dmvae", "separate-vaes", "concatenated-vae", "cca", "jive", "multiblock-pls",
            "recurrent-predictor", "prednet", "video-pixel-network", "sv2p", "svg-fp", "svg-lp",
            "conditional-wasserstein"
            } == set(said(capsys, "families"))
    assert said(capsys, "data")["digits"]["said"].startswith("1,797")


def test_doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = {check["what"]: check for check in said(capsys, "doctor", "--store", str(tmp_path))}
    assert checks["store"]["ok"] and checks["mnist"]["ok"] and checks["locks"]["ok"]
    assert checks["torch"]["detail"].startswith("2.")


def test_doctor_says_ok_only_of_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore import doctor

    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(doctor, "OPTIONAL", {"PyAV": ("no_such_module", "Get it by `pip install av`.")})
    checks = {check["what"]: check for check in said(capsys, "doctor", "--store", str(tmp_path))}
    state = {what: check["state"] for what, check in checks.items()}
    assert (state["mnist"], state["captions"], state["table"], state["PyAV"]) == ("ok", "data", "own", "optional")
    assert "github.com/multi30k/dataset" in checks["captions"]["detail"]
    assert call(["doctor", "--store", str(tmp_path)]) == 0, "nothing that training needs is missing"
    groups = [group.splitlines() for group in capsys.readouterr().out.strip().split("\n\n")]
    assert [group[0].split(":")[0] for group in groups] == ["ok", "not here", "not chosen", "not installed"]
    listed = {line.split()[0] for line in groups[0][1:]}
    assert listed == {what for what, each in state.items() if each == "ok"}
    assert "  PyAV           Get it by `pip install av`." in groups[3]

    monkeypatch.setattr(doctor, "IMPORTED", "raise ImportError('libfoo is missing')")
    assert call(["doctor", "--store", str(tmp_path)]) == cli.printing.FAILED
    told = capsys.readouterr().out
    assert "WRONG" in told and "cannot be imported (ImportError: libfoo is missing)" in told.replace("\n", " ")


def test_every_verb_is_where_it_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    for file, verbs in cli.VERBS.items():
        commands = importlib.import_module(f"vaecore.cli.{file}").app.registered_commands
        assert [each.name or each.callback.__name__ for each in commands] == list(verbs)
    files = {path.stem for path in (Path(cli.__file__).parent).glob("*.py")}
    known = {*cli.VERBS, *(file for file, _ in cli.GROUPS.values())}
    assert files - known == {"__init__", "printing", "progress", "declared", "downloading", "bringing",
                             "placing"}
    assert call(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f" {verb} " in listed for verb in (*(v for verbs in cli.VERBS.values() for v in verbs), *cli.GROUPS))
    assert call(["runns"]) == cli.WRONG
    assert "No such command 'runns'" in capsys.readouterr().err


def test_what_only_lists_brings_nothing_heavy() -> None:
    """Which modules a verb imports decides how soon it answers; torch takes seconds, the declarations half of one."""
    def brought(*arguments: str) -> set[str]:
        code = (f"import sys\nsys.argv = ['vaecore', *{arguments!r}]\nfrom vaecore import cli\ntry:\n    cli.main()\n"
                "except SystemExit as end:\n    assert not end.code, end.code\n"
                "print('\\nBROUGHT', *sys.modules)")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
                              cwd=Path(__file__).parents[2])
        assert done.returncode == 0, done.stderr
        return set(done.stdout.rpartition("BROUGHT")[2].split())

    brought("families")  # keeps what the declarations say
    for verb in (["--help"], ["runs"], ["show", "gallery/vae"], ["presets"], ["families"], ["data"], ["doctor"]):
        modules = brought(*verb)
        assert "vaecore.cli" in modules
        heavy = {"torch", "sklearn", "scipy", "pandas", "av", "vaecore.models", "vaecore.config"}
        if verb[0] in ("--help", "presets"):  # the others say with what a number compares, by its data
            heavy |= {"numpy", "PIL", "vaecore.data", "vaecore.probability"}
        if verb[0] in ("runs", "show", "presets"):
            heavy |= {"vaecore.cli.training", "vaecore.cli.studies"}
        if verb[0] == "presets":
            heavy |= {"vaecore.evaluate.parts"}
        assert not heavy & modules, verb


@pytest.mark.parametrize(("setting", "words"), [
    ("training.epohcs=5", ["training.epohcs", "unknown field", "epochs"]),
    ("model.latent_size=0", ["model.latent_size", "0 is too small", "at least 1"]),
    ("training.batch_size=5000", ["training.batch_size", "5,000", "1,297"]),
    ("training.device=cuda", ["training.device", "cuda", "auto or cpu"])])
def test_bad_settings_are_said_before_anything_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                      setting: str, words: list[str]) -> None:
    if "cuda" in setting:
        import torch
        if torch.cuda.is_available():
            pytest.skip("this machine has what the test wants missing")
    message = refused(capsys, "train", "--preset", "vae-digits", "--set", setting, "--store", str(tmp_path))
    assert all(word in message for word in words), message
    assert not (tmp_path / "runs").exists()


def test_bad_names(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = ["train", "--preset", "vae-digits", "--store", str(store), "--name"]
    assert "cannot be a run's name" in refused(capsys, *train, "../x")
    assert "already a run called 'small'" in refused(capsys, *train, "small")
    assert "no run 'nothing'" in refused(capsys, "show", "nothing", "--store", str(store))
    assert "no run '../small'" in refused(capsys, "show", "../small", "--store", str(store))
    assert "no preset is called" in refused(capsys, "train", "--preset", "vae-mnits", "--store", str(store))


def test_damaged_run(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(store, tmp_path / "copy")
    copy = tmp_path / "copy" / "runs" / "small"
    weights = copy / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    message = refused(capsys, "evaluate", "small", "--store", str(tmp_path / "copy"))
    assert "weights.safetensors" in message and "truncated" in message
    (copy / "config.json").unlink()
    assert "config.json" in refused(capsys, "show", "small", "--store", str(tmp_path / "copy"))
    [row] = said(capsys, "runs", "--store", str(tmp_path / "copy"))
    assert row["state"] == "unreadable" and "config.json" in row["detail"]


def test_an_odd_summary_costs_its_own_row(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(store, tmp_path / "copy")
    shutil.copytree(store / "runs" / "small", tmp_path / "copy" / "runs" / "odd")
    (tmp_path / "copy" / "runs" / "odd" / "summary.json").write_text('{"test": "no", "parameters": "x"}')
    rows = {row["id"]: row for row in said(capsys, "runs", "--store", str(tmp_path / "copy"))}
    assert rows["odd"]["state"] == "unreadable" and rows["small"]["state"] == "finished"


@pytest.mark.slow
def test_a_code_without_a_prior_has_no_elbo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["train", "--preset", "vae-digits", "--set", "model.family=pca", "--store", str(tmp_path)]) == 0
    [row] = said(capsys, "runs", "--store", str(tmp_path))
    assert "elbo" not in row["numbers"] and "log_p_given_z" in row["numbers"]


def test_output_that_cannot_be_written(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "sample", "small", "-o", str(tmp_path / "no" / "folder.png"), "--store", str(store))
    assert f"there is no folder '{tmp_path / 'no'}'" in message
    if Path("/dev/full").exists():  # what only writing shows
        said = refused(capsys, "sample", "small", "-o", "/dev/full", "--store", str(store))
        assert said == "The disk is full: free some space, then try again.\n"


def test_a_fork_begins_with_its_parents_weights(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [kept, *_] = sorted(int(path.stem.removeprefix("step-")) for path in (store / "runs/small/kept").iterdir())
    child = said(capsys, "fork", "small", "--from", str(kept), "--set", "training.beta.kind=constant", "--set",
                 "training.epochs=1", "--name", "child", "--store", str(store))
    assert child["state"] == "finished"
    facts = said(capsys, "show", "child", "--store", str(store))
    assert facts["config"]["training"]["beta"]["kind"] == "constant"
    about = json.loads((store / "runs/child/about.json").read_text())
    assert about["parent"] == {"run": "small", "weights": str(kept), "step": kept}
    parent = [json.loads(line) for line in (store / "runs/small/metrics.jsonl").read_text().splitlines()]
    first = json.loads((store / "runs/child/metrics.jsonl").read_text().splitlines()[0])
    at = next(line for line in parent if line["kind"] == "snapshot" and line["step"] == kept)
    assert first["kind"] == "snapshot" and first["step"] == 0
    assert first["inference"] == at["inference"], "the same weights see the same images the same way"


@pytest.mark.slow
def test_a_forks_decoder_begins_anew(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By command and from Python; which tensors are new is for tests/training/test_kept.py."""
    child = said(capsys, "fork", "small", "--anew", "decoder", "--set", "training.epochs=1", "--name", "anew",
                 "--store", str(store))
    assert child["state"] == "finished"
    vaecore.fork("small", anew="decoder", epochs=1, name="anew-too", store=store, silent=True)
    about, other = (json.loads((store / f"runs/{name}/about.json").read_text())["parent"]
                    for name in ("anew", "anew-too"))
    assert about == other and about["anew"] == "decoder"
    assert (store / "runs/anew/initial.safetensors").read_bytes() == (
        store / "runs/anew-too/initial.safetensors").read_bytes()


@pytest.mark.parametrize(("arguments", "words"), [
    (["--from", "7"], "kept no weights '7'"),
    (["--set", "model.latent_size=3"], "do not fit this model"),
    (["--set", "data.train_limit=100"], "keeps its parent's data"),
])
def test_what_cannot_be_forked(store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
                               ) -> None:
    assert words in refused(capsys, "fork", "small", *arguments, "--store", str(store)).replace("\n", " ")


def test_diagnose(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = said(capsys, "diagnose", "small", "--store", str(store))
    [latent] = facts["latents"].values()
    told = latent["information"]
    assert facts["rate"] == pytest.approx(sum(latent["kl"]), rel=1e-5)
    assert told["rate"] == pytest.approx(told["mutual_information"] + told["aggregate_kl"], abs=0.5)
    assert told["minibatch"] <= told["mutual_information"] + 0.05
    assert facts["verdict"]["sentences"]
    whole = said(capsys, "evaluate", "small", "--split", "validation", "--parts", "none", "--store", str(store))
    assert facts["observations"] == whole["observations"], "fewer than are asked for: the same set"
    whole = whole["evidence"]
    assert facts["rate"] == pytest.approx(sum(map(sum, whole["kl"].values())), rel=1e-4)
    assert facts["distortion"] == pytest.approx(-sum(whole["reconstruction"].values()), rel=0.05), "but for the noise"


def test_claims_and_experiments_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = said(capsys, "claims", "list", "--store", str(tmp_path))
    assert {"C1", "C13", "C14", "C15", "C16", "C22"} <= {row["claim"] for row in rows}
    assert {row["verdict"] for row in rows} == {"not run"}
    assert said(capsys, "claims", "report", "--store", str(tmp_path)) == []
    listed = {row["experiment"] for row in said(capsys, "experiments", "list")}
    assert listed == {"gamma", "cyclical", "lagging", "same-data", "water-filling"}
    assert "Choose one of" in refused(capsys, "claims", "run", "C99", "--store", str(tmp_path))


def test_an_experiment_without_its_data_makes_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    assert "multi30k" in refused(capsys, "experiments", "start", "cyclical", "--store", str(tmp_path))
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_moved_file_of_ones_own_is_given_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from vaecore.lab import attempts

    table, moved, store = tmp_path / "own.csv", tmp_path / "moved.csv", str(tmp_path / "store")
    table.write_text("a,b\n" + "".join(f"{n},{n * n % 7}\n" for n in range(60)))
    assert call(["train", "--set", "data.name=table", "--set", f"data.path={table}", "--set", "training.batch_size=8",
                 "--set", "training.epochs=1", "--set", "model.likelihood.kind=gaussian", "--set",
                 "model.network.kind=mlp", "--name", "own", "--store", store]) == 0
    table.rename(moved)
    table.with_name("other.csv").write_text("a,b\n" + "".join(f"{n},0\n" for n in range(60)))
    evaluate, fork = ["evaluate", "own", "--parts", "none"], ["fork", "own", "--set", "training.epochs=1"]
    for verb in (evaluate, fork, ["resume", "own"], ["diagnose", "own"]):
        assert "--data-path" in refused(capsys, *verb, "--store", store)
        message = refused(capsys, *verb, "--data-path", str(table.with_name("other.csv")), "--store", store)
        assert "is not what this run was made with" in message.replace("\n", " ")
    child = said(capsys, *fork, "--name", "child", "--data-path", str(moved), "--store", store)
    assert child["state"] == "finished"
    assert said(capsys, *evaluate, "--data-path", str(moved), "--store", store)["observations"] == 6
    assert said(capsys, *evaluate, "--store", store)["observations"] == 6, "the new place is kept"
    moved = moved.rename(tmp_path / "again.csv")
    assert said(capsys, "diagnose", "own", "--data-path", str(moved), "--store", store)["observations"] == 6
    attempts.write_exit(tmp_path / "store/runs/own", 2, "failed", "its file was gone")
    assert said(capsys, "resume", "own", "--data-path", str(moved), "--store", store)["state"] == "finished"
    found = said(capsys, "compare", "own", "child", "--store", store)
    assert not [each for each in found["differs"]["differs"] if each["section"] == "data"]


def test_the_cache_is_listed_and_cleared(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                                         tmp_path: Path) -> None:
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path))
    (tmp_path / "arrays").mkdir()
    for name in ("one.npy", "two.npy.part", "two.npy.rows"):
        (tmp_path / "arrays" / name).write_bytes(b"x" * 5000)
    assert [(row["name"], row["state"]) for row in said(capsys, "data", "--cached")] == [
        ("arrays/one", ""), ("arrays/two", "half made")]
    assert "Nobody is here to confirm" in refused(capsys, "data", "--forget", "all")
    assert "the cache holds no 'three'" in refused(capsys, "data", "--forget", "three", "--yes")
    assert call(["data", "--forget", "arrays/two", "--yes"]) == 0
    assert [row["name"] for row in said(capsys, "data", "--cached")] == ["arrays/one"]
    assert call(["data", "--forget", "all", "--yes"]) == 0
    assert said(capsys, "data", "--cached") == []


def test_data_of_ones_own_are_said_before_anything_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "\n".join(f"{row},{row % 7},{'ab'[row % 2]}" for row in range(60))
    (tmp_path / "mice #2.csv").write_text(f"height,weight,kind\n{rows}\n")
    path, sheet = str(tmp_path / "mice #2.csv"), tmp_path / "sheet.png"
    assert call(["data", path, "--set", "data.covariate=kind", "-o", str(sheet)]) == 0
    told = capsys.readouterr()
    assert "A table of your own: mice #2.csv: 48 / 6 / 6" in told.out and "2 classes: a 30, b 30" in told.out
    assert sheet.read_bytes().startswith(b"\x89PNG") and "sheet.png written" in told.err
    facts = said(capsys, "data", path, "--set", "data.covariate=kind", "--as", "table")
    assert facts["classes"] == {"a": 30, "b": 30} and facts["sizes"] == {"train": 48, "validation": 6, "test": 6}
    assert facts["data"]["covariate"] == "kind" and len(facts["data"]["digest"]) == 64
    assert "is not there" in refused(capsys, "data", path + "x")
    assert "no data set of files of your own is called 'tables'" in refused(capsys, "data", path, "--as", "tables")
    assert "is no field of the data" in refused(capsys, "data", path, "--set", "training.epochs=3")


def test_a_training_begins_with_a_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "\n".join(f"{row},{row % 7},{'ab'[row % 2]}" for row in range(60))
    (tmp_path / "mice.csv").write_text(f"height,weight,kind\n{rows}\n")
    facts = said(capsys, "train", "--preset", "pca-mnist", "--data", str(tmp_path / "mice.csv"), "--set",
                 "data.covariate=kind", "--set", "model.latent_size=2", "--name", "mice", "--store", str(tmp_path),
                 "--detach")
    config = json.loads((Path(facts["folder"]) / "config.json").read_text())
    assert config["data"]["name"] == "table" and config["data"]["covariate"] == "kind"
    assert config["model"]["latent_size"] == 2 and len(config["data"]["digest"]) == 64
    lab.wait(Path(facts["folder"]), timeout=60)
    assert "no data to read so" in refused(capsys, "train", "--as", "table", "--store", str(tmp_path))


def test_families_says_which_fit_the_data_and_why_the_others_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    found = {each["tag"]: each for each in said(capsys, "families", "--data", "gaussian")}
    assert found["vae"]["fits"] and found["vae"]["settings"] == [
        "model.family=vae", "model.likelihood.kind=gaussian-learned", "model.network.kind=mlp"]
    assert found["rbm"]["reason"] == "Restricted Boltzmann machine reads images, but this data set has vectors."
    assert not found["jive"]["fits"] and found["pca"]["settings"][1:] == ["model.latent_size=8"]


def test_a_preset_is_trained_exactly_where_that_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other = ["train", "--preset", "vae-mnist", "--set", "data.name=gaussian", "--store", str(tmp_path)]
    assert "Bernoulli describes pixels, but this data set has vectors" in refused(capsys, *other, "--exactly")
    assert "a convolutional network needs images" in refused(capsys, *other, "--set", "model.network.kind=conv")
    assert not list(tmp_path.rglob("config.json"))


@pytest.mark.parametrize(("arguments", "says"), [
    (("sample", "gallery/vae", "-o", "{}/none/a.png"), "there is no folder"), (("sample", "gallery/vae", "-o", "{}"),
                                                                              "is a folder"),
    (("rollout", "gallery/svg-lp-mnist", "--out", "{}/none/a.gif"), "there is no folder")])
def test_a_place_that_nothing_can_be_written_to_is_refused_before_anything_is_computed(
        tmp_path: Path, arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaecore.store.Store.find", lambda *_: pytest.fail("the run is opened first"))
    assert says in refused(capsys, *(each.format(tmp_path) for each in arguments))


def test_compare_draws_the_same_noise_of_a_seed_and_says_what_is_not_there(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery, out = Path(__file__).parents[2] / "trained" / "gallery", tmp_path / "same.png"
    for name in ("vae", "made"):
        shutil.copytree(gallery / name, tmp_path / "gallery" / name)
    kept = tmp_path / "gallery" / "vae" / "kept" / "step-00000010.safetensors"
    kept.parent.mkdir()
    shutil.copy(gallery / "vae" / "weights.safetensors", kept)
    words = ["compare", "vae", "made", "--count", "3", "--scale", "1", "-o", str(out), "--store", str(tmp_path)]
    assert call([*words, "--what", "noise", "--seed", "5"]) == 0
    sheet = np.asarray(Image.open(out))
    assert sheet.shape[:2] == (2 * 29 - 1, 3 * 29 - 1)
    model = Checkpoint.load(Store(tmp_path).find("vae"))
    np.testing.assert_array_equal(sheet[:28, 29:57, 0], model.decode(codes_same(model, model.order, 3, seed=5))[1])
    capsys.readouterr()
    assert call([*words, "--what", "noise", "--step", "9"]) == 0
    assert "gallery/vae kept no weights up to step 9." in capsys.readouterr().err
    assert "noise" in refused(capsys, *words, "--what", "magic")
    assert "has no latent code" in refused(capsys, "compare", "made", "-o", str(out), "--store", str(tmp_path))
