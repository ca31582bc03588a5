"""One attempt at a run: its steps, its evaluations, and all that it writes into the folder."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save

from vaecore import __version__, album
from vaecore.config import RunConfig
from vaecore.data import COVARIATE, EVENTS, OBSERVED, Split
from vaecore.data.converted import Stopped
from vaecore.files import BrokenFile, remove_leftovers, write_bytes_atomic, write_json_atomic, written_into
from vaecore.models import Batch
from vaecore.provenance import Provenance
from vaecore.store import COPY_AGAIN, EXAMPLES, MAX_EXAMPLES_BYTES, WRITTEN_BESIDE, Run
from vaecore.training import Control
from vaecore.training import device as devices
from vaecore.training.build import build
from vaecore.training.checkpoints import (
    CHECKPOINT,
    KEPT,
    WEIGHTS,
    BrokenCheckpoint,
    changed_settings,
    check_origin,
    check_words,
    inherit,
    kept_weights,
    load_checkpoint,
    load_model,
    save_checkpoint,
    save_weights,
    settings_of,
)
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Splits
from vaecore.training.pictures import Illustrator, affordable
from vaecore.training.ranks.group import Ranks
from vaecore.training.ranks.step import SharedFeed
from vaecore.training.snapshots import snapshot
from vaecore.training.validation import Evaluation, evaluate
from vaecore.words import counted

FLUSH_SECONDS = 0.5  # how long steps may wait on the device before they are written
CHECKPOINT_SECONDS = 60.0  # between evaluations
WAIT_SECONDS = 0.2  # after which a training that waits for its pace looks whether it is to stop
EVALUATION_SEED = 1_234  # the same noise at every evaluation, whatever the training drew
BLOCK = 2**16  # bytes in which a log is searched for the end of its last whole line
EXAMPLE_COUNT = 64  # test observations that travel with a run
EXAMPLE_BYTES = 4 * 2**20  # and so many bytes at most of clips, but four, and of what is fitted on all observations


Outcome = Literal["finished", "stopped"]


def train(folder: Path, control: Control, ranks: Ranks | None = None) -> Outcome:
    """Train the run in `folder` from where it stands; see `vaecore.training.train`. `ranks` follow where given."""
    session = prepared(folder, control, ranks=ranks)
    if session is None:
        return "stopped"
    try:
        with session.opened():
            while (outcome := session.due()) is None:
                session.wait()
                session.stepped(complete=session.course.advance(session.step))
            session.closed(outcome)
            return outcome
    finally:
        session.course.feed.close()


def prepared(folder: Path, control: Control, known: dict[str, Splits] | None = None, ranks: Ranks | None = None
             ) -> Session | None:
    """What trains the run in `folder`, not begun; None where a stop was asked for while its data were prepared.

    Data in `known` are not read again; what is read is put there, by its configuration and device.
    """
    if (folder / KEPT).is_symlink():
        raise BrokenCheckpoint(f"{folder / KEPT} is a link, and nothing is written through links. {COPY_AGAIN}, or "
                               "put a folder in its place.")
    for place in (folder, folder / KEPT):
        remove_leftovers(place, WRITTEN_BESIDE)
    config = Run(folder).config()
    trained = (folder / CHECKPOINT).exists() and (folder / WEIGHTS).exists()
    changes: list[str] = []
    if trained:
        check_origin(Run(folder))
        changes = changed_settings(Run(folder))
    device = devices.choose(config.training)
    threads = devices.set_threads(config.training, 1 if ranks is None else ranks.here)
    known = {} if known is None else known
    if (name := f"{config.data.model_dump_json()} on {device}") not in known:
        print(f"data: loading {config.data.name}", flush=True)
        try:
            known[name] = Splits(config.data.load(), device)
        except Stopped:  # what was converted stays, and is continued
            if ranks is not None:
                ranks.say(None)
            return None
    splits = known[name]
    dataset = splits.dataset
    if ranks is not None:
        ranks.say({"data": dataset.source})  # they are there for the others, too
        splits.share(SharedFeed(dataset, "train", device, ranks.part(config.training.batch_size)))
    if trained:
        check_words(folder, dataset)
    model = build(config, dataset)
    course = Course(config, model, splits["train"], device, ranks)
    facts = {"parameters": model.parameter_count, "data": dataset.source, "device": _described(device),
             "threads": threads, "torch": torch.__version__, "vaecore": __version__, "total_steps": course.total,
             "steps_per_epoch": course.per_epoch,
             "sizes": {split: dataset.size(split) for split in dataset.splits},
             **({"rate": dataset.rate} if dataset.rate else {}), **({"in_sample": True} if dataset.in_sample else {}),
             **({"processes": ranks.size} if ranks is not None else {}),
             **({"changes": changes} if changes else {})}
    print(f"data: {dataset.source}\nmodel: {config.model.family}, {model.parameter_count:,} parameters, on "
          f"{facts['device']} with {threads} thread{'s' * (threads != 1)}"
          f"{f' in each of {ranks.size} processes' if ranks is not None else ''}", *changes, sep="\n", flush=True)
    Provenance.of(config.data, dataset).write(folder)
    return Session(folder, config, splits, course, facts, control, ranks)


class Session:
    """One attempt at a run: where it stands, and what it writes into the folder.

    Whoever takes the steps asks before each what is `due`, and says after each that it was `stepped`.
    """

    def __init__(self, folder: Path, config: RunConfig, splits: Splits, course: Course, facts: dict[str, Any],
                 control: Control, ranks: Ranks | None = None) -> None:
        self.folder, self.config, self.splits, self.course, self.ranks = folder, config, splits, course, ranks
        self.dataset, self.facts, self.control = splits.dataset, facts, control
        self.validation = splits["validation"]
        self.first = self.step = 0  # where it was taken up, and where it stands
        self.best, self.since_best = -math.inf, 0
        self.seconds = 0.0  # up to where it was taken up, of all attempts
        self.cpu_seconds: float | None = 0.0  # likewise; None where that was written before they were counted
        self.last: Evaluation | None = None
        self.said = ""  # of graphs, once it is known

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the run where it stands: its model restored, or begun and evaluated, and its metrics to be written."""
        course = self.course
        resumed = load_checkpoint(self.folder, course.model, course.trainer.optimizers, course.generator)
        # What a killed attempt wrote after its checkpoint is written again, line for line.
        with (_cut_back(self.folder / "metrics.jsonl", resumed["metrics_bytes"] if resumed else 0) as self.metrics,
              _cut_back(self.folder / album.FILE, resumed.get("pictures_bytes", 0) if resumed else 0) as self.pictures):
            self.take_up()
            self._begin_pictures()
            if resumed:
                self.first = self.step = resumed["step"]
                self.best = resumed["best"] if resumed["best"] is not None else -math.inf
                self.since_best, self.seconds = resumed["since_best"], resumed["seconds"]
                self.cpu_seconds = resumed.get("cpu_seconds")
                try:
                    if course.turns is not None:
                        course.turns.restore(resumed["turns"])
                    course.trainer.auxiliaries.restore(resumed.get("auxiliaries", {}))
                except (KeyError, TypeError, ValueError):
                    raise BrokenCheckpoint(f"{self.folder / CHECKPOINT} does not say whose turn it was. Start a "
                                           "new run with its configuration.") from None
                print(f"resumed at step {self.step} of {course.total}", flush=True)
                self._tell_of_another_device()
            else:
                course.model.begin(self._observations)
                inherit(self.folder, course.model)
                self._write_examples()
                if course.total == 0:
                    course.model.fit(course.feed.all())
                self._draw()
                self._evaluate()
                self._checkpoint()
            self._tell()  # the checkpoint is there, from which the others begin
            self.flushed = self.saved = time.monotonic()
            yield

    def _tell_of_another_device(self) -> None:
        """A word in the log where the run was on another device so far, and so will not end with the same bits."""
        before, now = Run(self.folder).summary().get("device"), self.facts["device"]
        if isinstance(before, str) and before != now:
            print(f"so far it was trained on {before[:100]}, from here on it is on {now}: with the same weights and "
                  "schedules, and other rounding and noise", flush=True)

    def due(self) -> Outcome | None:
        """None where a step comes next, else how the training ends."""
        if self.step >= self.course.total:
            return "finished"
        if self.control.stop_requested():
            return "stopped"
        if self._exhausted():
            print(f"stopped early: no better validation objective in {self.since_best} evaluations", flush=True)
            return "finished"
        return None

    def rest(self) -> None:
        """Count no time until it is taken up: this process trains others meanwhile."""
        self.seconds, self.cpu_seconds = self._elapsed(), self._used()

    def take_up(self) -> None:
        """Count time, and the steps of a pace, from here on."""
        self.first, self.started, self.started_cpu = self.step, time.monotonic(), time.process_time()

    def wait(self) -> None:
        """Wait until the next step is due, of a training with a pace; a wish to stop ends that.

        It is due by the steps since it was taken up: before, the pace may have been another.
        """
        pace, steps = self.config.training.pace, self.step - self.first
        while pace and (left := steps / pace - self._here()) > 0 and not self._asked_to_stop():
            time.sleep(min(left, WAIT_SECONDS))

    def _asked_to_stop(self) -> bool:
        """Whether somebody wishes it; several processes take that up after their next update, so not by waiting."""
        return self.control.stop_requested() or (self.ranks is not None and self.ranks.asked)

    def stepped(self, *, complete: bool) -> None:
        """After an update, the last of its step where that is `complete`: write, evaluate and save what is due."""
        course = self.course
        self.step += complete
        self.control.progress(self.step, course.total, self.step / course.per_epoch)
        now = time.monotonic()
        if complete:
            self._draw()
        if complete and (self.step % course.evaluate_every == 0 or self.step == course.total):
            self._flush()
            self._evaluate()
            self._checkpoint()
            self._tell()
            self.flushed = self.saved = time.monotonic()
        elif len(course.pending) == FLUSH_STEPS or now - self.flushed > FLUSH_SECONDS:
            self._flush()
            self.flushed = now
            if now - self.saved > CHECKPOINT_SECONDS:
                self._checkpoint()
                self.saved = now

    def closed(self, outcome: Outcome) -> None:
        """Save where it ended; of a training that finished, judge the weights that were kept."""
        self._flush()
        self._draw(last=outcome == "finished")  # which patience may have ended early
        self._checkpoint()
        if outcome == "finished":
            self._summarise_test()

    def _exhausted(self) -> bool:
        patience = self.config.training.patience
        return patience > 0 and self.since_best >= patience

    def _tell(self) -> None:
        """Let the others know where the training stands."""
        if self.ranks is not None:
            turns = self.course.turns
            self.ranks.say({"step": self.step, "exhausted": self._exhausted(),
                            "turns": turns.state() if turns is not None else None})
            self.ranks.as_first(self.course.model.state_dict())

    def _begin_pictures(self) -> None:
        """Know when to draw, and go on where what has been drawn ends; nothing where that cannot be read."""
        course, training = self.course, self.config.training
        self.illustrator: Illustrator | None = None
        self.due_pictures: frozenset[int] = frozenset()
        self.drawn: int | None = None  # the last step
        if not (times := affordable(training.pictures, course.model, course.total, training.batch_size)):
            return
        try:
            drawn = album.read(self.folder)
        except BrokenFile as error:
            print(f"no pictures: {error}", flush=True)
            return
        along = next((row.note for page in drawn.pages[-1:] for row in page.rows if row.kind == "traversal"), "")
        self.illustrator = Illustrator(course.model, self.splits["test"], along)
        self.due_pictures = album.due(times, course.total)
        self.drawn, self.pages = (drawn.pages[-1].step if drawn.pages else None), len(drawn.pages)

    def _draw(self, *, last: bool = False) -> None:
        """Write what the model draws at this step, where it is due or the `last`, and the file has room."""
        due = self.step != self.drawn and (last or self.step in self.due_pictures)
        if self.illustrator is None or not due:
            return
        pages = [self.illustrator.page(self.step)]
        if not self.pictures.tell():
            pages.insert(0, self.illustrator.given())
        data = b"".join(album.line(page) for page in pages)
        if self.pictures.tell() + len(data) <= album.MAX_ALBUM_BYTES and self.pages + 2 <= album.MOST_PAGES:
            _write(self.pictures, data, self.folder / album.FILE)
            self.drawn, self.pages = self.step, self.pages + 1

    def _flush(self) -> None:
        lines = self.course.flush()
        if self.course.graphs and not self.said:
            self.said = f"graphs: {self.course.graphs}"
            print(self.said, flush=True)
        if lines:
            self._append({"kind": "step", **line} for line in lines)

    def _evaluate(self) -> None:
        course, start = self.course, time.monotonic()
        course.model.calibrate()
        self.last = evaluate(course.model, self.validation, EVALUATION_SEED)
        if not math.isfinite(self.last.elbo):
            raise course.failure(self.step, "validation ELBO")
        training, turns = self.config.training, course.turns
        if turns is not None and turns.aggressive and self.step:
            turns.judge(self.last.mutual_information)
            if not turns.aggressive:
                print(f"step {self.step}: mutual information stopped climbing; encoder and decoder now learn together",
                      flush=True)
        # Until beta and the cost of the KL are as they end the objective still moves, so patience does not run.
        settled = (training.beta.settled(self.step, course.total)
                   and training.kl.settled(self.step, course.total))
        score = self.last.objective(training.beta.final(), training.kl.at(course.total, course.total))
        better = score > self.best
        self.since_best = 0 if better or not settled else self.since_best + 1
        if better or training.keep == "last":
            save_weights(self.folder / WEIGHTS, course.model, self.config, self.step)
        if self.step and self._due(training.checkpoints):
            save_weights(kept_weights(self.folder, self.step), course.model, self.config, self.step)
        self.best = max(self.best, score)
        elapsed = self._elapsed()
        observations = self.step * training.batch_size
        if self.last.information and self._due(training.snapshots):
            batch = self.validation.first(training.snapshot_points)
            generator = torch.Generator(course.device).manual_seed(EVALUATION_SEED)
            self._append([{"kind": "snapshot", "step": self.step,
                           **snapshot(course.model, batch, generator).as_dict(), "labels": self._labels()}])
        lag: dict[str, Any] = {}
        if turns is not None:
            lag = {"aggressive": turns.aggressive, "encoder_updates": turns.all_updates}
        if course.trainer.auxiliaries.members:
            lag["auxiliaries"] = course.trainer.auxiliaries.take()
        self._append([{"kind": "evaluation", "step": self.step,
                       "epoch": self.step / course.per_epoch, **self.last.as_dict(), **lag,
                       "seconds": round(elapsed, 3),
                       "samples_per_second": round(observations / elapsed, 1) if observations else 0.0,
                       "evaluation_seconds": round(time.monotonic() - start, 3)}])
        self._summarise({"validation": self.last.as_dict()})
        name = "ELBO" if self.last.kl else "log p(x)" if self.config.model.exact else "log p(x|z)"
        weighed = "" if self.last.bound is None else f" importance-weighted bound {self.last.bound:.2f} nats,"
        print(f"step {self.step}: validation {name} {self.last.elbo:.2f} nats,{weighed} "
              f"{counted(self.last.active, 'active dimension')}", flush=True)

    def _checkpoint(self) -> None:
        if self.course.pending:
            self._flush()  # never keep weights whose last steps were not seen to be finite
        if not all(bool(p.isfinite().all()) for p in self.course.inference):  # updated without a line in the log
            raise self.course.failure(self.step, "encoder's loss")
        for log in (self.metrics, self.pictures):
            os.fsync(log.fileno())  # before what counts on its length
        save_checkpoint(self.folder, self.course.model, self.course.trainer.optimizers, self.course.generator,
                        {"step": self.step, "metrics_bytes": self.metrics.tell(),
                         "pictures_bytes": self.pictures.tell(),
                         "best": self.best if math.isfinite(self.best) else None, "since_best": self.since_best,
                         "seconds": self._elapsed(), "cpu_seconds": self._used(),
                         "turns": self.course.turns.state() if self.course.turns is not None else None,
                         "auxiliaries": self.course.trainer.auxiliaries.state(),
                         "settings": settings_of(self.config), "changes": self.facts.get("changes", [])})

    def _due(self, count: int) -> bool:
        """Whether this evaluation is one of about `count` that are evenly spaced; the last one is."""
        if count == 0 or self.course.total == 0:
            return False
        every = self.course.evaluate_every
        index, evaluations = -(-self.step // every), -(-self.course.total // every)
        return self.step == self.course.total or index % -(-evaluations // count) == 0

    def _labels(self) -> list[int] | None:
        labels = self.dataset.splits["validation"].labels
        return None if labels is None else labels[: self.config.training.snapshot_points].tolist()

    def _summarise_test(self) -> None:
        """The kept weights on the test set: the numbers shown beside a finished run."""
        model = load_model(self.folder).to(self.course.device)
        test = evaluate(model, self.splits["test"], EVALUATION_SEED)
        kept = evaluate(model, self.validation, EVALUATION_SEED)
        self._summarise({"validation": kept.as_dict(), "test": test.as_dict()})

    def _summarise(self, evaluations: dict[str, Any]) -> None:
        write_json_atomic(self.folder / "summary.json", {
            **self.facts, **({"graphs": self.course.graphs} if self.course.graphs else {}),
            "step": self.step, "epoch": self.step / max(1, self.course.per_epoch),
            "seconds": round(self._elapsed(), 3), **({} if (used := self._used()) is None else
                                                     {"cpu_seconds": round(used, 3)}),
            "peak_memory_bytes": devices.peak_memory(self.course.device),
            **evaluations})

    def _observations(self, count: int) -> Batch:
        """`count` random training observations, the same for the same seed."""
        feed = self.course.feed
        generator = torch.Generator().manual_seed(self.config.seed)
        return feed.at(torch.randperm(len(feed), generator=generator)[:count])

    def _write_examples(self) -> None:
        """Some test images, so that a checkpoint can be looked at where its data set is not."""
        test = self.dataset.splits["test"]
        fitting = EXAMPLE_BYTES * len(test) // max(1, _bytes(test))
        if self.dataset.in_sample:  # a small table is shown whole
            test = test.head(max(EXAMPLE_COUNT, fitting))
        else:
            few = self.config.data.observation == "clip"
            test = test.head(max(4, min(EXAMPLE_COUNT, fitting)) if few else EXAMPLE_COUNT)
        if (size := _bytes(test)) > MAX_EXAMPLES_BYTES // 2:  # half of what is read: labels and names come on top
            test = test.head(max(1, MAX_EXAMPLES_BYTES // 2 * len(test) // size))
        tensors = {name: torch.from_numpy(array.copy()) for name, array in test.arrays.items()}
        if test.labels is not None:
            tensors["labels"] = torch.from_numpy(test.labels.copy())
        if test.covariate is not None:
            tensors[COVARIATE] = torch.from_numpy(test.covariate.copy())
        if test.observed is not None:
            tensors[OBSERVED] = torch.from_numpy(test.observed.copy())
        if test.events is not None:
            tensors[EVENTS] = torch.from_numpy(test.events.copy())
        named = {"classes": json.dumps(self.dataset.classes)} if self.dataset.classes else None
        write_bytes_atomic(self.folder / EXAMPLES, save(tensors, named))

    def _append(self, lines: Any) -> None:
        try:
            data = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines).encode()
        except ValueError:  # the ELBO is finite, but a variance or a square of what is that large is not
            raise self.course.failure(self.step, "evaluation") from None
        _write(self.metrics, data, self.folder / "metrics.jsonl")

    def _elapsed(self) -> float:
        return self.seconds + self._here()

    def _here(self) -> float:
        """Seconds since it was taken up."""
        return time.monotonic() - self.started

    def _used(self) -> float | None:
        """CPU seconds of the process that trains, all its threads together: what else the machine does adds nothing.

        None of a run whose first steps did not count them.
        """
        return None if self.cpu_seconds is None else self.cpu_seconds + time.process_time() - self.started_cpu


def _bytes(split: Split) -> int:
    return sum(x.nbytes for x in split.arrays.values())


@contextmanager
def _cut_back(path: Path, length: int) -> Iterator[FileIO]:
    """A log, cut back to its whole lines within `length` bytes and open at its end."""
    with os.fdopen(written_into(path, os.O_RDWR), "r+b", buffering=0) as log:
        length = _whole_lines(log, min(length, log.seek(0, os.SEEK_END)))
        log.truncate(length)
        log.seek(length)
        yield log


def _write(log: FileIO, data: bytes, path: Path) -> None:
    if log.write(data) != len(data):  # a full disk cuts a write short without an error
        raise OSError(28, "No space left on device", str(path))


def _whole_lines(log: FileIO, end: int) -> int:
    """How far the lines go that are whole within the first `end` bytes, sought from there backwards."""
    while end:
        start = max(0, end - BLOCK)
        log.seek(start)
        if found := log.read(end - start).rfind(b"\n") + 1:
            return start + found
        end = start
    return 0


def _described(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
