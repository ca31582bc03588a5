"""`vaecore talk [FILE]`: the dashboard, opened at a talk's stage; `--check` says which scenes cannot be opened."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

import vaecore
from vaecore import talks
from vaecore.cli.printing import FAILED, WRONG, JsonOption, StoreOption, err, out, say, store_at
from vaecore.permission import READ_ONLY

app = typer.Typer()
DASHBOARD = Path(vaecore.__file__).parents[1] / "app.py"
PATIENCE = 120  # seconds until a server that does not answer is no longer waited for


@app.command()
def talk(
    which: Annotated[str, typer.Argument(metavar="[FILE|NAME]", help="A talk's file, or the name of one in the store; "
                                         "without, the shipped one.")] = talks.SHIPPED,
    check: Annotated[bool, typer.Option("--check", help="Only say which scenes cannot be opened, and why.")] = False,
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="Where the dashboard is served.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser at the stage.")] = True,
    read_only: Annotated[bool, typer.Option("--read-only", help="Serve it so that nothing can be changed.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a talk: scenes of the dashboard by the keys of a clicker, the next one ready before it is asked for."""
    where = store_at(store)
    chosen = talks.talk(which, where)
    found = list(talks.faults(chosen, where))
    if check:
        facts = {"title": chosen.title, "scenes": len(chosen.scenes), "seconds": chosen.seconds,
                 "faults": [fault._asdict() for fault in found]}
        say(facts, as_json, "\n".join(map(str, found)) or f"{chosen.title}: all {len(chosen.scenes)} scenes open.")
        raise typer.Exit(FAILED if found else 0)
    for fault in found:
        err.print(str(fault), style="yellow")
    if not DASHBOARD.is_file():
        err.print(f"The dashboard is not beside the package: there is no {DASHBOARD}. Run this in a copy of the "
                  "repository.")
        raise typer.Exit(WRONG)
    with socket.socket() as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind(("127.0.0.1", port))
        except OSError:
            err.print(f"Port {port} is taken. Name another by --port.")
            raise typer.Exit(WRONG) from None
    is_file = which.endswith((".yaml", ".yml", ".json"))
    environment = {**os.environ, "VAECORE_STORE": str(where.root), **({READ_ONLY: "1"} if read_only else {}),
                   **({talks.GIVEN: str(Path(which).resolve())} if is_file else {})}
    address = f"http://localhost:{port}/stage?name={talks.FILE if is_file else quote(which)}"
    served = subprocess.Popen([sys.executable, "-m", "streamlit", "run", str(DASHBOARD), f"--server.port={port}",
                               "--server.headless=true"], env=environment, cwd=DASHBOARD.parent)
    threading.Thread(target=_open, args=(served, port, address, browser), daemon=True).start()
    try:
        code = served.wait()
    except KeyboardInterrupt:
        served.terminate()
        served.wait()
        return
    raise typer.Exit(code)


def _open(served: subprocess.Popen[bytes], port: int, address: str, browser: bool) -> None:
    """Say the address of the stage once the server answers, and open a browser there."""
    until = time.monotonic() + PATIENCE
    while served.poll() is None and time.monotonic() < until:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    else:
        return
    out.print(f"\n  The stage: {address}\n  PageDown and PageUp step, ? lists the keys. Ctrl+C ends it.\n")
    if browser:
        webbrowser.open(address)
