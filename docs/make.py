"""Writes the API pages, docs/api/, from the docstrings; run by `make docs`. Beside each family stand its equations."""

from __future__ import annotations

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc

import vaecore
from vaecore import models
from vaecore.models import FAMILIES, ModelConfig

OUTPUT = Path(__file__).parent / "api"


def rooms() -> list[str]:
    """All modules but the command line, one by one: where a package says what it offers, pdoc looks no further."""
    found = (module.name for module in pkgutil.walk_packages(vaecore.__path__, "vaecore."))
    return ["vaecore", *(name for name in found if ".cli" not in name and "__main__" not in name)]


def table() -> str:
    """The families in Markdown, a row each: what it is, its equations in the lecture, and its page."""
    def row(tag: str, choice: type[ModelConfig]) -> str:
        what = (choice.__doc__ or "").split("\n")[0]
        return f"| {choice.title} | `{tag}` | {what} | {choice.equations} | `{choice.__module__}.{choice.__name__}` |"

    return "\n".join(["| Family | Tag | What it is | Equations | Choice |", "|---|---|---|---|---|",
                      *(row(tag, choice) for tag, choice in FAMILIES.items())]) + "\n"


def main(output: Path, names: list[str]) -> None:
    """Write the pages of the modules called so into `output`."""
    models.__doc__ = f"{models.__doc__}\n\n{table()}"
    pdoc.render.configure(docformat="markdown", show_source=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Error parsing type annotation")  # names that only type checkers see
        warnings.filterwarnings("ignore", "The module specification")  # a package without `__all__` has named its own
        pdoc.pdoc(*names, output_directory=output)
    print(f"{len(list(output.rglob('*.html')))} pages; begin with {output / 'index.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT, rooms())
