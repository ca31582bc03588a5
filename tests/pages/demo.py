"""A small store for the tests of the pages: four families on 8 x 8 digits and vectors, trained in a second or two."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

ROOT = Path(__file__).parents[2]
APP = ROOT / "pages" / "index.py"


class Unwatched:
    """Nobody stops it, nobody looks."""

    def stop_requested(self) -> bool:
        return False

    def progress(self, step: int, total: int, epoch: float) -> None:
        pass


@cache
def store() -> Path:
    """runs/: vae, collapsed, ae, vectors; gallery/: pca, shipped. Made once a process; copy it to break it."""
    from vaecore.config import changed, preset
    from vaecore.explore import Checkpoint
    from vaecore.lab.previews import write_preview
    from vaecore.store import Store
    from vaecore.training import train

    root = Path(tempfile.mkdtemp(prefix="pages-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    digits, few = preset("vae-digits"), ["training.epochs=2"]
    runs = {
        "vectors": changed(preset("linear-vae-gaussian"), few),
        "ae": changed(digits, ["model.family=ae", "model.latent_size=4", *few]),
        "pca": changed(digits, ["model.family=pca", "model.latent_size=4"]),
        "collapsed": changed(digits, ["training.beta.kind=constant", "training.beta.value=1000", *few]),
        "vae": changed(digits, ["training.epochs=10"]),
    }
    for name, config in runs.items():
        run = Store(root).create(config, name)
        train(run.path, Unwatched())
        write_preview(Checkpoint.load(run))
    (root / "gallery").mkdir()
    shutil.move(root / "runs" / "pca", root / "gallery" / "pca")
    shutil.copytree(root / "runs" / "vae", root / "gallery" / "shipped")
    return root


def turned_to(at: AppTest, page: str) -> AppTest:
    """The app, whose next run is of the page `page`."""
    at.switch_page(f"{page}/page.py")
    at._page_hash = calc_hash(page.replace("_", "-"))  # by its address: before its first run `at` knows none of them
    return at


def open_page(page: str, **query: str | list[str]) -> AppTest:
    """The page `page` of the app, run once; fails if it raised."""
    at = turned_to(AppTest.from_file(str(APP), default_timeout=60), page)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    return at


def pictures(at: AppTest) -> list[str]:
    """The HTML of every picture on the page, in order."""
    return [element.proto.body for element in at.get("html") if "<img" in element.proto.body]


def words(at: AppTest) -> str:
    """All text that is in plain elements."""
    kinds = (at.title, at.header, at.subheader, at.markdown, at.caption, at.info, at.warning, at.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def go_to(at: AppTest, page: str) -> AppTest:
    """Go to another page by its entry in the menu, which leaves what the address asks for behind."""
    at.query_params.clear()
    turned_to(at, page)
    at.run()
    assert not at.exception, at.exception
    return at


PAGES = [path.parent.name for path in sorted((ROOT / "pages").glob("*/page.py"))]
MOST_PRESSED = 12  # of a page, of the buttons that are alike one


def press_every_button(page: str) -> None:
    """Open a page and press its buttons, of those that are alike one; none may fail."""
    pressed = set[str]()
    at = open_page(page)
    assert not at.exception, at.exception
    while len(pressed) < MOST_PRESSED:
        button = next((one for one in at.button if not one.disabled and _does(one.key) not in pressed), None)
        if button is None:
            break
        pressed.add(_does(button.key))
        button.click().run()
        assert not at.exception, (button.key, at.exception)


def _does(key: str | None) -> str:
    """What a button does, by its key, whatever run it is of."""
    return "-".join((key or "").split("-")[:2])
