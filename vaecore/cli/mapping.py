"""`vaecore map`: the codes of a split in the plane, as a picture, a table or arrays; what is costly is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vaecore.cli.declared import declared
from vaecore.cli.printing import (
    STOPPED,
    DataPathOption,
    JsonOption,
    RunArgument,
    StoreOption,
    err,
    say,
    store_at,
    writable,
)
from vaecore.cli.progress import progress
from vaecore.lab import background
from vaecore.mapping import ENDINGS, STEPS, Settings, folder

OutputOption = Annotated[Path | None, typer.Option("-o", "--output", callback=writable, help="The file to write: a "
                                                   "picture (.png), a table (.csv) or arrays (.npz).")]

app = typer.Typer()


@app.command("map")
@declared(Settings, {})
def latent_map(run: RunArgument, *, output: OutputOption = None, data_path: DataPathOption = "",
               store: StoreOption = None, as_json: JsonOption = False, **asked: Any) -> None:
    """The latent map of a checkpoint: codes of a split by two dimensions, principal components or UMAP.

    Codes and maps by UMAP are kept, so that they are there at once the next time. Ctrl-C ends it (exit code 3).
    """
    from vaecore.schema import parse, problem

    settings = parse(Settings, asked)
    if output is not None and output.suffix.lower() not in ENDINGS:
        raise problem("--output", str(output), "a map is written as a picture, a table or arrays.",
                      f"Give a name that ends in {', '.join(ENDINGS)}.")
    found = store_at(store).find(run)
    if data_path:
        found.relocate(data_path)

    from vaecore.explore import Checkpoint
    from vaecore.explore.maps import kept
    from vaecore.explore.maps import latent_map as made

    try:
        with background.latent_map(found, settings).alone(), progress(STEPS.__getitem__) as tell:
            result = made(Checkpoint.load(found), settings, tell)
    except KeyboardInterrupt:
        err.print("Cancelled. Codes are kept where all of them were encoded.", highlight=False)
        raise typer.Exit(STOPPED) from None
    if output is not None:
        result.write(output)
        err.print(f"{output} written", highlight=False)
    facts = {"run": found.id, "observations": len(result), "source": result.population.source,
             "settings": result.settings.model_dump(mode="json"), "axes": list(result.axes),
             "means": {name: float(values.mean()) for name, values in result.encoded.measures.items()}}
    say(facts, as_json, f"{found.id}: {result.population.source}; axes {result.axes[0]} and {result.axes[1]}")
    err.print(f"{background.KEPT}{folder()}" if kept.there(result.population, settings) else
              f"not kept: nothing more can be written in {folder()}.", highlight=False, markup=False)
