"""The dashboard as a process that also does what a visitor's click does, in its own process.

A line `submit NAME` that it is given queues a run, as the button of the page does; a line answers. So its supervisors
are children of the server that is killed.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


def main(root: Path, port: int, given: int, told: int) -> None:
    """Serve until killed; `given` and `told` are the descriptors on which it is asked and answers."""
    from streamlit.web import cli

    threading.Thread(target=obey, args=(root, given, told), daemon=True).start()
    cli.main(["run", str(HERE / "app.py"), f"--server.port={port}", "--server.headless=true",
              "--browser.gatherUsageStats=false"], standalone_mode=False)


def obey(root: Path, given: int, told: int) -> None:
    """Do what is asked."""
    from vaecore import lab

    with os.fdopen(given) as asked, os.fdopen(told, "w", 1) as answers:
        for line in asked:
            verb, name = line.split()
            try:
                lab.submit(root / "runs" / name) if verb == "submit" else lab.kick(root)
                answers.write("done\n")
            except Exception as error:
                answers.write(f"refused: {error}\n")
    os._exit(0)  # whoever asked is gone, and nobody else would end this server


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
