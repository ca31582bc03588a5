"""The shipped checkpoints, made again: `make gallery`, or `python -m scripts.gallery`, which goes on where it stood.

    python -m scripts.gallery                        # train, evaluate and ship everything in scripts/recipes.py
    python -m scripts.gallery train vae-binary made  # some of it, or one verb alone
    python -m scripts.gallery --list                 # what there is, how far it is, CPU minutes so far and expected
    python -m scripts.gallery --size                 # what the shipped ones take, of the 40 MiB that they may

Trainings are ordinary runs of a work store (`--work`, .gallery in the project), each by one niced thread, `--jobs` at
once; stopped or killed they go on from their last checkpoint. `evaluate` lays beside them, in the gallery of that
store, what would be shipped: a run without what only resuming needs, thinned, its weights in half precision where its
numbers hold, with its evaluations. `VAECORE_STORE=.gallery make app` shows both. `ship` copies it into trained/gallery,
which is done once for each, when it is as it should be: git keeps every weight that was ever committed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vaecore
from scripts.recipes import Recipe, named
from vaecore.evaluate.kept import NAME as EVALUATIONS
from vaecore.evaluate.settings import Settings
from vaecore.examples import deflated, read_tensors
from vaecore.files import BrokenFile, beside, moved_to, read_json, write_bytes_atomic
from vaecore.lab import state
from vaecore.lab.logs import log
from vaecore.store import EXAMPLES, Run, Store, StoreError
from vaecore.training.checkpoints import WEIGHTS, halve_weights, load_model

ROOT = Path(__file__).parents[1]
WORK, SHIPPED = ROOT / ".gallery", ROOT / "trained" / "gallery"
VERBS = ("train", "evaluate", "ship")  # in this order, all of them where none is named
LIMIT = 40 * 2**20  # bytes of trained/ in git
SUMMARY, PREVIEW = "summary.json", "preview.png"
FILES = ("config.json", "about.json", SUMMARY, WEIGHTS, EXAMPLES, PREVIEW, "preview.txt")
STEP_LINES, EVALUATION_LINES = 60, 60  # of metrics.jsonl: enough for a curve
EVALUATION_BYTES = 30_000  # in which they fit: of many units each is long
SHORT = 8  # digits of a number in what is told of a run, more than any page prints
SNAPSHOT_LINES = 2  # likewise; of an experiment all, whose points are watched as they move
CLIPS_SHIPPED = 10
EXACTLY = Settings(parts=("likelihood",), importance_samples=5_000, observations=0)  # as papers estimate log p(x)
SAME_NATS, SAME_ERROR, SAME_SHARE = 0.005, 5e-6, 5e-4  # half of the last digit printed: of nats, and of an MSE
SAME_OF_MANY = 5e-6  # of nats by the ten thousand, as clips have them: less than another draw of the codes moves them
QUIET = ["nice", "-n", "10", sys.executable, "-m"]  # whatever else the machine does comes first
FOLLOWED = 1.0  # seconds between two looks at what runs


@dataclass(frozen=True)
class Made:
    """A recipe and what there is of it in a work store."""

    recipe: Recipe
    work: Store

    @property
    def run(self) -> Run:
        """The training; its folder need not be there."""
        return Run(self.work.root / "runs" / self.recipe.name)

    @property
    def ready(self) -> Run:
        """What would be shipped; its folder need not be there."""
        return Run(self.work.root / "gallery" / self.recipe.name, self.work.root)

    @property
    def state(self) -> str:
        """How far it is: `other recipe` where the training was begun with another configuration."""
        if not self.run.path.is_dir():
            return "new"
        if self.run.config() != self.recipe.config():
            return "other recipe"
        return state.status(self.run.path).state

    @property
    def done(self) -> bool:
        return self.state == "finished"

    @property
    def minutes(self) -> float:
        """CPU minutes of the training so far, over all its attempts."""
        try:
            return float(self.run.summary().get("cpu_seconds", 0.0)) / 60
        except StoreError:
            return 0.0

    @property
    def missing(self) -> list[Settings]:
        """The evaluations that are still to be made of what would be shipped."""
        wanted = [*([Settings()] if self.recipe.evaluated else []), *([EXACTLY] if self.recipe.exactly else [])]
        known = [found["settings"] for found in evaluations(self.ready)]
        return [each for each in wanted if each.model_dump(mode="json") not in known]

    @property
    def packed(self) -> bool:
        """Whether what would be shipped is of the training as it is."""
        try:
            told = short((self.run.path / SUMMARY).read_text())
            return (self.ready.path / SUMMARY).read_text() == told and self.ready.weights.is_file()
        except OSError:
            return False

    @property
    def evaluated(self) -> bool:
        return self.done and self.packed and not self.missing

    @property
    def shipped(self) -> bool:
        """Whether what lies in trained/gallery is what would be shipped, its evaluations too."""
        return contents(self.ready.path) == contents(SHIPPED / self.recipe.name) != {}


def contents(folder: Path) -> dict[str, bytes]:
    """What the files in a folder hold, by name; nothing of one that is not there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def evaluations(run: Run) -> list[dict[str, Any]]:
    """What was found of what would be shipped; nothing where that cannot be read."""
    try:
        found = read_json(run.path / EVALUATIONS, LIMIT)
    except BrokenFile:
        return []
    return found if isinstance(found, list) else []


# -- trainings -------------------------------------------------------------------------------------


def train(made: list[Made], jobs: int) -> bool:
    """Train what is not finished, `jobs` at once; whether all have finished.

    What begins with the weights of another comes after it, and waits for it where it is not among these.
    """
    for later in (False, True):
        waiting = [each for each in made if bool(each.recipe.of) is later and begun(each)]
        for each, code in together([(each, ["vaecore.lab.worker", str(each.run.path)]) for each in waiting], jobs):
            print(f"{each.recipe.name}: {each.state}, {each.minutes:.1f} CPU minutes{why(each, code)}", flush=True)
    return all(each.done for each in made)


def why(made: Made, code: int) -> str:
    """The end of the log of what ended with a code that is not 0."""
    return "" if code == 0 else f"\n{log(made.run.path, 5)}"


def begun(made: Made) -> bool:
    """Whether there is something left to train of a recipe; its run is made where there was none."""
    name, stands = made.recipe.name, made.state
    if stands == "other recipe":
        print(f"{name}: was begun with another recipe. Remove {made.run.path} to begin it anew.")
        return False
    if stands == "running":
        print(f"{name}: is being trained by another process.")
        return False
    if made.run.path.is_dir():  # made, and perhaps not begun
        return not made.done
    if not made.recipe.of:
        made.work.create(made.recipe.config(), name, experiment=made.recipe.experiment)
        return True
    [first] = named([made.recipe.of])
    parent = Made(first, made.work)
    if not parent.done:
        print(f"{name}: waits for {first.name}, which is {parent.state}.")
        return False
    return inherits(made, parent.run)


def inherits(made: Made, parent: Run) -> bool:
    """Make the run of a recipe that begins with another's weights; whether that is to be trained."""
    recipe = made.recipe
    if recipe.how == "prior fitted":
        vaecore.fit_prior(parent, name=recipe.name, store=made.work)
        print(f"{recipe.name}: {made.state}", flush=True)
        return False
    from vaecore.training.fork import fork

    fork(made.work, parent, "best", recipe.config(), recipe.name, experiment=recipe.experiment,
         anew="decoder" if recipe.how == "fork, decoder anew" else None)
    return True


def together(waiting: list[tuple[Made, list[str]]], jobs: int) -> Iterator[tuple[Made, int]]:
    """Run a module of Python for each, `jobs` at once, each in one thread; with their exit codes as they end.

    What they print goes into the run's log. What ends this process asks them to end, and waits: a training writes its
    checkpoint.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running: dict[Made, subprocess.Popen[bytes]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                (made, module), *waiting = waiting
                print(f"{made.recipe.name}: begun or taken up, log in {made.run.path / 'log.txt'}", flush=True)
                with (made.run.path / "log.txt").open("ab") as printed:
                    running[made] = subprocess.Popen(QUIET + module, cwd=ROOT, env=environment, stdout=printed,
                                                     stderr=printed, stdin=subprocess.DEVNULL)
            for made, process in list(running.items()):
                if (code := process.poll()) is not None:
                    del running[made]
                    yield made, code
            time.sleep(FOLLOWED)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


# -- evaluations -----------------------------------------------------------------------------------


def evaluate(made: list[Made], jobs: int) -> bool:
    """Judge what has finished, `jobs` at once; whether all are judged."""
    waiting = []
    for each in made:
        if not each.done:
            print(f"{each.recipe.name}: {each.state}, so it is not evaluated.")
        elif each.recipe.ships and not each.evaluated:
            waiting.append(each)
    if len(made) == 1 and waiting:
        judge(*waiting)
    elif waiting:  # what fails ends itself alone
        alone = [(each, ["scripts.gallery", "evaluate", each.recipe.name, "--work", str(each.work.root)])
                 for each in waiting]
        for each, code in together(alone, jobs):
            print(f"{each.recipe.name}: {'' if code == 0 else 'not '}evaluated{why(each, code)}", flush=True)
    return all(each.evaluated for each in made if each.recipe.ships)


def judge(made: Made) -> None:
    """Make of a finished training what would be shipped, and add the evaluations that are missing."""
    import torch

    from vaecore.evaluate.report import evaluate_run

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        if not made.packed:
            pack(made.run, made.ready.path)
        for settings in made.missing:
            found = evaluate_run(made.ready, settings, progress=_tell)
            told = short(json.dumps([*evaluations(made.ready), found]))
            write_bytes_atomic(made.ready.path / EVALUATIONS, told.encode())
    finally:
        torch.set_flush_denormal(False)  # it is the whole process's


def _tell(part: str, done: int, total: int) -> None:
    if total and done == total:
        print(f"evaluated: {part}", flush=True)


def pack(run: Run, target: Path) -> None:
    """Lay at `target` what others need of a run, replacing what lay there."""
    making = aside(target)
    making.mkdir(parents=True)
    for file in FILES:
        if (run.path / file).exists() or not file.startswith("preview"):  # a preview is of pixels or of words
            shutil.copy(run.path / file, making / file)
    halve_weights(making / WEIGHTS)
    if moved := unlike(run, making):
        shutil.copy(run.path / WEIGHTS, making / WEIGHTS)
        print(f"{run.id}: weights stay in single precision, half of it moves {moved}", flush=True)
    examples, notes = read_tensors(making / EXAMPLES)
    if run.about().get("observation") == "clip":
        examples = {name: rows[:CLIPS_SHIPPED] for name, rows in examples.items()}
    (making / EXAMPLES).write_bytes(deflated(examples, notes))
    moving = bool(run.about().get("experiment"))
    (making / "metrics.jsonl").write_text(thinned((run.path / "metrics.jsonl").read_text(), moving=moving))
    (making / SUMMARY).write_text(short((run.path / SUMMARY).read_text()))
    if (picture := making / PREVIEW).is_file():
        write_bytes_atomic(picture, small(picture.read_bytes()))
    replace(target, making)


def aside(target: Path) -> Path:
    """Where to make what is to take the name `target`, unseen by lists; what a kill has left of an earlier one goes."""
    hidden = target.with_name(f".{target.name}")
    for leftover in target.parent.glob(f"{hidden.name}.tmp-*"):
        shutil.rmtree(leftover)
    return beside(hidden)


def replace(target: Path, making: Path) -> None:
    """Give what was made aside the name `target`, in the place of what lay there."""
    shutil.rmtree(target, ignore_errors=True)
    if not moved_to(making, target):
        raise SystemExit(f"{target} is being made by another process.")


def unlike(run: Run, packed: Path) -> str:
    """The first number of the test set that the weights in `packed` move beyond the digits that are printed."""
    import torch

    from vaecore.training.feed import Feed
    from vaecore.training.session import EVALUATION_SEED
    from vaecore.training.validation import evaluate as evidence

    feed = Feed(run.config().data.load(), "test", torch.device("cpu"))
    ours, theirs = (evidence(load_model(path), feed, EVALUATION_SEED) for path in (run.path, packed))
    nats = {"the ELBO": (ours.elbo, theirs.elbo)}
    nats |= {f"log p({name}|z)": (value, theirs.reconstruction[name]) for name, value in ours.reconstruction.items()}
    nats |= {f"the KL of {name}": (sum(values), sum(theirs.kl[name])) for name, values in ours.kl.items()}
    others = {f"the MSE of {name}": (value, theirs.mse[name]) for name, value in ours.mse.items()}
    moved = [name for name, (a, b) in nats.items() if not same(a, b, SAME_NATS, SAME_OF_MANY)]
    moved += [name for name, (a, b) in others.items() if not same(a, b, SAME_ERROR, SAME_SHARE)]
    return moved[0] if moved else ""


def same(a: float, b: float, least: float, share: float) -> bool:
    """Whether two finite numbers are within `least` of each other, or within that share of the smaller.

    So small numbers hold to the digits that are printed, large ones to what another draw of the codes would move.
    """
    return abs(a - b) <= max(least, share * min(abs(a), abs(b)))


def thinned(metrics: str, *, moving: bool = False) -> str:
    """A log with as many lines as its curves need, and all its snapshots where `moving`; of numbers no more digits."""
    lines = metrics.splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    kept: set[int] = set()
    for kind, most in (("step", STEP_LINES), ("evaluation", EVALUATION_LINES),
                       ("snapshot", len(lines) if moving else SNAPSHOT_LINES)):
        places = [place for place, found in enumerate(kinds) if found == kind]
        if kind == "evaluation":
            most = max(1, min(most, EVALUATION_BYTES * len(places) // (sum(len(lines[each]) for each in places) or 1)))
        kept |= set(places[:: -(-len(places) // most) or 1]) | set(places[-1:])
    return "".join(f"{_brief(lines[place], 3 if kinds[place] == 'snapshot' else 6)}\n" for place in sorted(kept))


def short(text: str) -> str:
    """JSON on one line, its numbers with `SHORT` digits: of many units, digits that nobody prints are most of it."""
    return f"{_brief(text, SHORT)}\n"


def small(png: bytes) -> bytes:
    """The same picture in fewer bytes: grey as one number a pixel, and compressed as well as it can be."""
    from PIL import Image

    shown = Image.open(io.BytesIO(png)).convert("RGBA")
    grey = shown.convert("LA").convert("RGBA").tobytes() == shown.tobytes()
    opaque = shown.getchannel("A").getextrema() == (255, 255)
    plain = shown.convert({(True, True): "L", (True, False): "LA", (False, True): "RGB"}.get((grey, opaque), "RGBA"))
    found = io.BytesIO()
    plain.save(found, "PNG", optimize=True)
    return found.getvalue()


def _brief(line: str, digits: int) -> str:
    return json.dumps(json.loads(line, parse_float=lambda number: float(f"{float(number):.{digits}g}")),
                      separators=(",", ":"))


# -- what is shipped -------------------------------------------------------------------------------


def ship(made: list[Made]) -> bool:
    """Copy what is evaluated into trained/gallery, in the place of what was there; whether that was all.

    Nothing is copied where trained/ would then be larger than it may be.
    """
    made = [each for each in made if each.recipe.ships]
    here = [each for each in made if each.evaluated and not each.shipped]
    replaced = {each.recipe.name for each in here}
    total = sum(committed().values()) - sum(sum(size_of(SHIPPED / name).values()) for name in replaced)
    total += sum(sum(size_of(each.ready.path).values()) for each in here)
    if total > LIMIT:
        raise SystemExit(f"trained/ would take {total / 2**20:.2f} MiB of {LIMIT / 2**20:.0f}. Make some recipe "
                         "smaller, or ship fewer; --size says what each takes.")
    for each in here:
        target = SHIPPED / each.recipe.name
        replace(target, shutil.copytree(each.ready.path, aside(target)))
        print(f"{each.recipe.name}: shipped", flush=True)
    for each in made:
        if not each.evaluated:
            print(f"{each.recipe.name}: not evaluated, so it is not shipped.")
    return all(each.shipped for each in made)


def size_of(folder: Path) -> dict[Path, int]:
    """The files in a folder, in bytes; none of those that are being made aside."""
    return {path: path.stat().st_size for path in sorted(folder.rglob("*"))
            if path.is_file() and ".tmp-" not in str(path.relative_to(folder))}


def committed() -> dict[Path, int]:
    """What git keeps of trained/, in bytes; all else in there is the user's own."""
    return size_of(SHIPPED) | size_of(SHIPPED.parent / "claims")


def sizes() -> Iterator[str]:
    """What trained/ takes, by checkpoint and by file."""
    shipped = committed()
    groups: dict[str, dict[str, int]] = {}
    for path, count in shipped.items():
        name = "/".join(path.relative_to(SHIPPED.parent).parts[:2]) if SHIPPED in path.parents else "claims"
        rest = groups.setdefault(name, {})
        kind = path.name if path.name in (WEIGHTS, EXAMPLES, "metrics.jsonl") else "the rest"
        rest[kind] = rest.get(kind, 0) + count
    for name, parts in sorted(groups.items(), key=lambda item: -sum(item[1].values())):
        told = ", ".join(f"{kind} {count / 1024:,.0f}" for kind, count in sorted(parts.items(), key=lambda kv: -kv[1]))
        yield f"{sum(parts.values()) / 1024:8,.0f} KiB  {name:32} {told}"
    total = sum(shipped.values())
    yield f"{total / 1024:8,.0f} KiB  of {LIMIT / 1024:,.0f}: {total / LIMIT:.1%}"


# -- the command -----------------------------------------------------------------------------------


def listed(made: list[Made]) -> Iterator[str]:
    """A line for each recipe, and what all of them take."""
    yield f"{'recipe':24} {'state':14} {'':10} {'CPU minutes':>12} {'expected':>9}  why"
    for each in made:
        marks = "shipped" if each.evaluated and each.shipped else "evaluated" if each.evaluated else ""
        yield (f"{each.recipe.name:24} {each.state:14} {marks:10} {each.minutes:12.1f} {each.recipe.minutes:9.1f}  "
               f"{each.recipe.why}")
    spent, expected = sum(each.minutes for each in made), sum(each.recipe.minutes for each in made)
    yield f"{len(made)} recipes, {spent / 60:.1f} of {expected / 60:.1f} CPU hours"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.gallery", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="[VERB] NAME", help="recipes, all where none is named; before "
                        f"them one of {', '.join(VERBS)}, for that alone")
    parser.add_argument("--work", type=Path, default=WORK, help="the store in which trainings live and go on")
    parser.add_argument("--jobs", type=int, default=2, help="trainings or evaluations at once, one thread each")
    parser.add_argument("--list", action="store_true", help="what there is and how far it is")
    parser.add_argument("--size", action="store_true", help="what the shipped checkpoints take")
    given = parser.parse_args(arguments)
    if given.size:
        print(*sizes(), sep="\n")
        return 0
    verbs = [given.names.pop(0)] if given.names and given.names[0] in VERBS else list(VERBS)
    made = [Made(recipe, Store(given.work.absolute())) for recipe in named(given.names)]
    if given.list:
        print(*listed(made), sep="\n")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as an interrupt: what runs is asked to stop
    acts: dict[str, Callable[[], bool]] = {
        "train": lambda: train(made, given.jobs), "evaluate": lambda: evaluate(made, given.jobs),
        "ship": lambda: ship(made)}
    try:
        done = [acts[verb]() for verb in verbs]
    except KeyboardInterrupt:
        print("Stopped: the same command goes on from here.")
        return 130
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{sum(each.minutes for each in made) / 60:.2f} CPU hours of training in all, "
          f"{(used.ru_utime + used.ru_stime) / 3600:.2f} of trainings and evaluations this time")
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
