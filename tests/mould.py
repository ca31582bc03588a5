"""What dashboards, supervisors and tasks of tests are forks of: a process that has loaded what takes them seconds.

It is asked by a socket that the environment names, so that a dashboard which is a fork asks it as a test does, and it
has no threads of its own. What it casts is a process and a session of its own, as one that was started anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).parents[1]
ADDRESS = "VAECORE_TESTS_MOULD"
FREE = 500  # no process of ours has as many files open


class Cast:
    """As the `subprocess.Popen` of a dashboard, a supervisor or a verb of the command line."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], stdout: IO[bytes], start_new_session: bool,
                 pass_fds: Sequence[int] = (), **_: Any) -> None:
        assert start_new_session, "a fork always leads a session; who does not ask for one would get less"
        asked = json.dumps([list(command), dict(env), str(Path.cwd()), list(pass_fds)])
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as mould:
            mould.connect(os.environ[ADDRESS])
            socket.send_fds(mould, [asked.encode()], [stdout.fileno(), *pass_fds])
            self.pid = int(mould.recv(64))

    def wait(self) -> None:
        """Until it is gone; that it is reaped, and how it ended, is the mould's concern."""
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(self.pid)
            select.select([process], [], [])
            os.close(process)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


CASTING = types.SimpleNamespace(Popen=Cast, DEVNULL=subprocess.DEVNULL)  # in the place of `subprocess`


class Mould:
    """The process, seen by who has started it."""

    def __init__(self) -> None:
        self.room = tempfile.TemporaryDirectory(prefix="mould-")
        address = str(Path(self.room.name) / "socket")
        os.environ[ADDRESS] = address
        self.process = subprocess.Popen([sys.executable, "-m", "tests.mould"], cwd=ROOT, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "loaded\n"

    def serve(self, patch: pytest.MonkeyPatch) -> None:
        """Supervisors with their workers, and tasks, that this process starts are cast."""
        from vaecore.lab import jobs, task

        patch.setattr(jobs, "subprocess", CASTING)
        patch.setattr(task, "subprocess", CASTING)

    def end(self) -> None:
        """What it cast lives on."""
        self.process.communicate()
        self.room.cleanup()
        del os.environ[ADDRESS]


def main() -> None:
    """Load, then fork as often as it is asked, until who started it is gone."""
    import pandas  # noqa: F401
    from streamlit.web import cli

    import vaecore.explore.opening  # noqa: F401
    from tests.faults import forked
    from vaecore.lab import jobs, task

    os.fsync = os.fstat  # nobody pulls the plug here
    forked.use()
    for module in (jobs, task):  # a dashboard has threads, and is not to be forked
        module.subprocess = CASTING  # type: ignore[assignment]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here

    def cast(command: list[str], env: dict[str, str], place: str, numbers: list[int], given: list[int]) -> int:
        def act() -> int:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # it waits for its own
            os.chdir(place)
            apart = [fcntl.fcntl(each, fcntl.F_DUPFD, FREE) for each in given[1:]]
            for each in given[1:]:
                os.close(each)
            for each, number in zip(apart, numbers, strict=True):
                os.dup2(each, number)
                os.close(each)
            if "streamlit" in command:
                cli.main(command[command.index("streamlit") + 1:], standalone_mode=False)
                return 0
            return forked.act(command)

        return forked.fork(act, "cast", env=env, keep=given[1:], output=given[0])

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(os.environ[ADDRESS])
        door.listen()
        print("loaded", flush=True)
        while door in select.select([door, sys.stdin], [], [])[0]:
            asking, _ = door.accept()
            with asking:
                message, given, *_ = socket.recv_fds(asking, 1 << 20, 64)
                asking.send(str(cast(*json.loads(message), given)).encode())
            for each in given:
                os.close(each)


if __name__ == "__main__":
    main()
