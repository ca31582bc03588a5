"""Data of one's own on the command line: what was understood of them, and a configuration that takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaecore.cli.printing import err, out, say
from vaecore.data.converted import watched
from vaecore.data.own.door import Brought, Kind, possible, read_as, understood
from vaecore.schema import parse, problem

if TYPE_CHECKING:
    from vaecore.data.own.file import OwnFile


def brought(path: str, name: str, settings: Sequence[str]) -> Brought:
    """What lies at `path`, read as the data set called `name` or as what it looks like, with fields `data.…` set."""
    for setting in settings:
        if not setting.strip().startswith("data."):
            raise problem("--set", setting, f"'{setting}' is no field of the data.", "Write data.field=value.")

    def configured(kind: Kind) -> OwnFile:
        config = parse(kind, {"path": path})
        if settings:
            from vaecore.config import RunConfig, changed  # brings torch

            data = changed(RunConfig.model_construct(**{**dict(RunConfig()), "data": config}), settings).data
            assert isinstance(data, kind)
            return data
        return config

    with err.status(f"reading {path}") as line, watched(lambda progress: line.update(str(progress))):
        return read_as(path, name, configured)


def tell(path: str, name: str, settings: Sequence[str], output: Path | None, as_json: bool) -> None:
    """Print what was understood; draw some of it into `output`."""
    found = brought(path, name, settings)
    if output is not None:
        from vaecore.explore.look import look

        if not (picture := look(found.dataset).picture):
            raise problem("--output", str(output), f"{found.config.title.lower()} cannot be drawn.", "Leave it out.")
        output.write_bytes(picture)
        err.print(f"{output} written", highlight=False)
    others = [each for each, kind in possible(path).items() if not isinstance(found.config, kind)]
    if as_json:
        return say(facts(found, others), True, "")
    for line in understood(found.dataset, found.config.title):
        out.print(line, highlight=False, markup=False)
    if others and not name:
        out.print(f"read as {found.config.tag}; it could be {' or '.join(others)} too: --as {others[0]}",
                  highlight=False, markup=False)


def facts(found: Brought, others: Sequence[str]) -> dict[str, Any]:
    """What was understood of data, as values by name; `others` are what they could be read as too."""
    dataset = found.dataset
    return {"data": found.config.model_dump(mode="json"), "title": found.config.title, "source": dataset.source,
            "sizes": {split: dataset.size(split) for split in dataset.splits},
            "modalities": {name: {"kind": modality.kind, "shape": list(modality.shape)}
                           for name, modality in dataset.modalities.items()},
            "classes": dataset.counted(), "split_by": dataset.split_by, "done": list(dataset.done),
            "left_out": list(dataset.left_out), "also": list(others)}
