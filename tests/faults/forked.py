"""The lab's processes as forks of one that has loaded torch and Streamlit already, so that a life is mostly steps.

`use()` puts forks in the place of `subprocess.Popen` in the modules that start supervisors and workers. All else is the
real thing: each is a process and a session of its own, that holds the locks it was given and nothing else, and dies
alone. What they are says the name that the system has of them (`comm`), as a fork's command line is its parent's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import traceback
import types
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def name(role: str, path: Path | str) -> str:
    """What the system calls the process of a role at a folder; at most 15 characters."""
    return f"{role[:6]}-{zlib.crc32(str(path).encode()):08x}"


class Forked:
    """As a `subprocess.Popen` of a supervisor, a worker or a verb of the command line."""

    def __init__(self, command: Sequence[str], *, env: dict[str, str], pass_fds: Sequence[int], stdout: Any,
                 **_: Any) -> None:
        role, arguments = said(command)
        self.returncode: int | None = None
        self.pid = fork(lambda: act(command), name(role, arguments[0]), env=env, keep=pass_fds, output=stdout)

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a fork", timeout or 0.0)
            time.sleep(0.005)
        return code


def said(command: Sequence[str]) -> tuple[str, list[str]]:
    """The role of a command, and the words that it is given."""
    module = command[command.index("-m") + 1]
    return module.rpartition(".")[2], list(command[command.index(module) + 1:])


def act(command: Sequence[str]) -> int:
    """Be what the command would start; its exit code."""
    from vaecore import cli
    from vaecore.lab import supervisor, worker

    role, arguments = said(command)
    if role == "worker":
        return worker.main(arguments)
    if role == "supervisor":
        supervisor.main(arguments)
    else:
        sys.argv = ["vaecore", *arguments]
        cli.main()
    return 0


def fork(act: Callable[[], int], called: str, *, env: dict[str, str] | None = None, keep: Sequence[int] = (),
         output: Any = None) -> int:
    """Do it in a process and a session of its own, that has of all open files only those in `keep`; its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        where = os.open(os.devnull, os.O_RDWR) if output is None else output if isinstance(output, int) else (
            output.fileno())
        kept = {0, 1, 2, *keep}
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(where, 1)
        os.dup2(where, 2)
        for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
            if descriptor not in kept:
                with contextlib.suppress(OSError):  # the listing's own
                    os.close(descriptor)
        sys.stdout = open(1, "w", 1, "utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, "utf-8", closefd=False)  # noqa: SIM115
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        ctypes.CDLL(None).prctl(15, called.encode(), 0, 0, 0)  # PR_SET_NAME
        code = act()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def use() -> None:
    """Load what takes time, and let the lab fork."""
    import sklearn.datasets  # noqa: F401
    import torch
    import torch._dynamo

    import vaecore.training.session
    import vaecore.training.stacked  # noqa: F401
    from vaecore.lab import jobs, supervisor, task

    torch.set_num_threads(1)
    forking = types.SimpleNamespace(Popen=Forked, DEVNULL=subprocess.DEVNULL,
                                    TimeoutExpired=subprocess.TimeoutExpired)
    for module in (jobs, supervisor, task):
        module.subprocess = forking  # type: ignore[assignment]
