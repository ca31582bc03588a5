"""A real server and a real browser: Debian's chromium, or another that VAECORE_CHROMIUM names."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, WebSocket, sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.mould import Cast, Mould

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("VAECORE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage"]
AXE = Axe()
Call = Callable[..., Any]
GROUPS = {"Train": ("Train", "Monitor", "Experiments", "Sweeps"),
          "Explore": ("Traverse", "Latent map", "Cross-modal", "Sentences", "Video"),
          "Judge": ("Runs", "Compare", "Evaluate", "Families", "Claims")}
SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  return app?.dataset.testScriptState === 'notRunning' && app.dataset.testConnectionState === 'CONNECTED'
    && !document.querySelector('[data-testid=stSkeleton], [data-stale=true]');
}"""


class App:
    """The dashboard on a port of its own, over a store of its own."""

    app: Path = ROOT / "app.py"
    begin: Callable[..., Any] = Cast  # a fork; by `subprocess.Popen` it begins as at a visitor's, with all its imports

    def __init__(self, store: Path, *options: str, base: str = "", read_only: bool = False) -> None:
        self.store, self.options, self.base, self.read_only = store, options, base, read_only
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | Cast | None = None
        self.log = store.with_name(f"{store.name}.log")  # what the server prints

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base}"

    def start(self) -> None:
        words = [sys.executable, "-m", "streamlit", "run", str(self.app), f"--server.port={self.port}",
                 "--server.headless=true", f"--server.baseUrlPath={self.base}", *self.options,
                 *(["--", "--read-only"] if self.read_only else [])]
        environment = {**os.environ, "VAECORE_STORE": str(self.store), "PYTHONPATH": str(ROOT)}
        environment.pop("VAECORE_DATA", None)  # the embedded digits, as a newcomer has them
        with self.log.open("ab") as log:
            self.process = self.begin(words, cwd=ROOT, env=environment, start_new_session=True, stdout=log, stderr=log)
        for _ in range(1_200):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/_stcore/health") as answer:
                if answer.read() == b"ok":
                    return
            time.sleep(0.05)
        raise RuntimeError("the dashboard did not start")

    def kill(self) -> None:
        """SIGKILL, as a crash would be; trainings belong to sessions of their own."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class OnePage(App):
    """One script in place of the dashboard's, served as that is."""

    def __init__(self, store: Path, script: Path) -> None:
        super().__init__(store)
        self.app = store / "app.py"
        self.app.write_text("import streamlit as st\nfrom pages.components.serve import routes\n"
                            f"app = st.App({str(script)!r}, routes=routes())\n")


class Visitor:
    """A page, and a way to act on it that waits for Streamlit to have finished."""

    def __init__(self, page: Page, app: App) -> None:
        self.page, self.app, self.runs, self.lost = page, app, 0, 0
        self.console: list[str] = []
        page.on("websocket", self._listen)
        page.on("console", lambda m: self.console.append(m.text) if m.type == "error" else None)
        page.set_default_timeout(60_000)

    def minds_no_motion(self) -> None:
        """What moves does so from now on; most visitors here prefer that less does."""
        self.page.emulate_media(reduced_motion="no-preference")

    def open(self, path: str = "") -> None:
        self.act(lambda: self.page.goto(f"{self.app.address}/{path}"))

    def choose(self, title: str) -> None:
        """Go to the page `title` by the menu, and wait for it."""
        entry = self.page.get_by_test_id("stTopNavLink").filter(has_text=title)
        for group in [name for name, titles in GROUPS.items() if title in titles]:
            self.page.get_by_test_id("stTopNavSection").filter(has_text=group).click()
            entry = self.page.get_by_role("menuitem", name=title, exact=True)
        self.act(entry.click)

    def act(self, action: Callable[[], object]) -> None:
        """Do it, and wait until a script run that began afterwards has ended and the page is whole."""
        before = self.runs
        action()
        deadline = time.monotonic() + 60
        while self.runs <= before:
            if time.monotonic() > deadline:
                raise TimeoutError("no script run followed the action")
            self.page.wait_for_timeout(10)
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_function(SETTLED)

    def no_stack_trace(self) -> None:
        assert self.page.get_by_test_id("stException").count() == 0
        # A deep link makes the browser probe <page>/_stcore/health, which answers 404: Streamlit's own, harmless.
        assert [text for text in self.console if "404" not in text] == []

    def no_serious_finding(self, *rules: str) -> None:
        """What axe-core finds on the page as it stands: nothing that keeps somebody from reading or reaching it.

        Of all its rules, or of these.
        """
        # On a phone Streamlit's own menu has its groups between <ul> and <li>.
        found = AXE.run(self.page, {"exclude": ["[data-testid=stSidebarNavItems]"]},
                        {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
                        ).response["violations"]
        serious = [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in found
                   if rule["impact"] in ("serious", "critical") for node in rule["nodes"]]
        assert not serious, "\n".join(serious)

    def _listen(self, socket: WebSocket) -> None:
        def received(frame: bytes | str) -> None:
            kind = ForwardMsg.FromString(frame).WhichOneof("type") if isinstance(frame, bytes) else None
            self.runs += kind == "script_finished"
            self.lost += kind == "page_not_found"

        socket.on("framereceived", received)


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserType]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have a browser: install chromium.")
        pytest.skip("no chromium here; install it to run the browser tests")
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="session")
def browser(chromium: BrowserType) -> Iterator[Browser]:
    """For those who need a context of their own."""
    browser = chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="session", autouse=True)
def moulded(mould: Mould) -> None:
    """Dashboards are forks."""


def gallery_app(folder: Path) -> App:
    """A dashboard over the shipped gallery and results, and no run yet, started."""
    shutil.copytree(ROOT / "trained" / "gallery", folder / "gallery")
    shutil.copytree(ROOT / "trained" / "claims", folder / "claims")
    app = App(folder)
    app.start()
    return app


@pytest.fixture(scope="session")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One for all modules that are marked `looks`; they leave no run in it."""
    app = gallery_app(tmp_path_factory.mktemp("shared"))
    yield app
    app.kill()
    assert not (app.store / "runs").exists(), "a module marked 'looks' has made a run"


@pytest.fixture(scope="module")
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A dashboard over the shipped gallery: the module's own, or the shared one where it is marked `looks`."""
    if request.node.get_closest_marker("looks"):
        yield request.getfixturevalue("shared_app")
        return
    app = gallery_app(tmp_path_factory.mktemp("store"))
    yield app
    app.kill()


@pytest.fixture(scope="session")
def context(chromium: BrowserType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """One for all who need no browser of their own, for a visitor who prefers reduced motion.

    It has a profile on disk: what a dashboard sends to every page is loaded and compiled once. Frames of Streamlit's
    fades and spinners are drawn by the CPU; without them and with that a page costs it two thirds.
    """
    context = chromium.launch_persistent_context(tmp_path_factory.mktemp("profile"), executable_path=CHROMIUM,
                                                 args=ARGUMENTS, viewport={"width": 1440, "height": 900},
                                                 reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def visitor(context: BrowserContext, app: App) -> Iterator[Visitor]:
    """A page of that browser, which remembers nothing of the tests before."""
    before = context.pages
    visitor = Visitor(context.new_page(), app)
    yield visitor
    forget = {"origin": f"http://127.0.0.1:{app.port}", "storageTypes": "local_storage"}
    context.new_cdp_session(visitor.page).send("Storage.clearDataForOrigin", forget)
    context.clear_cookies()
    for page in context.pages:
        if page not in before:
            page.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Call]:
    """`call("curves/curves.js", "e => m.number(e)", value)`: an expression over a component's module m and a value."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(ROOT / "pages" / "components")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    page = browser.new_page()
    page.goto(f"{address}/lib/dom.js")

    def evaluate(module: str, expression: str, value: Any = None) -> Any:
        return page.evaluate(f"async value => {{ const m = await import('/{module}'); return ({expression})(value); }}",
                             value)

    yield evaluate
    page.close()
    server.shutdown()
    server.server_close()
