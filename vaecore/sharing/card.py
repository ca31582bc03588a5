"""A model card of a run in Markdown, written from the facts in its folder: what a stranger has to know of it. No torch.

It says what the run is, of what data, at what cost, with which numbers and how these were found, what was published
beside them and in which setting, what the run cannot do, and how it is loaded. What no file tells is not said.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import PurePath

from vaecore import literature
from vaecore.data.published import PUBLISHED
from vaecore.evaluate.kept import evaluations
from vaecore.evaluate.verdict import verdict
from vaecore.lab.state import LastWord, told
from vaecore.library import FIELDS, Record, record
from vaecore.naming import complete, named, short
from vaecore.provenance import of_run
from vaecore.store import Metrics, Run
from vaecore.tables import Column, Table, plain


def card(run: Run) -> str:
    """The model card of a run; raises `StoreError` for one without a configuration that can be read."""
    values = run.values()
    known, parent = record(run), run.about().get("parent")
    anew = ", its decoder begun anew" if isinstance(parent, dict) and parent.get("anew") == "decoder" else ""
    parts = [
        (known.title, [_said(known)]),
        ("What it is", [_table([("run", known.id), ("family", known.family), ("data", known.data),
                                ("dimensions of the code", known.latents), ("parameters", known.parameters),
                                ("p(x|z)", known.likelihood), ("seed", known.seed),
                                ("tags", ", ".join(known.tags)), ("made with", _made_with(run))]),
                        *_changes(values)]),
        ("Data", list(_data(run, known))),
        ("Training", [_table([("steps", known.steps), ("epochs", known.epochs), ("seconds", known.seconds),
                              ("device", known.device), ("ended", _ended(run, known)),
                              ("forked from", known.parent + anew), ("part of", known.experiment)])]),
        ("Numbers", list(_numbers(known))),
        ("Beside what was published", list(_published(run))),
        ("Limits", [_list(_limits(run, known))]),
        ("How to load it", [_loading(known)])]
    sections = [f"{'#' if place == 0 else '##'} {plain(title)}\n\n" + "\n\n".join(filter(None, inside))
                for place, (title, inside) in enumerate(parts) if any(inside)]
    return "\n\n".join(sections) + "\n"


def _made_with(run: Run) -> str:
    version = run.summary().get("vaecore")
    return f"vaecore {version[:20]}" if isinstance(version, str) else ""


def _ended(run: Run, known: Record) -> str:
    """When the lab saw it end; empty of one that travelled, whose files are as old as the copy."""
    last_word = told(run.path, LastWord, [])
    if last_word is None or not last_word.time or last_word.state != known.state:
        return ""
    with suppress(OSError, ValueError, OverflowError):
        return FIELDS["made"].said(datetime.fromtimestamp(int(last_word.time)))
    return ""


def _said(known: Record) -> str:
    words = f"A {known.family or 'model'} of {known.data or 'data that are not told'}."
    return plain(words) + (f"\n\n> {plain(' '.join(known.note.split()))}" if known.note else "")


def _table(rows: list[tuple[str, object]]) -> str:
    told = [{"what": what, "value": value if isinstance(value, int | float) else str(value)} for what, value in rows
            if value not in (None, "", "–")]
    return Table([Column("what", "Fact"), Column("value", "Value")], told).markdown() if told else ""


def _list(lines: list[str]) -> str:
    return "\n".join(f"- {plain(line)}" for line in lines)


def _changes(values: dict[str, object]) -> Iterator[str]:
    found = named(values)
    if found.changes:
        yield plain(f"It differs from the preset {found.preset or found.base} in:")
        yield Table([Column("field", "Field"), Column("here", "Here"), Column("there", "Preset")], [
            {"field": each.field, "here": short(each.value), "there": short(each.usual)} for each in found.changes
        ]).markdown()
    elif found.preset:
        yield plain(f"Its configuration is the preset {found.preset}.")


def _data(run: Run, known: Record) -> Iterator[str]:
    told = of_run(run)
    if told is not None:  # where it lay on somebody's machine is nobody else's business
        told = told.model_copy(update={"path": PurePath(told.path.replace("\\", "/")).name})
    lines = told.lines() if told else [known.source or known.data]
    name = str((known.values.get("data") or {}).get("name", ""))
    if published := PUBLISHED.get(name):
        lines.append(f"licence: {published.licence} ({published.title})")
    elif told and told.path:
        lines.append("licence: not known; the data are the user's own")
    yield _list(lines)


def _numbers(known: Record) -> Iterator[str]:
    rows = []
    for key, found in known.numbers.items():
        told = FIELDS[key]
        unit = "" if told.unit == "share" else told.unit
        rows.append({"number": told.title, "value": f"{told.said(found.value)} {unit}".strip(),
                     "interval": " to ".join(told.said(end) for end in (found.low, found.high) if end is not None),
                     "kind": found.kind or told.kind, "setting": found.setting or "whole test set"})
    if rows:
        yield Table([Column("number", "Number"), Column("value", "Value"), Column("interval", "95 %"),
                     Column("kind", "It is"), Column("setting", "Setting")], rows).markdown()
    else:
        yield "It has not been evaluated."


def _published(run: Run) -> Iterator[str]:
    rows = [{"model": each.published.model, "number": each.title,
             "there": each.published.said(), "here": each.here(), "words": each.words,
             "source": f"{each.published.source} [{each.published.tag}]"}
            for each in literature.nearest(literature.beside(run))]
    if rows:
        yield Table([Column("model", "Model"), Column("number", "Number"), Column("there", "Published"),
                     Column("here", "This run"), Column("words", "Do they compare?"), Column("source", "Source")],
                    rows).markdown()
        yield "S: read in the source. T: read in a third party's table."


def _limits(run: Run, known: Record) -> list[str]:
    lines = []
    if known.state not in ("finished", "unreadable"):
        lines.append(f"Its training is {known.state}: {known.detail}".strip())
    metrics = Metrics(run.path / "metrics.jsonl")
    metrics.update()
    if known.headline is not None and known.headline.has_kl:
        found = verdict(metrics, complete(run.values()))
        if found.state not in ("healthy", "unknown"):
            lines += found.sentences
    if known.latents and (active := known.numbers.get("active")) and active.value < known.latents:
        lines.append(f"{int(known.latents - active.value)} of {known.latents} dimensions of the code are not in use.")
    for facts in evaluations(run)[-1:]:
        if facts.get("grey_pixels") is True:
            lines.append("Its p(x|z) is of binary pixels and was trained on grey ones: its nats are no log p(x) of "
                         "pictures.")
        if facts["partial"]:
            lines.append("Its last evaluation was stopped before its end.")
    if known.headline is not None and not known.numbers.get("log_p") and not known.numbers.get("log_p_is"):
        lines.append("log p(x) has not been estimated: its ELBO is a bound from below." if known.headline.has_kl
                     else "It has no log p(x) of its own." if not known.headline.exact else "")
    lines.append("One training with one seed: another seed gives other numbers.")
    return [line for line in lines if line]


def _loading(known: Record) -> str:
    return (f"```python\nimport vaecore\n\ncheckpoint = vaecore.load(\"{known.id}\")\n```\n\n"
            f"From a zip, first `vaecore import FILE`. Its configuration is `vaecore show {known.id}`.")
