"""Evaluations of many runs, which wait for each other: a queue on disk that survives the page and the server.

    ROOT/lab.json                              {"evaluations": 1}: how many at once (absent: 1)
         evaluations/queue/<time_ns>-<n>.json  one of them, {run, settings, state, detail, tries}; names are the order
                           .lock               held by whoever changes the queue, for milliseconds
                           runner.lock         held by the process that works through it

The runner starts the evaluation of each run as a page does, as a task of its own (`background.evaluation`), and watches
it. So one that was begun goes on without the runner, and a new runner finds it again. What has ended stays listed until
all have, and the next are submitted. Whoever looks calls `kick`. No torch in here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from vaecore import permission
from vaecore.evaluate.settings import Settings
from vaecore.files import BrokenFile, read_json, remove_leftovers, trouble, write_json_atomic
from vaecore.lab import background, locks
from vaecore.lab.locks import LabError
from vaecore.lab.task import Task
from vaecore.schema import ConfigError, parse
from vaecore.store import Run, Store, StoreError
from vaecore.untrusted import Untrusted, Whole, Word

State = Literal["waiting", "running", "done", "partial", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "partial", "failed", "cancelled")
NAME = re.compile(r"\d{1,20}-\d{1,6}\.json")
MAX_QUEUED = 2_000  # evaluations
MAX_TICKET_BYTES = 20_000
TRIES = 2  # of one that ends without a word, as when the machine is switched off
POLL = 0.25  # seconds


class Ticket(Untrusted):
    """One evaluation, as its file says."""

    run: Word
    settings: dict[str, Any] = Field(default_factory=dict)
    state: Literal["waiting", "begun", "done", "partial", "failed", "cancelled"] = "waiting"
    detail: str = ""
    tries: Whole = 0


@dataclass(frozen=True)
class Item:
    """One evaluation of the queue, as it stands: `share` of `part` is done of one that is running."""

    id: str
    run: str
    settings: dict[str, Any]
    state: State
    detail: str = ""  # a sentence
    part: str = ""
    share: float = 0.0


def submit(runs: Sequence[Run], settings: Settings | None = None, *, store: Store | None = None) -> dict[str, str]:
    """Queue an evaluation of each run with the same settings, in their order; why some are left out, by their ids.

    Left out are runs without weights, and those that wait already with these settings. `store` is whose queue it is,
    that in use unless said. Raises `LabError` where it would hold too many, `StoreError` for a store that is only read,
    `NotAllowed` where nothing may be changed.
    """
    permission.require("evaluate runs")
    locks.require_locks()
    store, settings, left_out = store or Store.default(), settings or Settings(), dict[str, str]()
    store.require_own()
    asked = settings.model_dump(mode="json")
    with _queue_lock(store):
        known = _tickets(store)
        waiting = [ticket for _, ticket in known if ticket.state in ("waiting", "begun")]
        if not waiting:
            for path, _ in known:
                path.unlink(missing_ok=True)
        if len(waiting) + len(runs) > MAX_QUEUED:
            raise LabError(f"{len(waiting):,} evaluations wait already: at most {MAX_QUEUED:,} can. Submit fewer runs.")
        now = max([time.time_ns(), *(1 + int(path.name.partition("-")[0]) for path, _ in known)])  # a clock set back
        there = {ticket.run for ticket in waiting if ticket.settings == asked}
        for place, run in enumerate(runs):
            if run.id in there:
                left_out[run.id] = "It waits already, with the same settings."
            elif not run.path.is_dir():
                left_out[run.id] = "There is no such run any more."
            elif not run.weights.is_file():
                left_out[run.id] = "It has no weights yet."
            else:
                there.add(run.id)
                write_json_atomic(_folder(store) / f"{now:020}-{place:04}.json",
                                  Ticket(run=run.id, settings=asked).model_dump())
    kick(store)
    return left_out


def items(store: Store | None = None) -> list[Item]:
    """Every evaluation of the queue in its order, those that have ended since it was last empty among them."""
    store = store or Store.default()
    return [_item(store, path.stem, ticket) for path, ticket in _tickets(store)]


def cancel(ids: Sequence[str], *, store: Store | None = None) -> None:
    """Take these out of the queue; of one that is running is kept what it has found by then."""
    permission.require("cancel evaluations")
    store, stopping = store or Store.default(), list[Task]()
    with _queue_lock(store):
        for path, ticket in _tickets(store):
            if path.stem in ids and ticket.state in ("waiting", "begun"):
                if ticket.state == "begun" and (task := _task(store, ticket)) and task.progress().running:
                    stopping.append(task)
                _write(path, ticket, state="cancelled", detail="Cancelled.")
    for task in stopping:
        task.stop()


def cancel_all(*, store: Store | None = None) -> None:
    """Take all out of the queue; of those that are running is kept what they have found by then."""
    cancel([item.id for item in items(store) if item.state not in ENDED], store=store)


def forget_ended(ids: Sequence[str] | None = None, *, store: Store | None = None) -> None:
    """Take those that have ended off the list, of these or of all; what they found stays with their runs."""
    permission.require("clear the list of evaluations")
    store = store or Store.default()
    if not _folder(store).is_dir():
        return
    with _queue_lock(store):
        for path, ticket in _tickets(store):
            if ticket.state in ENDED and (ids is None or path.stem in ids):
                path.unlink(missing_ok=True)


def kick(store: Store | None = None) -> None:
    """Start the runner where evaluations wait and none is at work. Whoever looks at the queue calls this."""
    store = store or Store.default()
    # Who may only look starts nothing, and is not told so at each look; nor is anything started for another's store.
    if permission.refusal() or not locks.AVAILABLE or store.listed_as:
        return
    if any(ticket.state in ("waiting", "begun") for _, ticket in _tickets(store)):
        runner = runner_of(store)
        if not runner.progress().running:
            with contextlib.suppress(LabError):  # another page was faster
                runner.start()


def runner_of(store: Store) -> Task:
    """The process that works through the queue, by `work`."""
    return Task(_folder(store), "runner", "The queue of evaluations", ("evaluations", "--work", "--store",
                                                                        str(store.root)))


def work(store: Store) -> None:
    """Work through the queue until nothing waits; raises `LabError` where another process does."""
    permission.require("evaluate runs")
    with runner_of(store).alone():
        with _queue_lock(store):
            remove_leftovers(_folder(store))
        began = time.monotonic()
        while _advance(store):
            time.sleep(max(POLL, 3 * (time.monotonic() - began)))  # of thousands each look takes a while, and the lock
            began = time.monotonic()


# -- one round of the runner -----------------------------------------------------------------------


def _advance(store: Store) -> bool:
    """Say what has ended, and begin what there is room for; whether anything is left to do."""
    with _queue_lock(store):
        now = [(path, _watched(store, path, ticket) if ticket.state == "begun" else ticket)
               for path, ticket in _tickets(store)]
        begun, left, most = sum(ticket.state == "begun" for _, ticket in now), False, at_once(store)
        for path, ticket in now:
            if ticket.state == "waiting" and begun < most:
                ticket = _begin(store, path, ticket)
                begun += ticket.state == "begun"
            left = left or ticket.state in ("waiting", "begun")
        return left


def _watched(store: Store, path: Path, ticket: Ticket) -> Ticket:
    """How one stands that was begun."""
    task = _task(store, ticket)
    if task is None:
        return _write(path, ticket, state="failed", detail=f"There is no run {ticket.run} any more.")
    now = task.progress()
    if now.running:
        return ticket
    last = next(filter(str.strip, reversed(now.lines)), "")[:300]
    if any(line.startswith(background.KEPT) for line in now.lines):
        partial = any(line.startswith(background.BROKEN_OFF) for line in now.lines)
        return _write(path, ticket, state="partial" if partial else "done", detail=last)
    if (not now.lines or background.reached(now.lines[-1:])) and ticket.tries < TRIES:  # killed: nobody said why
        return _write(path, ticket, state="waiting")
    return _write(path, ticket, state="failed", detail=last or "It ended without a word.")


def _begin(store: Store, path: Path, ticket: Ticket) -> Ticket:
    """How it stands once begun, or where it has to wait, as for one of the same run that a page has begun."""
    task = _task(store, ticket)
    try:
        if task is None:
            raise StoreError(f"There is no run {ticket.run} any more.")
        settings = parse(Settings, ticket.settings)
        if task.progress().running:
            return ticket
        task.start(settings.words())
    except LabError:
        return ticket
    except (StoreError, ConfigError, OSError) as error:
        return _write(path, ticket, state="failed", detail=trouble(error)[:300])
    return _write(path, ticket, state="begun", tries=ticket.tries + 1)


def at_once(store: Store) -> int:
    """How many evaluations run at once."""
    try:
        known = read_json(store.root / "lab.json")
    except BrokenFile:
        known = None
    asked = known.get("evaluations") if isinstance(known, dict) else 1
    return asked if isinstance(asked, int) and not isinstance(asked, bool) and 1 <= asked <= 64 else 1


# -- the files -------------------------------------------------------------------------------------


def _folder(store: Store) -> Path:
    return store.root / "evaluations" / "queue"


def _tickets(store: Store) -> list[tuple[Path, Ticket]]:
    """The good tickets in their order; what is none is passed over."""
    try:
        paths = sorted(path for path in _folder(store).iterdir() if NAME.fullmatch(path.name))
    except OSError:
        return []
    found = []
    for path in paths[:2 * MAX_QUEUED]:
        with contextlib.suppress(BrokenFile, ValueError, OSError):
            ticket = Ticket.kept(read_json(path, MAX_TICKET_BYTES))
            json.dumps(ticket.settings, allow_nan=False)  # or it could never be written again
            found.append((path, ticket))
    return found


def _write(path: Path, ticket: Ticket, **changed: Any) -> Ticket:
    ticket = ticket.model_copy(update=changed)
    write_json_atomic(path, ticket.model_dump())
    return ticket


def _task(store: Store, ticket: Ticket) -> Task | None:
    try:
        run = store.find(ticket.run)
    except StoreError:
        return None
    return background.evaluation(run) if run.id == ticket.run else None  # not a shipped one of the same name


def _item(store: Store, name: str, ticket: Ticket) -> Item:
    if ticket.state != "begun":
        return Item(name, ticket.run, ticket.settings, ticket.state, ticket.detail[:300])
    task = _task(store, ticket)
    now = task.progress() if task else None
    part, share = (background.reached(now.lines) if now else None) or ("", 0.0)
    return Item(name, ticket.run, ticket.settings, "running", ticket.detail[:300], part, share)


@contextlib.contextmanager
def _queue_lock(store: Store) -> Iterator[None]:
    _folder(store).mkdir(parents=True, exist_ok=True)
    lock = locks.take(_folder(store) / ".lock", wait=10.0)
    if lock is None:
        raise LabError("Another process has been changing the queue of evaluations for 10 s: it may be suspended. Try "
                       "again.")
    try:
        yield
    finally:
        os.close(lock)
