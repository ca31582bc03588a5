"""`vaecore sentences ...`: what a model of text does with sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from vaecore.cli.printing import JsonOption, RunArgument, StoreOption, say, store_at
from vaecore.store import StoreError

if TYPE_CHECKING:
    from vaecore.explore.sentences import SentenceCheckpoint

app = typer.Typer(no_args_is_help=True, help="Reconstruct, perturb, interpolate, sample and score sentences.")

T = TypeVar("T")
TextArgument = Annotated[str, typer.Argument(metavar="TEXT", help="A sentence, in quotes.")]
CountOption = Annotated[int, typer.Option("--count", min=1, max=1000, help="How many.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0)]
BeamsOption = Annotated[int, typer.Option("--beams", min=1, max=20, help="1 writes the likeliest next word each time; "
                                          "more search so many ways at once for the likeliest sentence.")]


@app.command()
def reconstruct(run: RunArgument, text: TextArgument, beams: BeamsOption = 1, store: StoreOption = None,
                as_json: JsonOption = False) -> None:
    """Encode a sentence and write it again."""
    _print(run, store, as_json, lambda c: [c.reconstruct(text, beams=beams)])


@app.command()
def perturb(run: RunArgument, text: TextArgument,
            scale: Annotated[float, typer.Option(min=0, max=10, help="Standard deviations of the prior.")] = 1.0,
            count: CountOption = 6, seed: SeedOption = 0, beams: BeamsOption = 1, store: StoreOption = None,
            as_json: JsonOption = False) -> None:
    """Write the sentences of codes around a sentence's own."""
    _print(run, store, as_json, lambda c: c.perturb(text, scale, count, seed, beams=beams))


@app.command()
def interpolate(run: RunArgument, text: TextArgument, other: Annotated[str, typer.Argument(metavar="OTHER")],
                steps: Annotated[int, typer.Option(min=2, max=101)] = 7, beams: BeamsOption = 1,
                store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Write the sentences on the way from one to another."""
    _print(run, store, as_json, lambda c: c.interpolate(text, other, steps, beams=beams))


@app.command()
def sample(run: RunArgument, count: CountOption = 8,
           temperature: Annotated[float, typer.Option(min=0, max=10, help="0 writes the likeliest words.")] = 1.0,
           seed: SeedOption = 0, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Write sentences of the model's own."""
    _print(run, store, as_json, lambda c: c.sample(count, temperature, seed))


@app.command()
def score(run: RunArgument, text: TextArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """log p(x|z), KL, bound and perplexity of a sentence."""
    found = _asked(run, store, lambda c: c.score(text))
    facts = {**asdict(found), "perplexity": found.perplexity}
    say(facts, as_json, "\n".join(f"{name:15} {value:.4g}" for name, value in facts.items() if value is not None))


def _print(run: str, store: Path | None, as_json: bool, lines: Callable[[SentenceCheckpoint], list[str]]) -> None:
    written = _asked(run, store, lines)
    say(written, as_json, "\n".join(written))


def _asked(run: str, store: Path | None, question: Callable[[SentenceCheckpoint], T]) -> T:
    from vaecore.explore.sentences import SentenceCheckpoint

    try:
        return question(SentenceCheckpoint.load(store_at(store).find(run)))
    except ValueError as error:  # a text without words, a model without a code
        raise StoreError(str(error)) from None
