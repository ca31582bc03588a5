"""What seconds of a processor buy: quality against CPU seconds for the settings of presets, and what presets reach.

    python -m benchmarks.presets                 # the study: what is not measured yet, then the tables
    python -m benchmarks.presets vae-width       # some groups of it
    python -m benchmarks.presets --measure NAME  # train presets as they are, and keep what they took and reached
    python -m benchmarks.presets --list

Every point is an ordinary run of a work store (`--work`, .gallery/presets), trained by one niced thread and taken up
where it was stopped, so the study can be done in pieces beside other work: what counts is CPU time, not the clock's.
Points are judged on the validation set, as settings are chosen by it; presets on the test set. Results of the study are
kept in benchmarks/results/presets.json and .md, those of presets in vaecore/presets/measured.json, which `vaecore
presets` and the page Train read.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.gallery import WORK, Made, train
from scripts.gallery_page import called, number
from scripts.recipes import FULL, Recipe
from vaecore.comparison.cost import cost
from vaecore.config import RunConfig, differences, preset
from vaecore.evaluate.kept import evaluations, keep
from vaecore.evaluate.settings import Settings
from vaecore.files import write_json_atomic
from vaecore.lab import status
from vaecore.named import MEASURED, measured, presets
from vaecore.store import Run, Store
from vaecore.tables import Cell, Column, Table

RESULTS = Path(__file__).with_name("results")
JUDGED = Settings(split="validation", parts=("likelihood",), importance_samples=500, observations=1_000)
BARE = ("training.snapshots=0", "training.checkpoints=0")  # what a point of the study leaves out
WIDE = ("model.network.hidden=[300, 300]", "model.network.activation=relu", "model.latent_size=40",
        "training.learning_rate=0.002")
SHORT = (*WIDE, "training.epochs=15")
FEW_SENTENCES = ("data.train_limit=16000", "training.epochs=4")


@dataclass(frozen=True)
class Group:
    """Points in each of which `base`, a preset, is changed: one thing varies among them, the rest is the same."""

    points: Sequence[tuple[str, ...]]
    base: str = "vae-mnist-reference"
    shared: tuple[str, ...] = (FULL,)  # of all points
    sampled: bool = True  # judged by log p(x) with K samples; else by the validation set's own ELBO, or exact log p(x)

    def changes(self, place: int) -> tuple[str, ...]:
        """What a point changes in the preset."""
        return (*self.shared, *self.points[place])

    @property
    def words(self) -> str:
        """What is varied, and by what its points are judged."""
        number = (f"log p(x) by importance sampling (K = {JUDGED.importance_samples:,}) of the first "
                  f"{JUDGED.observations:,} observations of the validation set, ± its standard error" if self.sampled
                  else "ELBO of the validation set, which is log p(x) where that is exact")
        shared = f" with {', '.join(self.shared)}" if self.shared else ""
        return f"`{self.base}`{shared}; {number}."


def _points(field: str, values: Sequence[Any], base: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return [(*base, f"{field}={value}") for value in values]


STUDY: dict[str, Group] = {
    "vae-length": Group([*_points("training.epochs", [5, 15, 45], WIDE),
                         *_points("training.epochs", [8, 25, 75], ("training.learning_rate=0.002",))]),
    "vae-width": Group(_points("model.network.hidden", ["[200, 200]", "[300]", "[500, 500]"], SHORT)),
    "vae-batch": Group(_points("training.batch_size", [50, 200, 400], SHORT)),
    "vae-rate": Group(_points("training.learning_rate", [0.001, 0.004], SHORT)),
    "vae-schedule": Group([(*SHORT, "training.rate.kind=constant"), (*SHORT, "training.beta.fraction=0.5")]),
    "vae-network": Group([("model.network.kind=conv", f"model.network.channels={channels}", "model.network.dense=64",
                           "model.network.activation=elu", "training.learning_rate=0.002",
                           f"training.epochs={epochs}", "model.latent_size=40")
                          for channels, epochs in (("[8, 16]", 8), ("[16, 32]", 4))]),
    "made-width": Group(_points("model.hidden", ["[200]", "[500]", "[1000]"]), "made-mnist", (), False),
    "made-length": Group(_points("training.epochs", [15, 30, 120]), "made-mnist", (), False),
    "jmvae-length": Group(_points("training.epochs", [15, 60, 150]), "jmvae-image-label",
                          ("data.source=embedded",), False),
    "jmvae-rate": Group(_points("training.learning_rate", [0.0005, 0.005]), "jmvae-image-label",
                        ("data.source=embedded",), False),
    "sentences-width": Group(_points("model.hidden", [96, 192, 320]), "sentence-vae", FEW_SENTENCES, False),
    "sentences-rate": Group(_points("training.learning_rate", [0.001, 0.004]), "sentence-vae", FEW_SENTENCES, False),
    "clips-width": Group(_points("model.network.channels", [4, 8, 16]), "svg-lp-moving-mnist",
                         ("training.epochs=5",), False),
    "clips-rate": Group(_points("training.learning_rate", [0.001, 0.004]), "svg-lp-moving-mnist",
                        ("training.epochs=5",), False),
}


def points(group: str, work: Store) -> list[Made]:
    """The trainings of a group."""
    each = STUDY[group]
    return [Made(Recipe(f"{group}-{place}", each.base, 1.0, (*BARE, *each.changes(place))), work)
            for place in range(len(each.points))]


def judged(run: Run, settings: Settings) -> dict[str, Any]:
    """The evaluation of a finished training with these settings, made where it is not there."""
    import torch

    from vaecore.evaluate.report import evaluate_run

    wanted = settings.model_dump(mode="json")
    found = next((each for each in evaluations(run) if each["settings"] == wanted), None)
    if found is None:
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        found = evaluate_run(run, settings)
        keep(run, found)
    return found


def study(groups: list[str], work: Store, jobs: int) -> None:
    """Measure what is not measured yet, and write all results anew."""
    path = RESULTS / "presets.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    for group in groups:
        made = points(group, work)
        train(made, jobs)
        for place, each in enumerate(made):
            if each.done:
                results[each.recipe.name] = {
                    "changes": list(STUDY[group].points[place]), "cpu_seconds": round(each.minutes * 60, 1),
                    **value(each.run, STUDY[group])}
                write_json_atomic(path, results)
    (RESULTS / "presets.md").write_text("\n".join(page(results)))


def value(run: Run, group: Group) -> dict[str, float | None]:
    """By what a point is judged, in nats, with its standard error where it is an estimate of some observations."""
    if not group.sampled:
        return {"value": round(float(run.summary()["validation"]["elbo"]), 3), "standard_error": None}
    like = judged(run, JUDGED)["likelihood"]
    return {"value": round(like["log_likelihood"], 3), "standard_error": round(like["standard_error"], 3)}


def page(results: Mapping[str, Any]) -> Iterator[str]:
    """The tables of the study, a group each."""
    yield "# What seconds of a processor buy"
    yield ""
    yield ("A preset with what is said changed, against CPU seconds of its training, one thread. "
           "`python -m benchmarks.presets` measures it.")
    for name, group in STUDY.items():
        rows = [{"changes": ", ".join({change.partition("=")[0]: change for change in facts["changes"]}.values()),
                 "seconds": facts["cpu_seconds"],  # of a field that is changed twice the last counts
                 "value": Cell(facts["value"], facts["standard_error"])}
                for point, facts in results.items() if point.rpartition("-")[0] == name]
        if rows:
            yield ""
            yield f"## {name}"
            yield ""
            yield group.words
            yield ""
            yield Table([Column("changes", "Changed"), Column("seconds", "CPU", "s", 0),
                         Column("value", "log p(x)" if group.sampled else "ELBO", "nats", 2)], rows).markdown()


def as_measured(config: RunConfig) -> dict[str, Any]:
    """The fields on which what a preset takes and reaches depends; which copy of the data it was is told besides."""
    beside = {"threads", "device", "snapshots", "snapshot_points", "checkpoints"}
    return config.model_dump(mode="json", exclude={"training": beside, "data": {"source"}})


def trained_so(name: str, stores: list[Store]) -> Run | None:
    """A finished run of a preset as it is, where one of the stores holds one: what the gallery trained counts too."""
    wanted = as_measured(preset(name))
    for store in stores:
        for run in store.runs():
            if status(run.path).state == "finished" and as_measured(run.config()) == wanted:
                return run
    return None


def measure(names: list[str], work: Store, others: list[Store], jobs: int) -> None:
    """Train presets as they are, judge them with the usual settings, and keep what they took and reached."""
    known = measured()
    train([Made(Recipe(f"preset-{name}", name, 1.0), work) for name in names
           if trained_so(name, [work, *others]) is None], jobs)
    for name in names:
        run = trained_so(name, [work, *others])
        if run is None:
            continue
        packed = Run(run.path.parents[1] / "gallery" / run.path.name)  # which the gallery has judged already
        judge = packed if (packed.path / "config.json").is_file() and packed.values() == run.values() else run
        judged(judge, Settings())
        found, took = number(judge), cost(run).cpu_seconds
        if found is None or took is None:
            print(f"{name}: its run {run.path} has no number that counts, or was trained before CPU time was kept.")
            continue
        known[name] = {
            "minutes": round(took / 60, 2), "reached": f"{called(judge, found)} {found.said()}",
            "setting": found.setting, "data": str(run.summary().get("data", "")), "of": as_measured(preset(name))}
        write_json_atomic(MEASURED, known)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.presets", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="groups of the study, or presets with --measure; all where none")
    parser.add_argument("--measure", action="store_true", help="train presets as they are")
    parser.add_argument("--work", type=Path, default=WORK / "presets", help="the store in which trainings go on")
    parser.add_argument("--among", type=Path, action="append", default=[WORK], help="another store whose finished runs "
                        "count where they are of a preset as it is; the gallery's does")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once, one thread each")
    parser.add_argument("--list", action="store_true", help="the points of the study, and how far they are")
    given = parser.parse_args(arguments)
    work = Store(given.work.absolute())
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as an interrupt: what trains is asked to stop
    if given.measure:
        measure(given.names or list(presets()), work, [Store(path.absolute()) for path in given.among], given.jobs)
    elif given.list:
        for group in STUDY:
            for each in points(group, work):
                changes = differences([preset(STUDY[group].base), each.recipe.config()])
                told = ", ".join(f"{name}={values[1]}" for name, values in changes.items())
                print(f"{each.recipe.name:16} {each.state:14} {each.minutes * 60:8.0f} CPU s  {told}")
    else:
        study(given.names or list(STUDY), work, given.jobs)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
