"""Views: which opens which run, what is said by one that does not, and a new one from a class and a line."""

from __future__ import annotations

import ast
import json
import shutil
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

import vaecore
from vaecore.explore import WrongView
from vaecore.lab.previews import write_preview
from vaecore.store import COPY_AGAIN, Run, Store
from vaecore.views import (
    CLIP,
    CODELESS,
    CROSSMODAL,
    SENTENCE,
    SINGLE,
    STILL,
    VIEWS,
    Nature,
    Preview,
    View,
    view_of,
    views_of,
)

ROOT = Path(vaecore.__file__).parents[1]
GALLERY = Store(ROOT / "trained").gallery()
KNOWN = {"vae": SINGLE, "made": CODELESS, "lagging-basic": SENTENCE, "svg-lp-mnist": CLIP, "jive": CROSSMODAL}


@pytest.fixture
def copied(tmp_path: Path) -> dict[str, Run]:
    found = {}
    for name in KNOWN:
        shutil.copytree(ROOT / "trained" / "gallery" / name, tmp_path / "runs" / name)
        found[name] = Run(tmp_path / "runs" / name)
    return found


def test_every_shipped_run_has_one_view() -> None:
    assert {run.path.name: view_of(run) for run in GALLERY if run.path.name in KNOWN} == KNOWN
    assert all(views_of(run) == [view_of(run)] for run in GALLERY)


def test_a_run_without_its_words_is_known_by_its_configuration(copied: dict[str, Run]) -> None:
    for name, run in copied.items():
        (run.path / "about.json").write_text("junk")
        assert view_of(run) is KNOWN[name]
        (run.path / "config.json").write_text("junk")
        assert view_of(run) is SINGLE, "which tells what is wrong with it"


def test_a_run_is_opened_by_its_own_view_alone(copied: dict[str, Run]) -> None:
    for name, run in copied.items():
        loaded = KNOWN[name].load(run)
        assert loaded.run == run
        for view in VIEWS.values():
            if view is not KNOWN[name]:
                with pytest.raises(WrongView) as told:
                    view.load(run)
                assert told.value.view is KNOWN[name] and str(told.value).startswith(f"{name} is ")
                assert view.title in str(told.value) and KNOWN[name].command.format(run=name) in str(told.value)


def test_one_of_several_views_is_chosen_or_tells_why(copied: dict[str, Run]) -> None:
    assert view_of(copied["vae"], *STILL) is SINGLE and view_of(copied["made"], *STILL) is CODELESS
    with pytest.raises(WrongView, match=r"jive is a model of several modalities.*`vaecore generate jive --out"):
        view_of(copied["jive"], *STILL).load(copied["jive"])


def test_a_run_may_have_several_views(monkeypatch: pytest.MonkeyPatch, copied: dict[str, Run]) -> None:
    """One class and one line: it opens runs, and draws their previews."""
    @dataclass(frozen=True)
    class Parts:
        run: Run

        @classmethod
        def load(cls, run: Run) -> Parts:
            return cls(run)

        def preview(self) -> Preview:
            return Preview("preview.txt", b"of parts")

    module = types.ModuleType("views_of_a_test")
    module.Parts = Parts  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    parts: View[Parts] = View("parts", "a model with parts", "vaecore show {run}", "views_of_a_test:Parts",
                              lambda it: it.several)
    monkeypatch.setitem(VIEWS, parts.name, parts)
    run = copied["jive"]
    assert views_of(run) == [CROSSMODAL, parts] and view_of(run, parts) is parts and views_of(copied["vae"]) == [SINGLE]
    write_preview(view_of(run, parts).load(run))
    assert (run.path / "preview.txt").read_bytes() == b"of parts"


@pytest.mark.parametrize(("nature", "view"), [
    (Nature("tumour"), SINGLE), (Nature("vector", coded=False), CODELESS), (Nature("sentence", coded=False), SENTENCE),
    (Nature("clip", coded=False), CLIP), (Nature("sentence", several=True), CROSSMODAL)])
def test_what_a_run_is_decides(nature: Nature, view: View[object]) -> None:  # type: ignore[type-var]
    assert [each for each in VIEWS.values() if each.opens(nature)] == [view]


def test_a_preview_is_drawn_by_each_view(copied: dict[str, Run]) -> None:
    for name, run in copied.items():
        file, content = KNOWN[name].load(run).preview()
        assert (file, content[:4]) == ("preview.png", b"\x89PNG") if name != "lagging-basic" else \
            (file == "preview.txt" and len(content.decode().splitlines()) == 4)


def test_words_that_lie_are_found_out(copied: dict[str, Run]) -> None:
    path = copied["vae"].path / "about.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"observation": "clip"}))
    assert view_of(copied["vae"]) is CLIP
    with pytest.raises(WrongView) as told:
        CLIP.load(copied["vae"])
    assert told.value.view is SINGLE


def _said(folder: str) -> list[tuple[str, str]]:
    return [(str(path.relative_to(ROOT)), node.value) for path in sorted((ROOT / folder).rglob("*.py"))
            for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
            and isinstance(node.value, str)]


def test_the_remedy_for_a_damaged_run_is_said_once() -> None:
    assert [path for folder in ("vaecore", "pages") for path, text in _said(folder) if "again from where it" in text] \
        == ["vaecore/store.py"]
    assert COPY_AGAIN == "Copy the run again from where it came"


def test_vaecore_names_no_page() -> None:
    from pages.shared.checkpoints import PAGES

    titles = {page.title for page in PAGES.values()}
    assert PAGES.keys() == VIEWS.keys()
    assert not [(path, text) for path, text in _said("vaecore") for title in titles
                if f"page {title}" in text or f"Open it in {title}" in text]
