"""Components: their files come from a route of the app, at an address that changes with them, and nothing else does."""

from __future__ import annotations

import ast
import asyncio
import posixpath
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest

from pages.components import serve
from tests.pages import demo

NAMES = ["address", "alone", "begin", "between", "cloud", "curves", "field", "film", "grid", "hand", "heard", "heat",
         "pad", "plane", "player", "reading", "rows", "stage", "sweep", "table", "talk", "water"]


def get(path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what the routes answer."""
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    answer = Starlette(routes=serve.routes())(scope, receive, send)
    with ThreadPoolExecutor(1) as aside:  # Playwright keeps a loop in the thread of tests that it has driven
        aside.submit(asyncio.run, answer).result()
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"]


def test_every_component_has_a_script_and_a_style() -> None:
    assert sorted({name.split("/")[0] for name in serve.FILES} - {"lib"}) == NAMES
    assert all(f"{name}/{name}.{kind}" in serve.FILES for name in NAMES for kind in ("js", "css"))


@pytest.mark.parametrize("name", sorted(serve.FILES))
def test_a_file_is_served_for_good(name: str) -> None:
    address = f"/components/{serve.DIGEST}/{name}"
    status, headers, body = get(address)
    assert status == 200 and body == serve.FILES[name]
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["content-type"].startswith("text/javascript" if name.endswith(".js") else "text/css")
    for other in re.findall(r'(?:from|@import) "(\.[^"]+)"', body.decode()):
        assert get(posixpath.normpath(posixpath.join(posixpath.dirname(address), other)))[0] == 200, other


@pytest.mark.parametrize("path", ["serve.py", "curves/__init__.py", "lib/LICENSE-uPlot", "../app.py", "curves", ""])
def test_nothing_else_is_served(path: str) -> None:
    assert get(f"/components/{serve.DIGEST}/{path}")[0] == 404


def test_an_upgrade_has_another_address() -> None:
    assert get("/components/0000000000000000/lib/dom.js")[0] == 404


def test_a_mounted_component_names_the_address_and_sends_no_script() -> None:
    def page() -> None:
        from pages.components.serve import component

        component("heat")(key="k", data={})

    for _ in range(2):  # a runtime of its own each
        [mounted] = AppTest.from_function(page).run().get("bidi_component")
        assert f"/components/{serve.DIGEST}/heat/heat.js" in mounted.proto.js_content
        assert f"/components/{serve.DIGEST}/heat/heat.css" in mounted.proto.css_content
        assert len(mounted.proto.js_content + mounted.proto.css_content) < 400


def test_a_server_below_a_path_serves_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve.st, "get_option", {"server.baseUrlPath": "/lab/"}.__getitem__)
    assert [route.path for route in serve.routes()] == [f"/lab/components/{serve.DIGEST}/{{name:path}}"]


def test_no_private_module_of_streamlit_is_imported() -> None:
    for path in [demo.ROOT / "app.py", *(demo.ROOT / "pages").rglob("*.py")]:
        if path == demo.ROOT / "pages" / "shared" / "access" / "cookie.py":  # there is no public way
            continue
        nodes = list(ast.walk(ast.parse(path.read_text())))
        for_types = {inner for node in nodes if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
                     for inner in ast.walk(node)}
        taken = [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and node not in for_types]
        taken += [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
        assert not [name for name in taken if re.match(r"streamlit\.(?!errors$)", name)], path.name
