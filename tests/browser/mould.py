"""What dashboards of tests are forks of: a process that has loaded all that takes a dashboard seconds to load.

Each line that it is given describes a dashboard: its words on the command line, its environment and the file it prints
into. A line with its pid answers. A dashboard is a process and a session of its own, as one that was started anew.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Dashboard:
    """As the `subprocess.Popen` of a dashboard."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self) -> None:
        """Until it is gone; that it is reaped is the mould's concern."""
        while Path(f"/proc/{self.pid}").exists():
            time.sleep(0.01)


class Mould:
    """The process, seen by those who ask it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "tests.browser.mould"], cwd=ROOT, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, "PYTHONPATH": str(ROOT)})

    def cast(self, words: list[str], environment: dict[str, str], log: Path) -> Dashboard:
        """A dashboard that has just begun."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([words, environment, str(log)]) + "\n")
        self.process.stdin.flush()
        return Dashboard(int(self.process.stdout.readline()))

    def end(self) -> None:
        """What it cast lives on."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def main() -> None:
    """Load, then fork as often as it is asked."""
    import pandas  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import torch
    import torch._dynamo
    from streamlit.web import cli

    import vaecore.explore.opening  # noqa: F401
    from tests.faults import forked

    torch.set_num_threads(1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here

    def serve(words: list[str]) -> int:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # it waits for its own
        cli.main(words, standalone_mode=False)
        return 0

    for line in sys.stdin:
        words, environment, log = json.loads(line)
        with Path(log).open("ab") as output:
            print(forked.fork(lambda words=words: serve(words), "dashboard", env=environment, output=output),
                  flush=True)


if __name__ == "__main__":
    main()
