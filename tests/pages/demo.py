"""A small store for the tests of the pages: four families on 8 x 8 digits and vectors, trained in a second or two."""

from __future__ import annotations

import atexit
import errno
import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from pages.shared import address

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


REFUSED = "The queue cannot be served: The disk can only be read"


def on_a_disk_that_refuses(*_: object) -> None:
    """In the place of what writes."""
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def declared(at: AppTest) -> dict[str, address.Field]:
    """The parameters of its address that the page has declared."""
    fields: dict[str, address.Field] = at.session_state[address.KEY].fields
    return fields


def of_address(at: AppTest) -> dict[str, list[str]]:
    """What the page's address says."""
    return {name: [value] if isinstance(value, str) else list(value) for name, value in at.query_params.items()}


def keeps_its_view(page: str, *names: str, **query: str | list[str]) -> AppTest:
    """The page `page`, every parameter it declares set to another value than the default; `names` are among these.

    Fails where nonsense is not the same as nothing, and where the page says another address than it was opened at.
    """
    usual = open_page(page, **dict.fromkeys(names, "nonsense") | query)
    fields = {name: field for name, field in declared(usual).items() if name not in query}
    assert set(names) <= set(fields), sorted(fields)
    chosen = {name for name in names if fields[name].choices or not isinstance(fields[name].default, str)}
    assert not chosen & set(of_address(usual)), of_address(usual)  # any text is a text
    known = {re.sub(r"^(switch|way|sample|class|typed)\..*", r"\1.MODALITY", re.sub(r"-\d+$", "", name))
             for name in fields}
    assert known <= _documented(page), f"docs/address.md lacks {known - _documented(page)}"
    other = {name: field.words(_another(field)) for name, field in fields.items()}
    at = open_page(page, **{name: words for name, words in other.items() if words} | query)
    told, drawn = of_address(at), set(declared(at)) & set(other)  # another choice may have hidden some
    assert (found := {name: told.get(name, []) for name in drawn}) == {name: other[name] for name in drawn}, found
    return at


@cache
def _documented(page: str) -> set[str]:
    """The parameters of a page that `docs/address.md` lists."""
    title = page.replace("_", "-").replace("latent-", "latent ").capitalize()
    section = (ROOT / "docs" / "address.md").read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return set(re.findall(r"`([^`]+)`", "\n".join(re.findall(r"^\|([^|]+)\|", section, re.MULTILINE))))


def _another(field: address.Field) -> Any:
    """A value that is not the default."""
    if field.choices is not None:
        other = [choice for choice in field.choices.values() if choice not in (field.default, None)]
        return other[-1:] if field.most else (other or [field.default])[-1]
    if isinstance(field.default, bool):
        return not field.default
    if isinstance(field.default, str):
        return "other"
    value = field.default + (1 if isinstance(field.default, int) else 0.1)
    return value if value <= field.high else field.low


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
