"""The arrows of docs/architecture.md point one way, and what paints first does not wait for torch."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import vaecore

ROOT = Path(vaecore.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py"))
TOP = ["lab", "explore", "evaluate", "library", "cli", "studies", "sweeps"]
DASHBOARD = ["streamlit", "plotly", "pandas", "pages", "app"]  # what only it needs, and itself
FORBIDDEN: dict[str, list[str]] = {  # part -> what it must not import, besides the dashboard
    "schema": ["config", "data", "nets", "probability", "schedules", "models", "training", "store", *TOP],
    "files": ["config", "data", "nets", "probability", "schedules", "models", "training", "store", *TOP],
    "modalities": ["config", "data", "nets", "probability", "schedules", "models", "training", "store", "views", *TOP],
    "arrays": ["config", "data", "nets", "probability", "schedules", "models", "training", "store", "views", *TOP],
    "schedules": ["config", "data", "nets", "probability", "models", "training", "store", *TOP],
    "data": ["config", "nets", "probability", "schedules", "models", "training", "store", *TOP],
    "probability": ["config", "nets", "models", "schedules", "training", "store", *TOP],
    "nets": ["config", "models", "schedules", "training", "store", *TOP],
    "models": ["config", "schedules", "training", "store", *TOP],
    "config": ["training", "store", *TOP], "store": ["training", "models", *TOP], "training": TOP,
    "evaluate": ["lab", "library", "studies", "cli"], "explore": ["lab", "library", "studies", "cli"],
    "lab": ["library", "studies", "cli"],
    "sweeps": ["studies", "cli"],
    "views": ["training", "evaluate", "lab", "studies", "cli"], "studies": ["cli"],
    "marks": ["store", "config", "models", *TOP], "naming": ["store", "config", "models", *TOP],
    "library": ["studies", "sweeps", "comparison", "sharing", "cli", "training", "models"]}


def module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Everything a file imports, wherever in it, as dotted names."""
    found: set[str] = set()
    package = module(path) if path.name == "__init__.py" else module(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, *([base] if base else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def type_checking_only(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for inner in ast.walk(ast.Module(node.body, [])):
                if isinstance(inner, ast.ImportFrom):
                    found |= {f"{inner.module}.{alias.name}" for alias in inner.names} | {str(inner.module)}
    return found


def test_the_reader_of_imports_reads_them() -> None:
    assert "vaecore.files" in imports(ROOT / "store.py")
    assert "vaecore.training.session.train" in imports(ROOT / "training" / "__init__.py")  # inside a function
    assert len(FILES) > 25


def test_the_network_is_touched_in_one_file() -> None:
    network = ("urllib.request", "http.client", "ssl", "ftplib", "requests")
    reaching = [path for path in FILES if any(within(name, each) for name in imports(path) for each in network)]
    assert reaching == [ROOT / "data" / "download.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_point_down(path: Path) -> None:
    names = imports(path)
    assert not [n for n in names if any(within(n, part) for part in [*DASHBOARD, "tests"])]
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for other in FORBIDDEN.get(part, []):
        assert not [n for n in names if within(n, f"vaecore.{other}")], f"{part} imports {other}"


def imported_first(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """The modules of our own that a file must have imported before it is imported itself."""
    found: set[str] = set()
    left: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while left:
        for node in ast.iter_child_nodes(left.pop()):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {f"{node.module}.{each.name}" for each in node.names}
                found |= (names & modules.keys()) or {node.module}
            elif not isinstance(node, ast.FunctionDef | ast.Lambda) and not (
                    isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
                left.append(node)
    return found & modules.keys()


def test_no_import_makes_a_circle() -> None:
    modules = {module(path): path for path in [*FILES, *(ROOT.parent / "pages").rglob("*.py")]}
    graph = {name: imported_first(path, modules) for name, path in modules.items()}
    assert "vaecore.models.evidence" in graph["vaecore.models.base"]
    assert "pages.shared.words" in graph["pages.shared.task"]
    order = list(TopologicalSorter(graph).static_order())  # raises `CycleError`, which names a circle
    assert len(order) == len(modules)
    with pytest.raises(CycleError):
        list(TopologicalSorter({**graph, "vaecore.schema": {"vaecore.config"}}).static_order())


def test_training_has_no_circle() -> None:
    """A step knows no course, a course no session; what builds and what estimates are below and beside them."""
    order = ["auxiliaries", "ahead", "feed", "build", "step", "course", "estimate", "session"]
    for place, name in enumerate(order):
        found = imports(ROOT / "training" / f"{name}.py")
        above = order[place + 1:] if name != "estimate" else ["session"]
        assert not [n for n in found for other in above if within(n, f"vaecore.training.{other}")], name


def test_the_aggregate_stands_on_densities_alone() -> None:
    found = imports(ROOT / "probability" / "aggregate.py")
    inside = {n if within(n, "vaecore") else n.split(".")[0] for n in found}
    ours = {n for n in inside if within(n, "vaecore")}
    assert ours and all(within(n, "vaecore.probability") for n in ours)
    assert not [n for n in ours if within(n, "vaecore.probability.priors")]
    assert inside - ours <= {"__future__", "math", "dataclasses", "torch"}


def test_only_type_checkers_see_config_from_the_store() -> None:
    top = {ast.unparse(node) for node in ast.parse((ROOT / "store.py").read_text()).body
           if isinstance(node, ast.Import | ast.ImportFrom)}
    assert not [line for line in top if "vaecore.config" in line]
    assert "vaecore.config" in type_checking_only(ROOT / "store.py")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_vaecore_is_whole_where_the_dashboard_is_not_installed() -> None:
    names = [m.name for m in pkgutil.walk_packages([str(ROOT)], "vaecore.") if not m.name.endswith("__main__")]
    assert "vaecore.training.step" in names
    code = (f"import importlib, sys\nsys.modules.update(dict.fromkeys({DASHBOARD!r}))\n"  # importing one of them fails
            f"for name in {names!r}: importlib.import_module(name)\nprint('torch' in sys.modules)")
    assert run(code) == "True"


@pytest.mark.parametrize("name", ["vaecore", "vaecore.store", "vaecore.files", "vaecore.lab", "vaecore.library"])
def test_what_paints_first_needs_no_torch(name: str) -> None:
    importlib.import_module(name)
    code = f"import sys, {name}\nprint([m for m in ('torch', 'streamlit', 'sklearn', 'av') if m in sys.modules])"
    assert run(code) == "[]"


PAGES = ROOT.parent / "pages"


@pytest.mark.parametrize("path", sorted(PAGES.rglob("*.py")), ids=lambda p: str(p.relative_to(PAGES)))
def test_a_room_of_the_dashboard_is_its_page_alone(path: Path) -> None:
    """What a second page needs is in `shared/`."""
    room = path.relative_to(PAGES).parts[0]
    others = {each.name for each in PAGES.iterdir() if each.is_dir()} - {room, "shared", "components", "__pycache__"}
    assert not [n for n in imports(path) if any(within(n, f"pages.{other}") for other in others)]


def test_what_is_shared_is_used_by_several() -> None:
    """Through others that are shared too."""
    users: dict[str, set[str]] = {}
    for path in PAGES.rglob("*.py"):
        for name in {n for n in imports(path) if within(n, "pages.shared")}:
            users.setdefault(name, set()).add(module(path))

    def rooms(name: str) -> set[str]:
        found: set[str] = set()
        for user in users.get(name, set()) - {name}:
            found |= rooms(user) if within(user, "pages.shared") else {user.split(".")[1]}
        return found

    for path in (PAGES / "shared").glob("*.py"):
        assert len(rooms(module(path))) > 1, path.name


def constants(path: Path) -> dict[str, str]:
    """The names in capitals that a file gives a value, and the values as they are written."""
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for name in ast.walk(target):
                if isinstance(name, ast.Name) and name.id.isupper() and node.value is not None:
                    found[name.id] = ast.unparse(node.value)
    return found


def test_a_limit_says_what_it_limits_and_stands_once() -> None:
    bare = {"MOST", "LARGEST", "LONGEST", "FEWEST", "LEAST", "AT_ONCE", "BATCH", "MAX", "MIN"}
    seen: dict[tuple[str, str], Path] = {}
    for path in [*FILES, *(ROOT.parent / "pages").rglob("*.py")]:
        for name, value in constants(path).items():
            assert name not in bare, f"{path}: what is {name} of?"
            if name.startswith(("MAX_", "MIN_")) or name.endswith("_AT_ONCE"):
                other = seen.setdefault((name, value), path)
                assert other == path, f"{name} = {value} stands in {path} and in {other}"


@pytest.mark.parametrize("name", ["shared/form/fields.py", "shared/form/tree.py"])
def test_what_a_form_asks_is_known_without_streamlit(name: str) -> None:
    inside = imports(PAGES / name)
    assert not [n for n in inside if within(n, "streamlit")]
    assert {n for n in inside if within(n, "pages")} <= {n for n in inside if within(n, "pages.shared.form.fields")}


TESTS = Path(__file__).parent
# The dashboard in a real browser, page after page; every reader of outside bytes; all that may fail around it.
OF_ALL = {"browser", "fuzz", "faults", "lab/slurm", "gpu"}


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda p: str(p.relative_to(TESTS)))
def test_tests_lie_where_the_code_lies(path: Path) -> None:
    """A folder of tests is one of `vaecore` or, under `pages/`, one of the dashboard's."""
    folder = path.parent.relative_to(TESTS)
    assert (ROOT / folder).is_dir() or ((ROOT.parent / folder).is_dir() and folder.parts[:1] == ("pages",)) \
        or str(folder) in OF_ALL, f"{path.relative_to(TESTS)} tests nothing that lies in {folder}"


TOGETHER = """
import threading
errors = []
def first():
    import vaecore.explore.drawing
def second():
    from vaecore.explore.seen import seen
def done(what):
    try:
        what()
    except BaseException as error:
        errors.append(repr(error))
threads = [threading.Thread(target=done, args=[what]) for what in (first, second)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(errors)
"""


def test_threads_that_import_at_the_same_time_do_not_wait_for_each_other() -> None:
    """A page and a route of a server that has just started: each found the other's modules half imported."""
    assert run(TOGETHER) == "[]"
