"""A run that cannot be read is one card that says why: every page shows all else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages import demo, hostile

PAGES = sorted(path.parent.name for path in (demo.ROOT / "pages").glob("*/page.py"))
GALLERY = demo.ROOT / "trained" / "gallery"


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo store with a run for each fault, and results of claims that cannot be read."""
    root = tmp_path_factory.mktemp("spoiled") / "store"
    shutil.copytree(demo.store(), root)
    hostile.spoil(root)
    (root / "claims").mkdir()
    for number, content in enumerate(hostile.BROKEN.values(), 1):
        (root / "claims" / f"C{number}.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    return root


@pytest.mark.parametrize("page", PAGES)
def test_runs_that_cannot_be_read_end_no_page(spoiled: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(spoiled))
    demo.open_page(page)  # fails where it raised


@pytest.mark.parametrize("page", ["home", "families", "monitor", "compare"])
def test_a_bad_run_is_one_card_that_says_why(root: Path, page: str) -> None:
    """Also where its about.json names a family of those that the page shows."""
    for name in ("ae", "collapsed", "vectors"):
        shutil.rmtree(root / "runs" / name)
    bad = root / "runs" / "bad"
    shutil.copytree(root / "runs" / "vae", bad)
    (bad / "config.json").write_text(hostile.BROKEN["half"])
    at = demo.open_page(page, **({"runs": ["bad", "vae"]} if page in ("monitor", "compare") else {}))
    told = [box.value for box in [*at.error, *at.warning] if "half of a character" in box.value]
    assert len(told) == 1 and "config.json" in told[0] and "Copy the run again" in told[0]
    assert "shipped" in demo.words(at) + str([box.options for box in [*at.selectbox, *at.multiselect]])


@pytest.mark.parametrize("kind", ["traverse vae", "cross_modal mvae", *(
    pytest.param(kind, marks=pytest.mark.slow)
    for kind in ("evaluate vae", "train vae", "sentences lagging-basic", "video svg-lp-mnist"))])
def test_a_bad_run_that_is_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    page, origin = kind.split()
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    shutil.copytree(GALLERY / origin, tmp_path / "gallery" / origin)
    for name in hostile.spoil(tmp_path, f"gallery/{origin}", files=("config.json", "summary.json", "evaluation.json")):
        demo.open_page(page, run=name)


def test_lines_of_metrics_that_nothing_can_hold_cost_themselves(root: Path) -> None:
    path = root / "runs" / "vae" / "metrics.jsonl"
    for name in ("half", "huge", "endless", "deep", "less-deep"):
        line = hostile.BROKEN[name].removeprefix("{")
        with path.open("a") as file:
            file.write('{"kind": "evaluation", "step": 1, "epoch": 1.0, ' + line + "\n")
    for page in ("monitor", "compare"):
        demo.open_page(page, runs=["vae"])


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose runs and claims have markup in every word that is only told."""
    root = tmp_path_factory.mktemp("marked") / "store"
    for name in ("vae", "vae-conditional", "mvae", "lagging-basic", "svg-lp-mnist", "rbm"):
        for place in ("gallery", "runs"):
            shutil.copytree(GALLERY / name, root / place / name)
            hostile.mark(root / place / name)
    shutil.copytree(GALLERY.parent / "claims", root / "claims")
    for path in (root / "claims").glob("*.json"):
        hostile.mark_file(path)
    return root


SEVERAL = ["lagging-basic", "mvae", "rbm", "svg-lp-mnist", "vae", "vae-conditional"]


@pytest.mark.parametrize(("page", "query"), [
    *((page, {}) for page in PAGES), ("traverse", {"run": "vae"}), ("cross_modal", {"run": "mvae"}),
    ("sentences", {"run": "lagging-basic"}), ("video", {"run": "svg-lp-mnist"}), ("compare", {"runs": SEVERAL}),
    *(("monitor", {"runs": SEVERAL, "section": section})
      for section in ("Curves", "Latent use", "Rate and distortion", "Trajectory")),
    *(("evaluate", {"run": run}) for run in SEVERAL)])
def test_words_of_a_run_are_never_drawn_as_markup(
        marked: Path, page: str, query: dict[str, str | list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(marked))
    at = demo.open_page(page, **query)
    assert not hostile.leaks(at)
    if page in ("home", "claims"):
        assert "outside.example" in demo.words(at), "the words are there, as words"


@pytest.mark.parametrize(("text", "shown"), [
    (hostile.IMAGE, "!\\[x\\](https:\u2060//outside.example/x.png)"), (":red[r]", ":\u2060red\\[r\\]"),
    (":smile:", ":\u2060smile:"), ("www.outside.example", "www\u2060.outside.example"), ("a@b.c", "a@\u2060b.c"),
    ("<img>", "\\<img\\>"), ("$x^2$ a_b|c", "\\$x^2\\$ a\\_b|c"), ("a|b\n-|-", "a\\|b\n\\-|-"),
    ("# t\n- l\n1. n", "\\# t\n\\- l\n1\u2060. n"),
    ("-3.5 nats: 12 of 50, at 3.25", "-3.5 nats: 12 of 50, at 3.25")])
def test_outside_text_is_escaped_for_markdown(text: str, shown: str) -> None:
    from pages.shared.words import escaped

    assert escaped(text) == shown
