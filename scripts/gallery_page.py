"""`docs/gallery.md`: what each shipped checkpoint took and reached, what was before, and what others published.

    python -m scripts.gallery_page            # write the page from trained/gallery
    python -m scripts.gallery_page --before   # keep the numbers of trained/gallery as those from before, first

Numbers are read from the checkpoints by the library's own reader and never typed. What they draw is kept by
`scripts.gallery_pictures`, which comes first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts import gallery_pictures
from scripts.recipes import RECIPES
from vaecore.comparison.cost import cost
from vaecore.evaluate.kept import results
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.library import record
from vaecore.library.fields import NUMBERS
from vaecore.library.headline import headline
from vaecore.literature import Beside, beside
from vaecore.store import Run, Store
from vaecore.tables import Column, Table

ROOT = Path(__file__).parents[1]
PAGE, BEFORE = ROOT / "docs" / "gallery.md", ROOT / "docs" / "gallery-before.json"
# The number that counts for a checkpoint is the first of these that it has.
COUNTS = ("coherence", "ssim_clips", "perplexity", "mcc", "mig", "log_p_is", "log_p", "elbo", "mse")
HEAD = """# The shipped checkpoints

What each took, what it reached, and what others have published. `make gallery` makes all of it again, in some
{hours:.0f} CPU hours of training, and goes on where it was stopped; `scripts/recipes.py` has the recipes, and
`python -m scripts.gallery --list` says how far it is, and what each is expected to take. This page is written from the
checkpoints by `python -m scripts.gallery_page`, and a test holds it to them.

CPU minutes are those of the processor in training, evaluations of the validation set included. Of checkpoints from
before they were counted stand minutes of the clock, in brackets, which other work on the machine makes longer.
Weights are shipped in half precision where that moves no number of the test set by 0.005 nats, or of many nats by five
millionths. Intervals are 95 %, by bootstrap over the observations of the test set. *Before* are the numbers of commit
{commit}. A published value stands beside ours with what differs in its setting: unless nothing does, it is no contest.

"""
DRAWS = f"""
## What they draw

The first draws of seed {gallery_pictures.SEED}, none chosen, by `python -m scripts.gallery_pictures`.

"""


@dataclass(frozen=True)
class Number:
    """The number that counts for a checkpoint, with how it was found."""

    key: str
    value: float
    half: float | None  # of its interval
    setting: str

    def said(self) -> str:
        """The number with its interval as a person reads it."""
        field = NUMBERS[self.key]
        spread = f" ± {field.said(self.half)}" if self.half is not None else ""
        return f"{field.said(self.value)}{spread}{f' {field.unit}' if field.unit not in ('', 'share') else ''}"


def number(run: Run) -> Number | None:
    """The number that counts for a run; None where its files hold none."""
    found = record(run).numbers
    # Of grey pixels that are scored as black and white there is no log p, only the bound that was trained on.
    counted = [key for key in COUNTS if key in found and (key != "log_p_is" or found[key].kind != "no log p")]
    if not counted:
        return None
    key, told = counted[0], found[counted[0]]
    if key == "log_p":  # exact: with the interval of those observations that were evaluated
        for each in reversed(results(run)):
            if each.split == "test" and (like := each.of(Likelihood)) is not None and like.interval is not None:
                low, high = like.interval
                setting = f"{like.observations or 0:,} observations · test"
                return Number(key, like.log_likelihood, (high - low) / 2, setting)
    return Number(key, told.value, told.half, told.setting)


def called(run: Run, found: Number) -> str:
    """What that number is called: of a density, or of x given a label, it is no log p(x)."""
    if found.key == "log_p" and record(run).numbers["log_p"].kind == "no log p":
        return "log density"
    return NUMBERS[found.key].title.replace("(x)", "(x|u)" if headline(run).given else "(x)")


def before() -> tuple[str, dict[str, Number]]:
    """The commit whose numbers are those from before, and these by the names of the checkpoints."""
    kept = json.loads(BEFORE.read_text())
    return kept["commit"], {name: Number(**values) for name, values in kept["numbers"].items()}


def keep_before() -> None:
    """Keep the numbers of what is shipped now as those from before."""
    commit = subprocess.run(["git", "log", "-1", "--format=%h", "--", "trained/gallery"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.strip()
    numbers = {run.path.name: asdict(found) for run in shipped() if (found := number(run)) is not None}
    BEFORE.write_text(json.dumps({"commit": commit, "numbers": numbers}, indent=1) + "\n")


def shipped() -> list[Run]:
    """The shipped checkpoints in the order of their recipes."""
    order = [recipe.name for recipe in RECIPES]
    return sorted(Store(ROOT / "trained").gallery(), key=lambda run: order.index(run.path.name))


def published(run: Run, counted: Number | None) -> Beside | None:
    """The published value that a run stands beside: that of its recipe, else the nearest setting."""
    found = [each for each in beside(run) if counted is not None
             and each.published.quantity == counted.key.removesuffix("_is")]
    wanted = next(recipe.beside for recipe in RECIPES if recipe.name == run.path.name)
    return next((each for each in found if each.published.model == wanted), found[0] if found else None)


def table() -> Table:
    """A row for each shipped checkpoint."""
    _, earlier = before()
    rows = []
    for run in shipped():
        recipe = next(recipe for recipe in RECIPES if recipe.name == run.path.name)
        now, then, took = number(run), earlier.get(run.path.name), cost(run)
        near = published(run, now)
        minutes = (f"{took.cpu_seconds / 60:.1f}" if took.cpu_seconds is not None
                   else "" if took.seconds is None else f"({took.seconds / 60:.1f})")
        alike = now is not None and then is not None and now.key == then.key
        rows.append({
            "name": run.path.name, "why": recipe.why, "minutes": minutes,
            "what": called(run, now) if now else "",
            "before": then.said() if alike and then else "",
            "now": now.said() if now else "", "setting": now.setting if now else "",
            "published": f"{near.published.said()}, {near.published.model} ({near.published.source})" if near else "",
            "differs": near.words if near else ""})
    return Table([Column("name", "Checkpoint"), Column("why", "Why it is here"), Column("minutes", "CPU minutes"),
                  Column("what", "Number"), Column("before", "Before"), Column("now", "Now"),
                  Column("setting", "Found with"), Column("published", "Published"),
                  Column("differs", "The same setting?")], rows, "")


def draws() -> str:
    """What each shipped checkpoint draws, as `scripts.gallery_pictures` has kept it."""
    known, parts = gallery_pictures.known(), []
    for run in shipped():
        name = run.path.name
        if (drawn := known.get(name)) is None:
            raise SystemExit(f"python -m scripts.gallery_pictures {name}, first: nothing is kept of what it draws.")
        lines = "\n".join(f"> {line}  " for line in drawn.get("lines", ()))
        shown = lines or f"![Draws of {name}](images/gallery/{name}.png)"
        parts.append(f"### {name}\n\n{drawn['words']}\n\n{shown}\n")
    return "\n".join(parts)


def page() -> str:
    """The whole page."""
    commit, _ = before()
    hours = sum(recipe.minutes for recipe in RECIPES) / 60
    return HEAD.format(commit=commit, hours=hours) + table().markdown().strip() + "\n" + DRAWS + draws()


if __name__ == "__main__":
    if "--before" in sys.argv[1:]:
        keep_before()
    PAGE.write_text(page())
