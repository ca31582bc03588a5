"""Browser modules as one script: what is written as ours is understood, and what is not is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from vaecore.explore.export.bundle import NotPlain, in_html, script, style


def made(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def test_modules_come_after_what_they_import(tmp_path: Path) -> None:
    folder = made(tmp_path, a='import { two as double, one } from "./b.js";\nexport default one + double;\n',
                  b='import * as c from "./c.js";\nexport const one = c.x;\nexport function two() {}\n',
                  c='const x = 1;\nexport { x as default };\n')
    text = script(folder, ["a.js"])
    assert text.index('modules["c.js"]') < text.index('modules["b.js"]') < text.index('modules["a.js"]')
    assert 'const { two: double, one } = modules["b.js"];' in text and 'const c = modules["c.js"];' in text
    assert "return { default: its_default };" in text and "return { one, two };" in text
    assert "return { default: x };" in text


def test_what_is_imported_later_and_workers_are_in_it_too(tmp_path: Path) -> None:
    folder = made(tmp_path, a='const m = () => import("./b.js");\nnew Worker(new URL("./w.js", import.meta.url));\n',
                  b="export class B {}\n", w='import { B } from "./b.js";\nonmessage = () => new B();\n')
    text = script(folder, ["a.js"])
    assert 'Promise.resolve(modules["b.js"])' in text and 'new Blob([workers["w.js"]]' in text
    assert "import" not in text.replace("importScripts", "")


@pytest.mark.parametrize("text", ['export let x = 1;\n', 'import "./b.js";\n', 'export * from "./b.js";\n',
                                  "const here = import.meta.url;\n", "const m = import(name);\n"])
def test_what_is_not_plain_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotPlain, match=r"a\.js cannot be bundled"):
        script(made(tmp_path, a=text, b=""), ["a.js"])


def test_a_circle_is_refused(tmp_path: Path) -> None:
    folder = made(tmp_path, a='import { b } from "./b.js";\n', b='import { a } from "./a.js";\nexport const b = 1;\n')
    with pytest.raises(NotPlain, match="import each other"):
        script(folder, ["a.js"])


def test_a_style_has_what_it_imports_once(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "base.css").write_text("a { }\n")
    (tmp_path / "lib" / "more.css").write_text('@import "base.css";\nb { }\n')
    (tmp_path / "one.css").write_text('@import "lib/base.css";\n@import "lib/more.css";\nc { }\n')
    assert style(tmp_path, "one.css") == "a { }\nb { }\nc { }\n"


def test_no_word_of_a_script_ends_it() -> None:
    assert in_html('"</script>" <!-- </SCRIPT') == '"<\\/script>" <\\!-- <\\/SCRIPT'
