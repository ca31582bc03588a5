"""Browser components and tables as one HTML file, which opens from disk without a server and without a network.

It is made of the dashboard's own browser modules (`bundle.py`), which `pages/components/alone` mounts. Names and words
are data in it, never markup; the page's policy lets run nothing but the one script, whose digest it names, and lets
nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import vaecore
from vaecore.explore.export.bundle import in_html, script, style
from vaecore.schema import problem
from vaecore.tables import Table

ROOT = Path(vaecore.__file__).parents[1]
COMPONENTS, THEME = ROOT / "pages" / "components", ROOT / ".streamlit" / "config.toml"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
VARIABLES = {"primaryColor": "primary-color", "backgroundColor": "background-color",
             "secondaryBackgroundColor": "secondary-background-color", "textColor": "text-color",
             "borderColor": "border-color"}
# In place of the network, for the modules of the page alone.
FETCH = """const { assets } = JSON.parse(document.getElementById("given").textContent);
const fetch = async address => {
  const found = assets[String(address).replace(/^asset:/, "")];
  if (found === undefined) return new Response("", { status: 404 });
  return new Response(Uint8Array.from(atob(found), letter => letter.charCodeAt(0)));
};"""
ORANGE = {"light": "#9A5200", "dark": "#FFB061"}  # as Streamlit's own, which the theme does not set
Part = Mapping[str, Any]


def ready(components: Path, what: str) -> None:
    """Raise `ConfigError`, with `what` as the value, where the dashboard's files are not beside the package."""
    if not (components / "alone" / "alone.js").is_file():
        raise problem("--html", what, f"the dashboard's files are not in {components}.",
                      "Run it from the project's folder, where `pages` lies beside `vaecore`.")


# -- what stands on it -----------------------------------------------------------------------------


def drawn(components: Path, name: str, title: str, help: str, data: bytes) -> Part:
    """A browser component by its name, and the message that it draws."""
    return {"kind": "component", "component": name, "title": title, "help": help,
            "style": style(components, f"{name}/{name}.css"), "data": base64_of(data)}


def tabled(table: Table, title: str, help: str = "") -> Part:
    """A table as it is read, with its notes."""
    return {"kind": "table", "title": title, "help": help, "rows": table.said(), "notes": list(table.notes),
            "heads": [{"text": column.heading, "help": column.help} for column in table.columns]}


def pictured(rows: Sequence[tuple[str, str, bytes | Sequence[str]]], title: str, help: str = "",
             notes: Sequence[str] = ()) -> Part:
    """Rows of a name, a note, and a strip of pictures as PNG, or sentences."""
    told = [{"name": name, "note": note, "words": [], "picture": f"data:image/png;base64,{base64_of(what)}"}
            if isinstance(what, bytes) else {"name": name, "note": note, "words": list(what), "picture": ""}
            for name, note, what in rows]
    return {"kind": "pictures", "title": title, "help": help, "lines": told, "notes": list(notes)}


def worded(title: str, sentences: Sequence[str]) -> Part:
    """Sentences under a title."""
    return {"kind": "words", "title": title, "help": "", "notes": list(sentences)}


# -- the file --------------------------------------------------------------------------------------


def one_file(components: Path, title: str, words: str, parts: Sequence[Part], assets: Mapping[str, bytes] | None = None
             ) -> bytes:
    """The whole page: its parts one below the other. What components fetch lies in it as `assets`, by their names."""
    licence = (components / "lib" / "LICENSE-uPlot").read_text(encoding="utf-8")
    program = in_html(
        f"/* Latent Lab, MIT licence. It holds uPlot:\n{licence.strip()}\n*/\n\"use strict\";\n(() => {{\n{FETCH}\n"
        f"{script(components, ['alone/alone.js'])}\n}})();\n")
    digest = base64_of(hashlib.sha256(program.encode()).digest())
    policy = (f"default-src 'none'; script-src 'sha256-{digest}' 'wasm-unsafe-eval'; worker-src blob:; style-src "
              "'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'")
    given = {"parts": list(parts), "assets": {name: base64_of(each) for name, each in (assets or {}).items()}}
    held = json.dumps(given, ensure_ascii=True).replace("<", "\\u003c")
    return "\n".join([
        "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">', f"<title>{html.escape(title)} · Latent Lab</title>",
        f"<style>{_theme()}\n{style(components, 'alone/alone.css')}</style>", "</head>", "<body>",
        f"<h1>{html.escape(title)}</h1>", f"<p>{html.escape(words)}</p>", "<main></main>",
        f"<footer>Made with Latent Lab {html.escape(vaecore.__version__)}. Everything is in this file: it asks for no "
        "server and no network.</footer>",
        f'<script type="application/json" id="given">{held}</script>', f"<script>{program}</script>", "</body>",
        "</html>", ""]).encode()


def base64_of(data: bytes) -> str:
    """Bytes as letters."""
    return base64.b64encode(data).decode()


def _theme() -> str:
    """The dashboard's colours as variables of CSS, by the visitor's colour scheme."""
    theme = tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"]

    def variables(scheme: str) -> str:
        own = theme[scheme]
        lines = [f"--st-{name}: {own[key]};" for key, name in VARIABLES.items()]
        lines += [f"--st-chart-categorical-colors: {','.join(own['chartCategoricalColors'])};",
                  f"--st-link-color: {own['primaryColor']};", f"--st-orange-text-color: {ORANGE[scheme]};"]
        return " ".join(lines)

    radius = theme["baseRadius"]
    return (f":root {{ --st-font: {FONT}; --st-base-radius: {radius}; --st-button-radius: {radius}; "
            f"{variables('light')} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {variables('dark')} }} }}")
