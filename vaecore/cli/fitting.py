"""`vaecore fit-prior`: a mixture of Gaussians fitted to the codes of a trained model, as the prior of a new run."""

from __future__ import annotations

from typing import Annotated

import typer

from vaecore import permission
from vaecore.cli.printing import DataPathOption, JsonOption, RunArgument, StoreOption, err, say, store_at
from vaecore.cli.progress import progress
from vaecore.lab import background
from vaecore.training import FITTING

app = typer.Typer()


@app.command("fit-prior")
def fit_prior(
    run: RunArgument,
    components: Annotated[int, typer.Option(help="Gaussians in the mixture, at most 200.")] = 10,
    covariance: Annotated[str, typer.Option(help="full, or diagonal: whether the dimensions of a Gaussian may vary "
                                                 "together.")] = "full",
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the codes that are drawn, and of the starts.")
                    ] = 0,
    name: Annotated[str, typer.Option(help="The new run's name; made from what was changed without.")] = "",
    data_path: DataPathOption = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a mixture to the codes of a trained autoencoder, PCA or VAE, and give it to a new run as its prior.

    The new run is finished: encoder and decoder are the same, and samples come from where codes lie. With --json the
    new run and how the fit went, in nats a code.
    """
    from vaecore.data.identity import check_there
    from vaecore.lab.worker import draw_preview
    from vaecore.training.fitted import PriorFit
    from vaecore.training.fitted import fit_prior as fitted

    permission.require("fit a prior")
    place = store_at(store)
    found = place.find(run)
    if data_path:
        found.relocate(data_path)
    check_there(found.config().data)
    with background.fitting_prior(found).alone(), progress(FITTING.__getitem__) as tell:
        new = fitted(place, found, components, covariance=covariance, seed=seed, name=name,  # type: ignore[arg-type]
                     progress=tell)
        draw_preview(new.path)
    fit = PriorFit.of_run(new)
    assert fit is not None
    say({"run": new.id, "folder": str(new.path), "parent": found.id, "fit": fit.model_dump()}, as_json,
        f"{fit.sentence()}\n{new.id} has it as its prior, in {new.path}")
    err.print(f"{background.MADE}{new.id}", highlight=False, markup=False)
