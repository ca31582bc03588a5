"""The shipped checkpoints: recipes that can be made, trainings that go on, a size that is kept, a page that is true."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from scripts import gallery, gallery_page
from scripts.recipes import RECIPES, Recipe, named
from vaecore.evaluate.settings import Settings
from vaecore.files import write_json_atomic
from vaecore.lab import Control
from vaecore.literature import TABLE
from vaecore.named import presets
from vaecore.store import Store
from vaecore.training import train
from vaecore.training.checkpoints import WEIGHTS, load_model, save_weights

ROOT = Path(__file__).parents[1]
TINY = Recipe("tiny", "vae-digits", 0.1, ("training.epochs=2", "model.network.hidden=[80]", "data.train_limit=256",
                                          "training.snapshots=2"), exactly=True, evaluated=False)


def test_every_recipe_is_one_of_a_valid_configuration_and_names_what_there_is() -> None:
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)
    known = {each.model for each in TABLE}
    for recipe in RECIPES:
        assert recipe.preset in presets() and recipe.why.endswith(".") and 0 < recipe.minutes < 300
        assert recipe.config().training.threads == 1, "trainings share the machine by one core each"
        assert not recipe.beside or recipe.beside in known
    assert [each.name for each in named(["made", "pca", "made"])] == ["made", "pca"] and named([]) == list(RECIPES)
    with pytest.raises(SystemExit, match="There is no recipe 'mode'"):
        named(["mode"])


def test_every_shipped_checkpoint_has_a_recipe_and_all_fit_into_git() -> None:
    assert {run.path.name for run in Store(ROOT / "trained").gallery()} <= {recipe.name for recipe in RECIPES}
    taken = sum(gallery.size_of(gallery.SHIPPED).values()) + sum(gallery.size_of(ROOT / "trained" / "claims").values())
    assert taken <= gallery.LIMIT == 40 * 2**20, "make gallery --size says what each takes"
    *_, total = gallery.sizes()
    assert f"{taken / 1024:,.0f} KiB" in total


def test_the_readme_names_every_shipped_checkpoint_and_no_other() -> None:
    [part] = re.findall(r"^## Shipped checkpoints$(.*?)^\[docs/gallery", (ROOT / "README.md").read_text(), re.M | re.S)
    assert set(re.findall(r"`([a-z0-9-]+)`", part)) == {run.path.name for run in gallery_page.shipped()}


def test_what_is_no_log_p_is_not_called_so() -> None:
    runs = {run.path.name: run for run in gallery_page.shipped()}
    called = {name: gallery_page.called(runs[name], gallery_page.number(runs[name])) for name in (
        "ica", "made", "vae-conditional", "vae-binary")}  # type: ignore[arg-type]
    assert called == {"ica": "log density", "made": "log p(x)", "vae-conditional": "log p(x|u) by IS",
                      "vae-binary": "log p(x) by IS"}


def test_the_page_says_what_the_checkpoints_hold() -> None:
    said, holds = (text.splitlines() for text in (gallery_page.PAGE.read_text(), gallery_page.page()))
    for line, wanted in zip(said, holds, strict=True):  # of a setting that differs the words are those of the day
        assert line.split("Not the same setting")[0] == wanted.split("Not the same setting")[0], (
            "python -m scripts.gallery_page writes it")
    commit, before = gallery_page.before()
    assert len(before) > 25 and round(before["vae-binary"].value, 2) == -95.60 and commit


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> gallery.Made:
    monkeypatch.setattr(gallery, "SHIPPED", tmp_path / "trained" / "gallery")
    monkeypatch.setattr(gallery, "QUIET", [sys.executable, "-m"])  # not niced: other tests have the cores
    monkeypatch.setattr(gallery, "EXACTLY", Settings(parts=("likelihood",), importance_samples=50, observations=0))
    return gallery.Made(TINY, Store(tmp_path / "work"))


def test_a_recipe_is_trained_evaluated_and_shipped_once(tiny: gallery.Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny.state == "new" and not gallery.evaluate([tiny], 1) and not gallery.ship([tiny])
    assert "new, so it is not evaluated" in capsys.readouterr().out
    assert gallery.train([tiny], 2) and tiny.state == "finished" and tiny.minutes > 0
    written = (tiny.run.path / WEIGHTS).stat().st_mtime_ns
    assert gallery.train([tiny], 2) and (tiny.run.path / WEIGHTS).stat().st_mtime_ns == written, "it is not done twice"
    assert gallery.evaluate([tiny], 1) and tiny.evaluated and not tiny.shipped
    [found] = gallery.evaluations(tiny.ready)
    assert found["run"] == "gallery/tiny" and found["likelihood"]["samples"] == 50
    assert found["likelihood"]["observations"] == found["observations"] and not found["partial"]
    assert gallery.ship([tiny]) and tiny.shipped
    there = gallery.SHIPPED / "tiny"
    assert {path.name for path in there.iterdir()} == {*gallery.FILES, "metrics.jsonl", "evaluation.json"} - {
        "preview.txt"}
    kinds = {tensor.dtype for tensor in load_file(there / WEIGHTS).values()}
    assert kinds == {torch.float16, torch.float32}, "large arrays are halved"
    write_json_atomic(tiny.ready.path / gallery.EVALUATIONS, [found, found])
    assert not tiny.shipped, "an evaluation that came later is not there"
    (there.parent / ".tiny.tmp-0").mkdir()
    assert gallery.ship([tiny]) and tiny.shipped and [path.name for path in there.parent.iterdir()] == ["tiny"]
    told = "\n".join(gallery.listed([tiny]))
    assert "finished" in told and "shipped" in told and "1 recipes" in told
    other = gallery.Made(Recipe("tiny", "vae-digits", 0.1, ("training.epochs=3",)), tiny.work)
    assert other.state == "other recipe" and not gallery.train([other], 1), "what was begun otherwise is left alone"


def test_several_are_evaluated_by_a_process_each_and_what_fails_says_why(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    made = [gallery.Made(dataclasses.replace(TINY, name=name), Store(tmp_path)) for name in ("vae", "ae")]
    for each in made:
        each.run.path.mkdir(parents=True)
        (each.run.path / "log.txt").write_text("first\nno room on the disk\n")
    monkeypatch.setattr(gallery.Made, "state", "finished")
    commands = []

    def together(waiting: list[tuple[gallery.Made, list[str]]], _: int) -> Iterator[tuple[gallery.Made, int]]:
        for each, command in waiting:
            commands.append(command)
            yield each, 1

    monkeypatch.setattr(gallery, "together", together)
    assert not gallery.evaluate(made, 2) and capsys.readouterr().out.count("not evaluated\nfirst\nno room on") == 2
    for (module, *arguments), name in zip(commands, ("vae", "ae"), strict=True):
        assert module == "scripts.gallery" and gallery.main([*arguments, "--list"]) == 0
        assert capsys.readouterr().out.splitlines()[1].startswith(f"{name} "), "that one alone, in that store"


def test_what_begins_with_another_recipes_weights_waits_for_it(
        tiny: gallery.Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    forked = gallery.Made(dataclasses.replace(TINY, name="forked", of="tiny"), tiny.work)
    monkeypatch.setattr(gallery, "named", lambda _: [TINY])
    assert not gallery.begun(forked) and "forked: waits for tiny, which is new" in capsys.readouterr().out
    assert gallery.begun(tiny) and gallery.begun(tiny), "what was made and waits its turn is there to train"
    assert train(tiny.run.path, Control(tiny.run.path)) == "finished"
    (tiny.run.path / "exit.json").write_text('{"attempt": 0, "state": "finished"}')
    assert tiny.done and gallery.begun(forked)
    assert forked.run.about()["parent"]["run"] == "tiny" and forked.state == "new"
    fitted = gallery.Made(dataclasses.replace(TINY, name="fitted", of="tiny", how="prior fitted", changes=(
        *TINY.changes, "model.prior.kind=fitted")), tiny.work)
    assert not gallery.begun(fitted) and fitted.done, "there is nothing to train"


def test_what_is_too_large_is_not_shipped(tiny: gallery.Made, monkeypatch: pytest.MonkeyPatch) -> None:
    there = gallery.SHIPPED / "other" / WEIGHTS
    there.parent.mkdir(parents=True)
    there.write_bytes(b"x" * 100)
    own = gallery.SHIPPED.parent / "runs" / "mine" / WEIGHTS
    own.parent.mkdir(parents=True)
    own.write_bytes(b"x" * 100)
    assert gallery.committed() == {there: 100}, "one's own runs are not in git"
    monkeypatch.setattr(gallery, "LIMIT", 99)
    with pytest.raises(SystemExit, match=r"of 0\. Make some recipe smaller"):
        gallery.ship([tiny])


def test_weights_whose_numbers_half_precision_moves_stay_single(tmp_path: Path) -> None:
    run = Store(tmp_path).create(TINY.config(), "moved")
    assert train(run.path, Control(run.path)) == "finished"
    gallery.pack(run, tmp_path / "gallery" / "held")
    assert gallery.unlike(run, tmp_path / "gallery" / "held") == ""
    model = load_model(run.path)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(30)  # far away from where it was trained, rounding counts
    save_weights(run.weights, model, run.config(), 1)
    gallery.pack(run, tmp_path / "gallery" / "moved")
    assert (tmp_path / "gallery" / "moved" / WEIGHTS).read_bytes() == run.weights.read_bytes()


@pytest.mark.parametrize(("a", "b", "held"), [
    (-88.410, -88.4145, True), (-88.410, -88.4155, False),  # half of a printed digit
    (18_875.00, 18_875.09, True), (18_875.00, 18_875.10, False), (-18_875.00, -18_875.10, False),  # five millionths
    (1_000.0, 1_000.005, True), (1_000.0, 1_000.0055, False),  # where the one becomes the other
    (math.nan, 1.0, False), (1.0, math.nan, False), (math.inf, 1.0, False)])
def test_nats_are_the_same_to_the_printed_digit_and_of_many_to_a_share(a: float, b: float, held: bool) -> None:
    assert gallery.same(a, b, gallery.SAME_NATS, gallery.SAME_OF_MANY) is held


def test_a_log_keeps_no_more_than_a_curve_can_show() -> None:
    steps = [json.dumps({"kind": "step", "step": step, "loss": 1 / (step + 1)}) for step in range(1000)]
    judged = [json.dumps({"kind": "evaluation", "step": step, "elbo": -100.123456789}) for step in range(200)]
    seen = [json.dumps({"kind": "snapshot", "step": step, "mean": [0.123456]}) for step in range(12)]
    log = "\n".join([*steps, *judged, *seen]) + "\n"
    lines = [json.loads(line) for line in gallery.thinned(log).splitlines()]
    of = {kind: [line for line in lines if line["kind"] == kind] for kind in ("step", "evaluation", "snapshot")}
    assert len(of["step"]) <= gallery.STEP_LINES + 1 and len(of["evaluation"]) <= gallery.EVALUATION_LINES + 1
    long = "\n".join(json.dumps({"kind": "evaluation", "step": step, "kl": [0.5] * 5_000}) for step in range(40)) + "\n"
    assert 1 < gallery.thinned(long).count("\n") < 5, "long evaluations are fewer"
    assert [line["step"] for line in of["snapshot"]] == [0, 6, 11]
    assert gallery.thinned(log, moving=True).count('"snapshot"') == len(seen)
    assert (of["step"][-1]["step"], of["evaluation"][-1]["step"]) == (999, 199), "the last of each stays"
    assert of["evaluation"][0]["elbo"] == -100.123 and of["snapshot"][0]["mean"] == [0.123]


def test_what_is_told_of_a_run_and_its_picture_are_the_same_in_fewer_bytes() -> None:
    told = {"test": {"elbo": -18875.123456789, "active": [0.123456789012, 3]}, "data": "8×8 digits"}
    assert json.loads(gallery.short(json.dumps(told, indent=1))) == {
        "test": {"elbo": -18875.123, "active": [0.12345679, 3]}, "data": "8×8 digits"}
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 4), np.uint8)
    for shown in (noise, noise[..., [0, 0, 0, 3]], np.where([True, True, True, False], noise, 255).astype(np.uint8)):
        wide = io.BytesIO()
        Image.fromarray(shown).save(wide, "PNG")
        found = gallery.small(wide.getvalue())
        assert len(found) < len(wide.getvalue()) * 1.01
        assert (np.array(Image.open(io.BytesIO(found)).convert("RGBA")) == shown).all()


def test_what_ends_the_script_asks_trainings_to_stop(tiny: gallery.Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "QUIET", [sys.executable, "-c"])
    monkeypatch.setattr(gallery, "FOLLOWED", 0.05)
    other = gallery.Made(dataclasses.replace(TINY, name="other"), tiny.work)
    logs = [made.run.path / "log.txt" for made in (tiny, other)]
    for log in logs:
        log.parent.mkdir(parents=True)
    waits = (f"import signal, sys, time; signal.signal(15, lambda *_: (print('asked', flush=True), sys.exit(0))); "
             f"print('here', flush=True); open({str(logs[0])!r} + '.there', 'w').close(); time.sleep(60)")
    ends = (f"import pathlib, time\nwhile not pathlib.Path({str(logs[0])!r} + '.there').exists(): time.sleep(0.02)\n"
            "raise SystemExit(3)")
    running = gallery.together([(tiny, [waits]), (other, [ends])], 2)
    assert next(running) == (other, 3)
    running.close()  # as an interrupt does
    assert logs[0].read_text().split() == ["here", "asked"]
