"""Make the shipped checkpoints again: `make gallery`, or `python scripts/gallery.py NAME ...` for some of them.

`python scripts/gallery.py --evaluate NAME ...` evaluates them as they are, again.

Each entry is a preset and what was changed in it, trained like any run by the same worker. What is shipped
is the run's folder without what only resuming needs, its weights in half precision, its step lines thinned to
a hundred and its numbers rounded, and an evaluation with the usual settings for those that are compared
with each other.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from safetensors.torch import load_file, save_file

from vaecore.config import changed, preset
from vaecore.evaluate.kept import NAME
from vaecore.evaluate.report import evaluate_run
from vaecore.files import write_json_atomic
from vaecore.lab.worker import main as work
from vaecore.store import Run, Store
from vaecore.training.checkpoints import WEIGHTS, halve_weights

GALLERY = Path(__file__).parents[1] / "trained" / "gallery"
FULL = "data.source=full"
SMALL = "model.networks.image.hidden=[256, 128]"
CLIPS = [FULL, "training.threads=1"]
BINARY = [FULL, "training.epochs=8"]
RECIPES: dict[str, tuple[str, list[str]]] = {
    "pca": ("pca-mnist", [FULL]),
    "ae": ("ae-mnist", [FULL, "training.epochs=12", "training.batch_size=128", "training.rate.kind=cosine"]),
    "vae": ("vae-mnist", [FULL, "training.epochs=20", "training.batch_size=128", "training.rate.kind=cosine"]),
    # The whole latent space on a screen: what Home begins with.
    "vae-plane": ("vae-2d-mnist", [FULL, "model.network.dense=32", "training.batch_size=128",
                                    "training.rate.kind=cosine"]),
    "vae-fashion": ("vae-fashion", ["training.epochs=15", "training.rate.kind=cosine"]),
    "vae-cyclical": ("cyclical-mnist", [FULL, "training.epochs=8", "training.evaluate_every=0.25"]),
    # One data set, black-and-white digits drawn anew at each visit, for priors and for the four families.
    "vae-binary": ("mixture-mnist", [*BINARY, "model.prior.kind=standard"]),
    "vae-mixture": ("mixture-mnist", BINARY),
    "vae-vamp": ("vamp-mnist", BINARY),
    "vae-conditional": ("conditional-mnist", BINARY),
    "wae": ("wae-mnist", BINARY),
    "ica": ("ica-mnist", [FULL]),
    "made": ("made-mnist", [FULL, "training.epochs=15"]),
    "pixelcnn": ("pixelcnn-mnist", [FULL, "training.epochs=3"]),
    "rbm": ("rbm-mnist", [FULL, "training.epochs=20"]),
    "ivae": ("ivae-sources", []),
    # Several modalities.
    # A large alpha costs joint likelihood (C7), and crosses best.
    "jmvae": ("jmvae-image-label", [FULL, SMALL, "model.posterior.alpha=10", "training.batch_size=200",
                                    "training.epochs=15"]),
    "mvae": ("mvae-image-label", [FULL, "training.epochs=30", "training.batch_size=100",
                                  "training.beta.kind=constant"]),
    "dmvae": ("dmvae-image-label", [FULL, SMALL, "training.epochs=12"]),
    "dmvae-styled": ("dmvae-styled", [FULL, "training.epochs=15"]),
    "mvae-speech": ("mvae-speech", [SMALL]),
    "mmvae-speech": ("mmvae-speech", []),
    "mvae-views": ("mvae-views", []),
    "jive": ("jive-omics", []),
    # Clips; one data set and one budget for the predictor and both SVG, so that they compare.
    "predictor-mnist": ("recurrent-predictor-moving-mnist", CLIPS),
    "svg-fp-mnist": ("svg-fp-moving-mnist", CLIPS),
    "svg-lp-mnist": ("svg-lp-moving-mnist", CLIPS),
    "sv2p-invariant-mnist": ("sv2p-invariant-moving-mnist", CLIPS),
    "sv2p-variant-mnist": ("sv2p-variant-moving-mnist", CLIPS),
    "svg-lp-characters": ("svg-lp-characters", ["training.threads=1"]),
    # The lecture's picture. Captions are not for redistribution, so no model of them is shipped.
    "lagging-basic": ("lagging-basic", []),
    "lagging-aggressive": ("lagging-aggressive", []),
}
EVALUATED = ("vae-binary", "vae-mixture", "vae-vamp", "vae-conditional", "wae", "ica", "made", "pixelcnn", "rbm",
             "ivae", "jmvae", "mvae", "dmvae", "dmvae-styled", "mvae-speech", "mmvae-speech",
             "mvae-views", "jive", "predictor-mnist", "svg-fp-mnist", "svg-lp-mnist", "sv2p-invariant-mnist",
             "sv2p-variant-mnist", "svg-lp-characters")
EXPERIMENTS = {"lagging-basic": "lagging", "lagging-aggressive": "lagging"}
SHIPPED = ("config.json", "about.json", "summary.json", "weights.safetensors", "examples.safetensors", "preview.png",
           "preview.txt")  # the last two: one or the other
STEP_LINES, CLIPS_SHIPPED = 100, 10


def make(name: str) -> None:
    """Train one checkpoint in a folder of its own, and ship it when it has finished."""
    start, changes = RECIPES[name]
    print(f"{name}: vaecore train --preset {start} " + " ".join(f"--set {change}" for change in changes), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run = Store(Path(folder)).create(changed(preset(start), changes), name, experiment=EXPERIMENTS.get(name, ""))
        if work([str(run.path)]) != 0:
            raise SystemExit(f"{name} was not finished; see above.")
        ship(run, GALLERY / name)
    if name in EVALUATED:
        evaluate(name)


def evaluate(name: str) -> None:
    """Judge a shipped checkpoint with the usual settings."""
    run = Run(GALLERY / name)
    write_json_atomic(run.path / NAME, [evaluate_run(run, progress=_tell)])


def _tell(part: str, done: int, total: int) -> None:
    if total and done == total:
        print(f"evaluated: {part}", flush=True)


def ship(run: Run, target: Path) -> None:
    """Copy what others need of a run, replacing what was shipped before."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in SHIPPED:
        if (run.path / file).exists() or not file.startswith("preview"):
            shutil.copy(run.path / file, target / file)
    halve_weights(target / WEIGHTS)
    if run.about().get("observation") == "clip":
        examples = load_file(target / "examples.safetensors")
        save_file({name: rows[:CLIPS_SHIPPED].clone() for name, rows in examples.items()},
                  target / "examples.safetensors")
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    steps = [line for line in lines if json.loads(line)["kind"] == "step"]
    kept = set(steps[:: -(-len(steps) // STEP_LINES) or 1])
    (target / "metrics.jsonl").write_text("".join(
        f"{_brief(line)}\n" for line in lines if line in kept or json.loads(line)["kind"] != "step"))


def _brief(line: str) -> str:
    """A line with its numbers to six digits: more than a curve can show."""
    return json.dumps(json.loads(line, parse_float=lambda number: float(f"{float(number):.6g}")),
                      separators=(",", ":"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--evaluate"]:
        for wanted in sys.argv[2:] or EVALUATED:
            evaluate(wanted)
    else:
        for wanted in sys.argv[1:] or RECIPES:
            make(wanted)
