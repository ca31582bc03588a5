"""The page Runs over 500 runs, in a browser: until the table stands, a search, an order, and what the server takes.

    python benchmarks/library_page.py              # needs chromium; about a minute
    python benchmarks/library_page.py --runs 5000

The runs are those of `library.py`. A search is timed from the press of Enter, and an order from the press of a head,
until the table in the browser shows other rows. Where other work shares the machine those are too long; what the
processor took is not.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from library import QUERIES, made_runs  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from tests.browser.conftest import ARGUMENTS, CHROMIUM, App, Visitor  # noqa: E402

TARGETS = {"paint_s": 2.0, "filter_ms": 300.0, "server_mb": 600.0}  # for 500 runs
SAYS = {"cold_s": "table painted, first visit of a server just started", "paint_s": "table painted",
        "filter_ms": "filtered, median of six searches", "filter_max_ms": "the slowest of them",
        "filter_server_ms": "of the processor, the server's part of a search",
        "filter_browser_ms": "of the processor, the page's part until it is at rest, all threads",
        "sort_ms": "sorted by a head", "tick_ms": "ticked, until the buttons are ready",
        "server_mb": "memory of the server afterwards", "message_kb": "what the browser is told of all rows",
        "previews": "previews fetched of all"}
# The rows in sight, in words: another text is another table.
ROWS = """() => {
  const find = root => root.querySelector('.frame') ?? [...root.querySelectorAll('*')].map(
    each => each.shadowRoot && find(each.shadowRoot)).find(Boolean);
  const frame = find(document);
  return frame ? frame.getAttribute('aria-rowcount') + [...frame.querySelectorAll('.row')].slice(0, 6).map(
    row => row.textContent).join() : '';
}"""


def measured(app: App) -> dict[str, float]:
    """Everything that is measured, in one browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        visitor = Visitor(browser.new_page(viewport={"width": 1440, "height": 900}), app)
        page = visitor.page
        app.start()

        def painted() -> float:
            begin = time.perf_counter()
            page.goto(f"{app.address}/runs?q=")
            page.locator(".table .row").first.wait_for()
            return time.perf_counter() - begin

        found = {"cold_s": painted()}
        visitor.settle()
        page.wait_for_timeout(8_000)  # torch is imported meanwhile, once a process
        found["paint_s"] = statistics.median(painted() for _ in range(5))
        visitor.settle()
        page.wait_for_load_state("networkidle")
        found["previews"] = float(page.evaluate(
            "() => performance.getEntriesByType('resource').filter(each => each.name.includes('/previews/')).length"))
        box = page.get_by_placeholder("Search: words")

        def until_other(act: Callable[[], object]) -> float:
            before, begin = page.evaluate(ROWS), time.perf_counter()
            act()
            page.wait_for_function(f"before => ({ROWS})() !== before", arg=before, polling="raf")
            taken = 1e3 * (time.perf_counter() - begin)
            visitor.settle()
            page.wait_for_timeout(400)
            return taken

        def search(query: str) -> Callable[[], None]:
            def act() -> None:
                box.fill(query)
                box.press("Enter")
            return act

        assert app.process is not None
        server, searches = _family(app.process.pid), []
        drawing = [process for process in _family(os.getpid()) if b"type=renderer" in _command(process)]
        served, drawn = _worked(server), _worked(drawing)
        for query in QUERIES:
            searches.append(until_other(search(query)))
            until_other(search(""))
        found |= {"filter_ms": statistics.median(searches), "filter_max_ms": max(searches),
                  "filter_server_ms": (_worked(server) - served) / 2 / len(QUERIES),
                  "filter_browser_ms": (_worked(drawing) - drawn) / 2 / len(QUERIES)}
        heads = [page.locator(".table .head button").filter(has_text=name) for name in ("Family", "Seed", "Data")]
        found["sort_ms"] = statistics.median(until_other(head.click) for head in heads)
        begin = time.perf_counter()
        page.locator(".table .row input").first.click()
        page.get_by_text("1 ticked").wait_for()
        found["tick_ms"] = 1e3 * (time.perf_counter() - begin)
        browser.close()
    found["server_mb"] = sum(map(_resident, _family(app.process.pid))) / 2**20
    return found


def _family(process: int) -> list[int]:
    """A process and those that it started, by whichever of its threads."""
    children = [int(child) for thread in Path(f"/proc/{process}/task").iterdir()
                for child in (thread / "children").read_text(encoding="ascii").split()]
    return [process, *(each for child in children for each in _family(child))]


def _command(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def _worked(processes: list[int]) -> float:
    """Milliseconds of the processor that they have taken, all threads together."""
    told = [Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split() for each in processes]
    return 1e3 * sum(int(each[11]) + int(each[12]) for each in told) / os.sysconf("SC_CLK_TCK")


def _resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def message_kb(root: Path) -> float:
    """How much the browser is told of all rows, in kB."""
    from pages.components.table import pack
    from pages.runs import listing
    from pages.runs.look import Look
    from vaecore.library import records
    from vaecore.store import Store

    every, look = records(Store(root)), Look()
    keys = listing.columns_of(every, ())
    return len(pack(listing.heads(keys, look, every), listing.rows(every, look, keys), ticked=[], stamp=0)) / 1e3


def table(found: dict[str, object]) -> str:
    """The result as Markdown."""
    units = {"s": "s", "ms": "ms", "mb": "MB", "kb": "kB"}
    lines = [f"| {says} | {found[key]:,.3g} {units.get(key.rpartition('_')[2], '')} | {TARGETS.get(key, '')} |"
             for key, says in SAYS.items()]
    return (f"# The page Runs over {found['runs']} runs\n\n| | | asked for, at most |\n| --- | ---: | ---: |\n"
            + "\n".join(lines) + f"\n\n{found['date']}, Python {found['python']}, {found['processor']}, "
            f"{os.cpu_count()} processors, load {found['load']} at the start.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    asked = parser.parse_args()
    load = f"{os.getloadavg()[0]:.1f}"
    with tempfile.TemporaryDirectory() as temporary:
        root = made_runs(Path(temporary) / "store", asked.runs)
        app = App(root)
        try:
            found: dict[str, object] = {"runs": asked.runs, **measured(app), "message_kb": message_kb(root)}
        finally:
            app.kill()
    found |= {"date": datetime.date.today().isoformat(), "python": platform.python_version(), "load": load,
              "processor": platform.processor() or platform.machine(), "targets": TARGETS}
    (RESULTS / "library_page.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "library_page.md").write_text(table(found))
    print(table(found))


if __name__ == "__main__":
    main()
