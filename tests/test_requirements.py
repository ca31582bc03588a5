"""Nothing is installed that nothing imports, and nothing is imported that is not asked for."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.test_architecture import FILES, imports

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORTED_AS = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn", "umap-learn": "umap",
               "bayesian-optimization": "bayes_opt"}
# Extras that are installed only where they are asked for by name; tests have them all.
BY_NAME = {"umap", "onnx", "search", "tensorboard", "auth", "slurm"}

BROUGHT = {"pydantic_core", "starlette"}  # by pydantic and by Streamlit, whose own they are
KNOWN = {*sys.stdlib_module_names, *BROUGHT, "vaecore", "pages"}


def names(requirements: list[str]) -> set[str]:
    return {IMPORTED_AS.get(name, name) for name in (re.split(r"[=<>\[]", each)[0] for each in requirements)}


def pinned(file: str) -> list[str]:
    """The lines of a file that pin something."""
    return [line for line in (ROOT / file).read_text().splitlines() if "==" in line]


def imported() -> set[str]:
    """What the package imports that is neither its own nor Python's."""
    found = {name.split(".")[0] for path in FILES for name in imports(path)}
    return found - KNOWN


def test_what_is_required_is_imported() -> None:
    assert names(PROJECT["dependencies"]) - imported() == set()
    assert names(PROJECT["optional-dependencies"]["video"]) <= imported()


def test_what_is_imported_is_required() -> None:
    optional = {name for extra in PROJECT["optional-dependencies"].values() for name in names(extra)}
    assert imported() - names(PROJECT["dependencies"]) - optional == set()


def test_the_extra_of_the_dashboard_is_what_its_pages_import() -> None:
    pages = {name.split(".")[0] for path in (ROOT / "pages").rglob("*.py") for name in imports(path)}
    assert names(PROJECT["optional-dependencies"]["app"]) <= pages
    assert pages - KNOWN - names(PROJECT["dependencies"]) - names(PROJECT["optional-dependencies"]["app"]) == set()


def test_everything_pinned_is_asked_for() -> None:
    asked = [*PROJECT["dependencies"], *(each for extra, wanted in PROJECT["optional-dependencies"].items()
                                         for each in wanted if extra not in BY_NAME)]
    assert names(pinned("requirements.txt")) == names(asked)


@pytest.mark.parametrize("extra", [None, *PROJECT["optional-dependencies"]])
def test_the_full_installation_has_it_pinned(extra: str | None) -> None:
    wanted = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    assert names(wanted) <= names(pinned("requirements-dev.txt" if extra in BY_NAME else "requirements.txt"))


LOCKS = ("runtime.txt", "torch.txt", "cuda.txt", "dev.txt")


def locked(*files: str) -> dict[str, str]:
    """What is locked for each name and version: the lines of its hashes."""
    found: dict[str, str] = {}
    for file in files:
        text = re.sub(r"^#.*\n", "", (ROOT / "locks" / file).read_text(), flags=re.MULTILINE)
        for block in re.split(r"\n(?=\S)", text.strip()):
            first, _, rest = block.partition(" \\\n")
            name = first.partition(";")[0].strip().lower().replace("_", "-")
            found[name] = found.get(name, "") + rest
    return found


@pytest.mark.parametrize(("file", "locks"), [("requirements.txt", LOCKS[:2]), ("requirements-dev.txt", LOCKS)])
def test_the_locks_hold_every_requirement_at_its_version(file: str, locks: tuple[str, ...]) -> None:
    wanted = {line.strip().lower().replace("_", "-") for line in pinned(file)}
    assert wanted and wanted - locked(*locks).keys() == set(), "run `make lock`"


@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_has_a_hash_for_every_package_and_no_address(file: str) -> None:
    text = (ROOT / "locks" / file).read_text()
    assert "://" not in text and "-index" not in text
    for name, hashes in locked(file).items():
        assert re.fullmatch(r"[a-z0-9.-]+==[a-z0-9.+]+", name)
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each.strip(" \\")) for each in hashes.splitlines())
        assert hashes, name


def test_all_that_is_installed_is_compared_with_its_hash() -> None:
    lines = [line.strip() for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("\t")
             and ("$(PIP)" in line or "pip install" in line) and ".venv/tools" not in line and "benchmarks" not in line]
    other = [line for line in lines if "--require-hashes" not in line]
    assert len(lines) - len(other) == 4
    assert other == ["$(BIN)/pip install --quiet --no-deps pythae==0.1.2",  # peers, for `make gpu` and `make bench`
                     "$(BIN)/pip install --quiet --no-deps pythae==0.1.2 multivae==1.0.3",
                     "$(PIP) --no-deps --no-build-isolation -e ."]
