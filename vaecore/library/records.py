"""Every run as a record: what it is in words and numbers, read from its small files and kept until these change.

Logs are never read for it: `summary.json` and `evaluation.json` hold what was found. A folder that is broken or not
ours costs itself: its record is `unreadable` and says why. No torch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from vaecore import marks, naming
from vaecore.evaluate import kept
from vaecore.evaluate.evaluation import Evaluation
from vaecore.lab import State, Waits, in_line, status, where
from vaecore.library.found import Found, numbers
from vaecore.library.headline import Headline, sane, told
from vaecore.memory import held
from vaecore.named import declarations
from vaecore.store import COPY_AGAIN, Run, Store, StoreError

MAX_RECORDS = 5_000  # kept in a process; one takes about 20 kB
SETTLED = ("finished", "failed", "stopped")  # states that stay until a file changes or a ticket is drawn
READ = ("config.json", "about.json", "summary.json", kept.NAME, marks.NAME, where.FILE)
STANDS = ("launch.json", "exit.json", "heartbeat.json", "stop", "weights.safetensors")  # what its state is derived from
Stamps = tuple[tuple[int, int], ...]  # when a file was written, and how long it is
ABSENT = (0, -1)
PIXELS = ("pixels", "binarisation_seed")  # fields of data that say what its pixels mean to a likelihood
Standing = State | Literal["unreadable"]


@dataclass(frozen=True)
class Record:
    """One run in words and numbers. `value` gives any of its fields by the key under which it is declared."""

    run: Run = field(compare=False)
    id: str
    title: str
    state: Standing
    detail: str = ""  # a sentence on the state; of an unreadable one, why
    problem: str = ""  # what could not be read of one that is readable
    family: str = ""  # in words
    data: str = ""  # in words
    source: str = ""  # the data with the copy that was used
    changed: str = ""  # what differs from its preset, in short words
    preset: str = ""
    seed: int | None = None
    latents: int | None = None
    numbers: Mapping[str, Found] = field(default_factory=dict)
    steps: int | None = None
    epochs: float | None = None
    parameters: int | None = None
    seconds: float | None = None
    device: str = ""
    on: str = ""  # where it was last asked to run, by the name of that place; empty where nobody asked
    made: datetime | None = None
    parent: str = ""
    experiment: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    pinned: bool = False
    archived: bool = False
    place: str = "own"
    likelihood: str = ""
    trained: bool = False  # there are weights to look at
    headline: Headline | None = field(default=None, repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)  # `config.json` with newer fields' defaults
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)  # the same, by dotted names
    same: str = ""  # equal for runs of one configuration, seed included; empty where there is none
    same_but_seed: str = ""  # equal for runs that differ in nothing but their seed
    observations: str = ""  # equal for runs of the same data, whatever their pixels mean to the likelihood
    scored_on: str = ""  # equal for runs of the same data, copy, pixels and reading
    comparable: str = ""  # equal for runs whose numbers in nats compare: those and likelihood, and what is given

    def value(self, key: str) -> Any:
        """A field by its key, or a field of the configuration by its dotted name; None where it has none."""
        if (found := self.numbers.get(key)) is not None:
            return found.value
        if key in _OWN:
            return getattr(self, key)
        return self.settings.get(key)


_OWN = frozenset(each.name for each in dataclasses.fields(Record)) - {"run", "numbers", "headline", "values",
                                                                       "settings"}


@dataclass(frozen=True)
class _Kept:
    """A record with the state of the files that it was read from."""

    beside: tuple[str, ...]  # files of a run that is only read, which lie in one's own store
    read: Stamps
    stands: Stamps
    record: Record


_kept: OrderedDict[str, _Kept] = OrderedDict()  # by the run's folder and one's own store
_lock = threading.Lock()


def records(*stores: Store) -> list[Record]:
    """A record of every run of the stores, or of the default one: one's own, newest first, then all others.

    Kept in the process: a second call looks only whether files have changed.
    """
    found = []
    for store in stores or (Store.default(),):
        queued = in_line(store.root)
        found += [record(run, queued) for run in store.everything()]
    return found


def record(run: Run, queued: Mapping[str, Waits] | None = None) -> Record:
    """The record of one run; `queued` is what waits in its store's queue, where that is known already."""
    folder = str(run.path)
    place = f"{folder}\0{run.home or ''}"
    with _lock:
        before = _kept.get(place)
        if before is not None:
            _kept.move_to_end(place)
    beside = before.beside if before else () if run.writable else (str(kept.file_of(run)), str(run.marks_file))
    read, stands = (*_stamps(folder, READ), *_stamps("", beside)), _stamps(folder, STANDS)
    if before is not None and before.read == read:
        made = before.record
        waits = not beside and (queued is None or run.path.name in queued)
        if before.stands == stands and made.state in (*SETTLED, "unreadable") and not waits:
            return made
    else:
        made = _read(run)
    if made.state != "unreadable":
        now, trained = status(run.path, None if beside else queued), stands[-1] != ABSENT
        if (made.state, made.detail, made.trained) != (now.state, now.detail, trained):
            made = dataclasses.replace(made, state=now.state, detail=now.detail, trained=trained)
    with _lock:
        _kept[place] = _Kept(beside, read, stands, made)
        while len(_kept) > MAX_RECORDS:
            _kept.popitem(last=False)
    return made


def forget() -> None:
    """Forget every record that is kept in this process; measurements begin so."""
    with _lock:
        _kept.clear()
    _identity.clear()


def _stamps(folder: str, names: Iterable[str]) -> Stamps:
    found = []
    for name in names:
        try:
            told = os.stat(f"{folder}/{name}" if folder else name)  # noqa: PTH116 (thousands of them)
            found.append((told.st_mtime_ns, told.st_size))
        except (OSError, ValueError):
            found.append(ABSENT)
    return tuple(found)


# -- reading one -----------------------------------------------------------------------------------


def _read(run: Run) -> Record:
    """A run's record, but for its state, from its files."""
    marked, passed = marks.read(run.marks_file)
    place = run.place or "own"
    common: dict[str, Any] = {"run": run, "id": run.id, "place": place, "tags": marked.tags, "note": marked.note,
                              "pinned": marked.pinned, "archived": marked.archived, "made": _made(run)}
    try:
        values = run.values()
        for part in ("model", "data"):
            if not isinstance(values.get(part), dict):
                raise StoreError(f"Run {run.id}: config.json names no {part}, so it is none of ours. Remove it.")
    except StoreError as error:
        return Record(**common, title=marked.title or run.id, state="unreadable", detail=str(error))
    broken, summary = "", {}
    try:
        summary = run.summary()
        if not isinstance(summary.get("test", {}), dict):
            raise StoreError(f"Run {run.id}: summary.json holds no numbers of ours. {COPY_AGAIN}, or remove it.")
    except StoreError as error:
        broken, summary = str(error), {}
    about = run.about()
    facts = told(run.id, values, about, summary, broken)
    whole = naming.complete(values)
    called = naming.named(values)
    evaluations = [Evaluation.read(each) for each in kept.evaluations(run)]
    parent, experiment = about.get("parent"), about.get("experiment")
    device, epochs = summary.get("device"), summary.get("epoch")
    same, but_seed = shared(whole, parent if isinstance(parent, dict) else None)
    scored_on = _scored_on(facts)
    return Record(
        **common, title=marked.title or _line(about.get("title")) or run.id, state="unreadable" if broken else "new",
        detail=broken, problem=passed,
        family=facts.family, data=facts.scored_on[0], source=facts.data, changed=naming.changed(values),
        preset=called.preset, seed=called.seed, latents=facts.latent_size,
        numbers=numbers(facts, evaluations), steps=facts.steps,
        epochs=sane(float(epochs)) if isinstance(epochs, int | float) and not isinstance(epochs, bool) else None,
        parameters=facts.parameters, seconds=facts.seconds, device=_line(device),
        on=(where.elsewhere(run.path) or where.kept(run.path)).kind if (run.path / where.FILE).is_file() else "",
        parent=_line(parent.get("run")) if isinstance(parent, dict) else "", experiment=_line(experiment),
        likelihood=facts.likelihood, headline=facts, values=whole, settings=_settings(whole), same=same,
        same_but_seed=but_seed, scored_on=scored_on, comparable=_digest([scored_on, facts.likelihood, facts.given]),
        observations=_identity(json.dumps({name: value for name, value in facts.read.items() if name not in PIXELS},
                                          sort_keys=True)))


def _line(value: Any) -> str:
    return " ".join(value.split())[:80] if isinstance(value, str) else ""


def _made(run: Run) -> datetime | None:
    with contextlib.suppress(OSError, ValueError, OverflowError):
        return datetime.fromtimestamp(int((run.path / "config.json").stat().st_mtime))
    return None


def _settings(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a configuration by their dotted names, and by the symbols that names of runs have for some."""
    found = flat(whole)
    symbols = declarations().fields
    return {symbols[name]: value for name, value in reversed(found.items()) if symbols.get(name)} | found


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by their dotted names; a choice among several kinds by the name of the group too."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            tag = next((value[tag] for tag in ("kind", "family", "name") if isinstance(value.get(tag), str)), None)
            if tag is not None:
                found[f"{prefix}{name}"] = tag
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def shared(whole: Mapping[str, Any], parent: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """What equal configurations share, with their seed and without it; where a file lies is no part of that.

    A fork equals only what began with the same weights, those of `parent` at its step, and the same of it anew.
    """
    from vaecore.data.identity import placeless

    data = whole.get("data")
    told = {**whole, "data": placeless(data)} if isinstance(data, dict) else dict(whole)
    if parent:
        told["parent"] = [parent.get(name) for name in ("run", "step", "anew") if name in parent]
    but_seed = {name: value for name, value in told.items() if name != "seed"}
    return _digest(told), _digest(but_seed)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "replace")).hexdigest()[:24]


def _scored_on(facts: Headline) -> str:
    """What runs share whose numbers compare, but for their likelihood, by the rules of `headline.comparable`."""
    copy = "" if facts.read.get("digest") else facts.scored_on[1]
    return _digest([_identity(json.dumps(facts.read, sort_keys=True)), copy, *facts.scored_on[2:]])


@held
def _identity(text: str) -> str:
    from vaecore.data.identity import identity

    return identity(json.loads(text))
