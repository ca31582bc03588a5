"""Compare of twelve runs of 20,000 steps each: seconds until it is usable, then how smooth it is, in a real browser.

    python benchmarks/compare.py            # about a minute; keeps results/compare.json
    python benchmarks/compare.py --quick    # print only, keep nothing

The runs are made: logs with noise, spikes and evaluations, and the weights of one small training under all of them. The
page is opened by a deep link on a server that has shown another page before, first with no log in the cache, then on a
server started anew, then a second time on that. Usable means that all charts are drawn. What ends in `_cpu` is the
time of the browser's main thread alone, and in `_server` that of the server's process: the machine's other work does
not lengthen them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright  # noqa: E402

from tests.browser.conftest import ARGUMENTS, CHROMIUM, SETTLED, App  # noqa: E402

RUNS, STEPS, ROUNDS = 12, 20_000, 9
TARGETS = {"usable_no_cache_s": 3.0, "usable_s": 3.0, "again_s": 3.0, "zoom_ms": 100.0, "measure_ms": 500.0,
           "smoothing_ms": 500.0, "cursor_ms": 16.0, "raise_ms": 100.0, "usable_no_cache_s_server": 2.5,
           "usable_s_server": 1.5, "again_s_cpu": 1.0, "zoom_ms_cpu": 50.0,
           "measure_ms_cpu": 100.0, "smoothing_ms_cpu": 100.0, "cursor_ms_cpu": 16.0, "raise_ms_cpu": 100.0}
LINKS = "&".join(f"runs=made-{place:02}" for place in range(RUNS))
# From the visitor's act until the charts have been drawn: all of it is done before the next frame.
AFTER = """async act => {
  const begin = performance.now();
  act();
  await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - begin;
}"""
ROOT_OF = "document.querySelector('.curves') ?? [...document.querySelectorAll('*')].map(e => e.shadowRoot?." \
          "querySelector('.curves')).find(Boolean)"


def made_store(root: Path) -> Path:
    """A store of `RUNS` made runs with logs of `STEPS` steps, in `root`; the same ones each time."""
    from vaecore.config import changed, preset
    from vaecore.store import Store
    from vaecore.training import train

    class Unwatched:
        def stop_requested(self) -> bool:
            return False

        def progress(self, step: int, total: int, epoch: float) -> None:
            pass

    store = Store(root)
    config = changed(preset("vae-digits"), ["training.epochs=1"])
    one = store.create(config, "one")
    train(one.path, Unwatched())
    for place in range(RUNS):
        run = store.create(changed(config, [f"seed={place}"]), f"made-{place:02}")
        for name in ("weights.safetensors", "examples.safetensors", "data.json", "summary.json"):
            shutil.copy(one.path / name, run.path / name)
        (run.path / "metrics.jsonl").write_text(log(place))
    shutil.rmtree(one.path)
    return root


def log(seed: int) -> str:
    """A log of `STEPS` steps that learn, with noise, a spike now and then, and forty evaluations."""
    draw, lines, seconds = random.Random(seed), [], 0.0
    for step in range(1, STEPS + 1):
        kl = 10 * (1 - math.exp(-step / 2000)) + draw.gauss(0, 0.3) + 0.2 * seed
        fit = -150 * math.exp(-step / 3000) - 80 + draw.gauss(0, 2) - seed - 300 * (draw.random() < 0.0005)
        lines.append(json.dumps({
            "kind": "step", "step": step, "loss": kl - fit, "neg_elbo": kl - fit, "reconstruction": fit, "kl": kl,
            "beta": min(1.0, step / 5000), "rate": 1e-3, "grad_norm": 5 + draw.random()}))
        if step % (STEPS // 40) == 0:
            seconds += 3 + draw.random()
            each = [draw.random() * (i < 6) for i in range(8)]
            lines.append(json.dumps({
                "kind": "evaluation", "step": step, "epoch": step / 23, "elbo": fit - sum(each), "active": 6,
                "reconstruction": {"image": fit}, "kl": {"z": each}, "mse": {"image": 0.03 + math.exp(-step / 2000)},
                "seconds": seconds}))
    return "\n".join(lines) + "\n"


def usable(browser: Browser, app: App) -> tuple[float, Page, CDPSession]:
    """Seconds from the deep link to a page that is whole, with all its charts; and that page."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    session = watched(page)
    begin = time.perf_counter()
    page.goto(f"{app.address}/compare?section=Curves&{LINKS}")
    page.locator(".curves canvas").nth(3).wait_for()
    drawn = time.perf_counter() - begin
    page.wait_for_function(SETTLED)
    return drawn, page, session


def warmed(browser: Browser, app: App) -> None:
    """The server has shown its first page, and imports what it imports once."""
    app.start()
    page = browser.new_page()
    page.goto(app.address)
    page.wait_for_function(SETTLED)
    page.wait_for_timeout(20_000)
    page.close()


def busy(session: CDPSession) -> float:
    """Seconds that the main thread of a page has worked up to now."""
    told = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in told if each["name"] == "TaskDuration"))


def served(app: App) -> float:
    """Seconds that the server's process has worked up to now; Linux alone tells."""
    assert app.process is not None
    fields = Path(f"/proc/{app.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watched(page: Page) -> CDPSession:
    """A session that counts the main thread's own time."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return session


def felt(page: Page, act: str) -> float:
    """Milliseconds, the median of some rounds; `act` is JavaScript over the component's `root` and the round `i`."""
    found: list[float] = [page.evaluate(
        f"async () => {{ const root = {ROOT_OF}; const i = {place}; return ({AFTER})(() => {{ {act} }}); }}")
        for place in range(ROUNDS)]
    return statistics.median(found)


CHANGED = "dispatchEvent(new Event('change'))"
ACTS = {
    "measure_ms": "const one = root.querySelector('select'); one.value = i % 2 ? 'step' : 'time'; one." + CHANGED,
    "smoothing_ms": "const one = root.querySelector('[type=range]'); one.value = 0.5 + 0.04 * i; "
                    "one.dispatchEvent(new Event('input'))",
    "raise_ms": "const one = root.querySelectorAll('.chip')[i]; one.dispatchEvent(new PointerEvent('pointerenter'))",
    "cursor_ms": "const one = root.querySelector('.u-over'), box = one.getBoundingClientRect(); one.dispatchEvent("
                 "new MouseEvent('mousemove', { clientX: box.left + 40 + 9 * i, clientY: box.top + 60, bubbles: true, "
                 "movementX: 9 }))",
    "zoom_ms": "const one = root.querySelector('.u-over'); i % 2 ? one.dispatchEvent(new MouseEvent('dblclick')) : "
               "(() => { const box = one.getBoundingClientRect(); for (const [kind, x] of [['mousedown', 80], "
               "['mousemove', 200], ['mouseup', 200]]) (kind === 'mouseup' ? document : one).dispatchEvent(new "
               "MouseEvent(kind, { clientX: box.left + x, clientY: box.top + 60, bubbles: true, movementX: 9 })); })()",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="print only, keep nothing")
    options = parser.parse_args()
    if CHROMIUM is None:
        raise SystemExit("Install chromium, or name a browser with VAECORE_CHROMIUM.")
    numbers: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["VAECORE_CACHE"] = f"{folder}/cache"
        store = made_store(Path(folder) / "store")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name in ("usable_no_cache_s", "usable_s"):
            app = App(store)
            warmed(browser, app)
            before = served(app)
            numbers[name], page, _ = usable(browser, app)
            numbers[f"{name}_server"] = served(app) - before
            if name == "usable_s":
                page.close()
                numbers["again_s"], page, session = usable(browser, app)
                numbers["again_s_cpu"] = busy(session)
                for act, script in ACTS.items():
                    before = busy(session)
                    numbers[act] = felt(page, script)
                    numbers[f"{act}_cpu"] = 1000 * (busy(session) - before) / ROUNDS
            app.kill()
        browser.close()
    for name, value in numbers.items():
        print(f"{name:26} {value:10.3f}   target {TARGETS[name]:g}: {'met' if value <= TARGETS[name] else 'MISSED'}")
    if not options.quick:
        about = {"date": datetime.date.today().isoformat(), "cpu_cores": os.cpu_count(), "load": os.getloadavg()[0],
                 "python": platform.python_version(), "runs": RUNS, "steps": STEPS}
        kept = {"about": about, "targets": TARGETS, "numbers": {k: round(v, 3) for k, v in numbers.items()}}
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "compare.json").write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
