"""What README and docs say was measured is what the benchmarks have kept."""

from __future__ import annotations

import importlib.util
import json
import random
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from streamlit.proto.ButtonGroup_pb2 import ButtonGroup
from streamlit.proto.Selectbox_pb2 import Selectbox
from streamlit.proto.Slider_pb2 import Slider

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = (ROOT / "README.md").read_text().splitlines()


@cache
def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # its dataclasses look for it there
    spec.loader.exec_module(module)
    return module


def kept(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def test_the_readme_says_of_the_interface_what_was_measured() -> None:
    interface = benchmark("interface")
    wanted = interface.rows(kept("interface")["numbers"])
    assert len(wanted) >= 8
    for row in wanted:
        assert row in README, "the README says something else than benchmarks/results/interface.json"


def test_the_readme_says_of_runs_and_compare_what_was_measured() -> None:
    page, library, compare = kept("library_page"), kept("library"), kept("compare")["numbers"]
    for begin in (
            f"| Runs with 500 runs: table painted; a search; memory of the server | {page['paint_s']:.2f} s; "
            f"{page['filter_ms'] / 1000:.2f} s; {page['server_mb']:.0f} MB |",
            f"| `vaecore runs QUERY --json` with 500 runs, its start included | {library['command']:.1f} s |",
            "| Compare, curves of 12 runs of 20,000 steps: usable the first time, and again | "
            f"{compare['usable_no_cache_s']:.1f} s, {compare['usable_s']:.1f} s |",
            f"| The same: zoom, cursor, another measure across | {compare['zoom_ms']:.0f} ms, "
            f"{compare['cursor_ms']:.0f} ms, {compare['measure_ms']:.0f} ms |"):
        assert any(line.startswith(begin) for line in README), begin


def test_every_target_of_the_interface_is_of_a_line_that_is_said() -> None:
    interface = benchmark("interface")
    assert {name for *_, names in interface.LINES for name in names} == set(interface.TARGETS)


def test_the_docs_say_of_the_load_what_was_measured() -> None:
    load, found = benchmark("load"), kept("load")
    table = load.table(found["numbers"])
    assert (RESULTS / "load.md").read_text() == table
    assert table.strip() in (ROOT / "docs" / "deploy.md").read_text()
    assert found["numbers"]["errors"] == 0 and found["numbers"]["false_states"] == 0


@pytest.mark.parametrize(("kind", "widget", "values"), [
    ("selectbox", Selectbox(options=["a", "b"]), {"a", "b"}), ("selectbox", Selectbox(options=["a"]), set()),
    ("selectbox", Selectbox(options=["a", "b"], disabled=True), set()),
    ("selectbox", Selectbox(options=["a", "b"], form_id="f"), set()),
    ("slider", Slider(default=[1], min=0, max=1, step=0.5), {0.0, 0.5, 1.0}),
    ("slider", Slider(default=[1], min=1, max=1, step=1), set()),
    ("button_group", ButtonGroup(options=[ButtonGroup.Option(content="x"), ButtonGroup.Option(content="y")]),
     {"x", "y"})])
def test_a_visitor_gives_a_widget_what_a_hand_could(kind: str, widget: Any, values: set[Any]) -> None:
    load, found = benchmark("load"), set()
    for seed in range(40):
        state = load._another(kind, widget, random.Random(seed))
        if state is not None:
            told = getattr(state, state.WhichOneof("value"))
            found.add(told.data[0] if hasattr(told, "data") else told)
    assert found == values


def test_every_page_of_the_menu_is_visited() -> None:
    index = (ROOT / "pages" / "index.py").read_text()
    assert all(f'"{name}/page.py"' in index for name in benchmark("load").PAGES
               if name not in ("", "traverse", "latent-map", "cross-modal", "sentences", "video", "families"))


def test_what_is_said_of_a_preset_was_measured_of_it_as_it_is() -> None:
    from benchmarks.presets import as_measured
    from vaecore.config import preset
    from vaecore.named import declarations, measured, presets, reached

    assert measured().keys() <= presets().keys()
    for name, found in measured().items():
        assert found["of"] == as_measured(preset(name)), f"python -m benchmarks.presets --measure {name}"
        assert found["minutes"] > 0 and found["reached"] in reached(name) and found["data"] in reached(name)
    seconds = re.search(r"It takes (\d+) seconds of a processor", "\n".join(README))
    assert seconds and f"Measured: {seconds[1]} CPU seconds, " in reached("vae-minute"), "as Train says it"
    own = {name for name, values in declarations().presets.items() if "path" in values["data"]}
    assert {name for name in presets() if reached(name) == "What it takes and reaches depends on your data."} == own


def test_the_study_of_presets_is_what_its_numbers_say() -> None:
    from benchmarks.presets import STUDY, page

    assert (RESULTS / "presets.md").read_text() == "\n".join(page(kept("presets")))
    for name, found in kept("presets").items():
        group, _, place = name.rpartition("-")
        assert list(STUDY[group].points[int(place)]) == found["changes"], "it was measured of another point"
