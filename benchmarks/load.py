"""Fifty visitors at once: how long a page and an interaction take, what fails, and what memory the server keeps.

    python benchmarks/load.py                # or `make bench`; about twenty-five minutes
    python benchmarks/load.py --quick        # two minutes, keeps nothing
    python benchmarks/load.py --sessions 100 --minutes 20 --visits 5000

Visitors are websocket clients that speak Streamlit's own protocol. Each opens a page, fetches beside it what the page's
components fetch, changes some of its widgets as a hand would, and goes on to the next page. Three trainings are queued
meanwhile, and what is said of them is compared with what their processes do. Afterwards two thousand visits, each by a
session of its own that leaves, show what stays in memory. Visitors, trainings and the server share the machine's cores,
so the numbers include all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import datetime
import json
import os
import platform
import random
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: E402
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: E402
from streamlit.proto.WidgetStates_pb2 import WidgetState  # noqa: E402
from websockets.asyncio.client import ClientConnection, connect  # noqa: E402
from websockets.exceptions import WebSocketException  # noqa: E402

from tests.browser.conftest import App  # noqa: E402

TARGETS = {"errors": 0, "false_states": 0, "page_p95_ms": 1_000, "interaction_p95_ms": 1_000, "growth_mb": 50}
SINGLE = ("gallery/vae", "gallery/vae-plane", "gallery/vae-cyclical", "gallery/vae-fashion", "gallery/vae-vamp",
          "gallery/ae", "gallery/pca")
# What is visited, how often, with which runs in the address, and what the page's components fetch of each run.
PAGES: dict[str, tuple[int, str, tuple[str, ...], tuple[str, ...]]] = {
    "": (3, "", (), ()),
    "traverse": (6, "run", SINGLE, ("networks/decoder/{run}", "networks/encoder/{run}", "seen/{run}")),
    "latent-map": (2, "run", SINGLE[:4], ("networks/decoder/{run}", "map/test/codes/{run}")),
    "cross-modal": (2, "run", ("gallery/mvae", "gallery/jmvae", "gallery/dmvae", "gallery/mmvae-speech"),
                    ("networks/decoder/{run}",)),
    "sentences": (1, "run", ("gallery/lagging-basic", "gallery/lagging-aggressive"), ()),
    "video": (1, "run", ("gallery/svg-lp-mnist", "gallery/predictor-mnist"), ()),
    "runs": (2, "q", ("", "data=mnist", "is:gallery"), ("previews/gallery/vae", "previews/gallery/mvae")),
    "compare": (2, "runs", SINGLE, ("same/noise/{run}?n=8&seed=0",)),
    "monitor": (2, "runs", (*SINGLE[:4], "gallery/lagging-basic"), ()),
    "evaluate": (1, "run", SINGLE, ()),
    "families": (1, "", (), ()),
    "claims": (1, "", (), ()),
    "train": (1, "", (), ()),
    "experiments": (1, "", (), ()),
    "sweeps": (1, "", (), ()),
}
TRAINING = ("training.epochs=20",)  # of the preset vae-mnist: some minutes each beside the visitors
ENDED = ("finished", "stopped", "failed", "lost")


@dataclass
class Log:
    """What all visitors have seen: milliseconds of pages, interactions and fetches, and everything that went wrong."""

    pages: list[float] = field(default_factory=list)
    interactions: list[float] = field(default_factory=list)
    fetches: list[float] = field(default_factory=list)
    slow: list[tuple[float, str]] = field(default_factory=list)  # what took longest
    errors: collections.Counter[str] = field(default_factory=collections.Counter)

    def took(self, kind: list[float], begin: float, what: str) -> None:
        kind.append(1e3 * (time.perf_counter() - begin))
        self.slow = sorted([*self.slow, (round(kind[-1]), what)], reverse=True)[:10]


class Visitor:
    """A session: what a browser does, without drawing it."""

    def __init__(self, app: App, log: Log, chance: random.Random) -> None:
        self.app, self.log, self.chance = app, log, chance
        self.widgets: dict[str, tuple[str, Any, str]] = {}  # by id: kind, protobuf message, fragment
        self.states: dict[str, WidgetState] = {}
        self.page, self.query = "", ""
        self.socket: ClientConnection | None = None

    async def enter(self) -> None:
        address = f"{self.app.address.replace('http', 'ws', 1)}/_stcore/stream"
        self.socket = await connect(address, subprotocols=["streamlit"], max_size=None,  # type: ignore[list-item]
                                    open_timeout=60, ping_interval=None)

    async def leave(self) -> None:
        assert self.socket is not None
        await self.socket.close()

    async def open(self, http: httpx.AsyncClient) -> None:
        """Go to a page by chance, and fetch what its components fetch."""
        self.page = self.chance.choices(list(PAGES), [weight for weight, *_ in PAGES.values()])[0]
        _, parameter, values, beside = PAGES[self.page]
        chosen = self.chance.sample(values, min(len(values), 3 if self.page == "compare" else 1))
        self.query = urlencode([(parameter, each) for each in chosen])
        self.widgets, self.states = {}, {}
        begin = time.perf_counter()
        if await self.rerun():
            self.log.took(self.log.pages, begin, f"page {self.page}?{self.query}")
        for address in beside:
            path = address.format(run=chosen[0]) if chosen else address
            begin = time.perf_counter()
            try:
                answer = await http.get(f"{self.app.address}/{path}")
            except httpx.TransportError as error:
                self.log.errors[f"{type(error).__name__} at {path}"] += 1
                continue
            self.log.took(self.log.fetches, begin, path)
            if answer.status_code not in (200, 409):  # 409: a family without that network, which is told in words
                self.log.errors[f"{answer.status_code} at {path}"] += 1

    async def change(self) -> None:
        """Move one widget of the page, chosen by chance, to another value; nothing where there is none."""
        names = [name for name, (kind, widget, _) in self.widgets.items() if _another(kind, widget, self.chance)]
        if not names:
            return
        name = self.chance.choice(names)
        kind, widget, fragment = self.widgets[name]
        state = _another(kind, widget, self.chance)
        assert state is not None
        self.states[name] = state
        begin = time.perf_counter()
        if await self.rerun(fragment):
            self.log.took(self.log.interactions, begin, f"{self.page}?{self.query}: {widget.label or kind}")

    async def rerun(self, fragment: str = "") -> bool:
        """Ask for the page as the widgets stand, and read the answer to its end; whether it came whole."""
        assert self.socket is not None
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = self.page
        message.rerun_script.fragment_id = fragment
        message.rerun_script.widget_states.widgets.extend(self.states.values())
        await self.socket.send(message.SerializeToString())
        where, whole_page = f"/{self.page}?{self.query}", not fragment
        while True:
            try:
                data = await asyncio.wait_for(self.socket.recv(), 120)
            except TimeoutError:
                self.log.errors[f"no answer within 120 s: {where}"] += 1
                return False
            assert isinstance(data, bytes)
            told = ForwardMsg.FromString(data)
            kind = told.WhichOneof("type")
            if kind == "new_session":  # what is drawn is told anew: of a fragment alone, what lay inside it may be gone
                self.widgets = {name: each for name, each in self.widgets.items() if not (whole_page or each[2])}
            elif kind == "delta":
                self._take(told, where)
            elif kind == "page_not_found":
                self.log.errors[f"page not found: {where}"] += 1
            elif kind == "script_finished":
                whole = told.script_finished in (ForwardMsg.FINISHED_SUCCESSFULLY,
                                                 ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
                if told.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    whole_page = True  # it asks for itself anew
                    continue
                if not whole:
                    self.log.errors[f"ended with {told.script_finished}: {where}"] += 1
                return whole

    def _take(self, told: ForwardMsg, where: str) -> None:
        element = told.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.log.errors[f"{element.exception.type}: {where}"] += 1
        elif kind in READERS:
            widget = getattr(element, kind)
            self.widgets[widget.id] = (kind, widget, told.delta.fragment_id)


def _selectbox(widget: Any, chance: random.Random) -> dict[str, Any] | None:
    return {"string_value": chance.choice(list(widget.options))} if len(widget.options) > 1 else None


def _buttons(widget: Any, chance: random.Random) -> dict[str, Any] | None:
    names = [option.content for option in widget.options]
    single = widget.click_mode == widget.SINGLE_SELECT
    return {"string_array_value": [chance.choice(names)]} if names and single and all(names) else None


def _slider(widget: Any, chance: random.Random) -> dict[str, Any] | None:
    if widget.options or len(widget.default) != 1:
        return None
    steps = int((widget.max - widget.min) / (widget.step or 1))
    return {"double_array_value": [widget.min + chance.randint(0, steps) * (widget.step or 1)]} if steps > 0 else None


def _checkbox(_: Any, chance: random.Random) -> dict[str, Any]:
    return {"bool_value": chance.random() < 0.5}


READERS = {"selectbox": _selectbox, "radio": _selectbox, "button_group": _buttons, "slider": _slider,
           "checkbox": _checkbox}


def _another(kind: str, widget: Any, chance: random.Random) -> WidgetState | None:
    """Some value that a hand could give the widget; None for one that takes none."""
    found = None if widget.disabled or widget.form_id else READERS[kind](widget, chance)
    if found is None:
        return None
    state = WidgetState(id=widget.id)
    for name, value in found.items():
        if name.endswith("array_value"):
            getattr(state, name).data.extend(value)
        else:
            setattr(state, name, value)
    return state


def memory_mb(pid: int) -> float:
    """What of the server's memory is resident."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def client() -> httpx.AsyncClient:
    """What fetches; it drops a connection that rests before the server does."""
    return httpx.AsyncClient(timeout=120, limits=httpx.Limits(keepalive_expiry=2.0))


async def stays(app: App, log: Log, number: int, until: float, http: httpx.AsyncClient) -> None:
    """One visitor who stays: a page, up to four interactions, the next page, with a breath of 4 to 12 s before each."""
    chance = random.Random(number)
    visitor = Visitor(app, log, chance)
    await asyncio.sleep(number / 4)
    await visitor.enter()
    while time.monotonic() < until:
        await visitor.open(http)
        for _ in range(chance.randint(0, 4)):
            await asyncio.sleep(chance.uniform(4, 12))
            if time.monotonic() > until:
                break
            await visitor.change()
        await asyncio.sleep(chance.uniform(4, 12))
    await visitor.leave()


async def passes_by(app: App, log: Log, numbers: list[int], http: httpx.AsyncClient) -> None:
    """Visitors one after the other, each with a session of its own: a page, one interaction, and gone."""
    while numbers:
        visitor = Visitor(app, log, random.Random(10_000 + numbers.pop()))
        try:
            await visitor.enter()
            await visitor.open(http)
            await visitor.change()
            await visitor.leave()
        except (OSError, WebSocketException) as error:
            log.errors[f"{type(error).__name__}: {error}"] += 1
            assert app.process is not None and app.process.poll() is None, "the server has ended"


def queued(store: Path, count: int) -> list[Path]:
    """So many small trainings, one behind the other."""
    from vaecore import lab
    from vaecore.config import changed, preset
    from vaecore.store import Store

    folders = []
    for number in range(count):
        run = Store(store).create(changed(preset("vae-mnist"), [*TRAINING, f"seed={number}"]), f"load-{number}")
        lab.submit(run.path)
        folders.append(run.path)
    return folders


async def watched(folders: list[Path], states: dict[str, list[str]], until: float) -> int:
    """Follow the trainings; how many states were false: a running one without a process, an end that is taken back."""
    from vaecore import lab

    false = 0
    while time.monotonic() < until:
        for folder in folders:
            status = await asyncio.to_thread(lab.status, folder)
            seen = states.setdefault(folder.name, [])
            if not seen or seen[-1] != status.state:
                false += bool(seen and seen[-1] in ENDED) or status.state in ("lost", "failed")
                seen.append(status.state)
        await asyncio.sleep(2)
    return false


async def load(app: App, log: Log, sessions: int, minutes: float, trainings: int) -> dict[str, Any]:
    """All visitors for so long, and the trainings beside them."""
    assert app.process is not None
    pid, memory, states = app.process.pid, list[float](), dict[str, list[str]]()
    async with client() as http:
        warm = Visitor(app, log, random.Random(0))
        await warm.enter()
        for page, (_, parameter, values, _) in PAGES.items():  # each page once, so that all is imported
            warm.page, warm.query = page, urlencode({parameter: values[0]} if values else {})
            warm.widgets, warm.states = {}, {}
            await warm.rerun()
        await warm.leave()
        before = memory_mb(pid)
        folders = queued(app.store, trainings)
        until = time.monotonic() + 60 * minutes

        async def weigh() -> None:
            while time.monotonic() < until:
                memory.append(memory_mb(pid))
                await asyncio.sleep(5)

        follow = asyncio.create_task(watched(folders, states, until))
        await asyncio.gather(weigh(), *(stays(app, log, number, until, http) for number in range(sessions)))
        false = await follow
        begun = time.monotonic()  # the queue may be longer than the visit
        while trainings and time.monotonic() < begun + 900:
            last = [seen[-1] for seen in states.values()]
            if all(state in ENDED for state in last):
                break
            false += await watched(folders, states, time.monotonic() + 5)
    ended = sum(seen[-1] == "finished" for seen in states.values())
    return {"sessions": sessions, "minutes": minutes, "warm_mb": before, "after_mb": memory[-1], "peak_mb": max(memory),
            "trainings": trainings, "finished": ended, "false_states": false + trainings - ended}


async def visits(app: App, log: Log, count: int, at_once: int = 8) -> dict[str, Any]:
    """So many visits by sessions that leave: the server's memory at each tenth of them."""
    assert app.process is not None
    memory, numbers = [memory_mb(app.process.pid)], list(range(count))
    async with client() as http:
        crowd = asyncio.gather(*(passes_by(app, log, numbers, http) for _ in range(at_once)))
        while not crowd.done():
            await asyncio.wait([crowd], timeout=1)
            if len(memory) <= 10 * (count - len(numbers)) / count:
                memory.append(memory_mb(app.process.pid))
        await crowd
    half = len(memory) // 2
    return {"visits": count, "memory_mb": [round(each) for each in memory], "visited_mb": memory[-1],
            "growth_mb": max(memory[half:]) - memory[half]}


def table(numbers: dict[str, Any]) -> str:
    """The numbers as docs/deploy.md has them."""
    rows = [
        (f"{numbers['sessions']} sessions for {numbers['minutes']:g} minutes, {numbers['trainings']} trainings beside "
         "them: pages, interactions, fetches",
         f"{numbers['pages']:,}, {numbers['interactions']:,}, {numbers['fetches']:,}"),
        ("A page, median and 95th percentile", f"{numbers['page_p50_ms']:.0f} ms, {numbers['page_p95_ms']:.0f} ms"),
        ("An interaction, median and 95th percentile",
         f"{numbers['interaction_p50_ms']:.0f} ms, {numbers['interaction_p95_ms']:.0f} ms"),
        ("A network, map or picture, median and 95th percentile",
         f"{numbers['fetch_p50_ms']:.0f} ms, {numbers['fetch_p95_ms']:.0f} ms"),
        ("Answers that failed", f"{numbers['errors']}"),
        ("Trainings that finished; states that were false", f"{numbers['finished']}; {numbers['false_states']}"),
        ("Memory of the server: every page visited once, then with all sessions, at most",
         f"{numbers['warm_mb']:.0f} MB, {numbers['after_mb']:.0f} MB, {numbers['peak_mb']:.0f} MB"),
        (f"After {numbers['visits']:,} visits by sessions of their own; growth over their second half",
         f"{numbers['visited_mb']:.0f} MB; {numbers['growth_mb']:.0f} MB"),
    ]
    return "\n".join(["| What | Measured |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--visits", type=int, default=2_000)
    parser.add_argument("--trainings", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a minute and a hundred visits; keeps nothing")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.visits = min(options.minutes, 1.0), min(options.visits, 100)
    log = Log()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        for shipped in ("gallery", "claims"):
            (store / shipped).symlink_to(ROOT / "trained" / shipped, target_is_directory=True)
        app = App(store)
        app.start()
        try:
            numbers = asyncio.run(load(app, log, options.sessions, options.minutes, options.trainings))
            for name, times in (("page", log.pages), ("interaction", log.interactions), ("fetch", log.fetches)):
                times.sort()
                numbers |= {f"{name}_p50_ms": statistics.median(times), f"{name}_p95_ms": times[int(0.95 * len(times))],
                            f"{name}_max_ms": times[-1]}
            numbers |= {"pages": len(log.pages), "interactions": len(log.interactions), "fetches": len(log.fetches)}
            slow = log.slow
            numbers |= asyncio.run(visits(app, log, options.visits))
        finally:
            with contextlib.suppress(ProcessLookupError):
                app.kill()
    numbers["errors"] = log.errors.total()
    print(table(numbers))
    for name, target in TARGETS.items():
        print(f"{name:24} {numbers[name]:10.1f}   target {target:g}: {'met' if numbers[name] <= target else 'MISSED'}")
    for taken, what in slow:
        print(f"{taken:10} ms  {what}")
    for error, count in log.errors.most_common(20):
        print(f"{count:6} × {error}")
    if not options.quick:
        about = {"date": datetime.date.today().isoformat(), "cpu_cores": os.cpu_count(),
                 "python": platform.python_version(), "load": os.getloadavg()[0]}
        kept = {"about": about, "targets": TARGETS, "numbers": {
            name: round(value, 1) if isinstance(value, float) else value for name, value in numbers.items()}}
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "load.json").write_text(json.dumps(kept, indent=2) + "\n")
        (RESULTS / "load.md").write_text(table(kept["numbers"]))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
